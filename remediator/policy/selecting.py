"""Which services of the catalog a rule can select, as far as its matchers tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from remediator.core.classify import SERVICE_LABELS
from remediator.core.matchers import Matcher
from remediator.core.policies import Policy, Rule
from remediator.core.text import UNKNOWN, safe_name
from remediator.policy.shapes import possible_values
from remediator.policy.templates import LabelTemplate

MOST_TRIED = 200_000
"""Matchers that are tried on names of services in one run; beyond it a rule is taken to select any."""

_CHAIN = re.compile(r"\{\{\s*labels\.\w+(\s+or\s+labels\.\w+)*\s*\}\}", re.ASCII)
_LOOKUP = re.compile(r"labels\.(\w+)", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """``names``: the services of the catalog that a rule can select. ``narrow``: not just any of them."""

    names: tuple[str, ...]
    narrow: bool


@dataclass(kw_only=True, slots=True)
class Selector:
    """Remembers what rules with the same template and matchers select: there may be thousands.

    Those that may select any service share one selection.
    """

    policy: Policy
    _known: dict[tuple[object, ...], Selection] = field(default_factory=dict)
    _tried: int = 0
    _any: Selection = field(init=False)
    _order: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        services = tuple(self.policy.services)
        self._any = Selection(names=services, narrow=False)
        self._order = {name: number for number, name in enumerate(services)}

    def of(self, rule: Rule) -> Selection:
        """What the rule can select. The same object for rules that select by the same means."""
        labels = _labels(rule)
        matchers = frozenset(matcher for matcher in rule.matchers if matcher.name in labels)
        key = (rule.service.source if rule.service is not None else None, matchers)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(rule, labels, tuple(matchers))
        return found

    def _find(self, rule: Rule, labels: Sequence[str], matchers: Sequence[Matcher]) -> Selection:
        template, services = rule.service, self.policy.services
        if isinstance(template, LabelTemplate) and template.constant:
            name = template.source.strip()
            return Selection(names=(name,) if name in services else (), narrow=True)
        listed = possible_values(matchers, labels[0]) if labels else None
        if listed is not None and "" not in listed and (template is None or len(labels) == 1):
            chosen = {
                safe_name(value if template is None else template.select({labels[0]: value}))
                for value in listed
            }
            known = sorted(chosen & self._order.keys(), key=self._order.__getitem__)
            return Selection(names=tuple(known), narrow=True)
        if matchers and (template is None or _CHAIN.fullmatch(template.source.strip())):
            self._tried += len(services) * len(matchers)
            if self._tried <= MOST_TRIED:
                names = tuple(name for name in services if name == UNKNOWN or _can_be(name, labels, matchers))
                return Selection(names=names, narrow=True) if len(names) < len(services) else self._any
        return self._any


def _labels(rule: Rule) -> tuple[str, ...]:
    """The labels that the selection looks at, the first one that is there first."""
    template = rule.service
    if template is None:
        return SERVICE_LABELS
    if _CHAIN.fullmatch(template.source.strip()):
        return tuple(dict.fromkeys(_LOOKUP.findall(template.source)))
    return tuple(sorted(template.labels)) if isinstance(template, LabelTemplate) else ()


def _can_be(name: str, labels: Sequence[str], matchers: Sequence[Matcher]) -> bool:
    """Whether some label can be the name while all that are looked at before it are empty."""
    for label in labels:
        own = [matcher for matcher in matchers if matcher.name == label]
        if all(matcher.matches({label: name}) for matcher in own):
            return True
        if not all(matcher.matches({label: ""}) for matcher in own):
            return False
    return False
