"""What services answer over HTTP in a test: health, fallbacks, circuit breakers, metrics for a Prometheus.

They stand on this machine, whichever cluster the workloads are on: the catalog's health URLs say where.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

SERVICES = ("auth-service", "account-service", "notification-service", "analytics-service")


@dataclass(kw_only=True)
class Town:
    """``posted``: what was asked to be done, by service and path. ``refuses``: paths that are answered 500.

    ``failing``: services whose requests fail while their fallback is not enabled; ``pg_up`` as an exporter
    says.
    """

    where: dict[str, str] = field(default_factory=dict)
    posted: list[tuple[str, str]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    failing: set[str] = field(default_factory=set)
    fallback_helps: bool = True
    pg_up: int = 1
    _requests: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def scraped_at(self) -> str:
        """``host:port`` of the metrics."""
        return self.where["metrics"]

    async def _answer(self, service: str, request: web.Request) -> web.Response:
        if service == "metrics":
            return web.Response(text=self._metrics())
        if request.method == "GET":
            return web.Response(text="ok" if request.path == "/health" else "no", status=200)
        self.posted.append((service, request.path))
        if request.path in self.refuses:
            return web.Response(status=500, text="cannot do that")
        if request.path == "/fallback/enable" and self.fallback_helps:
            self.failing.discard(service)
        return web.Response(text="done")

    def _metrics(self) -> str:
        """Each scrape sees ten more requests of each service."""
        lines = [f'pg_up{{service="postgres"}} {self.pg_up}']
        for service in SERVICES:
            key = (service, "500" if service in self.failing else "200")
            self._requests[key] = self._requests.get(key, 0) + 10
        for (service, status), count in self._requests.items():
            labels = f'service="{service}",status="{status}",endpoint="/pay"'
            lines.append(f"http_requests_total{{{labels}}} {count}")
        return "\n".join(lines) + "\n"


@asynccontextmanager
async def town(services: Sequence[str] = (*SERVICES, "metrics")) -> AsyncIterator[Town]:
    """Each service on a port of its own."""
    made = Town()
    runners = []
    try:
        for service in services:

            async def handle(request: web.Request, service: str = service) -> web.Response:
                return await made._answer(service, request)

            application = web.Application()
            application.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            made.where[service] = f"127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        for runner in runners:
            await runner.cleanup()
