"""Rules by their matchers: which one is the first that matches, without asking them all.

A rule is found by one of its matchers, the one that fewest rules have; only then is it asked for the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from remediator.core.matchers import Matcher, MatchOp
from remediator.core.pattern_index import MEMORY, PatternIndex
from remediator.core.policies import Rule
from remediator.core.steps import Steps

FEW = 6
"""Rules that are asked in vain without ado."""
STEP = 50
"""Rules between two breaks."""
_DEAREST_LAST = (MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.MATCHES, MatchOp.NOT_MATCHES)


Told = tuple[tuple[str, str], ...]
"""Labels with their values, none of which is empty: an empty one counts as missing."""


class RuleIndex:
    """Rules by their order. Made by ``index_rules``."""

    def __init__(self) -> None:
        self._equal: dict[str, dict[str, list[int]]] = {}
        self._expressions: dict[str, dict[str, list[int]]] = {}
        self._patterns: dict[str, PatternIndex] = {}
        self._scanned: list[int] = []
        """Found by nothing: they hold when labels are missing, or not as they say."""
        self._others: list[tuple[Matcher, ...]] = []

    def add(self, matchers: Sequence[Matcher], key: Matcher | None) -> None:
        """The next rule, which is found by ``key``."""
        order = len(self._others)
        others = [matcher for matcher in dict.fromkeys(matchers) if matcher != key]
        self._others.append(tuple(sorted(others, key=lambda each: _DEAREST_LAST.index(each.op))))
        if key is None:
            self._scanned.append(order)
        else:
            index = self._equal if key.op is MatchOp.EQUAL else self._expressions
            index.setdefault(key.name, {}).setdefault(key.value, []).append(order)

    def compile(self) -> Steps[None]:
        """When all rules are there."""
        for name, expressions in self._expressions.items():
            self._patterns[name] = patterns = PatternIndex(expressions)
            yield from patterns.compile(memory=MEMORY // len(self._expressions))

    def first(self, told: Told) -> int | None:
        """The first rule that matches."""
        labels = dict(told)
        found: list[int] = []
        for name, value in told:
            if (by_value := self._equal.get(name)) is not None:
                found += by_value.get(value, ())
            if (patterns := self._patterns.get(name)) is not None:
                found += patterns.hits(value)
        found.sort()
        best = next((order for order in found if self._matches(order, labels)), None)
        for order in self._scanned:
            if best is not None and order > best:
                break
            if self._matches(order, labels):
                return order
        return best

    def _matches(self, order: int, labels: Mapping[str, str]) -> bool:
        return all(matcher.matches(labels) for matcher in self._others[order])


def index_rules(rules: Sequence[Rule]) -> Steps[RuleIndex]:
    """The index of these rules, in steps."""
    index, common = RuleIndex(), _Common()
    for order, rule in enumerate(rules):
        if order % STEP == 0:
            yield
        common.count(rule.matchers)
    for order, rule in enumerate(rules):
        if order % STEP == 0:
            yield
        index.add(rule.matchers, min(filter(_finds, rule.matchers), key=common.cost, default=None))
    yield from index.compile()
    return index


def _finds(matcher: Matcher) -> bool:
    """Whether it holds of no alert that lacks its label."""
    return matcher.op in (MatchOp.EQUAL, MatchOp.MATCHES) and not matcher.matches({})


class _Common:
    """How many rules have a matcher, and how many have a regular expression for a label."""

    def __init__(self) -> None:
        self._matchers: Counter[Matcher] = Counter()
        self._labels: Counter[str] = Counter()

    def count(self, matchers: Sequence[Matcher]) -> None:
        self._matchers.update(matchers)
        self._labels.update(matcher.name for matcher in matchers if matcher.op is MatchOp.MATCHES)

    def cost(self, matcher: Matcher) -> tuple[int, bool, int]:
        """Rules to be asked in vain; then what finding costs: every label with expressions is a pass more."""
        rules, plain = self._matchers[matcher], matcher.op is MatchOp.EQUAL
        return (rules if rules > FEW else 0, not plain, -self._labels[matcher.name])
