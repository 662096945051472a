"""Services of the catalog are asked, and nobody else, whatever answers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult

from remediator.adapters.probe import LARGEST_BODY, Prober
from remediator.core.errors import Refused, RemediatorError, Retryable
from tests.rude_server import Answer, drip, rude_server, say
from tests.servers import free_port

OK = "200 OK"


class Names(AbstractResolver):
    """A resolver that answers what the test says, another thing each time; the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for each in answer
        ]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    async with Prober.opened() as opened:
        yield opened


async def test_an_answer_is_a_status_and_the_beginning_of_its_text(prober: Prober) -> None:
    async with rude_server(say("503 Busy", b'{"db":\n"down\x1b[2J"}')) as rude:
        answer = await prober.get(f"http://{rude.host}/health?full=1", hosts={rude.host}, within=5)
        assert (answer.status, answer.text) == (503, '{"db": "down [2J"}')
        head = rude.heads[0]
    assert head.startswith("GET /health?full=1 HTTP/1.1\r\n")
    assert f"Host: {rude.host}\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://{host}/", set()),
        ("http://{host}/", {"127.0.0.1:80"}),
        ("http://{host}/", {"127.0.0.1"}),
        ("http://localhost:{port}/", {"{host}"}),
        ("http://localhost.:{port}/", {"localhost:{port}"}),
        ("http://web@{host}/", {"{host}"}),
        ("http://{host}@evil.example/", {"{host}"}),
        ("http://evil.example/#@{host}/", {"{host}"}),
        ("http://evil.example\\@{host}/", {"{host}"}),
        ("http://evil.example/\\{host}", {"{host}"}),
        ("ftp://{host}/", {"{host}"}),
        ("file:///etc/passwd", {"{host}"}),
        ("http://{host}/a/../b", {"{host}"}),
        ("http://{host}/a/%2e%2E/b", {"{host}"}),
        ("http://{host}/\r\nX-Evil: 1", {"{host}"}),
        ("", {"{host}"}),
    ],
)
async def test_who_is_not_in_the_catalog_is_not_asked(prober: Prober, url: str, hosts: set[str]) -> None:
    """Whatever a URL looks like, without an exact ``host:port`` of the catalog nothing leaves the daemon."""
    async with rude_server(say(OK)) as rude:
        filled = {each.format(host=rude.host, port=rude.port) for each in hosts}
        with pytest.raises(Refused):
            await prober.get(url.format(host=rude.host, port=rude.port), hosts=filled, within=5)
        assert rude.heads == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fe80::1%1",
        "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1",
        "255.255.255.255", "240.0.0.1", "no address", "",
    ],
)  # fmt: skip
async def test_a_name_that_leads_nowhere_good_is_not_followed(address: str) -> None:
    """Not even when a good address stands beside it."""
    async with rude_server(say(OK)) as rude:
        host = f"web.shop:{rude.port}"
        for answer in ([address], ["10.1.2.3", address]):
            names = Names(answer)
            async with Prober.opened(resolver=names) as prober:
                with pytest.raises(Refused, match="resolves to"):
                    await prober.get(f"http://{host}/", hosts={host}, within=5)
            assert names.asked == ["web.shop"]
        assert rude.heads == []


async def test_numbers_that_only_a_resolver_reads_are_no_hosts(prober: Prober) -> None:
    async with rude_server(say(OK)) as rude:
        for host in (
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.1",
            "0x7f.0.0.1",
            "127.0.0.01",
            "127.0.0.1.",
        ):
            named = f"{host}:{rude.port}"
            with pytest.raises(Refused):
                await prober.get(f"http://{named}/", hosts={named}, within=5)
        assert rude.heads == []


def only_the_second(address: IPv4Address | IPv6Address) -> str | None:
    """Of this machine's addresses, all of which the real rule refuses, one passes for a service's."""
    return None if str(address) == "127.0.0.2" else "not the second"


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that means another address a moment later (DNS rebinding) is resolved once, before the check."""
    async with rude_server(say(OK, b"bad")) as bad, rude_server(say(OK, b"good"), at=("127.0.0.2", bad.port)):
        host = f"web.shop:{bad.port}"
        names = Names(["127.0.0.2"], ["127.0.0.1"])
        async with Prober.opened(resolver=names, objection=only_the_second) as prober:
            answer = await prober.get(f"http://{host}/", hosts={host}, within=5)
            assert (answer.status, answer.text) == (200, "good")
            assert names.asked == ["web.shop"]
            with pytest.raises(Refused, match="not the second"):
                await prober.get(f"http://{host}/", hosts={host}, within=5)
        assert bad.heads == []


async def test_an_address_that_the_catalog_writes_out_is_asked(prober: Prober) -> None:
    """Naming it is the permission; the same address under a name has none."""
    async with rude_server(say(OK, b"fine")) as rude:
        answer = await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=5)
        assert (answer.status, answer.text) == (200, "fine")
        host = f"localhost:{rude.port}"
        with pytest.raises(Refused):
            await prober.get(f"http://{host}/", hosts={host}, within=5)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 There", "308 There"])
async def test_a_redirect_is_an_answer(prober: Prober, status: str) -> None:
    async with rude_server(say(OK)) as there:
        moved = say(status, b"", f"Location: http://{there.host}/")
        async with rude_server(moved) as rude:
            hosts = {rude.host, there.host}
            answer = await prober.get(f"http://{rude.host}/", hosts=hosts, within=5)
            assert answer.status == int(status[:3])
        assert there.heads == []


async def test_a_body_is_read_no_further_than_its_beginning(prober: Prober) -> None:
    endless = drip(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n")
    async with rude_server(endless) as rude:
        answer = await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=5)
        assert answer.text == "x" * LARGEST_BODY


async def test_what_is_packed_stays_packed(prober: Prober) -> None:
    """A body of a few bytes cannot become one of gigabytes."""
    async with rude_server(say(OK, b"\x1f\x8b packed", "Content-Encoding: gzip")) as rude:
        answer = await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=5)
        assert "packed" in answer.text


async def test_cookies_are_not_kept(prober: Prober) -> None:
    async with rude_server(say(OK, b"", "Set-Cookie: a=b")) as rude:
        for _ in range(2):
            await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=5)
        assert len(rude.heads) == 2
        assert "ookie" not in "".join(rude.heads)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, Retryable),
        (say("nonsense"), Retryable),
        (say(OK, b"x", "Content-Length: 7"), Retryable),
        (drip(b"x" * 65536, b"HTTP/1.1 200 OK\r\nX: "), Retryable),
        (drip(b"X: y\r\n" * 1000, b"HTTP/1.1 200 OK\r\n"), Retryable),
    ],
)
async def test_what_is_no_answer_is_an_error(
    prober: Prober, answer: Answer | None, error: type[RemediatorError]
) -> None:
    async with rude_server(answer) as rude:
        with pytest.raises(error):
            await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=0.5)


async def test_who_does_not_listen_is_an_error(prober: Prober) -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(Retryable, match="cannot be asked"):
        await prober.get(f"http://{host}/", hosts={host}, within=5)


async def test_a_slow_body_is_given_up(prober: Prober) -> None:
    gone = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)  # the drip itself
        finally:
            gone.set()

    async with rude_server(answer) as rude:
        with pytest.raises(Retryable, match=r"did not answer within 0\.3s"):
            await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=0.3)
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_resolver_that_hangs_is_given_up() -> None:
    class Silent(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            await asyncio.Event().wait()
            return []

    async with Prober.opened(resolver=Silent([])) as prober:
        with pytest.raises(Retryable, match="did not answer"):
            await prober.get("http://web.shop/", hosts={"web.shop:80"}, within=0.2)


async def test_no_proxy_of_the_environment_is_used(prober: Prober, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rude_server() as proxy, rude_server(say(OK)) as rude:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        assert (await prober.get(f"http://{rude.host}/", hosts={rude.host}, within=5)).status == 200
        assert proxy.heads == []


@asynccontextmanager
async def behind_tls(authority: trustme.CA, *names: str) -> AsyncIterator[str]:
    """A server with a certificate for ``names``; its ``host:port``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    async with rude_server(say(OK), context) as rude:
        yield rude.host


async def test_certificates_are_verified() -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with Prober.opened(tls=trusting) as prober, Prober.opened() as usual:
        async with behind_tls(authority, "127.0.0.1") as host:
            assert (await prober.get(f"https://{host}/", hosts={host}, within=5)).status == 200
            with pytest.raises(Retryable, match="certificate"):
                await usual.get(f"https://{host}/", hosts={host}, within=5)
        async with behind_tls(authority, "other.example") as host:
            with pytest.raises(Retryable, match="certificate"):
                await prober.get(f"https://{host}/", hosts={host}, within=5)
        async with behind_tls(stranger, "127.0.0.1") as host:
            with pytest.raises(Retryable, match="certificate"):
                await prober.get(f"https://{host}/", hosts={host}, within=5)
