"""What must hold of every matcher, whatever it says."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from remediator.core.matchers import Matcher, MatcherSyntaxError, MatchOp, parse_matcher, parse_matchers

characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters) | st.text("ab\\\"'`{}=!~, \n\t,\u0085\u2003ä")
syntax = st.text('ab\\"{}=!~,( \nx')
plain_ops = st.sampled_from([MatchOp.EQUAL, MatchOp.NOT_EQUAL])
regex_ops = st.sampled_from([MatchOp.MATCHES, MatchOp.NOT_MATCHES])
expressions = st.from_regex(r"(?:[ab.]|[ab]\*|\(a\|b\)|\[ab\]\+)*", fullmatch=True)
matchers = st.builds(Matcher, name=texts, op=plain_ops, value=texts) | st.builds(
    Matcher,
    name=texts,
    op=regex_ops,
    value=expressions | texts.map(re.escape).filter(lambda text: "\n" not in text),
)


@given(matchers)
def test_text_of_a_matcher_parses_to_it(matcher: Matcher) -> None:
    assert parse_matcher(str(matcher)) == matcher


@given(st.lists(matchers, max_size=4), st.booleans(), st.booleans())
def test_text_of_several_parses_to_them(several: list[Matcher], braces: bool, comma: bool) -> None:
    text = ", ".join(map(str, several)) + ("," if comma and several else "")
    assert parse_matchers(f"{{{text}}}" if braces else text) == tuple(several)


def refusal(parse: Callable[[str], object], text: str) -> MatcherSyntaxError | None:
    try:
        parse(text)
    except MatcherSyntaxError as error:
        return error
    return None


@given(st.text() | syntax)
@example("\ud800")
@example('a=~"\x00("')
def test_any_text_parses_or_says_why_not(text: str) -> None:
    for parse in (parse_matcher, parse_matchers):
        error = refusal(parse, text)
        assert error is None or (0 <= error.offset <= len(text) and error.problem and error.hint)


@given(
    st.sampled_from(MatchOp), expressions, st.dictionaries(st.sampled_from("xy"), st.text("ab\n", max_size=6))
)
def test_matching_agrees_with_a_naive_model(op: MatchOp, value: str, labels: dict[str, str]) -> None:
    """Python's own engine is the model; on expressions this simple the two dialects are one."""
    found = labels.get("x", "")
    model = {
        MatchOp.EQUAL: found == value,
        MatchOp.NOT_EQUAL: found != value,
        MatchOp.MATCHES: re.fullmatch(value, found) is not None,
        MatchOp.NOT_MATCHES: re.fullmatch(value, found) is None,
    }
    assert Matcher(name="x", op=op, value=value).matches(labels) is model[op]
