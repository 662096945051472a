"""Many regular expressions at once: whatever RE2 cannot do costs time, never a match."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.literals import MOST_BRANCHES, read_literals
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.pattern_index import PATTERNS_IN_A_SET, PatternIndex, _Sieve
from remediator.core.steps import at_once


def index_of(patterns: Sequence[str], memory: int = 64 << 20) -> PatternIndex:
    """Each stands for its place."""
    index = PatternIndex({pattern: (number,) for number, pattern in enumerate(patterns)})
    at_once(index.compile(memory))
    return index


def one_by_one(patterns: Sequence[str], value: str) -> set[int]:
    """As a matcher says it."""
    made = [Matcher(name="x", op=MatchOp.MATCHES, value=pattern) for pattern in patterns]
    return {number for number, matcher in enumerate(made) if matcher.matches({"x": value})}


HOSTILE = [
    *(f"(a|b|[^x-z]){{{200 + number}}}.{{0,{number}}}c?" for number in range(60)),
    *(f"[a-z]{{1,{number + 1}}}[0-9]+(.|\n)*[^a]{{{900 + number}}}" for number in range(40)),
    *(f"(x+x+)+y{number}|.*[ab].{{{300 + number}}}" for number in range(40)),
    *(f".*(?i:{'k' * number}).*(?:1|2)" for number in range(1, 30)),
]
VALUES = ("", "a" * 210, "b" * 230, "abc1" + "\n" * 950, "a" * 4096, "xxxxxxy3", "é" * 305, "k" * 40 + "1")


@pytest.mark.parametrize("memory", [64 << 20, 8 << 20, 1], ids=["usual", "less", "least"])
def test_hostile_patterns_match_as_each_alone_does(memory: int) -> None:
    """Sets that cannot be compiled or used in the memory they may take are split, down to one expression."""
    index = index_of(HOSTILE, memory)
    for value in VALUES:
        assert set(index.hits(value)) == one_by_one(HOSTILE, value)


def test_what_fits_no_set_is_asked_alone() -> None:
    """An expression that alone is larger than a set's memory; the others stay in a set."""
    large = "|".join(f"[a-f]{{{900 + number}}}" for number in range(60)) + "|[0-9]"
    patterns = [large, "[a-z]", "[0-9x]"]
    index = index_of(patterns, 1)
    assert index._alone == [0]
    assert [sieve._everything for sieve in index._sieves] == [1, 1] or len(index._sieves) == 1
    for value in ("5", "x", "a" * 930, "é"):
        assert set(index.hits(value)) == one_by_one(patterns, value)


class RunsOut:
    """A set whose memory ends while it matches: RE2 then answers that nothing does."""

    def __init__(self) -> None:
        self.asked = 0

    def Add(self, pattern: str) -> int:  # the library's name
        return 0

    def Compile(self) -> None:  # the library's name
        return

    def Match(self, text: bytes) -> Sequence[int] | None:  # the library's name
        self.asked += 1
        return None


def test_a_set_that_runs_out_of_memory_while_matching_loses_nothing() -> None:
    """Its expressions are asked one by one, from then on without it."""
    exhausted = RunsOut()
    patterns = ["[a-z]+", "[0-9]+", ".x|[b]"]
    index = index_of(patterns)
    part = [(pattern, (number,)) for number, pattern in enumerate(patterns)]
    index._sieves = [_Sieve(exhausted, part, certain=True)]
    for value in ("abc", "17", "ax", "b", "é"):
        assert set(index.hits(value)) == one_by_one(patterns, value)
    assert exhausted.asked == 1


def test_a_thousand_patterns_that_share_a_word_are_not_asked_one_by_one() -> None:
    """A word that everything has tells nothing: they go into sets."""
    patterns = [
        f"kube-[a-z]+-{'x' * (number % 3)}[0-{number % 10}]{{{number // 10 + 1}}}" for number in range(300)
    ]
    index = index_of(patterns)
    assert all(sieve.certain and sieve._everything <= PATTERNS_IN_A_SET for sieve in index._sieves)
    assert set(index.hits("kube-a-x1")) == one_by_one(patterns, "kube-a-x1")


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a|b|a", {"a", "b"}),
        ("", {""}),
        (r"web\.shop|", {"web.shop", ""}),
        ("(Pod|Node)(Down|Lost)", {"PodDown", "PodLost", "NodeDown", "NodeLost"}),
        ("x(?:1|(a|b)2|)", {"x1", "xa2", "xb2", "x"}),
    ],
)
def test_expressions_that_are_only_words_are_known(pattern: str, words: set[str]) -> None:
    reading = read_literals(pattern)
    assert reading is not None
    literals = [literal for branch in reading.branches for literal in branch.literals]
    assert all(literal.first and literal.last for literal in literals)
    assert {literal.text for literal in literals} == words


@pytest.mark.parametrize(
    "pattern",
    [
        *("a(?i)web", "a(?i:b)c", r"\Qa.b\E", r"\x41b", r"\pLab", "a)|(b", "[[:alpha:]]x", "a{,5}b", "a\\"),
        *("(", "(a|b", "|".join(f"w{number}" for number in range(MOST_BRANCHES + 1))),
    ],
)
def test_what_is_not_known_for_certain_has_no_literals(pattern: str) -> None:
    assert read_literals(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "literals", "enough"),
    [
        ("web.*", [("web", True, False)], True),
        (".*web.*?", [("web", False, False)], True),
        (".*-node1", [("-node1", False, True)], True),
        ("web.+", [("web", True, False)], False),
        ("web(a|b)?", [("web", True, False)], False),
        ("web-[0-9]+x.*", [("web-", True, False), ("x", False, False)], False),
        ("(?:a|b)+web?", [("we", False, False)], False),
        (r"\?.*\.$", [("?", True, False), (".", False, False)], False),
    ],
)
def test_literals_lie_between_what_can_be_anything(
    pattern: str, literals: list[tuple[str, bool, bool]], enough: bool
) -> None:
    reading = read_literals(pattern)
    assert reading is not None
    [branch] = reading.branches
    assert [(each.text, each.first, each.last) for each in branch.literals] == literals
    assert branch.enough is enough


def test_case_is_folded_as_re2_folds_it() -> None:
    """Among what Python's own lower case does not know: the sign of Kelvin is a k, the long s an s."""
    patterns = ["(?i)kelvin-s.*", "(?i).*Masse", "(?i)STRASSE|k", "(?i)[0-9]"]
    index = index_of(patterns)
    for value in (
        "KELVIN-S",
        "\u212aelvin-\u017f17",
        "ma\u017f\u017fe",
        "stra\u00dfe",
        "Stra\u017fse",
        "\u212a",
        "7",
    ):
        assert set(index.hits(value)) == one_by_one(patterns, value)


@given(st.text(), st.lists(st.text(), max_size=5))
def test_any_text_that_is_escaped_is_found_by_itself(text: str, others: list[str]) -> None:
    """Quoting as RE2's own, whatever the characters are."""
    import re2

    escaped: str = re2.escape(text.encode("utf-8", "replace").decode())
    index = index_of([f"{escaped}[0-9]*"])
    for value in (text, *others):
        assert bool(index.hits(value)) == bool(one_by_one([f"{escaped}[0-9]*"], value))
