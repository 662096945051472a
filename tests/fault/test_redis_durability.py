"""P1: what was acknowledged survives; a server that cannot promise that is not trusted with alerts."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.adapters.redis.durability import Durability
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Disposition
from remediator.core.codec import alert_from
from remediator.core.errors import StoreUnavailable
from remediator.core.store import Queue
from remediator.core.times import Millis
from tests.contract.stores import admit, arrival, take
from tests.servers import KINDS, RedisServer, redis_server


async def trouble(server: RedisServer, durability: Durability = "strict") -> str | None:
    """What a store that sees the server for the first time says; admitting agrees with it."""
    store = await RedisStore.connect(server.url, durability=durability)
    try:
        found = await store.trouble()
        if found is None:
            await admit(store, arrival("aa"))
        else:
            with pytest.raises(StoreUnavailable, match=found[:20]):
                await admit(store, arrival("aa"))
        return found
    finally:
        await store.close()


async def admit_until_killed(server: RedisServer, after: int) -> set[str]:
    """Fingerprints whose admission was answered before the server was killed in the middle of it all."""
    store = await RedisStore.connect(server.url)
    batcher = IntakeBatcher(store)
    admitted: set[str] = set()

    async def client(name: int) -> None:
        for number in range(10_000):
            fingerprint = f"{name:02x}{number:06x}"
            try:
                answers = await batcher.admit([arrival(fingerprint)], ())
            except StoreUnavailable:
                return
            assert answers == [Disposition.NEW]
            admitted.add(fingerprint)
            if len(admitted) == after:
                server.kill()

    async with asyncio.timeout(60):
        await asyncio.gather(*(client(name) for name in range(32)))
    await store.close()
    return admitted


async def everything_queued(server: RedisServer) -> set[str]:
    """The fingerprints of all that waits."""
    store = await RedisStore.connect(server.url)
    found: set[str] = set()
    while entries := await take(store, Queue.NORMAL):
        found |= {str(alert_from(entry.data).fingerprint) for entry in entries}
    await store.close()
    return found


async def test_killed_under_load(server: RedisServer) -> None:
    """kill -9 with dozens of admissions in flight, twice: every one that was answered is there."""
    admitted: set[str] = set()
    for after in (random.Random(1).randint(200, 400), 777):
        admitted |= await admit_until_killed(server, after)
        server.start()
        with server.client() as client:
            client.delete(*client.keys("*episode*"))  # so that the second round admits the same names anew
        assert admitted <= await everything_queued_again(server)


async def everything_queued_again(server: RedisServer) -> set[str]:
    """As above, without taking: read behind the store's back."""
    with server.client() as client:
        entries = client.xrange("{remediator}:queue:normal")
    return {str(alert_from(fields["d"]).fingerprint) for _, fields in entries}


async def test_everysec_waits_for_the_disk(tmp_path: Path) -> None:
    """With WAITAOF every second is enough, for duplicates too: nothing is answered before the fsync."""
    with redis_server("valkey-9", tmp_path / "server", {"appendfsync": "everysec"}) as server:
        store = await RedisStore.connect(server.url)
        assert await store.trouble() is None
        assert await admit(store, arrival("aa")) == [Disposition.NEW]
        assert await admit(store, arrival("aa")) == [Disposition.DUPLICATE]
        assert await store.pause("reason", "ada", None)
        await store.acquire("t", "o", Millis(1000))
        with server.client() as client:
            calls = {name: stats["calls"] for name, stats in client.info("commandstats").items()}
            scripts = calls["cmdstat_evalsha"] + calls["cmdstat_eval"] - 1  # one is the examination's
            assert calls["cmdstat_waitaof"] == scripts
            assert client.exists("{remediator}:touch")
        await store.close()
        admitted = await admit_until_killed(server, 100)
        server.start()
        assert admitted <= await everything_queued(server)


@pytest.mark.parametrize("kind", ["redis-6.2", "redis-7.0"])
async def test_everysec_alone_is_not_enough(kind: str, tmp_path: Path) -> None:
    """Without WAITAOF a second of answers could be lost."""
    with redis_server(kind, tmp_path / "server", {"appendfsync": "everysec"}) as server:
        assert "appendfsync always" in (await trouble(server) or "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"appendonly": "no"}, "appendonly yes"),
        ({"appendfsync": "no"}, "appendfsync always"),
        ({"maxmemory-policy": "allkeys-lru"}, "noeviction"),
    ],
)
async def test_settings_that_lose_alerts(
    kind: str, setting: dict[str, str], says: str, tmp_path: Path
) -> None:
    """Not ready, and saying what to change; with weak durability taken all the same, and loudly."""
    with redis_server(kind, tmp_path / "server", setting) as server:
        assert says in (await trouble(server) or "")
        with capture_logs() as logs:
            assert await trouble(server, "weak") is None
        assert [line["log_level"] for line in logs] == ["warning"]
        assert says in logs[0]["trouble"]


async def test_a_server_that_does_not_tell(server: RedisServer) -> None:
    """A managed Redis that refuses CONFIG: nobody can know, so nobody is told it is safe."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-config")
    store = await RedisStore.connect(f"redis://app:pw@127.0.0.1:{server.port}")
    assert "refuses CONFIG GET" in (await store.trouble() or "")
    await store.close()


async def test_a_change_of_settings_is_noticed_after_a_reconnect(server: RedisServer) -> None:
    """The server that is there after a restart may be set differently."""
    store = await RedisStore.connect(server.url)
    await admit(store, arrival("aa"))
    server.settings["appendonly"] = "no"
    await asyncio.to_thread(server.restart)
    for says in ("replaced or set anew", "append-only"):
        with pytest.raises(StoreUnavailable, match=says):
            await admit(store, arrival("bb"))
    await store.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_replica_has_it_too(kind: str, tmp_path: Path) -> None:
    """With replicas: min-replicas-to-write is asked for, one confirms, and without it nothing is answered."""
    with redis_server(kind, tmp_path / "master") as master, master.client() as client:
        with redis_server(kind, tmp_path / "replica", {"replicaof": f"127.0.0.1 {master.port}"}) as replica:
            async with asyncio.timeout(30):
                while client.info("replication").get("slave0", {}).get("state") != "online":
                    await asyncio.to_thread(client.ping)
            assert "min-replicas-to-write" in (await trouble(master) or "")
            client.config_set("min-replicas-to-write", "1")
            store = await RedisStore.connect(master.url)
            async with asyncio.timeout(30):
                while await store.trouble() is not None:
                    continue
            assert await admit(store, arrival("bb")) == [Disposition.NEW]
            with replica.client() as behind:
                assert behind.xlen("{remediator}:queue:normal") == 1
            replica.pause()
            with pytest.raises(StoreUnavailable):
                await admit(store, arrival("cc"))
            replica.proceed()
        await store.close()
