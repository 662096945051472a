"""The compiled classifier finds the rule that a loop over all rules finds, whatever rules and labels hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from remediator.core.classify import Classifier
from remediator.core.matchers import Matcher, MatcherSyntaxError, MatchOp
from remediator.core.pattern_index import PatternIndex
from remediator.core.policies import Policy, Rule
from remediator.core.steps import at_once
from tests.core.builders import policy

NAMES = ("alertname", "service", "pod", "näme", "")
SHORT = st.text("ab-1é\n?😀", max_size=5)
LONG = st.sampled_from(("a" * 5000, "b-1" * 2000, "\ud800", "a\udfff?", "x\x00y", "ab\nab", "node-17"))
VALUES = SHORT | LONG
CHARACTERS = [*"ab|{", "ab", "-1", "é", "😀", "abc", "node", "\n", r"\.", r"\?", r"\-", r"\x61"]
CLASSES = ["[ab]", "[^a]", "[]a]", "[[:alpha:]]", r"\d", r"\w", r"\pL", r"\C", r"\n", ".", "(?s)."]
GROUPS = ["(a|b)", "(?:ab|-1)", "(?i)a", "(?i:AB)", "()", "a)|(b", "(?P<n>a)", r"\Qa.b\E"]
ATOMS = st.sampled_from([*CHARACTERS, *CLASSES, *GROUPS, ".*", ".+", "^", "$", r"\b", "a{2}", "a**"])
QUANTIFIERS = st.sampled_from(("", "", "", "*", "+", "?", "{2}", "{0,1}", "*?"))
EXPRESSIONS = st.lists(st.tuples(ATOMS, QUANTIFIERS).map("".join), max_size=6).map("".join)


def _matcher(name: str, op: MatchOp, value: str) -> Matcher | None:
    try:
        return Matcher(name=name, op=op, value=value)
    except MatcherSyntaxError:
        return None


def _known(made: Matcher | None) -> bool:
    return made is not None


EQUALS = st.sampled_from((MatchOp.EQUAL, MatchOp.NOT_EQUAL))
REGEXES = st.sampled_from((MatchOp.MATCHES, MatchOp.NOT_MATCHES))
MATCHERS = st.builds(_matcher, st.sampled_from(NAMES), EQUALS, VALUES).filter(_known) | st.builds(
    _matcher, st.sampled_from(NAMES), REGEXES, EXPRESSIONS
).filter(_known)
LABELS = st.dictionaries(st.sampled_from(NAMES), VALUES)


def compiled(*rules: tuple[Matcher, ...]) -> tuple[Policy, Classifier]:
    """A policy of these rules."""
    base = policy()
    named = tuple(
        Rule(name=f"rule-{number}", matchers=matchers, severity="SEV-2")
        for number, matchers in enumerate(rules)
    )
    made = replace(base, rules=named)
    return made, Classifier(made)


def naive(rules: Policy, labels: Mapping[str, str]) -> Rule | None:
    """What the language says: the first rule of which every matcher holds."""
    return next((rule for rule in rules.rules if all(m.matches(labels) for m in rule.matchers)), None)


@given(st.lists(st.lists(MATCHERS, max_size=4).map(tuple), max_size=25), st.lists(LABELS, max_size=8))
def test_the_first_rule_that_matches_wins(
    rules: list[tuple[Matcher, ...]], storm: list[dict[str, str]]
) -> None:
    """Also the second time, when it is remembered, and whichever order the labels come in."""
    told, classifier = compiled(*rules)
    for labels in storm:
        expected = naive(told, labels)
        turned = dict(reversed(labels.items()))
        assert [classifier.rule(each) for each in (labels, labels, turned)] == [expected] * 3


@given(st.lists(st.lists(MATCHERS, max_size=4).map(tuple), max_size=25), LABELS)
def test_every_other_rule_says_why_not_the_nearest_first(
    rules: list[tuple[Matcher, ...]], labels: dict[str, str]
) -> None:
    """The fewest matchers that fail, then the most that hold, then the order of the rules."""
    told, classifier = compiled(*rules)
    holds = {rule.name: [matcher.matches(labels) for matcher in rule.matchers] for rule in told.rules}
    compared = at_once(classifier.compare(labels))
    assert compared.covered == tuple(rule for rule in told.rules if all(holds[rule.name]))
    assert compared.covered[:1] == tuple(filter(None, [classifier.rule(labels)]))
    missed = [rule for rule in told.rules if not all(holds[rule.name])]
    missed.sort(key=lambda rule: (holds[rule.name].count(False), -holds[rule.name].count(True)))
    expected = [(rule, rule.matchers[holds[rule.name].index(False)]) for rule in missed]
    assert [(miss.rule, miss.matcher) for miss in compared.misses] == expected
    assert all(miss.saw == labels.get(miss.matcher.name, "") for miss in compared.misses)
    assert all(miss.held == holds[miss.rule.name].count(True) for miss in compared.misses)


@given(st.lists(EXPRESSIONS, max_size=40), st.lists(VALUES, min_size=1, max_size=10))
def test_an_index_of_patterns_knows_which_of_them_match(patterns: list[str], values: list[str]) -> None:
    """With the memory it usually has, and with as little as there can be."""
    matchers = [m for m in (_matcher("x", MatchOp.MATCHES, each) for each in patterns) if m is not None]
    known = {matcher.value: (number,) for number, matcher in enumerate(matchers)}
    for memory in (64 << 20, 1):
        index = PatternIndex(known)
        at_once(index.compile(memory))
        for value in values:
            expected = {known[matcher.value][0] for matcher in matchers if matcher.matches({"x": value})}
            assert set(index.hits(value)) == expected


@given(st.lists(LABELS, max_size=5), st.integers(min_value=60, max_value=400))
def test_many_rules_that_share_their_matchers_keep_their_order(
    storm: list[dict[str, str]], count: int
) -> None:
    """Long lists under one key, sets that are split among several, and rules that nothing finds."""
    rules = []
    for number in range(count):
        own = [
            _matcher("alertname", MatchOp.EQUAL, "a" if number % 3 else "b-1"),
            _matcher(
                "service",
                MatchOp.MATCHES,
                (f"a.*{number % 7}?", f".*b{number % 50}?", "a|b", "[ab]+")[number % 4],
            ),
            _matcher("pod", MatchOp.NOT_MATCHES, f"(a|é){{{number % 3}}}.*"),
            _matcher("näme", MatchOp.NOT_EQUAL, "a"),
        ]
        known = [matcher for matcher in own if matcher is not None]
        rules.append(tuple(known[number % 2 :] if number % 5 else known[2:]))
    told, classifier = compiled(*rules)
    for labels in storm:
        assert classifier.rule(labels) == naive(told, labels)
