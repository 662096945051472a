"""Which services the runbooks of a rule may be tried on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from math import prod

from remediator.core.classify import SERVICE_LABELS, service_of
from remediator.core.policies import Policy, Rule
from remediator.policy.lint_rules import possible_values
from remediator.policy.templates import LabelTemplate

MOST_COMBINED = 500
"""Combinations of label values for which it is tried out which service a rule selects."""


def reached(policy: Policy) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """Each rule that has runbooks, with the services of the catalog that they may be tried on.

    Where rules do not group by service, an incident is of the service of the alert that opened it, and other
    rules of the same grouping bring their runbooks to it.
    """
    every = tuple(sorted(policy.services))
    shared: dict[frozenset[str], set[str]] = defaultdict(set)
    for rule in policy.rules:
        if "service" not in rule.group_by:
            shared[frozenset(rule.group_by)].update(_selected(rule, policy, every))
    grouped = {names: tuple(sorted(services)) for names, services in shared.items()}
    for rule in policy.rules:
        if rule.runbooks:
            own = "service" in rule.group_by
            yield rule, _selected(rule, policy, every) if own else grouped[frozenset(rule.group_by)]


def _selected(rule: Rule, policy: Policy, every: tuple[str, ...]) -> tuple[str, ...]:
    """The services that a rule can select, as far as its matchers tell; else all of them."""
    names = selected_names(rule)
    return every if names is None else tuple(sorted(names & policy.services.keys()))


def selected_names(rule: Rule) -> frozenset[str] | None:
    """The only names that a rule can select for a service; None when they are no short list."""
    template = rule.service
    labels = sorted(template.labels) if isinstance(template, LabelTemplate) else list(SERVICE_LABELS)
    listed: dict[str, frozenset[str]] = {}
    for label in labels:
        values = possible_values(rule.matchers, label)
        if values is None:
            return None
        listed[label] = values
        if template is None and "" not in values:
            break  # the first label that is there is taken
    if prod(map(len, listed.values())) > MOST_COMBINED:
        return None
    combined = (dict(zip(listed, values, strict=True)) for values in product(*listed.values()))
    return frozenset(service_of(rule, labels) for labels in combined)
