"""From an alert's labels to a rule, a severity, a service and the incident it belongs to.

The first rule that matches wins. Rules with an equality matcher are found through an index on it; order is
kept exactly. Storms repeat themselves, so what the labels that any rule looks at made of an alert is
remembered: trying every regular expression again would cost more than reading the alert.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from remediator.core.alerts import Lane
from remediator.core.incident import GroupKey
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import URGENT_SEVERITIES, Policy, Rule
from remediator.core.text import UNKNOWN, plain, safe_name

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Miss:
    """Why a rule does not match: its first matcher that fails, and the value it saw."""

    rule: Rule
    matcher: Matcher
    saw: str
    held: int
    """How many of the rule's matchers hold."""


class Classifier:
    """The rules of one policy, compiled."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._indexed: dict[str, dict[str, list[tuple[int, Rule]]]] = {}
        self._others: list[tuple[int, Rule]] = []
        for order, rule in enumerate(policy.rules):
            key = _index_matcher(rule.matchers)
            if key is None:
                self._others.append((order, rule))
            else:
                self._indexed.setdefault(key.name, {}).setdefault(key.value, []).append((order, rule))
        self._looked_at = tuple(dict.fromkeys(m.name for rule in policy.rules for m in rule.matchers))
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._find)

    def match(self, labels: Mapping[str, str]) -> Match | None:
        """The first rule that matches, with what follows from it; None when no rule does."""
        rule = self.rule(labels)
        return None if rule is None else describe_match(rule, labels)

    def rule(self, labels: Mapping[str, str]) -> Rule | None:
        """The first rule that matches."""
        values = tuple([labels.get(name, "") for name in self._looked_at])
        return (self._remembered if _is_short(values) else self._find)(values)

    def _find(self, values: tuple[str, ...]) -> Rule | None:
        """The first rule that matches; ``values`` are those of the labels that any rule looks at."""
        labels = dict(zip(self._looked_at, values, strict=True))
        best: tuple[int, Rule] | None = None
        for name, rules in self._indexed.items():
            for order, rule in rules.get(labels.get(name, ""), ()):
                if best is not None and order >= best[0]:
                    break
                if all(matcher.matches(labels) for matcher in rule.matchers):
                    best = (order, rule)
                    break
        for order, rule in self._others:
            if best is not None and order >= best[0]:
                break
            if all(matcher.matches(labels) for matcher in rule.matchers):
                best = (order, rule)
                break
        return None if best is None else best[1]

    def misses(self, labels: Mapping[str, str]) -> tuple[Miss, ...]:
        """Every rule that does not match, the nearest first."""
        found = []
        for order, rule in enumerate(self.policy.rules):
            failed = [matcher for matcher in rule.matchers if not matcher.matches(labels)]
            if failed:
                saw = labels.get(failed[0].name, "")
                miss = Miss(rule=rule, matcher=failed[0], saw=saw, held=len(rule.matchers) - len(failed))
                found.append((len(failed), -miss.held, order, miss))
        return tuple(miss for *_, miss in sorted(found, key=lambda item: item[:3]))

    def covered(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Every rule whose matchers hold; the first is the winner, the others come too late."""
        return tuple(rule for rule in self.policy.rules if all(m.matches(labels) for m in rule.matchers))


def lane_of(rule: Rule) -> Lane:
    """The stream that events of the rule's alerts travel on."""
    return Lane.URGENT if rule.severity in URGENT_SEVERITIES else Lane.NORMAL


def describe_match(rule: Rule, labels: Mapping[str, str]) -> Match:
    """What it means that ``rule`` won for these labels."""
    service = service_of(rule, labels)
    values = tuple([service if name == "service" else labels.get(name, "") for name in rule.group_by])
    shown, group = (_grouping if _is_short(values) else _grouping.__wrapped__)(rule.group_by, values)
    return Match(rule=rule, service=service, grouped_by=shown, group=group)


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


def _index_matcher(matchers: Sequence[Matcher]) -> Matcher | None:
    """The equality matcher to index a rule by. ``alertname`` first: nearly every rule has one."""
    equal = [matcher for matcher in matchers if matcher.op is MatchOp.EQUAL]
    return next((m for m in equal if m.name == "alertname"), equal[0] if equal else None)
