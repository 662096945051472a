"""What waits for a person's agreement, as people answer it: approve and reject, bound to the plan shown."""

from __future__ import annotations

from aiohttp import web

from remediator.core.alerts import Lane
from remediator.core.approval import may_answer
from remediator.core.incident import Attempt, Incident, Phase, Request, Status
from remediator.core.journal import PlanApproved, PlanRejected
from remediator.core.ports import Runtime
from remediator.core.store import IncidentStore
from remediator.core.text import plain
from remediator.core.times import format_instant
from remediator.http.api import HEARD_WITHIN, LOOK_EVERY
from remediator.http.asking import ApiError, Asked, answer, unknown_incident
from remediator.http.auth import Principal, Role
from remediator.http.views import show_incident

READ_IT = "read what is asked with GET /v1/incidents/{id}, in the last of its attempts"


class Approving:
    """The handlers."""

    def __init__(self, *, store: IncidentStore, runtime: Runtime) -> None:
        self._store, self._runtime = store, runtime

    async def approve(self, asked: Asked) -> web.Response:
        """A person agrees to the plan with that digest: it is done, if every guard agrees then."""
        sent = await asked.body("digest", "note", "by")
        digest = sent.get("digest") or ""
        if not digest:
            raise ApiError(400, "digest is missing", f"{READ_IT}, and send the digest of its plan")
        incident, attempt, request = await self._waiting(asked, digest)
        name, roles = asked.principal.name, roles_of(asked.principal)
        note = plain(sent.get("note") or "", 300)
        event = PlanApproved(by=name, digest=request.plan.digest, roles=roles, note=note)
        await self._store.append(incident.id, event, Lane.URGENT)
        return await self._heard(asked, attempt, digest, agreed=True)

    async def reject(self, asked: Asked) -> web.Response:
        """A person refuses it. Without a digest: whatever is asked now."""
        sent = await asked.body("digest", "note", "by")
        incident, attempt, request = await self._waiting(asked, sent.get("digest") or "")
        name, roles = asked.principal.name, roles_of(asked.principal)
        digest, note = request.plan.digest, plain(sent.get("note") or "", 300)
        event = PlanRejected(by=name, digest=digest, roles=roles, note=note)
        await self._store.append(incident.id, event, Lane.URGENT)
        return await self._heard(asked, attempt, digest, agreed=False)

    async def _known(self, asked: Asked) -> Incident:
        incident = (await self._store.load(asked.incident, ())).incident
        if incident is None or incident.status is Status.HELD:
            raise unknown_incident()
        return incident

    async def _waiting(self, asked: Asked, digest: str) -> tuple[Incident, Attempt, Request]:
        """What the answer is about. Raises ApiError where it is about nothing, or not that person's."""
        incident = await self._known(asked)
        attempt = incident.active
        request = attempt.request if attempt is not None else None
        if attempt is None or request is None:
            raise ApiError(409, *_nothing_waits(incident))
        if digest and digest != request.plan.digest:
            raise ApiError(409, "another plan waits by now", f"{READ_IT}, and answer that")
        if not may_answer(request.by, asked.principal.name, roles_of(asked.principal)):
            who = " or ".join(request.by)
            hint = f"the runbook says approval: {{by: ...}}; ask one of them: {who}"
            raise ApiError(403, f"only {who} may answer, you are {asked.principal.name}", hint)
        return incident, attempt, request

    async def _heard(self, asked: Asked, attempt: Attempt, digest: str, *, agreed: bool) -> web.Response:
        """200 once it was heard, 202 when that takes longer; 409 when something else was quicker."""
        until = self._runtime.monotonic() + HEARD_WITHIN
        while True:
            incident = await self._known(asked)
            now = next((each for each in incident.attempts if each.number == attempt.number), None)
            still = now is not None and now.request_name == attempt.request_name and now.request is not None
            if not still:
                if now is not None and not _is_done(now, asked.principal.name, digest, agreed=agreed):
                    raise ApiError(409, *_nothing_waits(incident))
                return answer(show_incident(incident))
            if self._runtime.monotonic() > until:
                return answer(show_incident(incident), status=202)
            await self._runtime.sleep(LOOK_EVERY)


def _is_done(attempt: Attempt, name: str, digest: str, *, agreed: bool) -> bool:
    """Whether it was this very answer that ended the waiting."""
    if agreed:
        known = attempt.approved
        # a plan that was agreed to and is asked about anew has forgotten who agreed
        again = attempt.phase is Phase.APPROVING
        return again or (known is not None and (known.by, known.digest) == (name, digest))
    return attempt.reason.partition(":")[0] == f"rejected by {name}"


def _nothing_waits(incident: Incident) -> tuple[str, str]:
    """Why there is nothing to answer, and what to do."""
    if incident.resolved:
        return "the incident is resolved already", "there is nothing left to agree to"
    last = incident.attempts[-1] if incident.attempts else None
    if last is not None and last.phase is not Phase.ENDED and last.approved is not None:
        agreed = last.approved
        what = f"approved already by {agreed.by} at {format_instant(agreed.at)}"
        return what, "nothing else is asked; watch the incident's timeline"
    if last is not None and last.phase is Phase.ENDED:
        return (
            f"nothing waits for approval: attempt {last.number} is over, {last.outcome}: {last.reason}",
            "another attempt asks for itself; see the incident's timeline",
        )
    return "nothing waits for approval", "see the incident's timeline"


def roles_of(principal: Principal) -> tuple[str, ...]:
    """The roles that somebody has: each includes those before it."""
    return tuple(role.value for role in Role if principal.role.includes(role))
