"""``remediator pause``, ``resume`` and ``pauses`` against a running daemon."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediator.adapters.daemon import DaemonApi
from remediator.core.errors import Refused, Retryable, SettingsError, Unknown
from tests.integration.daemon import PATIENCE, Daemon, daemon, write_policies
from tests.servers import RedisServer, free_port, redis_server

TOKENS = "oscar operator oscar-token\nvera viewer vera-token\n"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def running(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with daemon(write_policies(tmp_path / "policies"), redis_url=redis.url) as one:
        await one.ready()
        yield one


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    code: int | None
    out: str
    err: str


async def run(*arguments: str, **settings: str) -> Said:
    """``remediator`` with these arguments, as a process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMEDIATOR_")}
    environment |= {f"REMEDIATOR_{name}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from remediator.cli.main import main; main()", *arguments,
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    return Said(code=process.returncode, out=out.decode(), err=err.decode())


async def test_what_is_paused_is_listed_and_lifted(running: Daemon) -> None:
    """Every command says what is in force after it."""
    here = ("--url", running.url(""))
    assert await run("pauses", *here) == Said(code=0, out="nothing is paused\n", err="")

    said = await run("pause", "--service", "web", "--reason", "moving\nit", "--for", "2h", *here)
    assert said.code == 0, said.err
    assert said.out.startswith("service web is paused until 20")
    assert said.out.endswith("Z: moving it\n")
    assert " by local since 20" in said.out

    said = await run("pause", "--reason", "storm", URL=running.url(""))
    whole, web = said.out.splitlines()
    assert whole.startswith("all changes are paused until resumed by local since ")
    assert web.startswith("service web is paused until 20")
    assert (await running.get("/v1/pause"))["paused"] is True

    said = await run("pauses", "--json", *here)
    assert json.loads(said.out) == await running.get("/v1/pause")

    said = await run("resume", "--service", "wbe", *here)
    assert said == Said(code=1, out="", err="service wbe is not paused: did you mean 'web'?\n")
    assert (await run("resume", "--service", "web", *here)).out == whole + "\n"
    assert (await run("resume", *here)).out == "nothing is paused\n"
    assert (await running.get("/v1/pause"))["pauses"] == []


@pytest.mark.parametrize(
    ("scope", "kind"),
    [("--namespace", "namespace"), ("--rule", "rule"), ("--runbook", "runbook")],
)
async def test_every_scope_has_its_option(running: Daemon, scope: str, kind: str) -> None:
    name = {"namespace": "shop", "rule": "web-down", "runbook": "restart-web"}[kind]
    until = "2099-01-01T00:00:00Z"
    said = await run("pause", scope, name, "--reason", "x", "--until", until, URL=running.url(""))
    assert said.code == 1
    assert "until is too far away: use up to 30d" in said.err
    said = await run("pause", scope, name, "--reason", "x", URL=running.url(""))
    assert said.out.startswith(f"{kind} {name} is paused until resumed by local")
    (shown,) = (await running.get("/v1/pause"))["pauses"]
    assert shown["scope"] == {kind: name}
    assert (await run("resume", scope, name, URL=running.url(""))).out == "nothing is paused\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["pause"], "--reason"),
        (["pause", "--reason", " "], "--reason is empty"),
        (["pause", "--reason", "x", "--service", "web", "--rule", "web-down"], "name one of --namespace,"),
        (["pause", "--reason", "x", "--service", ""], "name one of --namespace,"),
        (["resume", "--rule", ""], "or none for all changes"),
        (["pause", "--reason", "x", "--for", "2h", "--until", "2026-11-23T18:00:00Z"], "keep one of them"),
        (["pauses", "--url", "ftp://x"], "REMEDIATOR_URL: write an http:// or https:// address"),
        (["pauses", "--url", "http://me:hush@127.0.0.1"], "the daemon's URL names a user"),
        (["pauses", "--token-file", "/nonexistent/token"], "/nonexistent/token cannot be read"),
    ],
)
async def test_wrong_use_asks_no_daemon(arguments: list[str], error: str) -> None:
    """And exits 2, without a word of what may be a secret."""
    said = await run(*arguments, URL=f"http://127.0.0.1:{free_port()}")
    assert said.code == 2, said
    assert error in said.err
    assert "hush" not in said.err
    assert said.out == ""


async def test_who_asks_is_known_by_the_token(redis: RedisServer, tmp_path: Path) -> None:
    """From the environment or a file; a viewer may look and nothing else; several tokens are nobody's."""
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKENS)
    for name in ("oscar", "vera", "eve"):
        (tmp_path / name).write_text(f"{name}-token\n")
    flags = {"redis_url": redis.url, "api_token_file": tokens}
    async with daemon(write_policies(tmp_path / "policies"), **flags) as running:
        here = ("--url", running.url(""))
        said = await run("pause", "--reason", "x", "--token-file", str(tmp_path / "oscar"), *here)
        assert "paused until resumed by oscar" in said.out
        said = await run("pauses", *here, API_TOKEN="vera-token")
        assert "paused until resumed by oscar" in said.out
        said = await run("resume", *here, API_TOKEN_FILE=str(tmp_path / "vera"))
        assert (said.code, said.out) == (1, "")
        assert "the role viewer may not do that: ask with a token whose role is operator" in said.err
        said = await run("pauses", "--token-file", str(tmp_path / "eve"), *here, API_TOKEN="vera-token")
        assert "the credentials are wrong" in said.err
        assert "eve-token" not in said.err
        assert "credentials are required" in (await run("pauses", *here)).err
        said = await run("pauses", *here, API_TOKEN_FILE=str(tokens))
        assert said.code == 2
        assert "holds the tokens of several" in said.err
        assert "-token" not in said.err.replace("--token-file", "")


async def test_no_daemon_is_said_so() -> None:
    said = await run("pauses", "--url", f"http://127.0.0.1:{free_port()}")
    assert said.code == 1
    assert said.err.startswith("no daemon answers at http://127.0.0.1:")


# --- what answers may be anything ---


Answers = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answers: Answers) -> AsyncIterator[DaemonApi]:
    """Something on a port that reads a request and then does that."""

    serving: list[asyncio.Task[object] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        await answers(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with DaemonApi.connected(f"http://127.0.0.1:{port}", token="t", within=1.0) as api:
            yield api
        await asyncio.gather(*(task for task in serving if task is not None))


def sends(head: str, body: bytes) -> Answers:
    async def answers(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = len(body)
        writer.write(f"HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        await writer.drain()

    return answers


async def hangs_up(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Without a word."""


async def keeps_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Until nobody waits any more."""
    await reader.read()


@pytest.mark.parametrize("answers", [hangs_up, keeps_silent])
async def test_a_change_without_an_answer_may_have_been_heard(answers: Answers) -> None:
    """So whoever asked must look; a look can simply be repeated."""
    async with answering(answers) as api:
        with pytest.raises(Unknown, match="may have heard it all the same"):
            await api.ask("PUT", "v1/pause", body={"reason": "x"})
        with pytest.raises(Retryable):
            await api.ask("GET", "v1/pause")


@pytest.mark.parametrize(
    ("head", "body", "error", "text"),
    [
        ("200 OK", b"<html>", Refused, "does not speak like a daemon"),
        ("200 OK", b"[]", Refused, "does not speak like a daemon"),
        ("302 Found\r\nLocation: http://127.0.0.1:1/", b"{}", Refused, "the daemon answers 302"),
        ("503 No", b'{"error": "Redis is gone", "hint": "wait"}', Retryable, "Redis is gone: wait"),
        ("400 No", b'{"error": "a\\u001b[31mb"}', Refused, r"^a \[31mb$"),
    ],
)
async def test_strange_answers_are_told_plainly(
    head: str, body: bytes, error: type[Exception], text: str
) -> None:
    async with answering(sends(head, body)) as api:
        with pytest.raises(error, match=text):
            await api.ask("PUT", "v1/pause", body={"reason": "x"})


async def test_a_token_is_one_word() -> None:
    """Nothing of it is told."""
    with pytest.raises(SettingsError) as raised:
        async with DaemonApi.connected("http://127.0.0.1:1", token="hush\r\nX: y"):
            raise AssertionError("it was taken")
    assert "hush" not in str(raised.value)
