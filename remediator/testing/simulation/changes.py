"""Holds every change that reached the outside to the promises: once, by its owner, within limits, in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Mode
from remediator.testing.simulation.bounds import guard_checks
from remediator.testing.simulation.deadlines import hindered
from remediator.testing.simulation.history import (
    LOOKING,
    Agreed,
    Began,
    Changed,
    Claimed,
    Committed,
    Forbade,
    Granted,
    History,
    Intended,
    LimitsRefunded,
    LimitsTaken,
    Paused,
    Verified,
)
from remediator.testing.simulation.policies import workload_of
from remediator.testing.simulation.scenario import Scenario

SEEN = 20.0
"""Seconds between a look and the commit of what it found, where nobody died or froze meanwhile."""


def change_checks(history: History, scenario: Scenario) -> list[Iterator[str]]:
    """What was broken, promise by promise."""
    return [
        _p7_once(history),
        _p7_pods(history),
        _p8_fenced(history),
        _p8_own_epoch(history),
        _p10_limits(history),
        _p10_changes_are_counted(history),
        _p13_pauses(history),
        _p13_resolved(history),
        _forbidden(history),
        _p13_asked(history, scenario),
        _p14_verified(history),
        *guard_checks(history, scenario),
    ]


def _p7_once(history: History) -> Iterator[str]:
    """But silences: nothing keeps one off that lingers on its way, and two of a step have one end."""
    rolled: dict[tuple[str, str], int] = defaultdict(int)
    for change in history.of(Changed):
        if change.action != "CreateSilence":
            rolled[change.effect, change.pod] += change.rolled
    for (effect, pod), count in rolled.items():
        if count > 1:
            yield f"P7: {effect} took effect {count} times" + (f" on pod {pod}" if pod else "")


def _p7_pods(history: History) -> Iterator[str]:
    """However often a step is performed, it takes no pod away but those it first meant."""
    meant: dict[str, frozenset[str]] = {}
    for record in history.records:
        if isinstance(record, Intended):
            meant.setdefault(record.effect, record.pods)
        elif isinstance(record, Changed) and record.pod not in meant.get(record.effect, ()) and record.pod:
            yield f"P7: {record.effect} took pod {record.pod} away at {record.at:.1f}, which it never meant"


def _p8_fenced(history: History) -> Iterator[str]:
    """Once a newer owner has written its epoch onto an object, no older one changes it."""
    newest: dict[str, int] = defaultdict(int)
    for record in history.records:
        if isinstance(record, Claimed):
            newest[record.target] = max(newest[record.target], record.epoch)
        elif isinstance(record, Changed) and record.on and record.epoch < newest[record.on]:
            yield (
                f"P8: {record.on} was changed at {record.at:.1f} under epoch {record.epoch}, "
                f"after epoch {newest[record.on]} had claimed it"
            )


def _p8_own_epoch(history: History) -> Iterator[str]:
    """A replica changes things under the epochs that it was given, and under no other's."""
    owners = {(grant.replica, grant.epoch) for grant in history.of(Granted)}
    for change in history.of(Changed):
        if change.on and (change.replica, change.epoch) not in owners:
            yield (
                f"P8: {change.on} was changed at {change.at:.1f} by {change.replica} under epoch "
                f"{change.epoch}, which was never its own"
            )


def _p10_limits(history: History) -> Iterator[str]:
    """By the store's clock no window ever holds more than it may."""
    taken: dict[str, dict[str, float]] = defaultdict(dict)
    for record in history.records:
        if isinstance(record, LimitsRefunded):
            for members in taken.values():
                members.pop(record.member, None)
        elif isinstance(record, LimitsTaken):
            for name, count, per in record.limits:
                members = taken[name]
                members.setdefault(record.member, record.clock)
                recent = [at for at in members.values() if record.clock - at < per / 1000]
                if len(recent) > count:
                    yield f"P10: {name} was taken {len(recent)} times in {per} ms, at most {count} allowed"


def _p10_changes_are_counted(history: History) -> Iterator[str]:
    """Whatever changes something holds its limits then, and never gives them back."""
    held: set[str] = set()
    changed: set[str] = set()
    for record in history.records:
        if isinstance(record, LimitsRefunded):
            if record.member in changed:
                yield f"P10: {record.member} gave back at {record.at:.1f} what it had spent"
            held.discard(record.member)
        elif isinstance(record, LimitsTaken):
            held.add(record.member)
        elif isinstance(record, Changed) and (record.rolled or record.looks):
            changed.add(record.attempt)
            if record.attempt not in held:
                yield f"P10: {record.attempt} changed {record.target} at {record.at:.1f} without its limits"


def _p13_pauses(history: History) -> Iterator[str]:
    since: dict[PauseScope, float] = {}
    began: dict[str, Began] = {}
    for record in history.records:
        if isinstance(record, Began):
            began[record.attempt] = record
        elif isinstance(record, Paused) and record.on:
            since[record.scope] = record.at
        elif isinstance(record, Paused):
            since.pop(record.scope, None)
        elif isinstance(record, Changed):
            for scope, at in since.items():
                late = record.asked_at - at
                if _meets(scope, record, began) and late > LOOKING + record.frozen_for:
                    yield f"P13: {record.target} was changed {late:.1f} s after a pause of {scope}"


def _meets(scope: PauseScope, change: Changed, began: Mapping[str, Began]) -> bool:
    """Services of simulations are called as their workloads."""
    namespace, _, name = change.target.split("/")
    attempt = began.get(change.attempt)
    met = {
        ScopeKind.ALL: "",
        ScopeKind.NAMESPACE: namespace,
        ScopeKind.SERVICE: name,
        ScopeKind.RULE: attempt.rule if attempt is not None else None,
        ScopeKind.RUNBOOK: attempt.runbook if attempt is not None else None,
    }
    return met[scope.kind] == scope.name


def _p13_resolved(history: History) -> Iterator[str]:
    """When nothing fires any more, nothing is changed any more. Programs that only look may prove it;
    the end of an isolation is none of it."""
    quiet: dict[str, float] = {}
    for record in history.records:
        if isinstance(record, Committed):
            if record.firing:
                quiet.pop(record.incident, None)
            else:
                quiet.setdefault(record.incident, record.at)
        elif isinstance(record, Changed) and record.incident in quiet and not (record.looks or record.ends):
            late = record.asked_at - quiet[record.incident]
            if late > LOOKING + record.frozen_for:
                yield f"P13: {record.target} was changed {late:.1f} s after nothing fired any more"


def _forbidden(history: History) -> Iterator[str]:
    """What somebody or something forbids is not done, once everybody has had the time to notice."""
    since: dict[tuple[str, str], Forbade] = {}
    for record in history.records:
        if isinstance(record, Forbade):
            key = record.promise, record.why
            if record.on:
                since.setdefault(key, record)
            else:
                since.pop(key, None)
        elif isinstance(record, Changed):
            for each in since.values():
                late = record.asked_at - each.at
                if record.target in each.targets and late > each.within + record.frozen_for:
                    yield (
                        f"{each.promise}: {record.target} was changed at {record.at:.1f} by {record.action}, "
                        f"{late:.1f} s after it was forbidden: {each.why}"
                    )


def _p13_asked(history: History, scenario: Scenario) -> Iterator[str]:
    """Where a person has to agree first, nothing is changed before one has, for that very attempt."""
    asking = {rule.matchers[0].value for rule in scenario.policy.rules if rule.mode is Mode.APPROVE}
    if scenario.ceiling is Mode.APPROVE:
        asking = set(scenario.policy.services)
    targets = {workload_of(name).path for name in asking}
    agreed: set[str] = set()
    began: dict[str, Began] = {}
    severe: dict[str, dict[str, float]] = defaultdict(dict)
    for record in history.records:
        if isinstance(record, Agreed):
            agreed.add(record.attempt)
        elif isinstance(record, Began):
            began[record.attempt] = record
        elif isinstance(record, Committed):
            severe[record.incident].setdefault(record.severity, record.at)
        elif isinstance(record, Changed) and record.attempt not in agreed:
            terms = began[record.attempt].asks_for if record.attempt in began else ()
            known = record.asked_at - LOOKING - record.frozen_for
            asks = any(severe[record.incident].get(each, 1e9) < known for each in terms)
            if record.target in targets or asks:
                yield (
                    f"P13: {record.target} was changed at {record.at:.1f} by {record.attempt}, "
                    "to which nobody had agreed"
                )


def _p14_verified(history: History) -> Iterator[str]:
    """Unless it broke so lately that whoever looked before could not know."""
    for verified in history.of(Verified):
        since = verified.at - SEEN
        lately = verified.broke_at >= since - hindered(history, since, verified.at)
        if not verified.healthy and not lately:
            yield f"P14: {verified.incident} was called verified while {verified.target} was broken"
