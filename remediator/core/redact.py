"""Secrets that programs write into their logs, taken out before anybody is shown a line.

What is obvious is found: credentials in headers and URLs, values whose name says what they are, tokens whose
shape does, private keys. When in doubt a word is hidden: a line with a word too few still tells what is
wrong.
The patterns are RE2, linear in the length of the text, whatever somebody writes into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import re2

HIDDEN = "[redacted]"
KEY_WITHIN = 200
"""Lines between the beginning of a private key and its end, at most."""

_NAMES = (
    "pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|cookie|signature|session[_-]?id"
    "|(?:api|access|account|shared|private|signing|encryption|routing|license)[_-]?key"
)
_VALUE = "|".join(
    (
        r'"(?:[^"\\]|\\.)*(?:"|$)',
        r"'[^']*(?:'|$)",
        r'\\+"(?:[^"\\]|\\[^"])*(?:\\+"|$)',  # JSON written into a text of JSON
        r"[^\s,;&|)}\]\"']+",
    )
)
_AGAIN = rf"\1{HIDDEN}"
_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"\x1b\[[0-9;?]*[A-Za-z]", ""),  # colours stand between a name and its value
    (r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----.*?(?:-----END [A-Z0-9 ]*-----|$)", HIDDEN),
    (r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#'\"<>]*@", rf"{_AGAIN}@"),
    # a slash in the password; but digits and a slash are a port and a path
    (
        r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s:/?#@'\"]*:(?:[^\s0-9/'\"]|[0-9]+[^\s0-9/'\"])[^\s'\"]*@",
        rf"{_AGAIN}@",
    ),
    (rf"(?i)(authorization\\*[\"']?\s*[:=]\s*)(?:[a-z]+ +[^\s,;\"']+|{_VALUE})", _AGAIN),
    (r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{6,}", _AGAIN),
    (rf"(?i)((?:{_NAMES})[a-z0-9_.-]*\\*[\"']?\s*(?:=>|:=|[:=])\s*)(?:{_VALUE})", _AGAIN),
    (rf"(?i)(\s--?[a-z0-9-]*(?:{_NAMES})\s+)[^\s-]\S*", _AGAIN),
    (r"\b(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|ANVA|AROA)[A-Z0-9]{16}\b", HIDDEN),
    (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?", HIDDEN),
    (
        r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_|rk_live_|AIza|npm_|hvs\.)[\w-]{16,}",
        HIDDEN,
    ),
)


@cache  # compiled when first needed: who checks policies looks at no log
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


@cache
def _compiled_bytes(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern.encode(), options)


_BEGIN, _END = "-----BEGIN [A-Z0-9 ]*PRIVATE KEY", "-----END [A-Z0-9 ]*PRIVATE KEY"
_WORDS = "PRIVATE KEY"
_ANY = "|".join(f"(?:{pattern})" for pattern, _ in _PATTERNS)
_ANY_IN_JSON = _ANY.replace(r":\b", r":(?:\b|\\n|\\u[0-9a-f]{4})").replace(
    r")\b(", r")(?:\b|\\n|\\u[0-9a-f]{4})("
)
"""The same in strings of JSON, where a word may stand behind the letters of an escape."""
_HIDING = "|".join(
    (
        r"\\u(?:[^02]|0(?:[^0]|0(?:[^23]|2[^6]|3[^ce]))|2(?:[^0]|0(?:[^2]|2[^89])))",
        r"\\[trbf]",
        _WORDS,
    )
)
r"""Escapes that could hide a letter of a secret, or the space before one. Go writes ``<``, ``>``, ``&`` and
two separators as ``\u003c`` and so on: these cannot."""
_OF_A_KEY = r"[A-Za-z0-9+/=]{16,}\s*$"
"""A line that ends as those of a key do, whatever stands before it."""


def may_hold_secret(text: str) -> bool:
    """Whether any line of ``text`` may hold what ``redact`` or ``hide_keys`` would hide.

    One pass, and no secrets lets it end early: the usual answer costs a tenth of redacting.
    """
    return _WORDS in text or _compiled(_ANY).search(text) is not None


def json_may_hold_secret(body: bytes) -> bool:
    """As ``may_hold_secret`` of every string in ``body``, keys too, without reading the JSON.

    True as well where a string is written with escapes that could hide one. The search itself lets other
    threads run.
    """
    return _compiled_bytes(f"{_ANY_IN_JSON}|{_HIDING}").search(body) is not None


def redact(text: str) -> str:
    """One line of text without its secrets and without colours."""
    for pattern, shown in _PATTERNS:
        text = _compiled(pattern).sub(shown, text)
    return text


def hide_keys(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines, those of private keys hidden: as many as before, so that they can be told apart.

    A key whose beginning was cut off is known by its end, one whose end is missing by its beginning; of both
    the lines that look like a key are hidden.
    """
    found = list(lines)
    for number, line in enumerate(lines):
        if _WORDS not in line:
            continue
        if _compiled(_END).search(line) is not None:
            _hide(found, _key_before(lines, number))
        if _compiled(_BEGIN).search(line) is not None:
            _hide(found, _key_after(lines, number))
    return tuple(found)


def _hide(found: list[str], numbers: range) -> None:
    for number in numbers:
        found[number] = HIDDEN


def _key_before(lines: Sequence[str], end: int) -> range:
    start = end
    while start > 0 and _compiled(_OF_A_KEY).search(lines[start - 1]) is not None:
        start -= 1
    return range(start, end + 1)


def _key_after(lines: Sequence[str], begin: int) -> range:
    last = min(begin + KEY_WITHIN, len(lines))
    for number in range(begin, last):
        if _compiled(_END).search(lines[number]) is not None:
            return range(begin, number + 1)
    end = begin + 1
    while end < last and _compiled(_OF_A_KEY).search(lines[end]) is not None:
        end += 1
    return range(begin, end)
