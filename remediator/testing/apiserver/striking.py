"""Faults at work, for any fake that is an aiohttp server."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from remediator.testing.apiserver.faults import Fault, FaultKind

_AFTER = {FaultKind.HANG_AFTER_EFFECT, FaultKind.DROP_AFTER_EFFECT}


async def fail_before(
    fault: Fault | None,
    http: web.Request,
    *,
    sleep: Callable[[float], Awaitable[None]],
    closing: asyncio.Event,
    refuse: Callable[[Fault], web.Response],
) -> web.Response | None:
    """What the fault does before anything takes effect: an answer, or None when the request goes its way.

    ``closing`` ends what hangs; ``refuse`` words the answer of a status fault.
    """
    if fault is None or fault.kind in _AFTER:
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
    if fault.kind is FaultKind.HANG_AFTER_EFFECT:
        await closing.wait()
    return drop(http)


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
