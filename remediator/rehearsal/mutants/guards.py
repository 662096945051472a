"""Guards broken: what may be touched, how much of it at once, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

from remediator.core.policies import (
    BreakerBound,
    BudgetBound,
    FlappingBound,
    GuardPolicy,
    Policy,
    Share,
    StormBound,
)
from remediator.rehearsal.mutants.base import Mutant, bounds, counts, spans
from remediator.rehearsal.places import Places

SCOPES = ("cluster", "service", "target")
BRAKES = {
    "storm": "let so many incidents open at once that a change is blocked, and in another test one less; "
    "expect blocked_by: storm, and a change once it is over",
    "flapping": "resolve and fire the same alert until a change is blocked, and expect blocked_by: flapping",
    "breaker": "let attempts fail (outcomes: {check: …, result: failed}) until the runbook is not tried any "
    "more, and expect blocked_by: breaker",
}
COUNTED = ("incidents", "reopened", "failures")
PERCENT = 10
"""By how much a share is changed."""


def mutants_of_guards(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Every number and every name that is written under ``guards``."""
    guards = policy.guards

    def made(keys: tuple[str, ...], change: str, hint: str, **values: object) -> Iterator[Mutant]:
        at = places.find("guards", "", *keys)
        if at is not None:
            changed: GuardPolicy = replace(guards, **values)  # type: ignore[arg-type]  # by the dataclass
            yield Mutant(
                section="guards",
                subject="guards",
                where=str(at),
                change=change,
                hint=hint,
                policy=replace(policy, guards=changed),
                touches=("guards", ""),
            )

    for number, name in enumerate(guards.namespaces):
        rest = tuple(other for other in guards.namespaces if other != name)
        hint = f"expect an attempt on a workload in {name} to change something"
        yield from made(
            ("namespaces", str(number)), f"namespace {name} no longer allowed", hint, namespaces=rest
        )
    for number, name in enumerate(guards.protect):
        rest = tuple(other for other in guards.protect if other != name)
        hint = f"let a rule with a runbook win for {name}, and expect blocked_by: target"
        yield from made(("protect", str(number)), f"{name} no longer protected", hint, protect=rest)
    for number, matcher in enumerate(guards.accept):
        kept = tuple(other for other in guards.accept if other is not matcher)
        hint = f"fire an alert that fails {matcher}, and expect blocked_by: still_firing"
        yield from made(("accept", str(number)), f"accept {matcher} removed", hint, accept=kept)
    for number, name in enumerate(guards.freeze):
        rest = tuple(other for other in guards.freeze if other != name)
        hint = f"let a test begin (start) within {name}, and expect blocked_by: freeze"
        yield from made(("freeze", str(number)), f"no freeze while {name} holds", hint, freeze=rest)
    if guards.max_unavailable is not None:
        hint = (
            "say how many pods are ready: cluster: {workload: …, replicas: 5, ready: 3}; in one test expect "
            "blocked_by: population, in another a change"
        )
        for words, share in _shares(guards.max_unavailable):
            yield from made(("max_unavailable",), words, hint, max_unavailable=share)
    for name, hint in BRAKES.items():
        for words, bound in _brakes(name, getattr(guards, name)):
            yield from made((name,), words, hint, **{name: bound})
    if guards.error_budget is not None:
        hint = (
            "give the slo's errors a value near the bound (query: {…: 0.0004}) in two tests; in one expect "
            "blocked_by: error_budget or mode, in the other a change"
        )
        for words, budget in _budgets(guards.error_budget):
            yield from made(("error_budget",), words, hint, error_budget=budget)
    for scope in SCOPES:
        rate = getattr(guards.rate, scope)
        hint = f"let changes of one {scope} be asked for until one is blocked, and expect blocked_by: limits"
        changed = [(w, replace(rate, count=count)) for w, count in counts(f"rate.{scope}", rate.count)]
        changed += [(w, replace(rate, per=span)) for w, span in spans(f"rate.{scope} per", rate.per)]
        for words, other in changed:
            yield from made(("rate", scope), words, hint, rate=replace(guards.rate, **{scope: other}))


def _budgets(bound: BudgetBound) -> Iterator[tuple[str, BudgetBound | None]]:
    for words, below in bounds("error_budget.below", bound.below):
        if below <= PERCENT * 10:
            yield words, replace(bound, below=below)
    yield "error_budget removed", None


def _shares(share: Share) -> Iterator[tuple[str, Share | None]]:
    step = PERCENT if share.percent else 1
    for value in (share.value - step, share.value + step):
        if 0 <= value <= (100 if share.percent else 100_000):
            other = replace(share, value=value)
            yield f"max_unavailable {share} -> {other}", other
    yield "max_unavailable removed", None


def _brakes(
    name: str, bound: StormBound | FlappingBound | BreakerBound | None
) -> Iterator[tuple[str, object]]:
    """Every number of a storm's, a flapping's or a breaker's bound, and that it is not there."""
    if bound is None:
        return
    for each in fields(bound):
        value, key = getattr(bound, each.name), f"{name}.{each.name}"
        changed = counts(key, value) if each.name in COUNTED else spans(key, value)
        for words, other in changed:
            yield words, replace(bound, **{each.name: other})  # type: ignore[arg-type]  # by name
    yield f"{name} removed", None
