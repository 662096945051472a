"""Whether what a test names is there: a test that waits for a rule that has gone proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Policy, Runbook
from remediator.guards import GUARDS
from remediator.policy.findings import Findings, Spot, quoted, suggestion
from remediator.policy.nodes import Node, follow
from remediator.rehearsal.cases import Case, CloseBreaker, Expectation, PauseChanges, ResumeChanges, Tell
from remediator.rehearsal.script import (
    ChannelOutcome,
    CheckOutcome,
    DiagnosisOutcome,
    NodeFacts,
    Outcome,
    StepOutcome,
    WorkloadFacts,
)

NOTHING = "nothing"
"""What an incident waits for that waits for none."""
OTHER_GUARDS = ("plan", "policy", "when")
"""What blocks, too, and is no guard: an action that makes no sense on its target, a runbook that has gone, a
step of which is not known whether it is meant."""


def check_names(case: Case, node: Node, policy: Policy, out: Findings) -> None:
    """Everything the test names that the policy does not know, each at its place."""
    names = _Names(policy, out)
    for rule in case.trust:
        names.rule(rule, next(follow(node, ("trust", rule))).at)
    for expectation in case.expectations:
        names.expected(expectation)
    for number, outcome in enumerate(case.outcomes):
        spots = [*follow(node, ("outcomes", str(number))), *follow(node, ("outcomes",))]
        names.outcome(outcome, spots[0].at)
    for number, moment in enumerate(case.moments):
        if isinstance(moment.deed, PauseChanges | ResumeChanges):
            places = [*follow(node, ("alerts", str(number), "scope")), *follow(node, ("alerts", "scope"))]
            names.scope(moment.deed.scope, places[0].at if places else moment.where)
        if isinstance(moment.deed, CloseBreaker):
            names.runbook(moment.deed.runbook, moment.where)
        if isinstance(moment.deed, Tell):
            for said in moment.deed.said:
                if not isinstance(said, WorkloadFacts | NodeFacts):
                    names.outcome(said, moment.where)


class _Names:
    """The policy's names, and where complaints about others go."""

    def __init__(self, policy: Policy, out: Findings) -> None:
        self._policy, self._out = policy, out

    def _known(self, at: Spot, what: str, name: str | None, known: Iterable[str]) -> bool:
        listed = tuple(known)
        if name is None or name in listed:
            return True
        self._out.add(at, "T831", f"there is no {what} {quoted(name)}; {suggestion(name, listed)}")
        return False

    def rule(self, name: str | None, at: Spot) -> None:
        """A rule that is named."""
        self._known(at, "rule", name, (rule.name for rule in self._policy.rules))

    def runbook(self, name: str, at: Spot) -> None:
        """A runbook that is named."""
        self._known(at, "runbook", name, self._policy.runbooks)

    def scope(self, scope: PauseScope, at: Spot) -> None:
        """What is paused, or not any more. A namespace may be any."""
        policy = self._policy
        known: Mapping[ScopeKind, Iterable[str]] = {
            ScopeKind.SERVICE: policy.services,
            ScopeKind.RULE: policy.rules_by_name,
            ScopeKind.RUNBOOK: policy.runbooks,
        }
        if scope.kind in known:
            self._known(at, scope.kind, scope.name, known[scope.kind])

    def expected(self, each: Expectation) -> None:
        """Rules, severities, runbooks, guards and channels of an expectation."""
        policy = self._policy

        def at(key: str) -> Spot:
            return each.places.get(key, each.where)

        self.rule(each.rule, at("rule"))
        self._known(at("severity"), "severity", each.severity, policy.severities)
        self._known(at("raised_to"), "severity", each.raised_to, policy.severities)
        self._known(at("attached_to"), "service", each.attached_to, (*policy.services, NOTHING))
        for attempt in each.attempts or ():
            self._known(at("attempts"), "runbook", attempt.runbook, policy.runbooks)
        for guard in each.blocked_by or ():
            known = (*(guard.name for guard in GUARDS), *OTHER_GUARDS)
            self._known(at("blocked_by"), "guard", guard, known)
        for channel in each.pages or {}:
            self._known(at("pages"), "channel", channel, policy.channels)

    def outcome(self, outcome: Outcome, at: Spot) -> None:
        """What the world answers must be something that it can be asked."""
        if isinstance(outcome, ChannelOutcome):
            self._known(at, "channel", outcome.channel, self._policy.channels)
            return
        if not self._known(at, "runbook", outcome.runbook, self._policy.runbooks):
            return
        books = self._policy.runbooks
        meant = [books[outcome.runbook]] if outcome.runbook is not None else list(books.values())
        match outcome:
            case StepOutcome(step=name, undo=True):
                what, known = (
                    "undo of step",
                    {step.action for book in meant if book.undo for step in book.steps},
                )
            case StepOutcome(step=name):
                what, known = "step", {step.action for book in meant for step in book.steps}
            case CheckOutcome(check=name):
                what, known = "check", {check for book in meant for check in _checks(book)}
            case DiagnosisOutcome(diagnosis=name):
                what, known = "diagnosis", {each.diagnosis for book in meant for each in book.diagnose}
        if name not in known:
            whose = f"runbook {outcome.runbook} has no" if outcome.runbook is not None else "no runbook has a"
            self._out.add(at, "T833", f"{whose} {what} {quoted(name)}; {suggestion(name, known)}")


def _checks(book: Runbook) -> set[str]:
    asked = [check for step in book.steps for check in (step.when, step.wait) if check is not None]
    return {check.check for check in (*book.verify, *asked)}
