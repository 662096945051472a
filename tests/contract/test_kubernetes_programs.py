"""Programs that the adapter runs in containers: how they end, what is kept, and what is never run twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.adapters.kubernetes import Kubernetes, Limits, connect
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.programs import KEPT, Ended, Program
from remediator.core.times import Millis
from remediator.testing.apiserver import ADMIN, TOKEN, Behaviour, FakeApiServer, Output, Pace, User
from remediator.testing.apiserver.access import Rule
from remediator.testing.apiserver.executing import Command
from tests.core.builders import WEB
from tests.fault.kubernetes_scene import QUICK, Impatient

BRISK = Pace(ready_after=0.002, stop_after=0.002, lag=0.001)


@asynccontextmanager
async def scene(
    directory: Path, users: dict[str, User] | None = None, token: str = TOKEN, limits: Limits = QUICK
) -> AsyncIterator[tuple[FakeApiServer, Kubernetes, Program]]:
    """``web``, and a program that can be run in its first pod."""
    runtime = Impatient()
    async with FakeApiServer(pace=BRISK, users={TOKEN: ADMIN, **(users or {})}) as server:
        server.deployment("shop", "web", replicas=2)
        await server.settled()
        admin = await connect(str(server.kubeconfig(directory / "admin")), runtime=runtime)
        pod, *_ = sorted(
            await admin.reader.pods(await admin.reader.workload(WEB)), key=lambda each: each.name
        )
        await admin.close()
        path = server.kubeconfig(directory / "kubeconfig", token=token)
        cluster = await connect(str(path), runtime=runtime, limits=limits)
        program = Program(
            of=WEB,
            pod=pod.name,
            uid=pod.uid,
            container="web",
            command=("/app/breakers", "reset"),
            within=Millis(5_000),
        )
        server.set_command("shop", "web", ("/app/breakers",), Output(stdout="reset\n", stderr="slow\n"))
        try:
            yield server, cluster, program
        finally:
            await cluster.close()
            runtime.close()


async def test_exit_code_and_both_streams_are_kept(tmp_path: Path) -> None:
    """Whatever the exit code; the words arrive as they are, and nothing is sent to standard input."""
    hostile = ("/app/breakers", "$(id)", "; rm -rf /", "a b", "'\"", "--x=&y=1#?%20", "")
    async with scene(tmp_path) as (server, cluster, program):
        ended = await cluster.programs.run(replace(program, command=hostile))
        assert (ended.exit_code, ended.stdout.text, ended.stderr.text) == (0, "reset\n", "slow\n")
        [call] = server.commands.calls
        expected = Command(namespace="shop", pod=program.pod, container="web", arguments=hostile)
        assert call == expected
        server.set_command("shop", "web", ("/app/breakers",), Output(stderr="no\n", exit_code=3))
        ended = await cluster.programs.run(program)
        assert (ended.exit_code, ended.stdout.text, ended.stderr.text) == (3, "", "no\n")
        [*_, last] = [one for one in server.requests if one.path.endswith("/exec")]
        assert "stdin" not in last.query
        assert "tty" not in last.query


async def test_of_much_the_end_is_kept(tmp_path: Path) -> None:
    """And it is said that there was more."""
    async with scene(tmp_path) as (server, cluster, program):
        much = "x" * (3 * KEPT) + "\nthe end\n"
        server.set_command("shop", "web", ("/app/breakers",), Output(stdout=much))
        ended = await cluster.programs.run(program)
        assert ended.stdout.text == much[-KEPT:]
        assert ended.stdout.cut
        assert ended.stdout.lines() == ("the end",)
        assert not ended.stderr.cut


@pytest.mark.parametrize(
    ("change", "kind", "why"),
    [
        ({"uid": "another"}, Retryable, "is another of the same name by now"),
        ({"pod": "web-gone"}, Retryable, "is gone"),
        ({"container": "other"}, Refused, "400"),
        ({"command": ("/bin/none",)}, Refused, "no such file"),
    ],
)
async def test_what_cannot_begin_surely_did_not(
    tmp_path: Path, change: dict[str, Any], kind: type[RemediatorError], why: str
) -> None:
    """A pod that was replaced, a container or a program that is not there."""
    async with scene(tmp_path) as (_, cluster, program):
        with pytest.raises(kind, match=why):
            await cluster.programs.run(replace(program, **change))


async def test_a_pod_that_is_no_longer_ready_is_left_alone(tmp_path: Path) -> None:
    """It was chosen because it was."""
    async with scene(tmp_path) as (server, cluster, program):
        server.behave("shop", "web", Behaviour.stays_broken())
        await server.settled()
        with pytest.raises(Retryable):
            await cluster.programs.run(program)
        assert server.commands.calls == []


GET_ONLY = "token-get"


@pytest.mark.parametrize("verbs", [("get",), ("create",), ()])
async def test_both_permissions_are_asked_for_before_anything_is_run(
    tmp_path: Path, verbs: tuple[str, ...]
) -> None:
    """API servers before 1.35 ask for ``get`` alone, those after it for both."""
    rules = tuple(Rule(resources=frozenset({"pods/exec"}), verbs=frozenset({verb})) for verb in verbs)
    users = {GET_ONLY: User(name="half", rules=rules)}
    async with scene(tmp_path, users=users, token=GET_ONLY) as (server, cluster, program):
        with pytest.raises(Refused) as refused:
            await cluster.programs.permit(program)
        for verb in ("create", "get"):
            told = f"may not {verb} pods/exec in namespace shop" in str(refused.value)
            assert told is (verb not in verbs)
        assert server.commands.calls == []


async def test_who_may_is_permitted(tmp_path: Path) -> None:
    """And nothing is run to find out."""
    async with scene(tmp_path) as (server, cluster, program):
        await cluster.programs.permit(program)
        assert server.commands.calls == []


# --- servers that do not keep to it ---

Exec = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def rude(directory: Path, handle: Exec) -> AsyncIterator[tuple[Kubernetes, Program, list[str]]]:
    """An API server that answers the exec of a ready pod like this; how often it was asked."""
    asked: list[str] = []

    async def pod(request: web.Request) -> web.Response:
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        meta = {"name": "web-0", "namespace": "shop", "uid": "u", "creationTimestamp": "2026-01-05T08:00:00Z"}
        spec = {"containers": [{"name": "web", "image": "web"}]}
        return web.json_response({"metadata": meta, "spec": spec, "status": status})

    async def executed(request: web.Request) -> web.StreamResponse:
        asked.append(request.method)
        return await handle(request)

    application, runtime = web.Application(), Impatient()
    application.router.add_get("/api/v1/namespaces/shop/pods/web-0", pod)
    application.router.add_get("/api/v1/namespaces/shop/pods/web-0/exec", executed)
    async with TestServer(application) as server:
        path = FakeApiServer().kubeconfig(directory / "kubeconfig")
        url = str(server.make_url("")).rstrip("/")
        path.write_text(path.read_text().replace("http://127.0.0.1:0", url))
        cluster = await connect(str(path), runtime=runtime, limits=QUICK)
        program = Program(
            of=WEB, pod="web-0", uid="u", container="web", command=("reset",), within=Millis(400)
        )
        try:
            yield cluster, program, asked
        finally:
            await cluster.close()
            runtime.close()


def frames(*sent: bytes, then: Callable[[web.WebSocketResponse], Awaitable[object]] | None = None) -> Exec:
    """Upgrades, sends these, and ends."""

    async def handle(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        for frame in sent:
            await socket.send_bytes(frame)
        if then is not None:
            await then(socket)
        await socket.close()
        return socket

    return handle


def status(body: object) -> bytes:
    return b"\x03" + json.dumps(body).encode()


async def listening(socket: web.WebSocketResponse) -> None:
    """Until the client leaves."""
    async for _ in socket:
        pass


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (frames(b"\x01half"), "before it told how"),
        (frames(b"\x01half", then=listening), "no end within 0.4s"),
        (frames(then=listening), "no end within 0.4s"),
        (frames(b"\x03not json"), "cannot be read"),
        (frames(status([])), "cannot be read"),
        (frames(status({"status": "Failure", "reason": "NonZeroExitCode"})), "cannot be read"),
        (frames(status({"status": "Failure", "reason": "InternalError", "message": "boom"})), "boom"),
        (frames(b"", b"\x09?", b"\x03"), "before it told how"),
    ],
)
async def test_P17_an_end_that_nobody_told_is_unknown(tmp_path: Path, handle: Exec, why: str) -> None:
    """And it is asked for once, whatever happens."""
    async with rude(tmp_path, handle) as (cluster, program, asked):
        with pytest.raises(Unknown, match=why):
            await cluster.programs.run(program)
        assert asked == ["GET"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(400, Refused), (403, Refused), (404, NotFound), (429, Retryable), (500, Unknown), (503, Unknown)],
)
async def test_P17_an_answer_in_place_of_a_stream(
    tmp_path: Path, code: int, kind: type[RemediatorError]
) -> None:
    """What refuses before anything begins is told apart from what may have begun."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=code, text="no")

    async with rude(tmp_path, handle) as (cluster, program, asked):
        with pytest.raises(kind, match=str(code)):
            await cluster.programs.run(program)
        assert asked == ["GET"]


async def test_P17_a_server_that_hangs_up_may_have_begun(tmp_path: Path) -> None:
    """No library sends it a second time."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with rude(tmp_path, handle) as (cluster, program, asked):
        with pytest.raises(Unknown):
            await cluster.programs.run(program)
        assert asked == ["GET"]


async def test_nobody_forges_a_line_or_tells_a_secret(tmp_path: Path) -> None:
    """What a program writes is a stranger's text."""
    said = b"\x01ok \x1b[2J\r\nforged: 1\npassword=hunter2\n"
    async with rude(tmp_path, frames(said, status({"status": "Success"}))) as (cluster, program, _):
        ended = await cluster.programs.run(program)
        assert ended.stdout.lines() == ("ok", "forged: 1", "password=[redacted]")
        assert str(ended) == "ended with 0; stdout: ok forged: 1 password=[redacted]"
        assert "hunter2" not in str(replace(program, command=("x", "--password", "hunter2")))
    assert str(Ended(exit_code=2)) == "ended with 2"
