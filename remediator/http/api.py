"""The API of the operations listener: what is under ``/v1/``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from remediator.core.alerts import Lane, Notification
from remediator.core.incident import Incident, Status
from remediator.core.journal import Acknowledged, Closed
from remediator.core.policies import SEVERITIES
from remediator.core.ports import Runtime
from remediator.core.steps import with_breaks
from remediator.core.store import IncidentFilter, IncidentStore, Loaded, QueueStore
from remediator.core.text import plain
from remediator.http.asking import (
    ApiError,
    Asked,
    answer,
    unknown_dead_letter,
    unknown_incident,
    write_answer,
)
from remediator.http.payload import BadPayload, parse_notification
from remediator.http.server import read_body
from remediator.http.views import show_alert, show_dead_letter, show_entry, show_evidence, show_incident
from remediator.http.webhook import MAX_BODY_BYTES
from remediator.policy.explain import Explanation, skeleton

STATUSES = tuple(status.value for status in Status if status is not Status.HELD)
EXPLAINED = 500
"""Alerts of one notification that are explained."""
HEARD_WITHIN = 2.0
"""Seconds to wait for an incident to have heard what it was told, before the answer is 202."""
LOOK_EVERY = 0.02

Explain = Callable[[Notification], Awaitable[Explanation]]


class ApiStore(IncidentStore, QueueStore, Protocol):
    """What the API needs of the store."""


class Api:
    """The handlers."""

    def __init__(self, *, store: ApiStore, runtime: Runtime, explain: Explain) -> None:
        self._store, self._runtime, self._explain = store, runtime, explain

    async def incidents(self, asked: Asked) -> web.Response:
        """Incidents, newest first."""
        severity = asked.choice("severity", SEVERITIES)
        wanted = IncidentFilter(
            status=asked.choice("status", STATUSES),
            severity=severity,
            service=asked.pattern("service", "[A-Za-z0-9._-]{1,63}", "use a name of the catalog, or unknown"),
        )
        cursor = asked.pattern("cursor", "[A-Za-z0-9./_-]{1,200}", "use next of the page before, as it came")
        page = await self._store.incidents(wanted, asked.limit(), cursor)
        return answer({"items": [show_incident(each) for each in page.items], "next": page.next})

    async def incident(self, asked: Asked) -> web.Response:
        """One incident."""
        return answer(show_incident((await self._known(asked))[0]))

    async def timeline(self, asked: Asked) -> web.Response:
        """Everything that happened, oldest first."""
        incident, _ = await self._known(asked)
        entries = await self._store.timeline(incident.id)
        return answer({"items": [show_entry(entry) for entry in entries], "next": None})

    async def evidence(self, asked: Asked) -> web.Response:
        """What its newest attempts kept before they changed anything, oldest first."""
        incident, _ = await self._known(asked)
        kept = await self._store.evidence(incident.id)
        return answer({"items": [show_evidence(each) for each in kept], "next": None})

    async def _known(self, asked: Asked) -> tuple[Incident, Loaded]:
        loaded = await self._store.load(asked.incident, ())
        if loaded.incident is None or loaded.incident.status is Status.HELD:
            raise unknown_incident()
        return loaded.incident, loaded

    async def acknowledge(self, asked: Asked) -> web.Response:
        """A person takes it on: nothing climbs any more."""
        await asked.body("by", "note")  # the author is who asks, whatever the body says
        incident, _ = await self._known(asked)
        if incident.resolved:
            raise ApiError(409, "the incident is resolved already", "there is nothing left to take on")
        if incident.acknowledged_at is None:
            event = Acknowledged(by=asked.principal.name)
            await self._store.append(incident.id, event, Lane.URGENT)
        return await self._heard(asked, lambda now: now.acknowledged_at is not None or now.resolved)

    async def resolve(self, asked: Asked) -> web.Response:
        """A person declares it over."""
        sent = await asked.body("by", "note")
        incident, loaded = await self._known(asked)
        if not incident.resolved:
            if loaded.facts.firing:
                count = loaded.facts.firing
                what = f"{count} of its alerts still {'fires' if count == 1 else 'fire'}"
                hint = "it resolves by itself with the last of them; silence in Alertmanager what is no fault"
                raise ApiError(409, what, hint)
            if incident.active is not None:
                what = f"attempt {incident.active.number} is {incident.active.phase}"
                if incident.active.request is not None:
                    raise ApiError(409, what, "answer what it asks: approve or reject it")
                raise ApiError(409, what, "wait for its end, or stop all changes with PUT /v1/pause")
            event = Closed(by=asked.principal.name, note=plain(sent.get("note") or "", 500))
            await self._store.append(incident.id, event, Lane.URGENT)
        return await self._heard(asked, lambda now: now.resolved)

    async def _heard(self, asked: Asked, heard: Callable[[Incident], bool]) -> web.Response:
        """200 with the incident once it has heard; 202 when that takes longer: it is durable all the same."""
        until = self._runtime.monotonic() + HEARD_WITHIN
        while True:
            incident, _ = await self._known(asked)
            if heard(incident):
                return answer(show_incident(incident))
            if self._runtime.monotonic() > until:
                return answer(show_incident(incident), status=202)
            await self._runtime.sleep(LOOK_EVERY)

    async def dead_letters(self, asked: Asked) -> web.Response:
        """What could not be processed, newest first."""
        letters = await self._store.dead_letters(asked.limit())
        return answer({"items": [show_dead_letter(letter) for letter in letters], "next": None})

    async def retry(self, asked: Asked) -> web.Response:
        """Put a dead letter back into its queue."""
        dead_id = asked.dead_letter
        if await self._store.revive(dead_id):
            return answer({"id": dead_id, "state": "queued"})
        # A letter of the intake was refused for its content; the same content would be refused again.
        listed = await self._store.dead_letters(1000)
        if any(letter.id == dead_id for letter in listed):
            raise ApiError(409, "it never came from a queue", "read its reason and payload, then drop it")
        raise unknown_dead_letter()

    async def drop(self, asked: Asked) -> web.Response:
        """Forget a dead letter."""
        dead_id = asked.dead_letter
        if not await self._store.drop_dead(dead_id):
            raise unknown_dead_letter()
        return answer({"id": dead_id, "state": "dropped"})

    async def unmatched(self, asked: Asked) -> web.Response:
        """Alerts that no rule matched, newest first."""
        alerts = await self._store.unmatched(asked.limit())
        return answer({"items": [show_alert(a, skeleton(a.labels)) for a in alerts], "next": None})

    async def explain(self, asked: Asked) -> web.Response:
        """What would become of a notification."""
        body = await read_body(asked.request, limit=MAX_BODY_BYTES, within=15.0)
        try:
            notification = parse_notification(body)
        except BadPayload as error:
            hint = "send what Alertmanager sends: its webhook body, version 4"
            raise ApiError(400, error.reason, hint) from error
        if len(notification.alerts) > EXPLAINED:
            raise ApiError(413, f"more than {EXPLAINED} alerts are asked about", "send fewer of them")
        steps = write_answer(await self._explain(notification))
        return await with_breaks(steps, lambda: self._runtime.sleep(0))
