"""``POST /v1/alertmanager``: a notification in, durable before the answer.

The order of refusal: path and method, Host, credentials, media type, size, content. A refusal is counted and
says why, because Alertmanager sends what was refused with a 4xx again only when something else changes.
Everything that is not certain is answered 503, which Alertmanager repeats within seconds; never 500, never
429.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import hdrs, web

from remediator.core.alerts import Disposition, Notification
from remediator.core.archive import Archive
from remediator.core.errors import Retryable
from remediator.http.auth import Denial, HostRule, WebhookAuth
from remediator.http.payload import BadPayload, parse_notification
from remediator.http.server import BodyError, Handler, Observe, invite_body, read_body

PATH = "/v1/alertmanager"
MAX_BODY_BYTES = 5 << 20

_log = structlog.get_logger(__name__)
_AGAIN = "nothing to do: Alertmanager sends it again"


class Receiver(Protocol):
    """What takes notifications in."""

    async def receive(self, notification: Notification) -> Mapping[Disposition, int]:
        """Make all of it durable, its rejected alerts included, and count what became of it.

        Raises Retryable if that is not certain. It may be cancelled at any await.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookLimits:
    """Bounds of one request. Times are in seconds."""

    receive: float = 4.5  # to make it durable; the answer leaves in under 5
    body: float = 15.0  # to send the body
    max_body_bytes: int = MAX_BODY_BYTES


class Webhook:
    """The handler. Its refusals are answers like any other: nothing is raised out of it."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        auth: WebhookAuth,
        hosts: HostRule,
        observe: Observe,
        limits: WebhookLimits | None = None,
        archive: Archive | None = None,
    ) -> None:
        self._receiver = receiver
        self._auth = auth
        self._hosts = hosts
        self._observe = observe
        self._limits = limits or WebhookLimits()
        self._archive = archive

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Any request to the path of the webhook."""
        started = time.perf_counter()
        try:
            response = self._refuse(request) or await self._take(request)
        except Exception as error:  # noqa: BLE001 - the request's boundary: unsure is 503, so that it comes again
            _log.error("webhook failed", exc_info=error)
            response = failure(503, "the daemon failed at this notification", _AGAIN)
        self._observe(response.status, time.perf_counter() - started)
        return response

    async def unknown(self, request: web.BaseRequest) -> web.Response:
        """The answer to any other path."""
        denial = self._hosts.check(request.headers)
        response = (
            denied(denial) if denial else failure(404, "there is nothing at this path", f"post to {PATH}")
        )
        self._observe(response.status, 0.0)
        return response

    def _refuse(self, request: web.BaseRequest) -> web.Response | None:
        """What the headers alone decide."""
        headers = request.headers
        if request.method != hdrs.METH_POST:
            return failure(405, f"{request.method} is not allowed here", "use POST", {hdrs.ALLOW: "POST"})
        auth = self._auth
        denial = self._hosts.check(headers) or auth.check(
            headers, certificate=auth.certificate and _certified(request)
        )
        if denial is not None:
            return denied(denial)
        kind = headers.get(hdrs.CONTENT_TYPE, "")
        if kind != "application/json" and kind.partition(";")[0].strip().lower() != "application/json":
            return failure(415, "the body is not announced as JSON", "send Content-Type: application/json")
        if hdrs.CONTENT_ENCODING in headers:
            return failure(415, "the body is encoded", "send it without Content-Encoding")
        return None

    async def _take(self, request: web.BaseRequest) -> web.Response:
        limits = self._limits
        try:
            await invite_body(request)
            body = await read_body(request, limit=limits.max_body_bytes, within=limits.body)
            notification = parse_notification(body)
        except BodyError as error:
            return failure(error.status, error.error, error.hint, close=True)
        except BadPayload as error:
            return failure(400, error.reason, "send what Alertmanager sends: its webhook body, version 4")
        try:
            async with asyncio.timeout(limits.receive):
                counts = await self._receiver.receive(notification)
        except TimeoutError:
            return failure(503, f"the store did not answer within {limits.receive:g} s", _AGAIN)
        except Retryable as error:
            return failure(503, str(error), _AGAIN)
        if self._archive is not None:
            self._archive.keep(body, whole=not notification.rejected)
        told = ", ".join([f'"{kind}": {count}' for kind, count in counts.items()])  # names need no escapes
        return web.Response(body=f"{{{told}}}".encode(), content_type="application/json")


def serve_paths(webhook: Webhook, routes: Mapping[str, Handler] | None = None) -> Handler:
    """What a ``Listener`` serves: the webhook, further ``routes``, and 404 for any other path.

    A handler of a route gets requests of every method. A look into a table is all the routing there is: an
    aiohttp Application in between would cost a fifth of the time that taking an alert in takes.
    """
    handlers = {PATH: webhook.handle, **(routes or {})}

    def serve(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        return handlers.get(request.path, webhook.unknown)(request)

    return serve


def failure(
    status: int, error: str, hint: str, headers: Mapping[str, str] | None = None, *, close: bool = False
) -> web.Response:
    """An answer that says what is wrong and what to do. ``close`` ends the connection, too."""
    response = web.Response(
        status=status,
        body=json.dumps({"error": error, "hint": hint}).encode(),
        headers=headers,
        content_type="application/json",
    )
    if close:
        response.force_close()
    return response


def denied(denial: Denial) -> web.Response:
    """The answer to a request that lacks the right to be served. Its body stays unread."""
    headers: dict[str, str] = {hdrs.WWW_AUTHENTICATE: denial.challenge} if denial.challenge else {}
    return failure(denial.status, denial.error, denial.hint, headers)


def _certified(request: web.BaseRequest) -> bool:
    """Whether the client showed a certificate, which TLS has then verified."""
    transport = request.transport
    return transport is not None and bool(transport.get_extra_info("peercert"))
