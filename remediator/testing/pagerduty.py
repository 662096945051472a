"""A fake of PagerDuty's Events API v2 (``POST /v2/enqueue``), with the incidents its events make.

Source of the rules: https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ (fields, lengths,
answers, 512 KB, ``dedup_key``). Texts of errors that the documentation does not show are made up.

It speaks TLS when it is given a server context. The official client (``pagerduty.EventsApiV2Client``, on
httpx2) trusts another authority in one of two ways: an ``ssl.SSLContext`` as its ``verify`` argument::

    EventsApiV2Client(key, base_url=fake.url, verify=ssl.create_default_context(cafile="ca.pem"))

or ``SSL_CERT_FILE`` (or ``SSL_CERT_DIR``) in the environment of its process when the client is made. To make
it answer at once instead of retrying by itself, set ``client.max_network_attempts = 0``,
``client.max_http_attempts = -1`` and ``client.retry = dict.fromkeys((429, 500, 502, 503, 504), 1)``.

``python -m remediator.testing.pagerduty`` runs it as a process, with ``/-/fake/events``,
``/-/fake/incidents`` (both GET) and ``/-/fake/faults`` (GET, POST, DELETE) for other processes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from aiohttp import web

from remediator.testing.apiserver.faults import Fault, Faults
from remediator.testing.apiserver.striking import fail_after, fail_before, server_context, until_stopped

Json: TypeAlias = dict[str, Any]
Sleep: TypeAlias = Callable[[float], Awaitable[None]]

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PATH = "/v2/enqueue"
LIMIT = 512 * 1024
_KEY_LENGTH, _SUMMARY_LENGTH, _DEDUP_LENGTH = 32, 1024, 255
_SEVERITIES = ("critical", "warning", "error", "info")
_ACTIONS = ("trigger", "acknowledge", "resolve")
_CONTROL = "/-/fake/"


class Outcome(StrEnum):
    """What an accepted event did."""

    OPENED = "opened"
    SWALLOWED = "swallowed"
    """A trigger for an incident that is open already: no new page."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    NOTHING = "nothing"
    """An acknowledge or resolve for no open incident; accepted all the same."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event that was taken. ``at`` is ``time.monotonic()`` of this process, in seconds."""

    at: float
    action: str
    dedup_key: str
    routing_key: str
    outcome: Outcome
    body: Json


@dataclass(kw_only=True)
class Incident:
    """What people see. ``status`` is triggered, acknowledged or resolved; ``swallowed`` counts repeats."""

    dedup_key: str
    summary: str
    severity: str
    opened_at: float
    status: str = "triggered"
    swallowed: int = 0


class FakePagerDuty:
    """The endpoint on a port of its own. Use it as an async context manager.

    ``routing_keys`` are the integrations it knows. ``events`` holds what was taken, also where a fault kept
    the sender from learning it; ``incidents`` every incident, in the order of opening.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        routing_keys: Sequence[str] = (ROUTING_KEY,),
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._host, self._port, self._tls, self._sleep = host, port, tls, sleep
        self._routing_keys = frozenset(routing_keys)
        self._open: dict[tuple[str, str], Incident] = {}
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.faults = Faults()
        self.events: list[Event] = []
        self.incidents: list[Incident] = []

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=16 * LIMIT)
        application.router.add_post(PATH, self._enqueue)
        application.router.add_route("*", _CONTROL + "{what}", self._control)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, ssl_context=self._tls).start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The ``base_url`` for a client."""
        scheme = "https" if self._tls is not None else "http"
        return f"{scheme}://{self._host}:{self._port}"

    def triggers(self, dedup_key: str | None = None) -> list[Event]:
        """The trigger events taken, of one key or all."""
        return self._of("trigger", dedup_key)

    def resolves(self, dedup_key: str | None = None) -> list[Event]:
        """The resolve events taken, of one key or all."""
        return self._of("resolve", dedup_key)

    def _of(self, action: str, dedup_key: str | None) -> list[Event]:
        wanted = (event for event in self.events if event.action == action)
        return [event for event in wanted if dedup_key in {None, event.dedup_key}]

    def open_incidents(self) -> list[Incident]:
        """Those that are not resolved."""
        return [incident for incident in self.incidents if incident.status != "resolved"]

    async def _enqueue(self, http: web.Request) -> web.StreamResponse:
        raw = await http.read()
        fault = self.faults.strike(http.method, http.path)
        early = await fail_before(fault, http, sleep=self._sleep, closing=self._closing, refuse=_refusal)
        if early is not None:
            return early
        return await fail_after(fault, http, self._take(raw), closing=self._closing)

    def _take(self, raw: bytes) -> web.Response:
        if len(raw) > LIMIT:
            return web.json_response({"status": "invalid event", "message": "Event is too large"}, status=413)
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return _invalid("Event object format is unrecognized", ["JSON parse error"])
        if errors := list(self._errors(body)):
            return _invalid("Event object is invalid", errors)
        key = str(body.get("dedup_key") or uuid.uuid4().hex)
        self._apply(body, key)
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return web.json_response(answer, status=202)

    def _errors(self, body: Json) -> Iterator[str]:
        routing_key = body.get("routing_key")
        if not isinstance(routing_key, str) or not routing_key:
            yield "'routing_key' is missing or blank"
        elif len(routing_key) != _KEY_LENGTH:
            yield "Length of 'routing_key' is incorrect (should be 32 characters)"
        elif routing_key not in self._routing_keys:
            yield "Invalid routing key"
        action, dedup_key = body.get("event_action"), body.get("dedup_key")
        if action not in _ACTIONS:
            yield "'event_action' is invalid (must be one of 'trigger', 'acknowledge' or 'resolve')"
        if dedup_key is not None and (not isinstance(dedup_key, str) or len(dedup_key) > _DEDUP_LENGTH):
            yield f"'dedup_key' must be a string of at most {_DEDUP_LENGTH} characters"
        if action == "trigger":
            yield from _payload_errors(body.get("payload"))
        elif not dedup_key:
            yield f"'dedup_key' is required for {action} events"

    def _apply(self, body: Json, dedup_key: str) -> None:
        at, key = time.monotonic(), (body["routing_key"], dedup_key)
        outcome = self._outcome(body, key, at)
        self.events.append(
            Event(
                at=at,
                action=body["event_action"],
                dedup_key=dedup_key,
                routing_key=body["routing_key"],
                outcome=outcome,
                body=body,
            )
        )

    def _outcome(self, body: Json, key: tuple[str, str], at: float) -> Outcome:
        incident = self._open.get(key)
        if body["event_action"] == "trigger" and incident is None:
            payload = body["payload"]
            incident = Incident(
                dedup_key=key[1], summary=payload["summary"], severity=payload["severity"], opened_at=at
            )
            self._open[key] = incident
            self.incidents.append(incident)
            return Outcome.OPENED
        if incident is None:
            return Outcome.NOTHING
        if body["event_action"] == "trigger":
            incident.swallowed += 1
            return Outcome.SWALLOWED
        if body["event_action"] == "acknowledge":
            incident.status = "acknowledged"
            return Outcome.ACKNOWLEDGED
        incident.status = "resolved"
        del self._open[key]
        return Outcome.RESOLVED

    async def _control(self, http: web.Request) -> web.Response:
        match http.method, http.match_info["what"]:
            case "GET", "events":
                return web.json_response([asdict(event) for event in self.events])
            case "GET", "incidents":
                return web.json_response([asdict(incident) for incident in self.incidents])
            case "GET", "faults":
                return web.json_response([asdict(fault) for fault in self.faults.pending()])
            case "DELETE", "faults":
                self.faults.clear()
                return web.json_response({})
            case "POST", "faults":
                try:
                    self.faults.add(Fault.parse(await http.json()))
                except (KeyError, TypeError, ValueError) as error:
                    return web.json_response({"error": repr(error)}, status=400)
                return web.json_response({})
        return web.json_response({"error": f"no {http.method} {http.path}"}, status=404)


def _payload_errors(payload: object) -> Iterator[str]:
    if not isinstance(payload, dict):
        yield "'payload' is missing or blank"
        return
    for name in ("summary", "source"):
        if not isinstance(payload.get(name), str) or not payload[name]:
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary", ""))) > _SUMMARY_LENGTH:
        yield f"Length of 'payload.summary' is greater than the maximum of {_SUMMARY_LENGTH}"
    if payload.get("severity") not in _SEVERITIES:
        yield "'payload.severity' is invalid (must be one of 'critical', 'warning', 'error' or 'info')"


def _invalid(message: str, errors: list[str]) -> web.Response:
    return web.json_response({"status": "invalid event", "message": message, "errors": errors}, status=400)


def _refusal(fault: Fault) -> web.Response:
    if fault.status == 400:
        return _invalid("Event object is invalid", [fault.message])
    word = "throttle exceeded" if fault.status == 429 else "error"
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = {"status": word, "message": fault.message}
    return web.json_response(body, status=fault.status, headers=headers)


async def _serve(options: argparse.Namespace) -> None:
    tls, stop = server_context(options.cert, options.key), until_stopped()
    keys = options.routing_key or [ROUTING_KEY]
    async with FakePagerDuty(host=options.host, port=options.port, tls=tls, routing_keys=keys) as fake:
        sys.stdout.write(f"{fake.url}\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Run until SIGTERM or SIGINT; the first line of standard output is the URL."""
    parser = argparse.ArgumentParser(prog="python -m remediator.testing.pagerduty")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--cert", type=Path, help="server certificate (PEM); with --key, speaks TLS")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--routing-key", action="append", help="a known key, may be repeated")
    asyncio.run(_serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
