"""P2: whatever is wrong with Redis, every call fails plainly and in under five seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import randbytes
from threading import Thread

import pytest
import redis

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Lane
from remediator.core.decision import Decision
from remediator.core.errors import SettingsError, StoreUnavailable
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import Acknowledged
from remediator.core.pauses import EVERYTHING
from remediator.core.store import Delivered, IncidentFilter, Lease, Queue
from remediator.core.times import Millis
from tests.contract.stores import LANES, admit, arrival, commit, incident
from tests.proxy import proxy
from tests.servers import RedisServer, free_port, redis_server

WITHIN = 5.0
"""Seconds: what the promise says."""


@asynccontextmanager
async def store_at(url: str) -> AsyncIterator[RedisStore]:
    """A store that has worked once, so that its connections are warm."""
    store = await RedisStore.connect(url)
    try:
        yield store
    finally:
        await store.close()


async def refusal(call: Awaitable[object]) -> str:
    """The text of the StoreUnavailable that ``call`` raises in time."""
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        await call
    assert time.monotonic() - started < WITHIN
    return str(caught.value)


async def recovers(store: RedisStore) -> None:
    """Alerts are taken again soon after the fault is over."""
    async with asyncio.timeout(10):
        while True:
            try:
                await admit(store, arrival("ff"))
            except StoreUnavailable:
                continue
            return


def every_call(store: RedisStore) -> dict[str, Callable[[], Awaitable[object]]]:
    """One call of each method."""
    entry = Delivered(queue=Queue.NORMAL, id="1-1", incident="", kind="Alert", data="{}")
    lease = Lease(target="t", owner="o", epoch=1)
    said = (IncidentId("i1"), Acknowledged(by="ada"), Lane.URGENT)
    return {
        "admit": lambda: admit(store, arrival("aa")),
        "batched": lambda: IntakeBatcher(store).admit([arrival("aa")], ()),
        "take": lambda: store.take(LANES, "one", 10, Millis(500)),
        "take at once": lambda: store.take(LANES, "one", 10, Millis(0)),
        "reclaim": lambda: store.reclaim(Queue.NORMAL, "one", Millis(0), 10),
        "extend": lambda: store.extend([entry], "one"),
        "failed": lambda: store.failed(entry),
        "settle": lambda: store.settle(entry, "one", [said]),
        "bury": lambda: store.bury(entry, "one", "reason"),
        "dead_letters": lambda: store.dead_letters(1),
        "revive": lambda: store.revive("1-1"),
        "drop_dead": lambda: store.drop_dead("1-1"),
        "route": lambda: store.route([incident().group], []),
        "load": lambda: store.load(IncidentId("i1"), []),
        "commit": lambda: store.commit(commit(None, Decision(incident=incident()))),
        "append": lambda: store.append(*said),
        "incidents": lambda: store.incidents(IncidentFilter(), 10, None),
        "timeline": lambda: store.timeline(IncidentId("i1")),
        "evidence": lambda: store.evidence(IncidentId("i1")),
        "unmatched": lambda: store.unmatched(1),
        "fire_due": lambda: store.fire_due(1),
        "paused": lambda: store.paused([EVERYTHING]),
        "pauses": store.pauses,
        "pause": lambda: store.pause("reason", "ada", None),
        "resume": store.resume,
        "acquire": lambda: store.acquire("t", "o", Millis(1000)),
        "holds": lambda: store.holds(lease, Millis(1000)),
        "release": lambda: store.release(lease),
        "intend": lambda: store.intend(EffectId("e"), lease, ""),
        "intended": lambda: store.intended(EffectId("e")),
        "use_limits": lambda: store.use_limits([], "m", take=True),
        "refund": lambda: store.refund([], "m", EffectId("e"), lease),
        "gauges": store.gauges,
    }


async def refuses_everything(store: RedisStore) -> None:
    """Every method raises StoreUnavailable in time, all of them at once; and readiness says why."""
    calls = every_call(store)
    texts = await asyncio.gather(*(refusal(call()) for call in calls.values()))
    assert all(text.startswith(("Redis ", "no replica")) for text in texts), dict(
        zip(calls, texts, strict=True)
    )
    assert await store.trouble()


async def test_a_stopped_server(server: RedisServer) -> None:
    """SIGSTOP: connections stand and nothing answers."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        server.pause()
        await refuses_everything(store)
        server.proceed()
        await recovers(store)


async def test_a_server_that_is_gone(server: RedisServer) -> None:
    """kill -9, then nobody listens; and it comes back without its scripts and connections."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        server.kill()
        await refuses_everything(store)
        server.start()
        await recovers(store)


async def test_a_restart_goes_unnoticed(server: RedisServer) -> None:
    """A server that is back before anybody asks: no call fails for its old connections and lost scripts."""
    async with store_at(server.url) as store:
        await asyncio.gather(*(admit(store, arrival(f"{n:x}")) for n in range(8)))
        await asyncio.to_thread(server.restart)
        for call in every_call(store).values():
            await call()


async def test_half_open_connections(server: RedisServer) -> None:
    """A network that swallows what is sent."""
    async with proxy(server.port) as between, store_at(f"redis://127.0.0.1:{between.listening}") as store:
        await admit(store, arrival("aa"))
        between.half_open = True
        await refuses_everything(store)
        between.half_open = False
        await recovers(store)


async def test_connections_that_drop(server: RedisServer) -> None:
    """A reset under a call fails that call alone."""
    async with proxy(server.port) as between, store_at(f"redis://127.0.0.1:{between.listening}") as store:
        await admit(store, arrival("aa"))
        between.delay = 0.2
        call = asyncio.ensure_future(admit(store, arrival("bb")))
        await asyncio.wait([call], timeout=0.1)
        between.drop()
        assert "cannot be reached" in await refusal(call)
        between.delay = 0.0
        await recovers(store)


async def test_out_of_memory(server: RedisServer) -> None:
    """OOM: nothing of the call is written."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        with server.client() as client:
            client.config_set("maxmemory", "100kb")
            before = client.dbsize()
            assert "out of memory" in await refusal(admit(store, arrival("bb"), arrival("aa", firing=False)))
            assert "out of memory" in await refusal(store.commit(commit(None, Decision(incident=incident()))))
            assert "out of memory" in await refusal(store.acquire("t", "o", Millis(1000)))
            assert client.dbsize() == before
            client.config_set("maxmemory", "0")
        await recovers(store)


async def test_a_replica(server: RedisServer) -> None:
    """READONLY: a failover made our master a replica."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        with server.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
            assert "read-only" in await refusal(admit(store, arrival("bb")))
            async with store_at(server.url) as fresh:
                assert "read-only" in (await fresh.trouble() or "")
            client.execute_command("REPLICAOF", "NO", "ONE")
        await recovers(store)


async def test_missing_replicas(server: RedisServer) -> None:
    """NOREPLICAS: the server insists on replicas that are not there. 6.2 does not, for scripts; we do."""
    with server.client() as client:
        client.config_set("min-replicas-to-write", "1")
        async with store_at(server.url) as store:
            assert "fewer replicas" in await refusal(admit(store, arrival("bb")))
            client.config_set("min-replicas-to-write", "0")
            await recovers(store)


@contextmanager
def endless_script(server: RedisServer) -> Iterator[None]:
    """Somebody else's script that runs until it is killed."""

    def run() -> None:
        with server.client() as client, pytest.raises(redis.ResponseError):
            client.eval("while true do end", 0)

    thread = Thread(target=run)
    thread.start()
    with server.client() as client:
        deadline = time.monotonic() + 10
        busy = False
        while not busy and time.monotonic() < deadline:
            try:
                client.ping()
            except redis.ResponseError:
                busy = True
        assert busy, "the script never made the server busy"
        try:
            yield
        finally:
            client.script_kill()
            thread.join()


async def test_a_busy_server(server: RedisServer) -> None:
    """BUSY: a script of somebody else runs too long."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        with endless_script(server):
            assert "busy" in await refusal(admit(store, arrival("bb")))
        await recovers(store)


async def test_a_loading_server(server: RedisServer) -> None:
    """LOADING: restarted with data that takes long to read."""
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        with server.client() as client:
            for start in range(0, 20_000, 1_000):
                client.mset({f"filler:{n}": randbytes(1_000) for n in range(start, start + 1_000)})
            client.bgrewriteaof()
            deadline = time.monotonic() + 20
            while client.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < deadline:
                continue
        server.kill()
        server.settings |= {"key-load-delay": "300"}
        server.start(wait=False)
        async with asyncio.timeout(15):
            while "loading" not in (text := await refusal(admit(store, arrival("bb")))):
                assert "cannot be reached" in text or "in time" in text
        server.settings |= {"key-load-delay": "0"}
        server.kill()
        server.start()
        await recovers(store)


async def test_a_disk_that_cannot_be_written(server: RedisServer, tmp_path: Path) -> None:
    """MISCONF: the last snapshot failed and the server stops taking writes."""
    gone = tmp_path / "gone"
    gone.mkdir()
    async with store_at(server.url) as store:
        await admit(store, arrival("aa"))
        with server.client() as client:
            client.config_set("save", "900 1")
            client.config_set("dir", str(gone))
            gone.rmdir()
            client.bgsave()
            deadline = time.monotonic() + 20
            while (
                client.info("persistence")["rdb_last_bgsave_status"] == "ok" and time.monotonic() < deadline
            ):
                continue
            assert "cannot write to its disk" in await refusal(admit(store, arrival("bb")))
            client.config_set("stop-writes-on-bgsave-error", "no")
        await recovers(store)


async def test_the_password_stays_secret(tmp_path: Path) -> None:
    """Neither a wrong password nor a URL that cannot be read shows up in any text."""
    secret = "hunter2-geheim"
    with redis_server("redis-7.0", tmp_path / "server") as server:
        with server.client() as client:
            client.config_set("requirepass", "another")
        for url in (f"redis://:{secret}@127.0.0.1:{server.port}", server.url):
            async with store_at(url) as store:
                text = await refusal(admit(store, arrival("aa")))
                assert "REDIS_URL" in text
                assert secret not in text + repr(store) + str(await store.trouble())
        async with store_at(f"redis://:another@127.0.0.1:{server.port}") as store:
            assert await store.trouble() is None
    for url in (f"redis://:{secret}/x@host:6379", f"http://:{secret}@host", f"redis://:{secret}@host:port"):
        with pytest.raises(SettingsError) as caught:
            await RedisStore.connect(url)
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None
