"""The courier: says what the outbox holds to the channels.

What a page says is written when it is sent, from the incident as it stands then. Whether it must be sent
again, and when, is decided like everything else: a delivery's outcome is an event of the incident.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import assert_never

from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.incident import Attempt, Incident, PageState, Request, Status
from remediator.core.journal import Entry, Kind, Message, Notice, Page, Paged, PageKind, PageResult
from remediator.core.plugins import Channel, ChannelMessage
from remediator.core.policies import ChannelSpec, Policy
from remediator.core.ports import Runtime
from remediator.core.store import IncidentStore
from remediator.core.times import HOUR, SECOND, Millis, format_instant

NOTICE_WITHIN = HOUR / 1000
"""Seconds for which a notice of the daemon's own trouble is tried."""
SOURCE = "remediator"
SHOWN_PLAN = 12
"""Lines of a plan that a message shows."""


class Courier:
    """Delivers messages. ``channel`` makes the channel of a specification."""

    def __init__(
        self,
        *,
        incidents: IncidentStore,
        policy: Callable[[], Policy],
        channel: Callable[[ChannelSpec], Channel],
        runtime: Runtime,
    ) -> None:
        self._incidents, self._policy, self._channel, self._runtime = incidents, policy, channel, runtime

    async def deliver(self, message: Message) -> Paged | None:
        """The outcome of a page; a notice has none."""
        match message:
            case Page():
                return await self._page(message)
            case Notice():
                await self._notice(message)
                return None
            case _:
                assert_never(message)

    async def _page(self, page: Page) -> Paged | None:
        incident = (await self._incidents.load(page.incident, ())).incident
        state = incident.page(page.key) if incident is not None else None
        if incident is None or state is None:
            return None
        entries = await self._incidents.timeline(incident.id)
        message = write_message(page, incident, state, entries)
        result, detail, retry_after = await self._send(page.channel, message)
        return Paged(
            effect=page.id,
            key=page.key,
            kind=page.kind,
            result=result,
            detail=detail,
            retry_after=retry_after,
        )

    async def _send(self, name: str, message: ChannelMessage) -> tuple[PageResult, str, Millis | None]:
        spec = self._policy().channels.get(name)
        if spec is None:
            return PageResult.REFUSED, f"channel {name} is gone from the policy", None
        try:
            return PageResult.ACCEPTED, await self._channel(spec).send(message), None
        except Refused as error:
            return PageResult.REFUSED, str(error), None
        except Retryable as error:
            return PageResult.RETRY, str(error), Millis(error.delay) if error.delay else None
        except RemediatorError as error:  # unknown: the same dedup key again is swallowed, so it is safe
            return PageResult.RETRY, str(error), None

    async def _notice(self, notice: Notice) -> None:
        message = ChannelMessage(
            kind=PageKind.TRIGGER,
            dedup_key=notice.id,
            summary=notice.summary,
            severity="error",
            source=SOURCE,
            details=notice.details,
        )
        until, pause = self._runtime.monotonic() + NOTICE_WITHIN, 1.0
        while True:
            result, detail, retry_after = await self._send(notice.channel, message)
            if result is PageResult.ACCEPTED:
                return
            if result is PageResult.REFUSED or self._runtime.monotonic() > until:
                raise Refused(f"the notice could not be delivered to {notice.channel}: {detail}")
            await self._runtime.sleep(max(pause, (retry_after or 0) / SECOND))
            pause = min(pause * 2, 60.0)


_SEVERITY = {"SEV-1": "critical", "SEV-2": "error", "SEV-3": "warning", "SEV-4": "info"}


def write_message(
    page: Page, incident: Incident, state: PageState, entries: Sequence[Entry]
) -> ChannelMessage:
    """What a person woken at 3 a.m. needs: what is wrong, why they, what was found, what was tried."""
    summary = f"{incident.severity} {incident.title} on {incident.service}: {state.reason}"
    details = {
        "incident": incident.id,
        "what is asked" if state.asks else "why you are paged": state.reason,
        "status": describe_status(incident),
        "opened": format_instant(incident.opened_at),
        "alerts firing": str(incident.alerts),
        "rule": incident.rule,
        "level": str(state.level),
        "diagnosed": _lines(e.text for e in entries if e.kind is Kind.DIAGNOSED),
        "tried": _lines(_attempt(attempt) for attempt in incident.attempts),
        "guards that blocked": _lines(
            e.text for e in entries if e.kind is Kind.GUARD and e.data.get("verdict") == "blocks"
        ),
        **_question(incident),
        "latest": _lines(f"{format_instant(e.at)} {e.text}" for e in entries[-8:]),
    }
    return ChannelMessage(
        kind=page.kind,
        dedup_key=page.dedup_key,
        summary=summary[:1024],
        severity=_SEVERITY[incident.severity],
        source=incident.service,
        links=incident.links,
        details={name: text for name, text in details.items() if text},
    )


def _question(incident: Incident) -> dict[str, str]:
    """What waits for approval now, and how to give it: in every message that is sent while it waits."""
    request = incident.active.request if incident.active is not None else None
    if request is None:
        return {}
    digest = request.plan.digest
    return {
        "waits for approval": _plan(request),
        "who may approve": " or ".join(request.by) or "anyone who may operate the daemon",
        "until": f"{format_instant(request.until)}; without an answer nothing of it is done",
        "to approve": f"remediator approve {incident.id} --digest {digest}",
        "to refuse": f"remediator reject {incident.id} --digest {digest}",
    }


def _plan(request: Request) -> str:
    """As it begins: what somebody agrees to unread must at least not look like all there is."""
    lines = request.plan.lines
    more = len(lines) - SHOWN_PLAN
    left = [] if more <= 0 else [f"and {more} more lines: read them all before you agree"]
    return "\n".join([*lines[:SHOWN_PLAN], *left])


def describe_status(incident: Incident) -> str:
    """The incident's status as a person says it."""
    if incident.active is not None and incident.active.request is not None:
        return "waits for approval"
    if incident.status is Status.ESCALATED:
        return "escalated: nothing more is tried automatically"
    return incident.status.value


def _attempt(attempt: Attempt) -> str:
    changes = f" ({'; '.join(attempt.changes)})" if attempt.changes else ""
    outcome = f"{attempt.outcome}: {attempt.reason}" if attempt.outcome is not None else attempt.phase.value
    return f"{attempt.runbook.name}{changes}: {outcome}"


def _lines(lines: object, most: int = 12) -> str:
    kept = [str(line) for line in lines][-most:]  # type: ignore[attr-defined]
    return "\n".join(kept)
