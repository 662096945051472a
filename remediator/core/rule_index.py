"""Which of its matchers a rule is found by: the one that fewest rules have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Rule
from remediator.core.steps import Steps

FEW = 6
"""Rules that are asked in vain without ado."""
STEP = 50
"""Rules between two breaks."""
_DEAREST_LAST = (MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.MATCHES, MatchOp.NOT_MATCHES)


@dataclass(kw_only=True, slots=True)
class RulePlan:
    """Rules by their order. ``checks``: what is left to be asked of a rule when it was found."""

    equal: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """By label and value."""
    patterns: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    """By label and regular expression."""
    scanned: list[int] = field(default_factory=list)
    """Those that nothing finds: they hold when labels are missing, or are not as they say."""
    checks: list[tuple[Matcher, ...]] = field(default_factory=list)


def plan_rules(rules: Sequence[Rule]) -> Steps[RulePlan]:
    """How every rule is found."""
    plan, common = RulePlan(), _Common()
    for order, rule in enumerate(rules):
        if order % STEP == 0:
            yield
        common.count(rule.matchers)
    for order, rule in enumerate(rules):
        if order % STEP == 0:
            yield
        key = min(filter(_finds, rule.matchers), key=common.cost, default=None)
        others = [matcher for matcher in dict.fromkeys(rule.matchers) if matcher != key]
        plan.checks.append(tuple(sorted(others, key=lambda each: _DEAREST_LAST.index(each.op))))
        if key is None:
            plan.scanned.append(order)
        else:
            index = plan.equal if key.op is MatchOp.EQUAL else plan.patterns
            index.setdefault(key.name, {}).setdefault(key.value, []).append(order)
    return plan


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
