"""Which services the runbooks of a rule may be tried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from remediator.core.policies import Policy, Rule
from remediator.policy.selecting import Selector


def reached(policy: Policy) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """Each rule that has runbooks, with the services of the catalog that they may be tried on.

    Where rules do not group by service, an incident is of the service of the alert that opened it, and other
    rules of the same grouping bring their runbooks to it.
    """
    selector = Selector(policy=policy)
    shared: dict[frozenset[str], set[str]] = defaultdict(set)
    for rule in policy.rules:
        if "service" not in rule.group_by:
            shared[frozenset(rule.group_by)].update(selector.of(rule).names)
    for rule in policy.rules:
        if rule.runbooks:
            own = "service" in rule.group_by
            yield rule, tuple(sorted(selector.of(rule).names if own else shared[frozenset(rule.group_by)]))
