"""Certificates that do not fit: every one is refused with what is wrong and what to do, in time (P2)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.store import RedisStore
from remediator.adapters.redis.tls import Tls
from remediator.core.alerts import Disposition
from remediator.core.errors import SettingsError
from remediator.core.times import Millis
from tests.contract.stores import LANES, admit, arrival
from tests.fault.test_redis_faults import recovers, refusal
from tests.secured import KIND, Authority, Pair, tls_settings, tls_url
from tests.servers import RedisServer, redis_server


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates", "stranger")


@asynccontextmanager
async def store_over(url: str, tls: Tls) -> AsyncIterator[RedisStore]:
    """A store at a ``rediss://`` URL."""
    store = await RedisStore.connect(lambda: Address.parse(url, tls=tls))
    try:
        yield store
    finally:
        await store.close()


async def trouble(url: str, ca: Path | None, shown: Pair | None = None) -> str:
    """What readiness says."""
    tls = Tls(ca=ca, cert=shown.cert, key=shown.key) if shown else Tls(ca=ca)
    async with store_over(url, tls) as store:
        return str(await store.trouble())


async def test_only_our_authority_is_trusted(
    authority: Authority, stranger: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The right one lets us in; another one and those of the system do not, nor a system that trusts it."""
    shown = authority.issue("127.0.0.1")
    with redis_server(KIND, tmp_path / "server", tls_settings(authority, shown, ask=False)) as server:
        url = tls_url(server)
        async with store_over(url, Tls(ca=authority.ca)) as store:
            assert await store.trouble() is None
            assert await admit(store, arrival("aa")) == [Disposition.NEW]
        async with store_over(url, Tls(ca=stranger.ca)) as store:
            assert "set REDIS_CA" in str(await store.trouble())
            assert "set REDIS_CA" in await refusal(admit(store, arrival("aa")))
            assert "set REDIS_CA" in await refusal(store.take(LANES, "one", 1, Millis(100)))
        assert "set REDIS_CA" in await trouble(url, None)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
        assert await trouble(url, None) == "None"
        assert "set REDIS_CA" in await trouble(url, stranger.ca)


@pytest.mark.parametrize(
    ("host", "expired", "says"),
    [("redis.example", False, "another host than REDIS_URL"), ("127.0.0.1", True, "has expired")],
)
async def test_a_certificate_that_does_not_hold(
    host: str, expired: bool, says: str, authority: Authority, tmp_path: Path
) -> None:
    shown = authority.issue(host, expired=expired)
    with redis_server(KIND, tmp_path / "server", tls_settings(authority, shown, ask=False)) as server:
        assert says in await trouble(tls_url(server), authority.ca)


async def test_the_other_side_wants_proof_too(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    """A client certificate that is missing, or that Redis does not trust, is what is spoken of."""
    settings = tls_settings(authority, authority.issue("127.0.0.1"))
    with redis_server(KIND, tmp_path / "server", settings) as server:
        url = tls_url(server)
        assert await trouble(url, authority.ca, authority.issue("client")) == "None"
        assert "set REDIS_CERT and REDIS_KEY" in await trouble(url, authority.ca)
        distrusted = await trouble(url, authority.ca, stranger.issue("client"))
        assert "REDIS_CERT" in distrusted


async def test_one_side_speaks_tls_and_the_other_does_not(authority: Authority, tmp_path: Path) -> None:
    settings = tls_settings(authority, authority.issue("127.0.0.1"), ask=False)
    with redis_server(KIND, tmp_path / "server", settings) as server:
        tls_port, plain_port = settings["tls-port"], server.port
        assert "write rediss://" in await trouble_in_the_open(f"redis://127.0.0.1:{tls_port}")
        assert "names its TLS port" in await trouble(f"rediss://127.0.0.1:{plain_port}", authority.ca)


async def trouble_in_the_open(url: str) -> str:
    store = await RedisStore.connect(url)
    found = str(await store.trouble())
    await store.close()
    return found


async def test_an_authority_that_is_replaced_while_we_run(
    authority: Authority, stranger: Authority, tmp_path: Path
) -> None:
    """A renewed secret is found at the next connection, without a restart; one that is half there is said."""
    trusted = tmp_path / "ca.pem"
    shutil.copy(authority.ca, trusted)
    shown = authority.issue("127.0.0.1")
    with redis_server(KIND, tmp_path / "server", tls_settings(authority, shown, ask=False)) as server:
        async with store_over(tls_url(server), Tls(ca=trusted)) as store:
            assert await admit(store, arrival("aa")) == [Disposition.NEW]
            await asyncio.to_thread(show, server, stranger.issue("127.0.0.1"))
            assert "set REDIS_CA" in str(await store.trouble())
            trusted.unlink()
            assert f"REDIS_CA {trusted} cannot be read" in await refusal(admit(store, arrival("bb")))
            shutil.copy(stranger.ca, trusted)
            await recovers(store)


def show(server: RedisServer, pair: Pair) -> None:
    """From now on the server shows that certificate; it is started again."""
    server.settings |= {"tls-cert-file": str(pair.cert), "tls-key-file": str(pair.key)}
    server.restart()


async def test_files_that_cannot_be_used_stop_the_start(authority: Authority, tmp_path: Path) -> None:
    """Named, without a word of what they hold, and without asking anybody for a passphrase."""
    ours, other = authority.issue("client"), authority.issue("127.0.0.1")
    key = load_pem_private_key(ours.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
    )
    empty = tmp_path / "empty.pem"
    empty.touch()
    for tls, says in (
        (Tls(ca=tmp_path / "nowhere.pem"), "nowhere.pem cannot be read"),
        (Tls(ca=ours.key), "REDIS_CA"),
        (Tls(ca=empty), "REDIS_CA"),
        (Tls(cert=ours.cert, key=other.key), "REDIS_KEY"),
        (Tls(cert=ours.cert, key=ours.cert), "REDIS_KEY"),
        (Tls(cert=ours.cert, key=locked), "without a passphrase"),
    ):
        with pytest.raises(SettingsError, match=says) as caught:
            async with store_over("rediss://127.0.0.1:1", tls):
                pass
        lines = [line for file in (ours.key, other.key, locked) for line in file.read_text().split("\n")]
        assert not any(line[4:36] in str(caught.value) for line in lines if len(line) > 40)
