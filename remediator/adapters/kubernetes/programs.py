"""Running a program in a container, over the WebSocket of the ``exec`` subresource.

Channels 1 and 2 of the stream are the program's, channel 3 tells how it ended. Standard input is not opened,
and there is no terminal. Source: ``k8s.io/apimachinery/pkg/util/remotecommand`` and
``httpstream/wsstream``. With ``v5.channel.k8s.io`` the server ends without a close frame.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

import aiohttp

from remediator.adapters.kubernetes.access import AccessReviews
from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call, understood
from remediator.adapters.kubernetes.paths import checked_name, core_path
from remediator.adapters.kubernetes.snapshots import pod_of
from remediator.core.access import Access
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.programs import KEPT, Ended, Program, Stream
from remediator.core.text import plain

AT_ONCE = 4
"""Programs that are under way at the same time: each has a connection of its own, and others need some."""
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
LOOK_WITHIN = 10.0
"""Seconds to see that the pod is still that one."""
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_OF_RUNTIMES = "OCI runtime exec failed"
_NEVER_BEGAN = ("failed to start exec", _OF_RUNTIMES, "container not found")
"""What kubelets and runtimes say where nothing could begin: no such program, no such container."""
_SHOWN = 300


class Programs:
    """``core.programs.ProgramRunner`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api, self._reviews = api, AccessReviews(api)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def permit(self, program: Program) -> None:
        """Ask for both permissions that API servers ask for. Raises Refused, Retryable."""
        namespace = program.of.namespace
        wanted = [
            Access(namespace=namespace, group="", resource="pods/exec", verb=verb)
            for verb in ("create", "get")
        ]
        if missing := await self._reviews.missing(wanted):
            raise Refused(f"we may not {' and may not '.join(map(str, sorted(missing)))}; grant it")

    async def run(self, program: Program) -> Ended:
        """Run it once, in that very pod. Raises what the Protocol says."""
        begun = False
        try:
            async with asyncio.timeout(program.within / 1000 + LOOK_WITHIN), self._room:
                await self._same(program)
                deadline = self._api.deadline(program.within / 1000)
                async with self._api.websocket(_call(program), PROTOCOLS, deadline) as socket:
                    begun = True
                    return await _heard(socket, program, deadline)
        except TimeoutError:
            text = f"could not {program}: no room was left for it in time"
            raise (Unknown(text) if begun else Retryable(text)) from None

    async def _same(self, program: Program) -> None:
        """Raises Retryable when it is another pod by now, or is not ready; NotFound, Refused."""
        namespace = program.of.namespace
        call = Call(
            method="GET",
            path=core_path(namespace, "pods", program.pod),
            doing=f"read pod {program.pod} in namespace {namespace}",
            needs=f"get pods in namespace {namespace}",
            repeatable=True,
        )
        try:
            obj = await self._api.call(call, self._api.deadline(LOOK_WITHIN))
        except NotFound as error:
            raise Retryable(f"pod {program.pod} is gone: look again") from error
        with understood(f"pod {program.pod}"):
            pod = pod_of(obj)
        if pod.uid != program.uid:
            raise Retryable(f"pod {program.pod} is another of the same name by now: look again")
        if not pod.ready or pod.terminating:
            raise Retryable(f"pod {program.pod} is no longer ready: look again")


def _call(program: Program) -> Call:
    namespace = program.of.namespace
    return Call(
        method="GET",
        path=core_path(namespace, "pods", program.pod, "exec"),
        doing=f"{program} in namespace {namespace}",
        needs=f"create and get pods/exec in namespace {namespace}",
        query=(
            ("container", checked_name(program.container)),
            *(("command", word) for word in program.command),
            *((stream, "true") for stream in ("stdout", "stderr")),
        ),
    )


class _Kept:
    """The end of a stream."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size, self._cut = 0, False

    def add(self, data: bytes) -> None:
        self._parts.append(data[-KEPT:])
        self._cut = self._cut or len(data) > KEPT
        self._size += len(self._parts[-1])
        while self._size - len(self._parts[0]) >= KEPT:
            self._size -= len(self._parts.popleft())
            self._cut = True

    @property
    def stream(self) -> Stream:
        data = b"".join(self._parts)
        text = data[-KEPT:].decode("utf-8", "replace")
        return Stream(text=text, cut=self._cut or len(data) > KEPT)


async def _heard(socket: aiohttp.ClientWebSocketResponse, program: Program, deadline: Deadline) -> Ended:
    """What it writes, until its status comes. Raises Refused, Unknown."""
    kept = {_STDOUT: _Kept(), _STDERR: _Kept()}
    try:
        async with asyncio.timeout(deadline.left()):
            while True:
                message = await socket.receive()
                if message.type is not aiohttp.WSMsgType.BINARY:
                    break
                channel, data = message.data[:1], message.data[1:]
                if channel and channel[0] in kept and data:
                    kept[channel[0]].add(data)
                elif channel and channel[0] == _STATUS and data:
                    code = _exit_code(data, program)
                    return Ended(exit_code=code, stdout=kept[_STDOUT].stream, stderr=kept[_STDERR].stream)
    except TimeoutError:
        text = f"{program}: no end within {program.within / 1000:g}s; it may go on"
        raise Unknown(text) from None
    except (aiohttp.ClientError, OSError) as error:
        raise _lost(program, plain(str(error), _SHOWN) or type(error).__name__) from error
    raise _lost(program, "the connection ended before it told how")


def _lost(program: Program, why: str) -> Unknown:
    return Unknown(f"{program}: {why}; how it ended is unknown")


def _exit_code(data: bytes, program: Program) -> int:
    """From the status that ends it. Raises Refused where it never began; Unknown."""
    try:
        status: Any = json.loads(data)
        if status["status"] == "Success":
            return 0
        if status.get("reason") == "NonZeroExitCode":
            causes = status["details"]["causes"]
            return int(next(cause["message"] for cause in causes if cause["reason"] == "ExitCode"))
        raise _trouble(program, str(status.get("message", "")))
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
        raise _lost(program, "what the server tells of its end cannot be read") from error


def _trouble(program: Program, message: str) -> RemediatorError:
    why = message.rpartition("Internal error occurred: ")[2]  # the servers on the way say it once more each
    began = why.find(_OF_RUNTIMES)
    text = f"could not {program}: {plain(why[max(began, 0) :], _SHOWN)}"
    return Refused(text) if any(words in message for words in _NEVER_BEGAN) else Unknown(text)
