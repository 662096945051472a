"""Guards that bound a change by how things stand: storms, flapping, breakers, healthy pods, owners, budgets.

Each is worked out anew from what happened, by the words of the policy files' reference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from remediator.core.incident import Outcome, Status
from remediator.core.policies import Mode, Service
from remediator.testing.simulation.history import (
    LOOKING,
    PREPARING,
    Agreed,
    Began,
    Changed,
    Committed,
    History,
    Jumped,
)
from remediator.testing.simulation.policies import workload_of
from remediator.testing.simulation.scenario import Scenario

NUMBERS = frozenset(("ScaleWorkload", "IsolateWorkload", "RestoreWorkload"))
TEMPLATES = frozenset(("RollBackWorkload", "SetContainerImage", "SetContainerResources"))
"""What Flux and Argo CD would set back, where they keep the whole object."""


def guard_checks(history: History, scenario: Scenario) -> list[Iterator[str]]:
    """What was done although a guard forbids it."""
    return [
        _storm(history, scenario),
        _flapping(history, scenario),
        _breaker(history, scenario),
        _healthy_pods(history, scenario),
        _owner(history, scenario),
        _error_budget(history, scenario),
        _untrusted(history, scenario),
        _dependency(history, scenario),
    ]


def _storm(history: History, scenario: Scenario) -> Iterator[str]:
    """After so many incidents opened at once, nothing is changed for a while."""
    bound = scenario.policy.guards.storm
    if bound is None or any(history.of(Jumped)):
        return
    opened: list[tuple[float, str]] = []
    known: set[tuple[str, int]] = set()
    for record in history.records:
        if isinstance(record, Committed) and record.status is not Status.HELD:
            if (record.incident, record.reopened) not in known:
                known.add((record.incident, record.reopened))
                opened.append((record.at, record.incident))
        elif isinstance(record, Changed):
            noticed = record.asked_at - PREPARING - record.frozen_for
            for at, _ in opened:
                together = {who for when, who in opened if at - bound.within / 1000 < when <= at}
                if (
                    len(together) >= bound.incidents
                    and at < noticed
                    and record.asked_at < (at + bound.stop_for / 1000)
                ):
                    yield f"guards: storm: {record.target} was changed at {record.at:.1f}, begun at {at:.1f}"


def _flapping(history: History, scenario: Scenario) -> Iterator[str]:
    """What has been reopened too often is for a person."""
    bound = scenario.policy.guards.flapping
    if bound is None or any(history.of(Jumped)):
        return
    reopened: dict[str, dict[int, float]] = defaultdict(dict)
    for record in history.records:
        if isinstance(record, Committed) and record.reopened:
            reopened[record.incident].setdefault(record.reopened, record.at)
        elif isinstance(record, Changed):
            noticed = record.asked_at - PREPARING - record.frozen_for
            span = record.asked_at - bound.within / 1000
            times = sum(span < at < noticed for at in reopened[record.incident].values())
            if times >= bound.reopened:
                yield f"guards: flapping: {record.attempt} changed something, reopened {times} times"


def _breaker(history: History, scenario: Scenario) -> Iterator[str]:
    """A runbook that failed too often is not tried any more. Nobody closes breakers here."""
    bound = scenario.policy.guards.breaker
    if bound is None:
        return
    began: dict[str, Began] = {}
    failed: dict[str, dict[str, float]] = defaultdict(dict)
    for record in history.records:
        if isinstance(record, Began):
            began[record.attempt] = record
        elif isinstance(record, Committed):
            for number, outcome in record.ended:
                attempt = began.get(f"{record.incident}/{number}")
                if attempt is not None and outcome in (Outcome.FAILED, Outcome.UNKNOWN):
                    failed[attempt.runbook].setdefault(attempt.attempt, record.at)
        elif isinstance(record, Changed) and record.attempt in began:
            runbook = began[record.attempt].runbook
            noticed = record.asked_at - PREPARING - record.frozen_for
            known = [at for at in failed[runbook].values() if at < noticed]
            if len(known) >= bound.failures:
                yield f"guards: breaker: {runbook} changed {record.target}, having failed {len(known)} times"


def _healthy_pods(history: History, scenario: Scenario) -> Iterator[str]:
    """No step takes away more pods, that were seen to be healthy, than a budget or the policy lets go."""
    taken: dict[str, int] = defaultdict(int)
    bound = scenario.policy.guards.max_unavailable
    for change in history.of(Changed):
        taken[change.effect] += change.took
        took, name = taken[change.effect], change.target.rpartition("/")[2]
        allowed = scenario.traits[name].disruptions
        if change.took and allowed is not None and took > allowed:
            yield f"guards: disruption_budget: {change.effect} took {took} healthy pods of {change.target}"
        if change.took and bound is not None and took > bound.of(change.wanted):
            yield f"guards: population: {change.effect} took {took} healthy pods of {change.target}"


def _owner(history: History, scenario: Scenario) -> Iterator[str]:
    """What a GitOps controller keeps is not changed against it."""
    for change in history.of(Changed):
        kept_by = scenario.traits[change.target.rpartition("/")[2]].kept_by
        if kept_by and change.action in NUMBERS | TEMPLATES:
            yield f"guards: owner: {change.target} was changed by {change.action}, and {kept_by} keeps it"


def _error_budget(history: History, scenario: Scenario) -> Iterator[str]:
    """Services that have failed for long are not changed by themselves."""
    bound = scenario.policy.guards.error_budget
    if bound is None:
        return
    spent = {workload_of(name).path for name, traits in scenario.traits.items() if traits.spent}
    agreed: set[str] = set()
    for record in history.records:
        if isinstance(record, Agreed):
            agreed.add(record.attempt)
        elif isinstance(record, Changed) and record.target in spent:
            allowed = bound.then is Mode.APPROVE and record.attempt in agreed
            if not allowed:
                yield f"guards: error_budget: {record.target} was changed by {record.attempt}"


def _untrusted(history: History, scenario: Scenario) -> Iterator[str]:
    """A daemon that may only suggest changes nothing."""
    if scenario.ceiling.trust < Mode.APPROVE.trust:
        for change in history.of(Changed):
            yield f"P13: {change.target} was changed, and the daemon may {scenario.ceiling} at most"


def _dependency(history: History, scenario: Scenario) -> Iterator[str]:
    """While something that a service depends on has an open incident, the service is left alone."""
    services = scenario.policy.services
    opened: dict[str, float] = {}
    about: dict[str, str] = {}
    for record in history.records:
        if isinstance(record, Committed):
            about[record.incident] = record.service
            if record.status in (Status.HELD, Status.RESOLVED):
                opened.pop(record.incident, None)
            else:
                opened.setdefault(record.incident, record.at)
        elif isinstance(record, Changed) and not record.ends:
            for incident, at in opened.items():
                late = record.asked_at - at
                comes_first = about[incident] in _needs(record.target.rpartition("/")[2], services)
                if comes_first and late > LOOKING + record.frozen_for:
                    yield (
                        f"guards: dependency: {record.target} was changed at {record.at:.1f}, {late:.1f} s "
                        f"after {incident} opened"
                    )


def _needs(service: str, services: Mapping[str, Service]) -> frozenset[str]:
    """What it depends on, directly or in turn. Nothing goes in circles here."""
    found = frozenset(services[service].depends_on)
    return found.union(*(_needs(each, services) for each in found))
