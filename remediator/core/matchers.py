r"""Alertmanager's matchers: how a policy says which alerts it means.

The syntax is Alertmanager's own, as its configuration reads it since 0.27. There are two grammars:

* UTF-8: ``{foo="bar", "utf8 näme"=~"b.*",}``; braces and the last comma are optional; names and values stand
  in double quotes with Go's escapes, or bare, without white space and without any of ``{}!=~,\"'`` and the
  backtick.
* Classic: ``foo = some text, bar="b"``; names are plain identifiers, values may be anything without a comma,
  and ``\\``, ``\"`` and ``\n`` are the only escapes.

Both are tried. Where only one accepts the text, its answer counts; where both do and disagree, the classic
one counts. Source: ``matcher/compat`` of prometheus/alertmanager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, cast

import re2

from remediator.core.matcher_syntax import (
    RESERVED,
    MatcherSyntaxError,
    NotClassicError,
    Parsed,
    parse_classic,
    parse_classic_list,
    parse_utf8,
)

__all__ = [
    "MatchOp",
    "Matcher",
    "MatcherSyntaxError",
    "Regex",
    "compile_regex",
    "parse_matcher",
    "parse_matchers",
]


class MatchOp(StrEnum):
    """The four comparisons."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    NOT_MATCHES = "!~"


@dataclass(frozen=True, kw_only=True, slots=True)
class Matcher:
    """One comparison of one label. Raises MatcherSyntaxError if RE2 refuses its regular expression."""

    name: str
    op: MatchOp
    value: str

    def __post_init__(self) -> None:
        if self.is_regex:
            _compile(self.value, 0)

    @property
    def is_regex(self) -> bool:
        """Whether ``value`` is a regular expression."""
        return self.op is MatchOp.MATCHES or self.op is MatchOp.NOT_MATCHES

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` satisfy it. A missing label counts as the empty string."""
        found = labels.get(self.name, "")
        if self.op is MatchOp.EQUAL:
            return found == self.value
        if self.op is MatchOp.NOT_EQUAL:
            return found != self.value
        hit = compile_regex(self.value).search(found.encode("utf-8", "replace")) is not None
        return hit is (self.op is MatchOp.MATCHES)

    def __str__(self) -> str:
        """The matcher as text that parses to an equal one."""
        bare = self.name and not set(self.name).intersection(RESERVED)
        return f"{self.name if bare else _quote(self.name)}{self.op}{_quote(self.value)}"


def parse_matcher(text: str) -> Matcher:
    """The one matcher in ``text``, which stands without braces. Raises MatcherSyntaxError."""
    _refuse_surrogates(text)
    if text.startswith("{") or text.endswith("}"):
        raise MatcherSyntaxError(
            "a single matcher has no braces around it",
            offset=0 if text.startswith("{") else len(text) - 1,
            hint="leave out { and }, and put a value that ends in a brace in double quotes",
        )
    return _choose(_utf8_single, _classic_single, text)[0]


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """All matchers in ``text``; none for an empty text or ``{}``. Raises MatcherSyntaxError.

    A line of ``matchers:`` in an Alertmanager route is read by this, so braces are welcome.
    """
    _refuse_surrogates(text)
    return _choose(parse_utf8, parse_classic_list, text)


class Regex(Protocol):
    """What is used of a compiled RE2 expression."""

    def search(self, text: bytes) -> object:
        """Not None when it matches."""


class _Grammar(Protocol):
    def __call__(self, text: str) -> list[Parsed]: ...


def _choose(utf8: _Grammar, classic: _Grammar, text: str) -> tuple[Matcher, ...]:
    """The classic reading where there is one, else the UTF-8 reading, else the better error of the two."""
    try:
        return tuple(_build(each) for each in classic(text))
    except NotClassicError:
        return tuple(_build(each) for each in utf8(text))
    except MatcherSyntaxError as bad_expression:
        try:
            return tuple(_build(each) for each in utf8(text))
        except MatcherSyntaxError:
            raise bad_expression from None


def _classic_single(text: str) -> list[Parsed]:
    return [parse_classic(text)]


def _utf8_single(text: str) -> list[Parsed]:
    found = parse_utf8(text)
    if len(found) != 1:
        raise MatcherSyntaxError(f"expected one matcher, found {len(found)}", offset=0)
    return found


def _build(parsed: Parsed) -> Matcher:
    if parsed.op in ("=~", "!~"):
        _compile(parsed.value, parsed.offset)
    return Matcher(name=parsed.name, op=MatchOp(parsed.op), value=parsed.value)


@lru_cache(maxsize=65_536)  # more than any policy directory holds; a miss only costs a compilation
def compile_regex(pattern: str) -> Regex:
    """RE2, anchored as Alertmanager does it. Raises re2.error.

    Not an ``re2.Set`` of one: a set that runs out of memory while it matches answers "no match".
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20  # bytes; beyond it RE2 matches more slowly, but still in linear time
    options.never_capture = True
    return cast("Regex", re2.compile(f"^(?:{pattern})$", options))


def _compile(pattern: str, offset: int) -> None:
    """Raises MatcherSyntaxError if RE2 refuses ``pattern``, which stands at ``offset``."""
    try:
        compile_regex(pattern)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise MatcherSyntaxError(
            f"{_shorten(pattern)} is not a regular expression that RE2 knows ({_shorten(reason)})",
            offset=offset,
            hint=r"leave out look-around and back-references, and write \\( for a literal (",
        ) from None
    except UnicodeEncodeError as error:
        raise MatcherSyntaxError(
            f"{_shorten(pattern)} has a lone surrogate", offset=offset + error.start, hint="write valid UTF-8"
        ) from None


def _quote(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{escaped}"'


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MatcherSyntaxError(
            "a lone surrogate is no character", offset=error.start, hint="save the text as valid UTF-8"
        ) from None
