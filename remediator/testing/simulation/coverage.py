"""What seeds met: which actions were performed, which guards allowed and forbade, which checks answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.journal import Entry, Kind
from remediator.core.nodes import NODE_ACTIONS
from remediator.core.pauses import ScopeKind
from remediator.diagnoses import DIAGNOSES
from remediator.guards import GUARDS
from remediator.testing.simulation.history import Began, Changed, History, Paused

STEPS = ("wait", "pause")
"""Steps that change nothing."""
UNDO, END = "undo", "end of an isolation"
ANSWERS = ("approved", "rejected", "expired")
EXEMPT: Mapping[str, str] = {
    f"action {name}": "no node is part of this world; they are killed at every call in test_step_nodes.py"
    for name in NODE_ACTIONS
}
"""What no seed need meet, and why."""


def expected() -> list[str]:
    """All that there is to be met, from the registries: what is new there has to be met as well."""
    return [
        *(f"action {name}" for name in (*ACTIONS, *STEPS, UNDO, END)),
        *(f"guard {guard.name} {verdict}" for guard in GUARDS for verdict in ("allows", "blocks")),
        *(f"check {name} {answer}" for name in CHECKS for answer in ("holds", "fails")),
        *(f"diagnosis {name}" for name in DIAGNOSES),
        *(f"pause of {kind}" for kind in ScopeKind),
        *(f"approval {answer}" for answer in ANSWERS),
        *(
            f"ended {outcome}"
            for outcome in ("verified", "failed", "blocked", "unknown", "observed", "suggested")
        ),
    ]


def never_met(met: Mapping[str, int]) -> list[str]:
    """What is expected and was not met."""
    return [each for each in expected() if not met.get(each) and each not in EXEMPT]


def met_outside(history: History) -> Counter[str]:
    """Actions whose changes arrived, by the steps that they were made for; scopes that were paused."""
    met: Counter[str] = Counter()
    began = {record.attempt: record for record in history.of(Began)}
    done = {change.effect: change for change in history.of(Changed) if change.rolled}
    for change in done.values():
        if change.attempt in began:
            action = began[change.attempt].steps[change.step]
            met[f"action {UNDO if change.undoes else END if change.ends else action}"] += 1
    for pause in history.of(Paused):
        met[f"pause of {pause.scope.kind}"] += pause.on
    return met


def met_on_timelines(timelines: Iterable[Sequence[Entry]]) -> Counter[str]:
    """What only timelines tell: steps that change nothing, answers of people, how attempts ended."""
    met: Counter[str] = Counter()
    for entries in timelines:
        for entry in entries:
            data = entry.data
            if entry.kind is Kind.STEP and data.get("action") in STEPS and data.get("result") == "done":
                met[f"action {data['action']}"] += 1
            elif entry.kind is Kind.APPROVAL:
                met[f"approval {data.get('outcome')}"] += 1
            elif entry.kind is Kind.ATTEMPT_ENDED:
                met[f"ended {data.get('outcome')}"] += 1
    return met


def describe(met: Mapping[str, int]) -> list[str]:
    """Lines that say how often what was met."""
    groups: dict[str, list[str]] = {}
    for name in expected():
        kind, _, rest = name.partition(" ")
        groups.setdefault(kind, []).append(f"{rest} {met.get(name, 0)}")
    return [f"{kind}: {', '.join(items)}" for kind, items in groups.items()]
