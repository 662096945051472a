"""The exec subresource of pods over WebSocket: what a test says that commands print and exit with.

Protocols as recorded: with v5 the server upgrades first, tells what is wrong on the error channel, and ends
without a close frame; with v4, and without a protocol, it is the kubelet that answers, and it may refuse.
Source of the frames: ``k8s.io/apimachinery/pkg/util/httpstream/wsstream`` and ``remotecommand``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from aiohttp import WSMsgType, web

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.controllers.pod_status import identity
from remediator.testing.apiserver.logs import container_of
from remediator.testing.apiserver.objects import Json, Key, key_of
from remediator.testing.apiserver.statuses import bad_request, unsupported

V4, V5, PLAIN = "v4.channel.k8s.io", "v5.channel.k8s.io", ""
_OTHERS = {"v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io"}
_STDIN, _STDOUT, _STDERR, _ERROR, _CLOSE = 0, 1, 2, 3, 255
_TRUE = {"true", "1"}
_NO_STREAM = "you must specify at least 1 of stdin, stdout, stderr"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that somebody runs: where, its arguments, and what was sent to its standard input."""

    namespace: str
    pod: str
    container: str
    arguments: tuple[str, ...]
    stdin: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a command prints, and its exit code."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


Answer: TypeAlias = Output | Callable[[Command], Output | None]


@dataclass(kw_only=True)
class Commands:
    """What commands print. One that nobody spoke of is not found in the container."""

    calls: list[Command] = field(default_factory=list)
    _answers: list[tuple[Key, tuple[str, ...], Answer]] = field(default_factory=list)

    def set(self, key: Key, arguments: Sequence[str], answer: Answer) -> None:
        """What a command prints in a pod (or the pods of a workload) whose arguments begin with these.

        The latest word counts. A function may decide by the whole command; None: not found.
        """
        self._answers.insert(0, (key, tuple(arguments), answer))

    def run(self, command: Command, owners: Sequence[Key]) -> Output | None:
        """What it prints; None: there is no such command."""
        self.calls.append(command)
        for key, arguments, answer in self._answers:
            if key in owners and command.arguments[: len(arguments)] == arguments:
                found = answer(command) if callable(answer) else answer
                if found is not None:
                    return found
        return None


class Refusal(Exception):
    """The kubelet does not run it: a plain text and a status code of HTTP."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One exec request on its way."""

    request: Request
    pod: Json
    owners: Sequence[Key]
    arguments: tuple[str, ...]
    commands: Commands

    async def answer(self, http: web.Request) -> web.StreamResponse:
        """Upgrade, run, tell. Raises ApiError 400 or 501."""
        if http.headers.get("Upgrade", "").lower() != "websocket":
            if "upgrade" in http.headers.get("Connection", "").lower():
                raise unsupported(f"exec over {http.headers.get('Upgrade')}")
            raise bad_request("Upgrade request required")
        container = container_of(self.pod, self.request.query.get("container", ""))
        if not self.pod["spec"].get("nodeName"):
            raise bad_request(f"pod {self.pod['metadata']['name']} does not have a host assigned")
        protocol = _negotiate(http)
        if protocol is None:
            return web.Response(status=403)
        if protocol == V5:
            return await self._upgraded(http, container, protocol)
        try:
            self._check(container)
        except Refusal as refusal:
            response = web.Response(status=refusal.code, text=refusal.text)
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
            return response
        return await self._upgraded(http, container, protocol)

    def _wants(self, stream: str) -> bool:
        return self.request.query.get(stream) in _TRUE

    def _check(self, container: str) -> None:
        """Raises Refusal when the kubelet would not run anything there."""
        if not any(map(self._wants, ("stdin", "stdout", "stderr"))):
            raise Refusal(400, _NO_STREAM)
        statuses = self.pod["status"].get("containerStatuses", ())
        if not any(one["name"] == container and "running" in one["state"] for one in statuses):
            raise Refusal(500, f'container not found ("{container}")')

    async def _upgraded(self, http: web.Request, container: str, protocol: str) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=(protocol,) if protocol else (), autoping=True)
        await socket.prepare(http)
        first = next(
            (n for n, name in ((_STDOUT, "stdout"), (_STDERR, "stderr")) if self._wants(name)), _ERROR
        )
        await _send(socket, first, "")
        try:
            self._check(container)
            await self._run(socket, container, protocol)
        except Refusal as refusal:
            why = f"unable to upgrade connection: {refusal.text}"
            await _send(socket, _ERROR, json.dumps(_internal(why, twice=False), separators=(",", ":")))
        if protocol == V5 and http.transport is not None:
            http.transport.close()  # as recorded: no close frame, the client sees 1006
        else:
            await socket.close()
        return socket

    async def _run(self, socket: web.WebSocketResponse, container: str, protocol: str) -> None:
        namespace, pod = key_of(self.pod)
        stdin = await _read_stdin(socket) if self._wants("stdin") else b""
        command = Command(
            namespace=namespace, pod=pod, container=container, arguments=self.arguments, stdin=stdin
        )
        output = self.commands.run(command, self.owners) if self.arguments else None
        status = self._failure(command, protocol) if output is None else _status(command, output, protocol)
        if output is not None and output.stdout and self._wants("stdout"):
            await _send(socket, _STDOUT, output.stdout)
        if output is not None and output.stderr and self._wants("stderr"):
            await _send(socket, _STDERR, output.stderr)
        if protocol != PLAIN:
            await _send(socket, _ERROR, json.dumps(status, separators=(",", ":")))
        elif status["status"] != "Success":
            await _send(socket, _ERROR, status["message"])

    def _failure(self, command: Command, protocol: str) -> Json:
        """There is no such program in the container."""
        number = len(self.commands.calls)
        run = identity(self.pod, command.container, number).partition("//")[2]
        why = f'failed to exec in container: failed to start exec "{run}": OCI runtime exec failed: '
        why += "exec failed: "
        if not command.arguments:
            why += "args must not be empty: unknown"
        else:
            program = command.arguments[0]
            missing = (
                f"stat {program}: no such file or directory"
                if "/" in program
                else "executable file not found in $PATH"
            )
            why += f'unable to start container process: exec: "{program}": {missing}: unknown'
        return _internal(f"error executing command in container: {why}", twice=protocol == V5)


def _negotiate(http: web.Request) -> str | None:
    """The protocol both sides speak (PLAIN: none was asked for), or None. Raises ApiError 501."""
    offered = [
        name.strip() for name in http.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()
    ]
    if not offered:
        return PLAIN
    for protocol in (V5, V4):
        if protocol in offered:
            return protocol
    if set(offered) & _OTHERS:
        raise unsupported(f"exec with the protocol {offered[0]}")
    return None


async def _send(socket: web.WebSocketResponse, channel: int, text: str) -> None:
    await socket.send_bytes(bytes([channel]) + text.encode())


async def _read_stdin(socket: web.WebSocketResponse) -> bytes:
    """What the client sends until it closes the stream (v5), sends nothing for it, or leaves."""
    found = b""
    async for message in socket:
        if message.type is not WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel == _CLOSE or (channel == _STDIN and not data):
            break
        if channel == _STDIN:
            found += data
    return found


def _status(command: Command, output: Output, protocol: str) -> Json:
    if output.exit_code == 0:
        return {"metadata": {}, "status": "Success"}
    if protocol == V5:
        why = f"command terminated with exit code {output.exit_code}"
    else:
        shown = " ".join(command.arguments)
        why = f"error executing command [{shown}], exit code {output.exit_code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {why}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(output.exit_code)}]},
    }


def _internal(why: str, *, twice: bool) -> Json:
    """An InternalError; with v5 what the kubelet answers passes the API server, which says it once more."""
    inner = f"Internal error occurred: {why}" if twice else why
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {inner}",
        "reason": "InternalError",
        "details": {"causes": [{"message": inner}]},
        "code": 500,
    }
