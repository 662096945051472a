"""Matchers are read as Alertmanager reads them, and say what is wrong where it is."""

from __future__ import annotations

import time

import pytest

from remediator.core.matchers import Matcher, MatcherSyntaxError, MatchOp, parse_matcher, parse_matchers


def eq(name: str, value: str) -> Matcher:
    return Matcher(name=name, op=MatchOp.EQUAL, value=value)


# The table of prometheus/alertmanager's own parser tests, then texts that only the classic grammar accepts,
# then texts on which the two disagree and the classic one counts.
ACCEPTED = [
    ("", []),
    ("  ", []),
    ("{}", []),
    ("{foo=bar}", [eq("foo", "bar")]),
    ("{foo=bar,}", [eq("foo", "bar")]),
    ("{foo!=bar}", [Matcher(name="foo", op=MatchOp.NOT_EQUAL, value="bar")]),
    ("{foo=~[a-z]+}", [Matcher(name="foo", op=MatchOp.MATCHES, value="[a-z]+")]),
    ("{foo!~[a-z]+}", [Matcher(name="foo", op=MatchOp.NOT_MATCHES, value="[a-z]+")]),
    ("{foo=🙂}", [eq("foo", "🙂")]),
    ("{foo=🙂bar}", [eq("foo", "🙂bar")]),
    ("foo=bar", [eq("foo", "bar")]),
    ("foo=bar,", [eq("foo", "bar")]),
    ('{"foo"="bar",}', [eq("foo", "bar")]),
    (r'{"foo"="\xf0\x9f\x99\x82"}', [eq("foo", "🙂")]),
    (r'{"foo"="\U0001f642\u00e4\101"}', [eq("foo", "🙂äA")]),
    (r'{"foo"="bar\n\t\a"}', [eq("foo", "bar\n\t\a")]),
    (r'{"foo"="\"bar\"\\"}', [eq("foo", '"bar"\\')]),
    (
        '{"utf8 näme"=~"b.*", x != y }',
        [
            Matcher(name="utf8 näme", op=MatchOp.MATCHES, value="b.*"),
            Matcher(name="x", op=MatchOp.NOT_EQUAL, value="y"),
        ],
    ),
    ("näme=wert", [eq("näme", "wert")]),
    ("1st-label=x", [eq("1st-label", "x")]),
    ("foo=bar,bar=baz", [eq("foo", "bar"), eq("bar", "baz")]),
    ('foo="a,b", bar="c}"', [eq("foo", "a,b"), eq("bar", "c}")]),
    ('""="x"', [eq("", "x")]),
    # classic only
    ("foo=", [eq("foo", "")]),
    ("foo=bar baz", [eq("foo", "bar baz")]),
    ("foo='bar'", [eq("foo", "'bar'")]),
    ("{foo=bar", [eq("foo", "bar")]),
    ("foo=bar}", [eq("foo", "bar")]),
    (r'foo=~"\d+"', [Matcher(name="foo", op=MatchOp.MATCHES, value=r"\d+")]),
    ('foo="two\nlines"', [eq("foo", "two\nlines")]),
    ("foo=a=b", [eq("foo", "a=b")]),
    ("foo=\\", [eq("foo", "\\")]),
    ('foo=a\\"b', [eq("foo", 'a"b')]),
    # both, but the classic one counts
    (r'foo="a\tb"', [eq("foo", r"a\tb")]),
    (r'foo="\u00e4"', [eq("foo", r"\u00e4")]),
]

REFUSED = [  # text, offset, a part of the message
    (",", 0, "expected a label name"),
    ("{,}", 1, "expected a label name"),
    ("foo", 3, "expected an operator"),
    ("foo bar=x", 4, "expected an operator"),
    ('{"foo"=}', 7, "expected a value"),
    ('"foo"=bar}', 9, "closing brace without"),
    ('{"foo"=bar', 10, "never closed"),
    ('{"foo"=:"bar"}', 8, "expected a comma"),
    ('{"foo"="bar\\w"}', 11, "no escape"),
    ('{"foo"="\\ud800"}', 8, "no escape"),
    ('{"foo"="\\777"}', 8, "no escape"),
    ('{"foo"=bar\\n}', 10, "outside double quotes"),
    ('{"foo"="\\xf0\\x9f"}', 7, "no valid UTF-8"),
    ('{"foo"="bar}', 7, "never closed"),
    ('"foo"!bar', 5, "! is not an operator"),
    ('{"foo"="x"} "a"="b"', 12, "after the closing brace"),
    ("foo=bar,,x=y", 8, "expected a label name"),
    ('foo=~"a("', 5, "RE2"),
    ('a=b, foo=~"(?<=x)y"', 10, "RE2"),
    (r'foo=~"\d("', 5, "RE2"),
    ("foo=\ud800", 4, "surrogate"),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED)
def test_text_is_read_as_alertmanager_reads_it(text: str, expected: list[Matcher]) -> None:
    assert parse_matchers(text) == tuple(expected)


@pytest.mark.parametrize(("text", "offset", "message"), REFUSED)
def test_an_error_names_place_and_remedy(text: str, offset: int, message: str) -> None:
    with pytest.raises(MatcherSyntaxError) as caught:
        parse_matchers(text)
    assert message in str(caught.value)
    assert caught.value.offset == offset
    assert len(caught.value.hint) > 5


@pytest.mark.parametrize("text", ["", "{}", "{foo=bar}", "foo=bar}", '"a"=b,"c"=d', "foo"])
def test_a_single_matcher_is_one_without_braces(text: str) -> None:
    with pytest.raises(MatcherSyntaxError):
        parse_matcher(text)


def test_a_single_classic_matcher_may_hold_commas() -> None:
    """So does amtool read its arguments; a list would end the value at the comma."""
    assert parse_matcher("foo=bar,baz") == eq("foo", "bar,baz")


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('a="x"', {"a": "x"}, True),
        ('a="x"', {"a": "xx"}, False),
        ('a=""', {}, True),
        ('a!="x"', {}, True),
        ('a=~"fin.*"', {"a": "fintech"}, True),
        ('a=~"fin"', {"a": "fintech"}, False),
        ('a=~"tech"', {"a": "fintech"}, False),
        ('a=~""', {}, True),
        ('a=~".+"', {}, False),
        ('a!~".+"', {}, True),
        ('a!~"x|y"', {"a": "y"}, False),
        ('a=~"x|y"', {"a": "xy"}, False),
        ('a=~".*"', {"a": "two\nlines"}, False),
        ('a=~"x"', {"a": "x\n"}, False),
        ('a=~"."', {"a": "ä"}, True),
    ],
)
def test_matching(text: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_matcher(text).matches(labels) is expected


def test_hostile_value_takes_no_cpu() -> None:
    """An expression that backtracking engines need 2^n steps for is linear in RE2."""
    matcher = parse_matcher('a=~"(a+)+$"')
    labels = {"a": "a" * 4096 + "!"}
    start = time.process_time()
    assert matcher.matches(labels) is False
    assert time.process_time() - start < 0.1


def test_long_hostile_text_is_refused_in_time() -> None:
    """Parsing is linear: megabytes of blanks, quotes or backslashes end in an answer, not in a hang."""
    start = time.process_time()
    for text in (
        'foo="' + "\\" * 200_000,
        "foo" + " " * 200_000 + "x",
        "foo=x" + " " * 200_000 + '"',
        "{" * 200_000,
    ):
        with pytest.raises(MatcherSyntaxError):
            parse_matchers(text)
    assert time.process_time() - start < 2


def test_a_matcher_made_by_hand_is_checked_too() -> None:
    with pytest.raises(MatcherSyntaxError, match="RE2"):
        Matcher(name="a", op=MatchOp.MATCHES, value="(")
