"""What the runbooks of a rule would do about an incident, and what the guards would say: for explanations."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.approval import describe_terms
from remediator.core.classify import Match
from remediator.core.errors import Refused, RemediatorError, StoreUnavailable
from remediator.core.incident import Attempt, EffectId, Incident, IncidentId, Phase
from remediator.core.policies import Mode, Policy, Runbook, Scope, Step
from remediator.core.text import plain
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, NotAskedError, Pointless
from remediator.guards.error_budget import held_to_budget
from remediator.policy.diffs import diff_changes, diff_step
from remediator.policy.explained import RunbookNote, StepNote
from remediator.policy.opinions import ask_opinions
from remediator.policy.plans import plan_runbook, say_step
from remediator.policy.present import Present

NOBODY = IncidentId("explained")
"""Stands for the incident that an explained alert would open. It takes nothing, so it may be anybody's."""


class Remedies:
    """Explains runbooks. The same question is asked once, however many alerts lead to it."""

    def __init__(self, policy: Policy, ceiling: Mode, present: Present) -> None:
        self._policy, self._ceiling, self._present = policy, ceiling, present
        self._known: dict[tuple[object, ...], RunbookNote] = {}

    async def notes(
        self, match: Match, incident: Incident, scope: Scope, before: Incident | None, at: Instant
    ) -> tuple[RunbookNote, ...]:
        """Of the rule's runbooks, in their order. ``incident``: with the alert; ``before``: without it."""
        tried = before.tried if before is not None and before.reopened == incident.reopened else ()
        notes = []
        for name in match.rule.runbooks:
            runbook = self._policy.runbooks.get(name)
            if runbook is None:
                continue
            aim = incident.aim
            named = (aim.owner, aim.trouble) if aim is not None else None
            whom = (scope.incident, scope.severity, scope.service, incident.foreign, incident.alerts, named)
            key = (match.rule.name, name, *whom)
            if key not in self._known:
                request = self._request(match, runbook, incident, at)
                request = replace(request, lowered=await self._present.lowered(match.rule.name))
                self._known[key] = await self._note(request, runbook, scope)
            notes.append(replace(self._known[key], had_turn=name in tried))
        return tuple(notes)

    def _request(self, match: Match, runbook: Runbook, incident: Incident, at: Instant) -> ChangeRequest:
        attempt = Attempt(
            number=incident.attempt_count + 1,
            runbook=runbook,
            rule=match.rule.name,
            started_at=at,
            phase=Phase.ACTING,
            phase_at=at,
        )
        return ChangeRequest(
            incident=incident,
            attempt=attempt,
            step=_first_action(runbook),
            effect=EffectId(f"{incident.id}/{attempt.number}/0"),
            at=at,
            policy=self._policy,
            ceiling=self._ceiling,
        )

    async def _note(self, request: ChangeRequest, runbook: Runbook, scope: Scope) -> RunbookNote:
        blocked = None
        try:
            runbook = self._policy.render(runbook, scope)
        except Refused as error:
            blocked = plain(str(error), 300)
        if runbook.lacks:
            asked = f"runbook {runbook.name} asks for {', '.join(runbook.lacks)}"
            blocked = plain(f"{asked}, which this version cannot perform: nothing is changed", 300)
        request = replace(
            request, attempt=replace(request.attempt, runbook=runbook), step=_first_action(runbook)
        )
        ports = self._present.ports(request)
        request = await held_to_budget(request, ports)
        guards = await ask_opinions(request, ports)
        return RunbookNote(
            plan=plan_runbook(runbook, request.target),
            guards=guards,
            blocked=blocked,
            steps=tuple([await self._step(request, step, scope) for step in runbook.steps]),
            lacks=runbook.lacks,
            approval=_approval(request),
        )

    async def _step(self, request: ChangeRequest, step: Step, scope: Scope) -> StepNote:
        said, trouble, known = say_step(step, request.target), None, "policy"
        if not step.acts:
            return StepNote(step=said, diff=(), known=known)
        diff = diff_step(step)
        try:
            changes, seen = await self._present.planned(replace(request, step=step))
            diff, known = diff_changes(changes, seen), "now"
            trouble = None if diff else "there is nothing to change"
        except NotAskedError:
            pass
        except StoreUnavailable:
            raise
        except Pointless as error:
            diff, known, trouble = (), "now", str(error)
        except RemediatorError as error:
            known, trouble = "unknown", str(error)
        return StepNote(step=said, diff=diff, known=known, trouble=trouble and plain(trouble, 300))


def _approval(request: ChangeRequest) -> str | None:
    """Who has to agree to the plan first, and what comes of it when nobody does."""
    if not request.needs_approval:
        return None
    terms = describe_terms(request.attempt.runbook)
    return f"waits for approval of its plan {terms}; otherwise it changes nothing, and people are paged"


def _first_action(runbook: Runbook) -> Step:
    return next((step for step in runbook.steps if step.acts), Step(action="none"))
