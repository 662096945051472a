"""The operations listener: health, metrics, reload, and who may ask what of the API.

The order of refusal: path and method, Host, credentials, role, the page a browser came from, content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web

from remediator.core.errors import PolicyError, Retryable
from remediator.core.store import HealthStore
from remediator.http.asking import ApiError, Asked, Route, answer
from remediator.http.auth import ApiAuth, Denial, HostRule, Principal, Role, host_rule, is_loopback
from remediator.http.openapi import describe
from remediator.http.server import BodyError
from remediator.http.webhook import denied, failure
from remediator.rulebook import Reading
from remediator.telemetry.metrics import Metrics, Scraped
from remediator.telemetry.scrape import Work

SCRAPE_WITHIN = 2.0
"""Seconds for the gauges; a scrape answers without them when the store does not."""
_UNSAFE = frozenset((hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_DELETE))
_log = structlog.get_logger(__name__)

Reload = Callable[[], Awaitable[Reading]]
Page = tuple[bytes, str]
InThread = Callable[[Callable[[], Page]], Awaitable[Page]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Doors:
    """Who is let in. ``bound``: the address listened on."""

    bound: str
    auth: ApiAuth

    @property
    def hosts(self) -> HostRule:
        """Which Host headers are ours."""
        return host_rule(self.bound, credentials=self.auth.required)

    def admit(self, request: web.Request, role: Role | None) -> Principal | Denial:
        """Who asks, if they may; else why not."""
        near = is_loopback(self.bound)
        denial = (
            self.hosts.check(request.headers) if near or (role is not None and self.auth.required) else None
        )
        if denial is not None:
            return denial
        if role is None:
            return Principal(name="anybody", role=Role.VIEWER)
        if not near and not self.auth.required:
            return Denial(
                status=403,
                error="other machines can reach this listener, and nothing proves who asks",
                hint="set REMEDIATOR_API_TOKEN, or let REMEDIATOR_OPS_LISTEN be 127.0.0.1:9096",
            )
        principal = self.auth.check(request.headers)
        if isinstance(principal, Denial):
            return principal
        if not principal.role.includes(role):
            hint = f"ask with a token whose role is {role} or above"
            return Denial(status=403, error=f"the role {principal.role} may not do that", hint=hint)
        return _strange_page(request) or principal


def _strange_page(request: web.Request) -> Denial | None:
    """A page of another site, in the browser of somebody who can reach us, has no say here."""
    origin = request.headers.get(hdrs.ORIGIN)
    if request.method not in _UNSAFE or origin is None or urlsplit(origin).netloc == request.host:
        return None
    return Denial(
        status=403, error="a web page of another site asks", hint="ask from a program, or from here"
    )


class Ops:
    """The handlers of operations. ``trouble`` answers why the daemon is not ready, or None.

    ``silent``: peers that do not answer and that it is ready without, with the reason. ``work``: what each
    worker is at work on.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        store: HealthStore,
        trouble: Callable[[], str | None],
        reload: Reload,
        in_thread: InThread,
        silent: Callable[[], Mapping[str, str]] = dict,
        work: Callable[[], Mapping[str, Work]] = dict,
    ) -> None:
        self._metrics, self._store, self._trouble = metrics, store, trouble
        self._reload, self._in_thread, self._silent, self._work = reload, in_thread, silent, work

    async def healthy(self, asked: Asked) -> web.Response:
        """It runs."""
        return answer({"healthy": True})

    async def ready(self, asked: Asked) -> web.Response:
        """Whether alerts should be sent here."""
        trouble = self._trouble()
        if trouble is not None:
            raise ApiError(503, f"not ready: {trouble}", "webhooks are answered 503 until this is mended")
        if silent := self._silent():
            return answer({"ready": True, "silent_alertmanagers": dict(silent)})
        return answer({"ready": True})

    async def reload(self, asked: Asked) -> web.Response:
        """Read the policies anew."""
        try:
            reading = await self._reload()
        except PolicyError as error:
            what = "the policies have errors, those from before stay in force"
            hint = "correct the findings, try them with remediator check, and reload again"
            raise ApiError(422, what, hint, findings=list(error.findings)) from error
        policy = reading.policy
        return answer({
            "digest": policy.digest,
            "changed": reading.changed,
            "rules": len(policy.rules),
            "runbooks": len(policy.runbooks),
            "services": len(policy.services),
        })  # fmt: skip

    async def metrics(self, asked: Asked) -> web.Response:
        """For Prometheus."""
        try:
            async with asyncio.timeout(SCRAPE_WITHIN):
                gauges = await self._store.gauges()
        except (TimeoutError, Retryable):
            gauges = None
        accept = asked.request.headers.get(hdrs.ACCEPT, "")
        scraped = Scraped(gauges=gauges, ready=self._trouble() is None, work=self._work())
        # With thousands of rules that takes as long as taking in hundreds of alerts does.
        body, content_type = await self._in_thread(lambda: self._metrics.render(scraped, accept))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})


def make_ops_app(routes: list[Route], doors: Doors) -> web.Application:
    """An application for a ``Listener``: ``routes`` and a description of them."""
    document: dict[str, object] = {}

    async def openapi(asked: Asked) -> web.Response:
        return answer(document)

    described = Route(
        method="GET",
        path="/openapi.json",
        handler=openapi,
        role=None,
        summary="This description.",
        answer="OpenApi",
    )
    every = [*routes, described]
    document.update(describe(every))
    app = web.Application(middlewares=[_nowhere(doors)])
    for route in every:
        if route.method == hdrs.METH_GET:
            app.router.add_get(route.path, _serve(route, doors))  # HEAD, too
        else:
            app.router.add_route(route.method, route.path, _serve(route, doors))
    return app


def _nowhere(doors: Doors) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Answers to paths and methods that there are not, as every other answer: JSON, with a hint."""

    @web.middleware
    async def middleware(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPMethodNotAllowed as error:
            allowed = ", ".join(sorted(error.allowed_methods))
            return failure(
                405, f"{request.method} is not allowed here", f"use {allowed}", {hdrs.ALLOW: allowed}
            )
        except web.HTTPNotFound:
            return failure(404, "there is nothing at this path", "see /openapi.json for what there is")

    return middleware


def _serve(route: Route, doors: Doors) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        admitted = doors.admit(request, route.role)
        if isinstance(admitted, Denial):
            return denied(admitted)
        try:
            _check_query(request, route)
            response = await route.handler(Asked(request=request, principal=admitted))
        except ApiError as error:
            data = {"error": error.error, "hint": error.hint, **error.more}
            return answer(data, status=error.status)
        except BodyError as error:
            return failure(error.status, error.error, error.hint, close=True)
        except Retryable as error:
            return failure(503, str(error), "try again in a moment")
        if request.method in _UNSAFE:
            _log.info("asked", by=admitted.name, method=request.method, path=request.path)
        return response

    return handle


def _check_query(request: web.Request, route: Route) -> None:
    known = [param.name for param in route.query]
    for name in request.query:
        if name not in known:
            hint = f"it may have {', '.join(known)}" if known else "it takes none"
            raise ApiError(400, "the query has an unknown parameter", hint)
        if len(request.query.getall(name)) > 1:
            raise ApiError(400, f"{name} is given twice", "give it once")
