"""Lints of what rules match: which can never win or match, and matchers that say nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from remediator.core.matchers import Matcher, MatchOp
from remediator.core.policies import Rule
from remediator.core.text import plain
from remediator.policy.lint_view import Note, View
from remediator.policy.nodes import Items, Scalar, follow
from remediator.policy.shapes import Shape, heads, possible_values, shape_of, takes_everything

MOST_COMPARED = 300
"""Rules of one kind that a rule is compared with, so that the time stays linear in the number of rules."""
MOST_COMPARED_IN_ALL = 500_000
"""Pairs of rules that are compared in one run: about a second. Beyond it R101 keeps quiet."""

LONGEST_BEGINNING = 64
"""Characters of a value by which rules are found."""

_LOOKS_LIKE_PATTERN = re.compile(r"\.[*+]|[A-Za-z0-9_]\|[A-Za-z0-9_]|^\^|\$$", re.ASCII)


def contradictions(view: View) -> Iterator[Note]:
    """R102: matchers of one rule that cannot hold together."""
    for rule in view.policy.rules:
        by_name: dict[str, list[Matcher]] = defaultdict(list)
        for matcher in rule.matchers:
            by_name[matcher.name].append(matcher)
        for name, own in by_name.items():
            if _contradict(name, own):
                shown = " and ".join(map(_shown, own))
                what = f"{shown} exclude each other" if len(own) > 1 else f"{shown} excludes every value"
                text = f"rule '{rule.name}' can never match: {what}; remove one of them"
                text = text if len(own) > 1 else text.replace("remove one of them", "remove it")
                yield Note(at=view.spot("rules", rule.name, "match"), code="R102", message=text)


def _contradict(name: str, own: list[Matcher]) -> bool:
    listed = possible_values(own, name)
    if listed is not None:
        return not listed
    shapes = [
        (matcher, shape)
        for matcher in own
        if matcher.is_regex and (shape := shape_of(matcher.value)) is not None
    ]
    wanted = [shape for matcher, shape in shapes if matcher.op is MatchOp.MATCHES]
    unwanted = [(matcher, shape) for matcher, shape in shapes if matcher.op is MatchOp.NOT_MATCHES]
    if any(shape.everything for _, shape in unwanted):
        return True
    if any(one.apart(two) for number, one in enumerate(wanted) for two in wanted[:number]):
        return True
    return any(
        not any(matcher.matches({name: text}) for text in shape.samples())
        for shape in wanted
        for matcher, _ in unwanted
    )


def rules_never_winning(view: View) -> Iterator[Note]:
    """R101: rules for which an earlier one always matches too.

    Sound, not complete: an earlier matcher counts as implied when the later rule's matchers of that label
    allow nothing that it does not, as far as their shapes tell.
    """
    earlier = _Earlier()
    for rule in view.policy.rules:
        meant = _Meant.of(rule)
        winner = earlier.covering(meant)
        if winner is not None:
            at = view.spot("rules", rule.name)
            text = (
                f"rule '{rule.name}' can never win: '{winner.name}' at {winner.where} comes first and "
                "matches all that this one does; move this one before it, or narrow that one"
            )
            yield Note(at=at, code="R101", message=text)
        earlier.add(meant)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Meant:
    """What a rule's matchers say, label by label. ``needed``: the labels that must not be just anything."""

    rule: Rule
    own: frozenset[Matcher]
    by_name: Mapping[str, tuple[Matcher, ...]]
    values: Mapping[str, frozenset[str] | None]
    needed: frozenset[str]

    @classmethod
    def of(cls, rule: Rule) -> _Meant:
        by_name: dict[str, tuple[Matcher, ...]] = {}
        for matcher in rule.matchers:
            by_name[matcher.name] = (*by_name.get(matcher.name, ()), matcher)
        return cls(
            rule=rule,
            own=frozenset(rule.matchers),
            by_name=by_name,
            values={name: possible_values(own, name) for name, own in by_name.items()},
            needed=frozenset(name for name, own in by_name.items() if not all(map(takes_everything, own))),
        )

    def beginnings(self) -> tuple[tuple[str, str], ...]:
        """A label with what its value begins with, one of which holds for all that the rule matches."""
        for name in sorted(self.by_name, key=lambda each: (each != "alertname", each)):
            listed = self.values[name]
            if listed is None:
                listed = next((found for each in self.by_name[name] if (found := heads(each))), None)
            if listed and "" not in listed:
                return tuple((name, head[:LONGEST_BEGINNING]) for head in sorted(listed))
        return ()

    def examples(self) -> Iterator[tuple[str, str]]:
        """Labels with values of theirs, each of which an earlier rule that covers this one must match."""
        for name, own in self.by_name.items():
            listed = self.values[name]
            if listed:
                yield name, min(listed)
            else:
                shapes = [shape_of(each.value) for each in own if each.op is MatchOp.MATCHES]
                yield from ((name, shape.samples()[0]) for shape in shapes if shape is not None)


@dataclass(kw_only=True, slots=True)
class _Earlier:
    """The rules seen so far: by what some label must begin with; the few others by the labels they need."""

    by_beginning: dict[tuple[str, str], list[_Meant]] = field(default_factory=lambda: defaultdict(list))
    others: dict[frozenset[str], list[_Meant]] = field(default_factory=lambda: defaultdict(list))
    compared: int = 0

    def add(self, meant: _Meant) -> None:
        beginnings = meant.beginnings()
        for beginning in beginnings:
            self.by_beginning[beginning].append(meant)
        if not beginnings:
            self.others[meant.needed].append(meant)

    def covering(self, meant: _Meant) -> Rule | None:
        if self.compared > MOST_COMPARED_IN_ALL:
            return None
        for candidate in self._candidates(meant):
            self.compared += 1
            if candidate.needed <= meant.needed and all(
                _implied(matcher, meant) for matcher in candidate.rule.matchers
            ):
                return candidate.rule
        return None

    def _candidates(self, meant: _Meant) -> Iterator[_Meant]:
        for name, value in meant.examples():
            for end in range(1, min(len(value), LONGEST_BEGINNING) + 1):
                yield from self.by_beginning.get((name, value[:end]), ())[:MOST_COMPARED]
        for needed, rules in self.others.items():
            if needed <= meant.needed:
                yield from rules[:MOST_COMPARED]


def _implied(matcher: Matcher, meant: _Meant) -> bool:
    """Whether the matcher holds for all that the rule matches."""
    if matcher in meant.own or takes_everything(matcher):
        return True
    name = matcher.name
    own, listed = meant.by_name.get(name, ()), meant.values.get(name)
    if listed is not None:
        return bool(listed) and all(matcher.matches({name: value}) for value in listed)
    match matcher.op:
        case MatchOp.NOT_EQUAL:
            return _rejects(own, name, matcher.value)
        case MatchOp.MATCHES | MatchOp.NOT_MATCHES:
            shape = shape_of(matcher.value)
            return shape is not None and _implied_shape(matcher, shape, own)
        case MatchOp.EQUAL:
            return False


def _implied_shape(matcher: Matcher, shape: Shape, own: Iterable[Matcher]) -> bool:
    name = matcher.name
    if matcher.op is MatchOp.NOT_MATCHES and shape.listed is not None:
        return all(_rejects(own, name, value) for value in shape.listed)
    if matcher.op is MatchOp.MATCHES and shape.something and _rejects(own, name, ""):
        return True
    return any(each.op is matcher.op and _within(matcher, each) for each in own)


def _within(matcher: Matcher, each: Matcher) -> bool:
    """Whether ``each`` cannot hold without ``matcher``, both ``=~`` or both ``!~``."""
    narrow, wide = (each, matcher) if matcher.op is MatchOp.MATCHES else (matcher, each)
    inner, outer = shape_of(narrow.value), shape_of(wide.value)
    if inner is None or outer is None:
        return False
    holds = wide.op is MatchOp.MATCHES
    return all(wide.matches({wide.name: text}) is holds for text in inner.samples())


def _rejects(own: Iterable[Matcher], name: str, value: str) -> bool:
    return any(not each.matches({name: value}) for each in own)


def _shown(matcher: Matcher) -> str:
    return plain(str(matcher), 120)


def idle_matchers(view: View) -> Iterator[Note]:
    """R106 and R108: matchers that everything satisfies, and patterns that are compared as they are."""
    for rule in view.policy.rules:
        for number, matcher in enumerate(rule.matchers):
            if takes_everything(matcher):
                text = f"{_shown(matcher)} holds for every alert, labelled or not; remove it, or write .+"
                yield Note(at=view.spot("rules", rule.name, "match", str(number)), code="R106", message=text)
            elif not matcher.is_regex and _LOOKS_LIKE_PATTERN.search(matcher.value):
                sign = "=~" if matcher.op is MatchOp.EQUAL else "!~"
                text = (
                    f"{_shown(matcher)} compares the text as it is, which looks like a regular expression; "
                    f"write {sign} if one is meant"
                )
                yield Note(at=view.spot("rules", rule.name, "match", str(number)), code="R108", message=text)


def twice_in_a_rule(view: View) -> Iterator[Note]:
    """R107: a matcher, a runbook or a label that a rule names twice."""
    for rule in view.policy.rules:
        seen: set[Matcher] = set()
        for number, matcher in enumerate(rule.matchers):
            if matcher in seen:
                text = f"{_shown(matcher)} stands twice in rule '{rule.name}'; remove one"
                yield Note(at=view.spot("rules", rule.name, "match", str(number)), code="R107", message=text)
            seen.add(matcher)
        item = view.item("rules", rule.name)
        for key in ("runbooks", "group_by"):
            for node in follow(item.node, (key,)) if item is not None else ():
                yield from _twice(node, rule.name, key)


def _twice(node: object, rule: str, key: str) -> Iterator[Note]:
    seen: set[str] = set()
    for each in node.items if isinstance(node, Items) else ():
        if isinstance(each, Scalar):
            if each.text in seen:
                text = f"'{each.text}' stands twice in {key} of rule '{rule}'; remove one"
                yield Note(at=each.at, code="R107", message=text)
            seen.add(each.text)
