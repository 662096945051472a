"""From an alert's labels to a rule, a severity, a service and the incident it belongs to.

The first rule that matches wins; ``rule_index`` finds it without trying them all. Storms repeat themselves,
so what the labels that any rule looks at made of an alert is remembered as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from remediator.core.alerts import Lane
from remediator.core.incident import GroupKey
from remediator.core.matchers import Matcher
from remediator.core.naming import name_object
from remediator.core.objects import ObjectRef
from remediator.core.policies import URGENT_SEVERITIES, Policy, Rule
from remediator.core.rule_index import STEP, RuleIndex, index_rules
from remediator.core.steps import Steps, at_once
from remediator.core.text import UNKNOWN, plain, safe_name

TARGET = "target"
"""The name by which ``group_by`` speaks of the object that the labels name."""
SERVICE_LABELS = ("service", "app", "job")
REMEMBERED = 4096
"""Combinations of labels whose rule, and of grouping labels whose group, are remembered."""
LONGEST_REMEMBERED = 1000
"""Characters of such a combination: a bound on the memory that strangers can make it take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What a policy makes of one alert."""

    rule: Rule
    service: str
    grouped_by: Mapping[str, str]
    group: GroupKey
    target: ObjectRef | None = None
    """The object that the labels name, where the rule has a target and they name one."""
    told: str = ""
    """What they tell, in words, where the rule has a target."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """Why a rule does not match: its first matcher that fails, and the value it saw."""

    rule: Rule
    matcher: Matcher
    saw: str
    held: int
    """How many of the rule's matchers hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Every rule beside the labels of one alert. The first of ``covered`` wins, the others come too late.

    ``misses``: all others, the nearest first; of those that are equally near, in the order of the rules.
    """

    covered: tuple[Rule, ...]
    misses: tuple[Miss, ...]


class Classifier:
    """The rules of one policy, compiled.

    ``index``: what ``index_rules`` made of them, for those who could not wait for all of it.
    ``remembered``: how many combinations of labels are remembered.
    """

    def __init__(
        self, policy: Policy, index: RuleIndex | None = None, *, remembered: int = REMEMBERED
    ) -> None:
        self.policy = policy
        self._index = index or at_once(index_rules(policy.rules))
        self._looked_at = frozenset(m.name for rule in policy.rules for m in rule.matchers)
        self._remembered = lru_cache(maxsize=remembered)(self._index.first)

    def match(self, labels: Mapping[str, str]) -> Match | None:
        """The first rule that matches, with what follows from it; None when no rule does."""
        rule = self.rule(labels)
        return None if rule is None else describe_match(rule, labels)

    def rule(self, labels: Mapping[str, str]) -> Rule | None:
        """The first rule that matches."""
        looked_at = self._looked_at
        told = tuple([item for item in labels.items() if item[0] in looked_at and item[1]])
        find = self._remembered if _is_short([value for _, value in told]) else self._index.first
        order = find(told)
        return None if order is None else self.policy.rules[order]

    def compare(self, labels: Mapping[str, str]) -> Steps[Comparison]:
        """Every rule, matcher by matcher: slow, and in steps, because there can be thousands."""
        covered: list[Rule] = []
        by_nearness: dict[tuple[int, int], list[Miss]] = {}
        for order, rule in enumerate(self.policy.rules):
            if order % STEP == 0:
                yield
            failed = [matcher for matcher in rule.matchers if not matcher.matches(labels)]
            if not failed:
                covered.append(rule)
                continue
            saw, held = labels.get(failed[0].name, ""), len(rule.matchers) - len(failed)
            miss = Miss(rule=rule, matcher=failed[0], saw=saw, held=held)
            by_nearness.setdefault((len(failed), -held), []).append(miss)
        nearest = chain.from_iterable(by_nearness[key] for key in sorted(by_nearness))
        return Comparison(covered=tuple(covered), misses=tuple(nearest))

    def misses(self, labels: Mapping[str, str]) -> tuple[Miss, ...]:
        """Every rule that does not match, the nearest first."""
        return at_once(self.compare(labels)).misses

    def covered(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Every rule whose matchers hold; the first is the winner, the others come too late."""
        return tuple(rule for rule in self.policy.rules if all(m.matches(labels) for m in rule.matchers))


def lane_of(rule: Rule) -> Lane:
    """The stream that events of the rule's alerts travel on."""
    return Lane.URGENT if rule.severity in URGENT_SEVERITIES else Lane.NORMAL


def describe_match(rule: Rule, labels: Mapping[str, str]) -> Match:
    """What it means that ``rule`` won for these labels."""
    service = service_of(rule, labels)
    target, told, selected = None, "", {"service": service}
    if rule.target is not None:
        target, told = name_object(rule.target, labels)
        selected[TARGET] = target.path if target is not None else told
    values = tuple([selected.get(name) or labels.get(name, "") for name in rule.group_by])
    shown, group = (_grouping if _is_short(values) else _grouping.__wrapped__)(rule.group_by, values)
    return Match(rule=rule, service=service, grouped_by=shown, group=group, target=target, told=told)


def _is_short(values: Sequence[str]) -> bool:
    return len("".join(values)) <= LONGEST_REMEMBERED


@lru_cache(maxsize=REMEMBERED)
def _grouping(names: tuple[str, ...], values: tuple[str, ...]) -> tuple[Mapping[str, str], GroupKey]:
    """How the group of these labels is shown, and its identity."""
    grouped = dict(zip(names, values, strict=True))
    return _shown(grouped), group_key(grouped)


def service_of(rule: Rule, labels: Mapping[str, str]) -> str:
    """The service that the labels select: the rule's template, else label service, then app, then job.

    Anything that is not a plain name becomes ``unknown``: labels are written by strangers.
    """
    if rule.service is not None:
        return safe_name(rule.service.select(labels))
    return safe_name(next((labels[name] for name in SERVICE_LABELS if labels.get(name)), UNKNOWN))


def group_key(grouped: Mapping[str, str]) -> GroupKey:
    """The identity of a group: a digest of its names and values, whatever the values hold."""
    text = json.dumps(sorted(grouped.items()), ensure_ascii=True, separators=(",", ":"))
    return GroupKey(hashlib.sha256(text.encode()).hexdigest()[:32])


def _shown(grouped: Mapping[str, str]) -> Mapping[str, str]:
    return {plain(name, 100): plain(value, 200) for name, value in grouped.items()}
