"""Policies that are loaded in the middle of outages: what the second one says, and when each is in force."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from random import Random

from remediator.core.policies import Mode, Policy, Rate, RateLimits, Rule, Runbook
from remediator.core.times import MINUTE, Millis
from remediator.testing.simulation.remedies import weaker


def draw_swaps(rng: Random, until: float, *, often: bool) -> tuple[float, ...]:
    """When the other policy is loaded; in half of all runs never."""
    counts = [2, 5, 8] if often else [0, 0, 0, 1, 2, 5]
    return tuple(sorted(rng.uniform(1, until) for _ in range(rng.choice(counts))))


def draw_variant(policy: Policy, rng: Random, features: Collection[str]) -> Policy:
    """Another policy for the same services: it pages as the first does and trusts less, or other, means."""
    runbooks = _other_runbooks(policy.runbooks, rng)
    protected = [
        str(service.workload)
        for service in policy.services.values()
        if service.workload is not None and rng.random() < 0.3
    ]
    rate = RateLimits(
        cluster=Rate(count=rng.choice([1, 3]), per=Millis(2 * MINUTE)),
        service=Rate(count=1, per=Millis(2 * MINUTE)),
        target=Rate(count=1, per=Millis(MINUTE)),
    )
    lacks = ("a guard of tomorrow",) if "unsupported" in features and not policy.guards.lacks else ()
    return replace(
        policy,
        rules=tuple(_other_rule(rule, runbooks, rng) for rule in policy.rules),
        runbooks=runbooks,
        guards=replace(policy.guards, protect=tuple(protected), rate=rate, lacks=lacks),
        digest="simulated anew",
    )


def _other_runbooks(runbooks: Mapping[str, Runbook], rng: Random) -> dict[str, Runbook]:
    """Some are gone, some prove and do something else under the name that they had."""
    kept = {name: runbook for name, runbook in runbooks.items() if rng.random() < 0.8}
    return {name: weaker(runbook, rng) if rng.random() < 0.4 else runbook for name, runbook in kept.items()}


def _other_rule(rule: Rule, runbooks: Mapping[str, Runbook], rng: Random) -> Rule:
    """Perhaps under another name: then the first one's is gone."""
    return replace(
        rule,
        name=f"{rule.name}-anew" if rng.random() < 0.3 else rule.name,
        mode=Mode.OBSERVE if rng.random() < 0.3 else rule.mode,
        runbooks=tuple(name for name in rule.runbooks if name in runbooks),
    )


def forbidden_targets(policy: Policy) -> frozenset[str]:
    """Paths of the workloads that nobody may touch while this policy is the newest."""
    untrusted = (Mode.OBSERVE, Mode.SUGGEST)
    watched = {rule.matchers[0].value for rule in policy.rules if rule.mode in untrusted or rule.lacks}
    return frozenset(
        service.workload.path
        for service in policy.services.values()
        if service.workload is not None
        and (service.name in watched or str(service.workload) in policy.guards.protect or policy.guards.lacks)
    )
