"""Who may reach the two listeners: every path that there is, asked by those who may not.

The paths are those of the daemon's own description, so that one that is added is tried, too.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from remediator.app import App
from remediator.core.errors import SettingsError
from remediator.settings import read_settings
from tests.integration.daemon import PATIENCE, Daemon, alert, daemon, notification, write_policies
from tests.servers import RedisServer, redis_server

TOKEN = "listeners-webhook-token"
API_TOKEN = "listeners-api-token"
OPEN = {"/-/healthy", "/-/ready", "/metrics", "/openapi.json"}
"""What is open to whoever reaches operations."""
KNOWN = {"id": "2026-01-01-0000-nothing"}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


@pytest.fixture
async def near(redis: RedisServer, policies: Path) -> AsyncIterator[Daemon]:
    """On loopback, with tokens."""
    flags = {"webhook_token": TOKEN, "api_token": API_TOKEN}
    async with daemon(policies, redis_url=redis.url, **flags) as one:
        await one.ready()
        yield one


async def routes(asked: Daemon) -> list[tuple[str, str]]:
    """Every method and path of operations."""
    document = await asked.get("/openapi.json")
    found = [
        (method.upper(), path.format(**KNOWN))
        for path, operations in document["paths"].items()
        for method in operations
    ]
    assert len(found) >= 18
    assert {path for _, path in found} >= OPEN
    return found


async def knock(method: str, url: str, body: object = None, **headers: str) -> int:
    """The status of the answer. The URL goes out as it is."""
    address = URL(url, encoded=True)
    async with aiohttp.request(method, address, json=body, headers=headers) as response:
        text = await response.text()
        if response.status >= 400 and method != "HEAD":
            assert set(await response.json()) >= {"error", "hint"}, text
        return response.status


def receiver(of: Daemon) -> str:
    """The address of its webhook."""
    return f"http://127.0.0.1:{of.app.receiver_address[1]}/v1/alertmanager"


@pytest.mark.parametrize("listen", ["0.0.0.0:0", ":0"])
async def test_a_receiver_that_others_can_reach_asks_for_a_token_or_does_not_start(
    policies: Path, tmp_path: Path, listen: str
) -> None:
    """Exit code 2, and a sentence that says what to set. A token for operations is none for the receiver."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    given = {"POLICIES": policies, "DATA_DIR": tmp_path / "data", "LISTEN": listen, "API_TOKEN": API_TOKEN}
    environment |= {f"REMEDIATOR_{name}": str(value) for name, value in given.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from remediator.cli.main import main; main()", "serve",
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, said = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    text = " ".join(said.decode().split())
    for word in ("LISTEN", listen, "WEBHOOK_TOKEN", "127.0.0.1"):
        assert word in text
    assert "Traceback" not in text
    assert not (tmp_path / "data").exists()  # refused before anything is started


@pytest.mark.parametrize(
    "listen",
    ["[::]:0", "192.0.2.1:0", "example.org:0", "127.0.0.1.example.org:0", "localhost.example:0", "0:0"],
)
async def test_only_loopback_is_loopback(policies: Path, listen: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_TOKEN"):
        async with App.running(read_settings({"policies": policies, "listen": listen})):
            raise AssertionError("it runs")


async def test_off_loopback_the_receiver_takes_nothing_without_its_token(
    redis: RedisServer, policies: Path
) -> None:
    flags = {"webhook_token": TOKEN, "api_token": API_TOKEN, "listen": "0.0.0.0:0"}
    async with daemon(policies, redis_url=redis.url, **flags) as one:
        await one.ready()
        url, body = receiver(one), notification(alert("Slow"))
        assert await knock("POST", url, body) == 401
        assert await knock("POST", url, body, Authorization=f"Bearer {API_TOKEN}") == 403
        assert await knock("POST", f"{url}?token={TOKEN}", body) == 401
        assert await knock("POST", url, body, Authorization=TOKEN) == 401
        assert await knock("POST", url, body, Authorization=f"Bearer {TOKEN}", Host="a b") == 403
        assert 'disposition="new"} 0.0' in await one.text("/metrics")
        assert await knock("POST", url, body, Authorization=f"Bearer {TOKEN}") == 200
        assert 'disposition="new"} 1.0' in await one.text("/metrics")


async def test_off_loopback_operations_without_a_token_do_nothing_for_anybody(
    redis: RedisServer, policies: Path
) -> None:
    async with daemon(policies, redis_url=redis.url, ops_listen="0.0.0.0:0") as one:
        await one.ready()
        for method, path in await routes(one):
            for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer x"}):
                expected = 200 if path in OPEN else 403
                assert await knock(method, one.url(path), **headers) == expected, (method, path)


async def test_off_loopback_every_operation_asks_for_the_token(redis: RedisServer, policies: Path) -> None:
    async with daemon(policies, redis_url=redis.url, ops_listen="0.0.0.0:0", api_token=API_TOKEN) as one:
        await one.ready()
        right = {"Authorization": f"Bearer {API_TOKEN}"}
        for method, path in await routes(one):
            if path in OPEN:
                assert await knock(method, one.url(path)) == 200, path
                continue
            assert await knock(method, one.url(path)) == 401, (method, path)
            assert await knock(method, one.url(f"{path}?token={API_TOKEN}")) == 401, (method, path)
            for wrong in ("", "x", API_TOKEN[:-1], f"{API_TOKEN}x", API_TOKEN.upper()):
                header = {"Authorization": f"Bearer {wrong}"}
                assert await knock(method, one.url(path), **header) == 403, (method, path, wrong)
            assert await knock(method, one.url(path), **right) not in (401, 403), (method, path)
            assert await knock(method, one.url(path), **right, Host="a/b") == 403, (method, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/%76%31/incidents", 401),
        ("/v1/%69ncidents", 401),
        ("/v1/incidents/", 404),
        ("//v1/incidents", 404),
        ("/V1/incidents", 404),
        ("/metrics/../v1/incidents", 404),
        ("/metrics/%2e%2e/v1/incidents", 404),
        ("/metrics%2f..%2fv1%2fincidents", 404),
        ("/v1/incidents;/metrics", 404),
        ("/v1/incidents/..%2f..%2fmetrics", 401),
        ("/v1/incidents#/metrics", 401),
    ],
)
async def test_no_spelling_of_a_path_gets_around_the_token(near: Daemon, path: str, status: int) -> None:
    """Spelled otherwise it is the same path and asks for the same, or it is none at all."""
    for method in ("GET", "HEAD"):
        assert await spelled(near, method, path) == status


async def spelled(of: Daemon, method: str, path: str) -> int:
    """The status of a request whose target is written just so."""
    host, port = of.app.ops_address
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])


STRANGE_HOSTS = (
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9095", "localhost@evil.example",
    "127.0.0.2", "[::2]", "localhost,evil.example", "0.0.0.0", "2130706433",
)  # fmt: skip


@pytest.mark.parametrize("host", STRANGE_HOSTS)
async def test_on_loopback_the_host_header_must_be_ours(near: Daemon, host: str) -> None:
    """A web page whose name was made to resolve to us is refused, even with the right token."""
    api, sender = f"Bearer {API_TOKEN}", f"Bearer {TOKEN}"
    for method, path in await routes(near):
        assert await knock(method, near.url(path), Authorization=api, Host=host) == 403, (method, path)
    body = notification(alert("Slow"))
    assert await knock("POST", receiver(near), body, Authorization=sender, Host=host) == 403
    assert 'disposition="new"} 0.0' in await near.text("/metrics")
    assert await knock("POST", receiver(near), body, Authorization=sender, Host="localhost") == 200
