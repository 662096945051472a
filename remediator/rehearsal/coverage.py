"""What of a policy the tests put to the test: rules, steps, guards, raises, page policies and levels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.core.approval import must_ask
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.incident import Incident, IncidentId, Outcome, Phase
from remediator.core.journal import Act, Acted, ActResult, Effect, Entry, Kind, Outcomes, Verify
from remediator.core.policies import PageUnlessVerified, Policy, Raise, Step
from remediator.core.raising import describe_condition
from remediator.core.roots import dependencies
from remediator.core.times import Instant
from remediator.guards import GUARDS
from remediator.guards.observer import observed
from remediator.rehearsal.places import Places
from remediator.rehearsal.watching import Judged, PageSent

WAIT = "wait"


class Part(StrEnum):
    """What is counted, each by itself."""

    RULES = "rules"
    STEPS = "steps"
    VERIFICATIONS = "verifications"
    GUARDS = "guards"
    APPROVALS = "approvals"
    RAISES = "raises"
    PAGES = "page policies"
    LEVELS = "escalation levels"


WHAT_COUNTS = {
    Part.RULES: "won",
    Part.STEPS: "performed",
    Part.VERIFICATIONS: "verified",
    Part.GUARDS: "blocked",
    Part.APPROVALS: "asked for",
    Part.RAISES: "raised an incident",
    Part.PAGES: "came to pass",
    Part.LEVELS: "reached",
}

Point = tuple[Part, str]
"""One thing that a test can cover, by its name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uncovered:
    """Something that no test covers, and where it stands."""

    name: str
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PartCovered:
    """How much of a part is covered."""

    part: Part
    covered: int
    total: int
    missing: tuple[Uncovered, ...]

    @property
    def percent(self) -> int:
        """Whole percents, rounded down; 100 where there is nothing."""
        return 100 * self.covered // self.total if self.total else 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """Of all parts."""

    parts: tuple[PartCovered, ...]

    def part(self, wanted: Part) -> PartCovered:
        """One of them."""
        return next(each for each in self.parts if each.part is wanted)


@dataclass(kw_only=True)
class Collector:
    """``rehearsal.watching.Watcher``: what one test covers, and which objects it touches at all."""

    policy: Policy
    points: set[Point] = field(default_factory=set)
    touched: set[tuple[str, str]] = field(default_factory=set)
    """Section and name of every object that had a say."""
    _known: dict[IncidentId, Incident] = field(default_factory=dict)
    _waiting: dict[IncidentId, int] = field(default_factory=dict)

    def committed(self, at: Instant, decision: Decision, matches: Sequence[Match]) -> None:
        """Rules that won, raises, and verifications that came true."""
        for match in matches:
            self.points.add((Part.RULES, match.rule.name))
            self.touched.add(("rules", match.rule.name))
        incident = decision.incident
        if incident is None:
            return
        self._known[incident.id] = incident
        self._touch(incident)
        for entry in decision.timeline:
            if entry.kind is Kind.ATTEMPT_ENDED and entry.data.get("outcome") == Outcome.VERIFIED:
                self.points.add((Part.VERIFICATIONS, str(entry.data.get("runbook"))))
            elif entry.kind is Kind.APPROVAL and "runbook" in entry.data:
                self.points.add((Part.APPROVALS, str(entry.data["runbook"])))
            elif entry.kind is Kind.STEP and entry.data.get("action") == WAIT:
                self._waited(incident)
            elif entry.kind is Kind.STEP and "step" in entry.data:
                self._idle(entry)
            elif entry.kind is Kind.SEVERITY_RAISED and "condition" in entry.data:
                self._raised(str(entry.data["condition"]), str(entry.data.get("severity")))
            elif entry.kind is Kind.PAGE and entry.data.get("outcome") == "withheld":
                self.points.add((Part.PAGES, incident.severity))
        self._page_policy(incident)

    def _touch(self, incident: Incident) -> None:
        self.touched.add(("severities", incident.severity))
        waits_for = dependencies(incident.service, self.policy.services)
        self.touched.update(("services", name) for name in (incident.service, *waits_for))
        severity = self.policy.severities.get(incident.severity)
        if severity is not None and severity.escalation is not None:
            self.touched.add(("escalations", severity.escalation))
        for attempt in incident.attempts:
            self.touched.add(("runbooks", attempt.runbook.name))
            self.touched.add(("guards", ""))
            named = (*self.policy.guards.freeze, *attempt.runbook.during)
            self.touched.update(("time_intervals", name) for name in named)

    def _waited(self, incident: Incident) -> None:
        number = self._waiting.get(incident.id)
        if number is not None:
            self.points.add((Part.STEPS, step_name(incident.attempts[-1].runbook.name, number)))

    def _idle(self, entry: Entry) -> None:
        """A pause that is over, or a step that was left out."""
        name = step_name(str(entry.data["runbook"]), int(entry.data["step"] or 0))
        self.points.add((Part.STEPS, skipped_name(name) if entry.data["result"] == "skipped" else name))

    def _raised(self, condition: str, to: str) -> None:
        for name, each in raises_of(self.policy):
            if each.to == to and condition in (
                describe_condition(each.when),
                describe_condition(each.when)[:300],
            ):
                self.points.add((Part.RAISES, name))

    def _page_policy(self, incident: Incident) -> None:
        severity = self.policy.severities.get(incident.severity)
        if severity is None:
            return
        if (
            incident.level
            or (isinstance(severity.page, PageUnlessVerified) and incident.verified_at is not None)
            or (incident.resolved and not incident.level)
        ):
            self.points.add((Part.PAGES, severity.name))

    def judged(self, judged: Judged) -> None:
        """Guards that blocked; one that lets a person decide has not."""
        if not judged.verdict.allowed and not judged.verdict.asks:
            self.points.add((Part.GUARDS, judged.verdict.guard))

    def performed(self, at: Instant, effect: Effect, outcome: Outcomes | None) -> None:
        """Steps that were done, and which one waits."""
        if isinstance(effect, Verify):
            incident = self._known.get(effect.incident)
            attempt = incident.active if incident is not None else None
            if attempt is not None and attempt.phase is Phase.WAITING:
                self._waiting[effect.incident] = attempt.step
        if isinstance(effect, Act) and isinstance(outcome, Acted) and outcome.result is ActResult.DONE:
            incident = self._known.get(effect.incident)
            attempt = incident.active if incident is not None else None
            if attempt is not None:
                self.points.add((Part.STEPS, step_name(attempt.runbook.name, effect.step)))

    def paged(self, page: PageSent) -> None:
        """Levels that were asked."""
        incident = self._known.get(page.incident)
        severity = self.policy.severities.get(incident.severity) if incident is not None else None
        self.touched.add(("channels", page.channel))
        if severity is not None and severity.escalation is not None and page.level:
            self.points.add((Part.LEVELS, level_name(severity.escalation, page.level)))


def step_name(runbook: str, number: int) -> str:
    """How a step is named: ``restore-database, step 1``."""
    return f"{runbook}, step {number + 1}"


def skipped_name(step: str) -> str:
    """How it is named that a step with ``when`` is left out."""
    return f"{step}, left out"


def level_name(escalation: str, level: int) -> str:
    """How a level is named."""
    return f"{escalation}, level {level}"


def raises_of(policy: Policy) -> list[tuple[str, Raise]]:
    """Every condition that raises an incident, by its name."""
    owners = [(name, severity.raises) for name, severity in policy.severities.items()]
    owners += [(f"rule {rule.name}", rule.raises) for rule in policy.rules]
    return [
        (f"{owner} to {each.to}: {describe_condition(each.when)}", each)
        for owner, raises in owners
        for each in raises
    ]


def can_block(guard: str, policy: Policy) -> bool:
    """Whether a test can bring it about that the guard blocks.

    On a stage no clock jumps, and there is no Alertmanager that could silence anything.
    """
    match guard:
        case "clock" | "suppressed":
            return False
        case "dependency":
            return any(dependencies(name, policy.services) for name in policy.services)
        case "population":
            return policy.guards.max_unavailable is not None
        case "freeze":
            return bool(policy.guards.freeze)
        case "storm":
            return policy.guards.storm is not None
        case "flapping":
            return policy.guards.flapping is not None
        case "error_budget":
            budgeted = any(service.slo is not None for service in policy.services.values())
            return policy.guards.error_budget is not None and budgeted
        case "observer":
            return bool(observed(policy))
        case "breaker":
            return policy.guards.breaker is not None
        case "window":
            used = (name for rule in policy.rules for name in rule.runbooks)
            return any(policy.runbooks[name].during for name in used if name in policy.runbooks)
        case "supported":
            return bool(policy.guards.lacks or any(rule.lacks for rule in policy.rules))
        case _:
            return True


def _asking(policy: Policy) -> list[str]:
    """Runbooks that wait for a person's agreement, for some rule at least."""
    found: dict[str, None] = {}
    for rule in policy.rules:
        for name in rule.runbooks:
            book = policy.runbooks.get(name)
            severities = (rule.severity, *(each.to for each in rule.raises))
            if book is not None and any(must_ask(rule.mode, book, severity) for severity in severities):
                found[name] = None
    return list(found)


def measure(policy: Policy, places: Places, points: Iterable[Point]) -> Coverage:
    """How much of the policy is among the points."""
    found = set(points)
    everything = _everything(policy, places)
    return Coverage(
        parts=tuple(
            PartCovered(
                part=part,
                covered=sum((part, name) in found for name in names),
                total=len(names),
                missing=tuple(
                    Uncovered(name=name, where=where)
                    for name, where in names.items()
                    if (part, name) not in found
                ),
            )
            for part, names in everything.items()
        )
    )


def _of_step(name: str, step: Step) -> Iterator[tuple[str, tuple[str, ...]]]:
    """That it is performed and, where that depends on something, that it is left out."""
    yield name, ()
    if step.when is not None:
        yield skipped_name(name), ("when",)


def _everything(policy: Policy, places: Places) -> Mapping[Part, Mapping[str, str]]:
    def at(section: str, name: str, *keys: str) -> str:
        return str(places.find(section, name, *keys) or places.find(section, name) or "")

    used = {name for rule in policy.rules for name in rule.runbooks}
    books = {name: book for name, book in policy.runbooks.items() if name in used and not book.lacks}
    severities = {rule.severity for rule in policy.rules} | {each.to for _, each in raises_of(policy)}
    known = {name: severity for name, severity in policy.severities.items() if name in severities}
    asked = {severity.escalation for severity in known.values() if severity.escalation is not None}
    return {
        Part.RULES: {rule.name: rule.where for rule in policy.rules},
        Part.STEPS: {
            point: at("runbooks", name, "steps", str(number), *keys)
            for name, book in books.items()
            for number, step in enumerate(book.steps)
            for point, keys in _of_step(step_name(name, number), step)
        },
        Part.VERIFICATIONS: {
            name: at("runbooks", name, "verify") for name, book in books.items() if book.verify
        },
        Part.GUARDS: {
            guard.name: at("guards", "") for guard in GUARDS if books and can_block(guard.name, policy)
        },
        Part.APPROVALS: {name: at("runbooks", name) for name in _asking(policy) if name in books},
        Part.RAISES: {name: each.where for name, each in raises_of(policy)},
        Part.PAGES: {name: at("severities", name, "page") for name in known},
        Part.LEVELS: {
            level_name(name, level.level): at("escalations", name, str(level.level - 1))
            for name in sorted(asked)
            for level in policy.escalations[name].levels
        },
    }
