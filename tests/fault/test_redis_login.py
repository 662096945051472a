"""Passwords and users: every way to give them, and what is said while they are wrong (P2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.permissions import EXAMINING
from remediator.adapters.redis.store import RedisStore
from remediator.adapters.redis.tls import Tls
from remediator.core.alerts import Disposition, Lane, Rejected
from remediator.core.codec import alert_from
from remediator.core.decision import Decision
from remediator.core.errors import SettingsError
from remediator.core.incident import IncidentId
from remediator.core.journal import Acknowledged, Entry, Kind
from remediator.core.store import Queue
from remediator.core.times import Instant, Millis
from tests.contract.stores import LANES, admit, alert, arrival, commit, incident, take
from tests.fault.test_redis_faults import recovers, refusal, refuses_everything
from tests.secured import PASSWORD, add_user, revoke
from tests.servers import RedisServer, free_port, redis_server

PREFIX = "remediator"
CODED = quote(PASSWORD, safe="")


def where(url: str, *, username: str | None = None, password: str | None = None) -> Callable[[], Address]:
    """As the daemon's settings say it."""
    return lambda: Address.parse(url, username=username, password=password)


def disconnect_all(server: RedisServer) -> None:
    """As a failover or an idle timeout does."""
    with server.client() as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal")


async def test_every_way_to_give_a_password(server: RedisServer, tmp_path: Path) -> None:
    """Encoded in the URL or as it is beside it, over TCP and a unix socket, for both kinds of connection."""
    server.settings["unixsocket"] = str(tmp_path / "redis.sock")
    server.restart()
    add_user(server, "app", PREFIX)
    with server.client() as client:
        client.execute_command("CONFIG", "SET", "requirepass", "default-password")
    at, socket = f"127.0.0.1:{server.port}", f"{tmp_path}/redis.sock"
    for number, address in enumerate(
        (
            where(f"redis://app:{CODED}@{at}"),
            where(f"redis://app@{at}", password=PASSWORD),
            where(f"redis://{at}", username="app", password=PASSWORD),
            where(f"redis://:{'default-password'}@{at}/5"),
            where(f"redis://{at}?db=5", password="default-password"),
            where(f"unix://app:{CODED}@{socket}"),
            where(f"unix://{socket}?db=0", username="app", password=PASSWORD),
        )
    ):
        store = await RedisStore.connect(address)
        assert await store.trouble() is None, number
        await admit(store, arrival(f"{number}a"))
        await store.take(LANES, "one", 10, Millis(1))
        await store.close()


async def test_blocking_reads_are_the_same_user(server: RedisServer) -> None:
    """The connections that wait for work are let in as the others are."""
    add_user(server, "app", PREFIX)
    store = await RedisStore.connect(
        where(f"redis://127.0.0.1:{server.port}", username="app", password=PASSWORD)
    )
    await admit(store, arrival("aa"))
    await store.take(LANES, "one", 10, Millis(1))
    with server.client() as client:
        users = {each["name"]: each["user"] for each in client.client_list() if each["name"]}
    assert users == {"remediator": "app", "remediator-take": "app"}
    await store.close()


@pytest.mark.parametrize("over", ["tcp", "unix"])
async def test_who_is_refused_is_told_why(server: RedisServer, over: str, tmp_path: Path) -> None:
    """No password where one is wanted, a wrong one, one too many; on a unix socket as well."""
    server.settings["unixsocket"] = str(tmp_path / "redis.sock")
    server.restart()
    url = f"redis://127.0.0.1:{server.port}" if over == "tcp" else f"unix://{tmp_path}/redis.sock"
    add_user(server, "app", PREFIX)
    wrong = {"username": "app", "password": "Wr0-guess-5544332211"}
    for login, says in (
        (wrong, "user name or password"),
        ({"password": "x" * 20}, "no password for its default"),
    ):
        store = await RedisStore.connect(where(url, **login))
        text = await refusal(admit(store, arrival("aa")))
        assert says in text
        assert login["password"] not in text + repr(store) + repr(where(url, **login)())
        await store.close()
    with server.client() as client:
        client.execute_command("CONFIG", "SET", "requirepass", "default-password")
    store = await RedisStore.connect(where(url))
    assert "asks for a password; set REDIS_PASSWORD" in await refusal(admit(store, arrival("aa")))
    await refuses_everything(store)
    await store.close()


async def test_an_answer_that_quotes_the_password_is_not_repeated(server: RedisServer) -> None:
    """A server that does not know AUTH says what it was sent with it."""
    server.settings["rename-command"] = "AUTH ANOTHERNAME"
    await asyncio.to_thread(server.restart)
    store = await RedisStore.connect(where(f"redis://app:Pw1-secret@127.0.0.1:{server.port}"))
    text = await refusal(admit(store, arrival("aa")))
    assert "knows AUTH" in text
    assert "Pw1-secret" not in text
    await store.close()
    store = await RedisStore.connect(f"redis://127.0.0.1:{server.port}/9999")
    assert "no database of that number" in await refusal(admit(store, arrival("aa")))
    await store.close()


async def test_a_password_that_is_rotated(server: RedisServer, tmp_path: Path) -> None:
    """Refused while the file is old, gone or empty, with the reason; let in again with the new one."""
    add_user(server, "app", PREFIX, password="old-password")
    file = tmp_path / "password"
    file.write_text("old-password")

    def read() -> str:
        if not file.exists():
            raise SettingsError(f"REDIS_PASSWORD_FILE: {file} cannot be read")
        return file.read_text()

    url = f"redis://app@127.0.0.1:{server.port}"
    store = await RedisStore.connect(lambda: Address.parse(url, password=read()))
    assert await admit(store, arrival("aa")) == [Disposition.NEW]
    revoke(server, "app", "resetpass", ">new-password")
    assert await admit(store, arrival("bb")) == [Disposition.NEW], "connections that stand are let be"
    await asyncio.to_thread(disconnect_all, server)
    await refuses_everything(store)
    assert "user name or password" in str(await store.trouble())
    file.unlink()
    assert f"{file} cannot be read" in await refusal(admit(store, arrival("cc")))
    file.write_text("new-password")
    await recovers(store)
    assert await store.trouble() is None
    await store.close()


async def test_only_the_login_follows_a_url_that_changes(server: RedisServer) -> None:
    """A rotated URL file is found, too; but half of our connections never go to another store."""
    add_user(server, "app", PREFIX, password="old-password")
    urls = [f"redis://app:old-password@127.0.0.1:{server.port}"]
    store = await RedisStore.connect(lambda: Address.parse(urls[-1]))
    await admit(store, arrival("aa"))
    revoke(server, "app", "resetpass", ">new-password")
    await asyncio.to_thread(disconnect_all, server)
    urls.append(f"redis://app:new-password@127.0.0.1:{free_port()}/7")
    assert await admit(store, arrival("aa")) == [Disposition.DUPLICATE]
    await store.close()


def remove(server: RedisServer) -> None:
    """The user, and with it its connections."""
    with server.client() as client:
        client.execute_command("ACL", "DELUSER", "app")


async def test_a_user_that_is_taken_away_and_given_back(server: RedisServer) -> None:
    """ACL DELUSER closes its connections, too: what was on the way meets that, what follows the refusal."""
    add_user(server, "app", PREFIX)
    store = await RedisStore.connect(where(f"redis://app:{CODED}@127.0.0.1:{server.port}"))
    await admit(store, arrival("aa"))
    await asyncio.to_thread(remove, server)
    refused = [await refusal(admit(store, arrival("bb"))) for _ in range(5)]
    assert "user name or password" in refused[-1], refused
    add_user(server, "app", PREFIX)
    await recovers(store)
    await store.close()


@pytest.mark.parametrize("command", ["xadd", "set", "hset", "zadd", "time"])
async def test_a_grant_that_is_taken_away_while_we_run(server: RedisServer, command: str) -> None:
    """The very next alert is refused and says why. Sent again, it is processed: a script that was stopped
    halfway has at most written something twice (P1)."""
    add_user(server, "app", PREFIX)
    store = await RedisStore.connect(where(f"redis://app:{CODED}@127.0.0.1:{server.port}"))
    await admit(store, arrival("aa"))
    revoke(server, "app", f"-{command}")
    sent = [arrival("bb"), arrival("cc", matched=False)]
    for _ in range(2):
        assert "grant it" in await refusal(store.admit(sent, [Rejected(reason="x", raw="{}")]))
    revoke(server, "app", f"+{command}")
    await recovers(store)
    await store.admit(sent, [Rejected(reason="x", raw="{}")])
    queued = {str(alert_from(each.data).fingerprint) for each in await take(store, Queue.NORMAL)}
    assert {"aa", "bb"} <= queued
    assert [str(one.fingerprint) for one in await store.unmatched(10)] == ["cc"]
    assert await store.dead_letters(10)
    await store.close()


@pytest.mark.parametrize("command", ["hset", "zadd", "rpush", "set", "sadd"])
async def test_what_could_not_be_written_is_not_settled(server: RedisServer, command: str) -> None:
    """An event stays until all that follows from it is written (P6)."""
    add_user(server, "app", PREFIX)
    store = await RedisStore.connect(where(f"redis://app:{CODED}@127.0.0.1:{server.port}"))
    await admit(store, arrival("aa"))
    (event,) = await take(store)
    revoke(server, "app", f"-{command}")
    follows = Decision(
        incident=incident(),
        join=(alert("aa"),),
        timeline=(Entry(at=Instant(1), kind=Kind.OPENED, text="x"),),
        arm={"poll": Instant(1)},
    )
    made = commit(None, follows, settles=[event], fingerprints=["aa"])
    assert "grant it" in await refusal(store.commit(made))
    revoke(server, "app", f"+{command}", "-xadd")
    said = (IncidentId("i1"), Acknowledged(by="ada"), Lane.URGENT)
    assert "grant it" in await refusal(store.settle(event, "one", [said]))
    revoke(server, "app", "+xadd")
    (again,) = await store.reclaim(Queue.NORMAL, "two", Millis(0), 10)
    assert again.id == event.id
    await store.close()


async def test_a_user_that_may_not_ask_what_is_kept(server: RedisServer) -> None:
    """Not ready, naming each question and its grant; taken with weak durability, and loudly (P1)."""
    add_user(server, "app", PREFIX)
    parents = [each.split("|")[0] for each in EXAMINING] if server.kind == "redis-6.2" else EXAMINING
    revoke(server, "app", *(f"-{command}" for command in parents))
    address = where(f"redis://app:{CODED}@127.0.0.1:{server.port}")
    strict = await RedisStore.connect(address)
    text = await refusal(admit(strict, arrival("aa")))
    assert text == await strict.trouble()
    assert "refuses CONFIG GET, INFO, COMMAND INFO" in text
    assert "+config|get +info +command|info" in text
    await strict.close()
    with capture_logs() as logs:
        weak = await RedisStore.connect(address, durability="weak")
        assert await weak.trouble() is None
    assert await admit(weak, arrival("aa")) == [Disposition.NEW]
    assert [line["log_level"] for line in logs] == ["warning"]
    await weak.close()


async def test_waiting_for_the_disk_needs_its_grant_where_it_is_waited_for(tmp_path: Path) -> None:
    """everysec waits with WAITAOF: without the grant not ready, before anything was answered."""
    with redis_server("valkey-9", tmp_path / "server", {"appendfsync": "everysec"}) as server:
        add_user(server, "app", PREFIX)
        address = where(f"redis://app:{CODED}@127.0.0.1:{server.port}")
        for rules, says in (("+waitaof", "None"), ("-waitaof", "grant it +waitaof ")):
            revoke(server, "app", rules)
            store = await RedisStore.connect(address)
            assert says in str(await store.trouble())
            await store.close()


@pytest.mark.parametrize(
    ("url", "beside", "says"),
    [
        ("redis://u:hunter2/geheim@host:6379", {}, "percent-encoded"),
        ("redis://u:hunter2#geheim@host:6379", {}, "percent-encoded"),
        ("redis://u:hunter2?geheim@host:6379", {}, "percent-encoded"),
        ("redis://u:hunter2?geheim=1@host:6379", {}, "percent-encoded"),
        ("redis://u:hunter2%ff@host:6379", {}, "percent-encoded"),
        ("redis://u:hunter2@host:port", {}, "percent-encoded"),
        ("redis://u:hunter2@host/first", {}, "percent-encoded"),
        ("redis://u:hunter2@host/-1", {}, "percent-encoded"),
        ("redis://u:hunter2@host/1?db=2", {}, "percent-encoded"),
        ("redis://u:hunter2@host?socket_timeout=1", {}, "percent-encoded"),
        ("unix://u:hunter2@host/path", {}, "percent-encoded"),
        ("unix://u:hunter2@", {}, "percent-encoded"),
        ("http://u:hunter2@host", {}, "percent-encoded"),
        ("rediss://u:hunter2@host?ssl_cert_reqs=none", {}, "always verified"),
        ("rediss://u:hunter2@host?ssl_check_hostname=false", {}, "always verified"),
        ("redis://u:hunter2@host", {"password": "geheim"}, "REDIS_PASSWORD is set, and REDIS_URL"),
        ("redis://u:hunter2@host", {"username": "v"}, "REDIS_USERNAME is set, and REDIS_URL"),
        ("redis://u:hunter2@host", {"tls": Tls(ca=Path("ca.pem"))}, "need a rediss:// URL"),
        ("unix://u:hunter2@/path", {"tls": Tls(ca=Path("ca.pem"))}, "need a rediss:// URL"),
    ],
)
def test_an_address_that_is_refused(url: str, beside: dict[str, object], says: str) -> None:
    """Said plainly, and without a piece of the password."""
    with pytest.raises(SettingsError) as caught:
        Address.parse(url, **beside)  # type: ignore[arg-type]  # a table of keywords
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None
