"""Policies that are loaded in the middle of outages: what the second one says, and when each is in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from remediator.core.policies import Mode, Policy, Rate, RateLimits, Rule, Runbook
from remediator.core.times import MINUTE, SECOND, Millis


def draw_swaps(rng: Random, until: float) -> tuple[float, ...]:
    """When the other policy is loaded; in half of all runs never."""
    return tuple(sorted(rng.uniform(1, until) for _ in range(rng.choice([0, 0, 0, 1, 2, 5]))))


def draw_variant(policy: Policy, rng: Random) -> Policy:
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
    return replace(
        policy,
        rules=tuple(_other_rule(rule, runbooks, rng) for rule in policy.rules),
        runbooks=runbooks,
        guards=replace(policy.guards, protect=tuple(protected), rate=rate),
        digest="simulated anew",
    )


def _other_runbooks(runbooks: Mapping[str, Runbook], rng: Random) -> dict[str, Runbook]:
    """Some are gone, some prove and do something else under the name that they had."""
    kept = {name: runbook for name, runbook in runbooks.items() if rng.random() < 0.8}
    for name, runbook in kept.items():
        if rng.random() < 0.4:
            verify = tuple(replace(check, within=Millis(20 * SECOND)) for check in runbook.verify[:1])
            kept[name] = replace(runbook, steps=rng.choice([*runbooks.values()]).steps, verify=verify)
    return kept


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
    watched = {rule.matchers[0].value for rule in policy.rules if rule.mode is Mode.OBSERVE}
    return frozenset(
        service.workload.path
        for service in policy.services.values()
        if service.workload is not None
        and (service.name in watched or str(service.workload) in policy.guards.protect)
    )
