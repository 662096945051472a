"""Faults at work, for any fake that is an aiohttp server."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from aiohttp import web

from remediator.testing.apiserver.faults import Fault, FaultKind

_PARTIAL = {FaultKind.TRUNCATED, FaultKind.HALF_OPEN}
_AFTER = {FaultKind.HANG_AFTER_EFFECT, FaultKind.DROP_AFTER_EFFECT, *_PARTIAL}


async def fail_before(
    fault: Fault | None,
    http: web.Request,
    *,
    sleep: Callable[[float], Awaitable[None]],
    closing: asyncio.Event,
    refuse: Callable[[Fault], web.Response],
) -> web.StreamResponse | None:
    """What the fault does before anything takes effect: an answer, or None when the request goes its way.

    ``closing`` ends what hangs; ``refuse`` words the answer of a status fault.
    """
    if fault is None:
        return None
    if fault.kind in _PARTIAL and http.query.get("watch") in {"true", "1"}:
        headers = {"Content-Type": "application/json"}
        return await _begin(fault, http, 200, headers, b"", closing=closing)
    if fault.kind in _AFTER:
        return None
    if fault.kind is FaultKind.LATENCY:
        await sleep(fault.seconds)
        return None
    if fault.kind is FaultKind.STATUS:
        return refuse(fault)
    if fault.kind is FaultKind.HANG:
        await closing.wait()
    return drop(http)


async def fail_after(
    fault: Fault | None, http: web.Request, answer: web.StreamResponse, *, closing: asyncio.Event
) -> web.StreamResponse:
    """What the fault does with the answer, once everything has taken effect."""
    if fault is None or fault.kind not in _AFTER:
        return answer
    if fault.kind in _PARTIAL and isinstance(answer, web.Response):
        body = answer.body if isinstance(answer.body, bytes) else b""
        headers = {**answer.headers, "Content-Length": str(len(body))}
        return await _begin(fault, http, answer.status, headers, body[: len(body) // 2], closing=closing)
    if fault.kind is FaultKind.HANG_AFTER_EFFECT:
        await closing.wait()
    return drop(http)


async def _begin(
    fault: Fault,
    http: web.Request,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    closing: asyncio.Event,
) -> web.StreamResponse:
    """Begin an answer that does not come to its end."""
    begun = web.StreamResponse(status=status, headers=headers)
    await begun.prepare(http)
    await begun.write(body)
    if fault.kind is FaultKind.HALF_OPEN:
        await closing.wait()
    drop(http)
    return begun


def drop(http: web.Request) -> web.Response:
    """Cut the connection without an answer."""
    if http.transport is not None:
        http.transport.abort()
    return web.Response(status=500)


def server_context(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """The TLS context of a fake that runs as a process; without a certificate it speaks plain HTTP."""
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context


def until_stopped() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
