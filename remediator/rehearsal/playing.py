"""Plays one test: lets happen what it says, and looks at each moment whether all is as expected."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.classify import Classifier
from remediator.core.incident import Incident
from remediator.core.journal import Acknowledged, Closed, PlanApproved, PlanRejected
from remediator.core.policies import Mode
from remediator.core.times import Instant, format_instant, parse_stamp
from remediator.policy.findings import Spot
from remediator.rehearsal.cases import (
    Acknowledge,
    Approve,
    Case,
    Close,
    CloseBreaker,
    Deed,
    Expectation,
    Fire,
    PauseChanges,
    Reject,
    Resolve,
    ResumeChanges,
    SilenceAlerts,
    Tell,
)
from remediator.rehearsal.comparing import Difference, compare
from remediator.rehearsal.stage import START, Stage, notify
from remediator.rehearsal.stage import Deed as StageDeed
from remediator.rehearsal.telling import Line, tell_story
from remediator.rehearsal.watching import Watcher
from remediator.rehearsal.world import World

PERSON = "the test"
Person = Acknowledge | Close | Approve | Reject
_DONE = {Acknowledge: "acknowledged", Close: "closed", Approve: "approved", Reject: "rejected"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An expectation that did not come true. ``places``: of its keys; ``story``: what happened until then."""

    where: Spot
    at: int
    places: Mapping[str, Spot]
    differences: tuple[Difference, ...]
    story: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """How a test went."""

    case: Case
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.failures


def play(
    case: Case, rules: Classifier, watchers: Sequence[Watcher] = (), *, first_only: bool = False
) -> Played:
    """One test. ``first_only``: whether it goes wrong is all that is asked."""
    world = World(case.outcomes, workloads=case.workloads, queries=case.queries, alertmanager=case.silences)
    start = case.start if case.start is not None else START
    failures: list[Failure] = []
    rules = _trusting(rules, case.trust)
    with Stage(rules, world, start_at=start, ceiling=case.ceiling, watchers=watchers) as stage:
        script = _Script(stage, start)
        for moment in case.moments:
            stage.call(Instant(start + moment.at), script.deed(moment.deed, moment.where))
        for each in case.expectations:
            stage.run_until(Instant(start + each.at))
            if differences := (*script.stumbles(), *compare(each, case, stage, start)):
                failures.append(_failure(each, differences, stage, start))
                if first_only:
                    break
    return Played(case=case, failures=tuple(failures))


def _trusting(rules: Classifier, trust: Mapping[str, Mode]) -> Classifier:
    """The same rules, some of them trusted with another mode."""
    if not trust:
        return rules
    policy = rules.policy
    trusted = tuple(replace(rule, mode=trust.get(rule.name, rule.mode)) for rule in policy.rules)
    return Classifier(replace(policy, rules=trusted))


def _failure(each: Expectation, differences: tuple[Difference, ...], stage: Stage, start: Instant) -> Failure:
    return Failure(
        where=next((each.places[d.key] for d in differences if d.key in each.places), each.where),
        at=each.at,
        places=each.places,
        differences=differences,
        story=tell_story(stage, start, each.service),
    )


class _Script:
    """What a test lets happen, on a stage."""

    def __init__(self, stage: Stage, start: Instant) -> None:
        self._stage, self._start = stage, start
        self._fired: dict[Fingerprint, Instant] = {}
        self._stumbled: list[Difference] = []
        self._troubles = 0

    def stumbles(self) -> tuple[Difference, ...]:
        """What could not be let happen, and what the daemon stumbled over; each told once."""
        new = self._stage.watch.troubles[self._troubles :]
        self._troubles += len(new)
        stumbled = (*self._stumbled, *(_stumble("a daemon that goes on", text) for text in new))
        self._stumbled.clear()
        return stumbled

    def deed(self, deed: Deed, where: Spot) -> StageDeed:
        """What the stage is to do."""
        match deed:
            case Fire() | Resolve():
                return lambda stage: stage.receive(
                    notify([self._alert(labels, deed) for labels in deed.alerts])
                )
            case Acknowledge() | Close() | Approve() | Reject():
                return lambda stage: self._person(deed, where)
            case PauseChanges():
                return lambda stage: stage.store.pause(
                    deed.reason,
                    PERSON,
                    None if deed.span is None else Instant(stage.now() + deed.span),
                    deed.scope,
                )
            case ResumeChanges():
                return lambda stage: stage.store.resume(deed.scope)
            case SilenceAlerts():
                return lambda stage: self._silence(deed)
            case CloseBreaker():
                return lambda stage: self._close_breaker(deed, where)
            case Tell():
                return lambda stage: self._tell(deed)
            case _:
                assert_never(deed)

    async def _close_breaker(self, deed: CloseBreaker, where: Spot) -> None:
        if await self._stage.store.close_breaker(deed.runbook, PERSON, "") is None:
            seen = f"the breaker of {deed.runbook} was not open"
            self._stumbled.append(_stumble(f"a breaker that is closed at {where}", seen))

    def _tell(self, deed: Tell) -> None:
        self._stage.world.tell(*deed.said)
        for query, values in deed.queries.items():
            self._stage.world.tell_query(query, values)

    def _silence(self, deed: SilenceAlerts) -> None:
        alertmanager = self._stage.world.alertmanager
        assert alertmanager is not None, "a test that silences something has one"
        for labels in deed.alerts:
            alertmanager.silence(labels, PERSON, deed.span)

    def _alert(self, labels: Mapping[str, str], deed: Fire | Resolve) -> Alert:
        print_, now = fingerprint(labels), self._stage.now()
        fires = isinstance(deed, Fire)
        if fires:
            self._fired[print_] = now
        stamp = parse_stamp(format_instant(now))
        return Alert(
            fingerprint=print_,
            status=AlertStatus.FIRING if fires else AlertStatus.RESOLVED,
            labels=labels,
            annotations=deed.annotations if isinstance(deed, Fire) else {},
            starts_at=parse_stamp(format_instant(self._fired.get(print_, now))),
            ends_at=None if fires else stamp,
        )

    def _person(self, deed: Person, where: Spot) -> Awaitable[None] | None:
        incident = self._meant(deed.service)
        if isinstance(incident, str):
            what = f"an incident that is {_DONE[type(deed)]} at {where}"
            self._stumbled.append(_stumble(what, incident))
            return None
        if isinstance(deed, Approve | Reject):
            return self._answer(deed, incident, where)
        event = Acknowledged(by=deed.by) if isinstance(deed, Acknowledge) else Closed(by=deed.by)
        return self._stage.tell_incident(incident.id, event)

    def _answer(self, deed: Approve | Reject, incident: Incident, where: Spot) -> Awaitable[None] | None:
        """To the plan that is shown then."""
        request = incident.active.request if incident.active is not None else None
        if request is None:
            what = f"an incident that is {_DONE[type(deed)]} at {where}"
            self._stumbled.append(_stumble(what, f"incident {incident.id} waits for no approval then"))
            return None
        event = PlanApproved if isinstance(deed, Approve) else PlanRejected
        return self._stage.tell_incident(incident.id, event(by=deed.by, digest=request.plan.digest))

    def _meant(self, service: str | None) -> Incident | str:
        found = [one for one in self._stage.incidents if not one.resolved]
        if service is not None:
            found = [one for one in found if one.service == service]
        if len(found) == 1:
            return found[0]
        whose = f" of {service}" if service is not None else ""
        names = ", ".join(sorted(one.service for one in found))
        return (
            f"{len(found)} are open ({names}); name its service"
            if found
            else f"no incident{whose} is open then"
        )


def _stumble(expected: str, seen: str) -> Difference:
    return Difference(key="at", expected=expected, seen=seen)


def fingerprint(labels: Mapping[str, str]) -> Fingerprint:
    """The identity of an alert: its labels."""
    text = repr(sorted(labels.items()))
    return Fingerprint(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16])
