"""Services of the catalog are let act, once, and nobody else is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import trustme

from remediator.adapters.probe import LARGEST_BODY
from remediator.adapters.sender import Sender
from remediator.core.errors import Refused, RemediatorError, Retryable, Unknown
from remediator.core.policies import SecretRef
from remediator.core.requests import HttpRequest
from remediator.core.times import Millis
from tests.integration.test_probe import Names, only_the_second
from tests.rude_server import Answer, drip, rude_server, say
from tests.servers import free_port

OK = "200 OK"
KEY = "2026-01-05-0800-web/1/0"
TOKEN = SecretRef(env="TOKEN")


def read(ref: SecretRef) -> str:
    """The secrets of these tests."""
    known = {"TOKEN": "s3cret-value", "FORGED": "a\r\nX-Admin: 1", "ODD": "grüß"}
    if ref.env not in known:
        raise Refused(f"{ref.env} is not set")
    return known[ref.env]


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with Sender.opened(read) as opened:
        yield opened


def request(host: str, method: str = "POST", within: int = 500, *, body: str = "") -> HttpRequest:
    return HttpRequest(method=method, url=f"http://{host}/reset?all=1", within=Millis(within), body=body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_is_sent_says_which_step_it_is(sender: Sender, method: str) -> None:
    async with rude_server(say("202 Accepted", b"soon")) as rude:
        asked = replace(request(rude.host, method, body='{"a": "b"}'), token=TOKEN)
        reply = await sender.send(asked, hosts={rude.host}, key=KEY)
        assert (reply.status, reply.text) == (202, "soon")
        [sent] = rude.heads
    assert sent.startswith(f"{method} /reset?all=1 HTTP/1.1\r\n")
    assert f"Idempotency-Key: {KEY}\r\n" in sent
    assert "Authorization: Bearer s3cret-value\r\n" in sent
    assert "Content-Type: application/json\r\n" in sent
    assert sent.endswith('\r\n\r\n{"a": "b"}')


async def test_without_body_and_token_nothing_of_them_is_sent(sender: Sender) -> None:
    async with rude_server(say("204 No Content")) as rude:
        await sender.send(request(rude.host), hosts={rude.host}, key=KEY)
        [sent] = rude.heads
    assert "uthorization" not in sent
    assert "application/json" not in sent


async def test_hosts_are_those_of_the_catalog(sender: Sender) -> None:
    """Asked beforehand, and once more when it is sent."""
    async with rude_server(say(OK)) as rude:
        for hosts in (set[str](), {"127.0.0.1:80"}, {"web.shop:80"}):
            with pytest.raises(Refused, match="no health URL's host"):
                await sender.permit(request(rude.host), hosts=hosts)
            with pytest.raises(Refused, match="no health URL's host"):
                await sender.send(request(rude.host), hosts=hosts, key=KEY)
        await sender.permit(request(rude.host), hosts={rude.host})
        assert rude.heads == []


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254"])
async def test_a_name_that_leads_nowhere_good_is_not_followed(address: str) -> None:
    async with rude_server(say(OK)) as rude:
        host = f"web.shop:{rude.port}"
        async with Sender.opened(read, resolver=Names([address])) as sender:
            with pytest.raises(Refused, match="resolves to"):
                await sender.send(request(host), hosts={host}, key=KEY)
        assert rude.heads == []


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that means another address a moment later is resolved once."""
    async with rude_server(say(OK, b"bad")) as bad, rude_server(say(OK, b"good"), at=("127.0.0.2", bad.port)):
        host, names = f"web.shop:{bad.port}", Names(["127.0.0.2"], ["127.0.0.1"])
        async with Sender.opened(read, resolver=names, objection=only_the_second) as sender:
            assert (await sender.send(request(host), hosts={host}, key=KEY)).text == "good"
        assert names.asked == ["web.shop"]
        assert bad.heads == []


@pytest.mark.parametrize("status", ["302 Found", "307 There", "308 There"])
async def test_a_redirect_is_an_answer(sender: Sender, status: str) -> None:
    async with rude_server(say(OK)) as there:
        async with rude_server(say(status, b"", f"Location: http://{there.host}/")) as rude:
            reply = await sender.send(request(rude.host), hosts={rude.host, there.host}, key=KEY)
            assert reply.status == int(status[:3])
        assert there.heads == []


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Not a word."""
    writer.transport.abort()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    "answer",
    [
        None,
        hang_up,
        say("nonsense"),
        say("502 Bad Gateway"),
        say("504 Gateway Timeout"),
        drip(b"X: y\r\n" * 1000, b"HTTP/1.1 200 OK\r\n"),
    ],
)
async def test_P17_what_may_have_arrived_is_unknown_and_sent_once(
    sender: Sender, answer: Answer | None, method: str
) -> None:
    """Methods that the library takes for idempotent too."""
    async with rude_server(answer) as rude:
        with pytest.raises(Unknown, match="unknown"):
            await sender.send(request(rude.host, method), hosts={rude.host}, key=KEY)
        assert len(rude.heads) == 1


async def test_P17_what_was_never_sent_may_be_sent_later(sender: Sender) -> None:
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(Retryable, match="could not be sent"):
        await sender.send(request(host), hosts={host}, key=KEY)


async def test_an_answer_whose_body_breaks_off_is_an_answer(sender: Sender) -> None:
    """Its status is all that counts."""

    over = asyncio.Event()

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nx")

    async def hang(writer: asyncio.StreamWriter) -> None:
        await cut(writer)
        await over.wait()

    for answer in (cut, hang):
        async with rude_server(answer) as rude:
            reply = await sender.send(request(rude.host), hosts={rude.host}, key=KEY)
            assert reply.status == 200
    over.set()


async def test_a_body_is_read_no_further_than_its_beginning(sender: Sender) -> None:
    async with rude_server(drip(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n")) as rude:
        reply = await sender.send(request(rude.host), hosts={rude.host}, key=KEY)
        assert reply.text == "x" * LARGEST_BODY


@pytest.mark.parametrize("name", ["MISSING", "FORGED", "ODD"])
async def test_a_token_that_cannot_be_sent_is_refused_beforehand(sender: Sender, name: str) -> None:
    """It forges no header, and is not told."""
    async with rude_server(say(OK)) as rude:
        asked = replace(request(rude.host), token=SecretRef(env=name))
        for call in (
            sender.permit(asked, hosts={rude.host}),
            sender.send(asked, hosts={rude.host}, key=KEY),
        ):
            with pytest.raises(Refused) as refused:
                await call
            assert name in str(refused.value)
            assert "Admin" not in str(refused.value)
        assert rude.heads == []


@pytest.mark.parametrize("answer", [None, hang_up, say("502 Bad Gateway")])
async def test_no_error_tells_the_token(sender: Sender, answer: Answer | None) -> None:
    async with rude_server(answer) as rude:
        asked = replace(request(rude.host), token=TOKEN)
        with pytest.raises(RemediatorError) as raised:
            await sender.send(asked, hosts={rude.host}, key=KEY)
        assert "s3cret" not in f"{raised.value!r} {asked!r} {asked}"


async def test_certificates_are_verified() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with rude_server(say(OK), context) as rude, Sender.opened(read, tls=trusting) as sender:
        asked = replace(request(rude.host), url=f"https://{rude.host}/")
        with pytest.raises(Retryable, match="could not be sent"):
            await sender.send(asked, hosts={rude.host}, key=KEY)
        assert rude.heads == []
