"""Whatever the matchers: a rule that is said never to win, or never to match, does neither."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.classify import Classifier
from remediator.core.matchers import Matcher, MatchOp
from remediator.policy.load import read_policies
from remediator.policy.shapes import shape_of

WORDS = st.sampled_from(("", "a", "b", "ab", "ba", "aa", "abc", "c", "a.b", "a|b"))
PARTS = st.sampled_from((".*", ".+", "a", "b", "ab", "c", r"\.", "(a|b)", "(?:ab|c)", "[ab]", "a?", "|"))
PATTERNS = st.lists(PARTS, max_size=4).map("".join)
VALUES = st.text("abc.|", max_size=4)


@st.composite
def matchers(draw: st.DrawFn) -> Matcher:
    """On one of two labels, with short words and patterns of every form that has a shape, and some more."""
    op = draw(st.sampled_from(list(MatchOp)))
    value = draw(PATTERNS if op in (MatchOp.MATCHES, MatchOp.NOT_MATCHES) else WORDS)
    return Matcher(name=draw(st.sampled_from(("alertname", "x"))), op=op, value=value)


def _file(rules: list[list[Matcher]]) -> str:
    lines = []
    for number, own in enumerate(rules):
        listed = ", ".join("'" + str(matcher).replace("'", "''") + "'" for matcher in own)
        lines.append(f"  - {{name: r{number}, match: [{listed}], severity: SEV-4}}\n")
    return "severities: {SEV-4: {}}\nrules:\n" + "".join(lines)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(matchers(), max_size=3), min_size=2, max_size=4), st.lists(VALUES, max_size=12))
def test_what_never_wins_or_matches_does_not(rules: list[list[Matcher]], values: list[str]) -> None:
    loaded = read_policies({"p.yaml": _file(rules)})
    assert loaded.policy is not None
    lines = {each.line - 3: each.code for each in loaded.findings if each.code in ("R101", "R102")}
    classify = Classifier(loaded.policy)
    for alertname in ("", "a", "ab", *values):
        for other in ("", "a", "abc", *values[:4]):
            won = classify.rule({"alertname": alertname, "x": other})
            assert won is None or int(won.name[1:]) not in lines, (won, lines)


@given(PATTERNS, VALUES)
def test_a_shape_lists_exactly_what_the_pattern_matches(pattern: str, value: str) -> None:
    shape = shape_of(pattern)
    if shape is None:
        return
    matcher = Matcher(name="x", op=MatchOp.MATCHES, value=pattern)
    assert all(matcher.matches({"x": text}) for text in shape.samples())
    if shape.listed is not None:
        assert matcher.matches({"x": value}) is (value in shape.listed)
    if shape.everything or (shape.something and value):
        assert matcher.matches({"x": value})
