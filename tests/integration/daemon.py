"""A whole daemon on free ports, for tests that ask it from outside."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from remediator.app import App
from remediator.settings import read_settings

T = TypeVar("T")
PATIENCE = 45.0
"""Seconds. Nothing here takes one; a busy machine may, for policies are read by a process that gives way."""

POLICIES = """
severities:
  SEV-2: {summary: degraded, page: {unless_verified_within: 15m}, escalation: standard}
  SEV-3: {summary: slow, page: never}
services:
  web: {namespace: shop, workload: deployment/web, links: {dashboard: "https://grafana.example/d/web"}}
rules:
  - {name: web-down, match: ['alertname="WebDown"'], severity: SEV-2, mode: auto, runbooks: [restart-web]}
  - {name: slow, match: ['alertname="Slow"'], severity: SEV-3}
runbooks:
  restart-web:
    summary: Restart it and prove that it serves again
    diagnose: [{workload: {}}]
    steps: [{restart: {}}]
    verify:
      - rollout: {within: 1m}
      - alert: {state: resolved, within: 1m}
guards: {namespaces: [shop], rate: {cluster: 10/1h, service: 10/1h, target: 10/10m}}
escalations:
  standard: [{level: 1, channels: [oncall]}]
channels:
  oncall: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
operator: {channels: [oncall]}
"""


def write_policies(folder: Path, text: str = POLICIES) -> Path:
    """A policy directory."""
    folder.mkdir(exist_ok=True)
    (folder / "all.yaml").write_text(text)
    return folder


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    """A webhook body."""
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "status": "firing",
        "receiver": "remediator",
        "truncatedAlerts": 0,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
    }


def alert(name: str, service: str = "web", *, resolved: bool = False, **labels: str) -> dict[str, Any]:
    """An alert; the same name and service is the same alert."""
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {"alertname": name, "service": service, **labels},
        "annotations": {},
        "startsAt": "2026-11-23T04:24:11.09Z",
        "endsAt": "2026-11-23T05:24:11.09Z" if resolved else "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{abs(hash((name, service))):016x}"[-16:],
    }


class Daemon:
    """A running daemon and a client of its two listeners."""

    def __init__(self, app: App, http: aiohttp.ClientSession) -> None:
        self.app = app
        self._http = http

    async def post(self, *alerts: dict[str, Any], **envelope: object) -> tuple[int, dict[str, Any]]:
        """Send a notification. ``envelope``: what else it says than usual."""
        host, port = self.app.receiver_address
        url = f"http://{_reach(host)}:{port}/v1/alertmanager"
        async with self._http.post(url, json={**notification(*alerts), **envelope}) as response:
            return response.status, await response.json()

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Ask operations; the status and the answer's JSON."""
        async with self._http.request(method, self.url(path), json=body, headers=headers) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> Any:
        """What a GET answers, which must be a success."""
        status, data = await self.ask("GET", path)
        assert status == 200, data
        return data

    async def text(self, path: str, **headers: str) -> str:
        """The body of a GET, which must be a success."""
        async with self._http.get(self.url(path), headers=headers) as response:
            assert response.status == 200
            return await response.text()

    def url(self, path: str) -> str:
        """Of operations."""
        host, port = self.app.ops_address
        return f"http://{_reach(host)}:{port}{path}"

    async def ready(self) -> None:
        """Once it is ready."""

        async def look() -> bool:
            return (await self.ask("GET", "/-/ready"))[0] == 200

        await until(look, "it is ready")

    async def incident(self, accept: Callable[[dict[str, Any]], bool], what: str) -> dict[str, Any]:
        """The newest incident, once it is as wanted."""

        async def look() -> dict[str, Any] | None:
            items = (await self.get("/v1/incidents"))["items"]
            return items[0] if items and accept(items[0]) else None

        return await until(look, what)


def _reach(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host


async def until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """What ``look`` finds, once it finds something. Fails after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < end, f"after {PATIENCE} s it is not so that {what}"
        await asyncio.sleep(0.02)  # another process or task changes it; nothing tells us when
    return found


@asynccontextmanager
async def daemon(policies: Path, **flags: object) -> AsyncIterator[Daemon]:
    """A daemon for the length of a block, on a prefix of its own."""
    async with daemon_of(App, policies, **flags) as running:
        yield running


@asynccontextmanager
async def daemon_of(kind: type[App], policies: Path, **flags: object) -> AsyncIterator[Daemon]:
    """As ``daemon``, of a kind with another pace."""
    given = {
        "policies": policies,
        "listen": "127.0.0.1:0",
        "ops_listen": "127.0.0.1:0",
        "redis_prefix": f"test-{secrets.token_hex(4)}",
        "archive": "off",  # most tests name no data directory, and nothing is to be left in ours
        **flags,
    }
    async with kind.running(read_settings(given)) as app, aiohttp.ClientSession() as http:
        yield Daemon(app, http)
