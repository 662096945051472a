"""``-k EXPR``, as pytest reads it: texts, ``and``, ``or``, ``not`` and parentheses, in any case."""

from __future__ import annotations

import re
from collections.abc import Callable

Wanted = Callable[[str], bool]
_TOKEN = re.compile(r"""\s*(?:(?P<bracket>[()])|"(?P<quoted>[^"]*)"|(?P<word>[^\s()"]+))""")


def parse_selection(text: str) -> Wanted:
    """Whether a test of that id is meant. Raises ValueError, saying what is wrong with the expression.

    Words that follow each other are one text, such as ``nobody answers``.
    """
    tokens = _tokens(text)
    wanted, rest = _either(tokens)
    if rest:
        raise ValueError(f"{rest[0]!r} is too much in {text!r}; join texts with and, or, not")
    return wanted


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"a quote is not closed in {text!r}")
        quoted = found["quoted"]
        tokens.append(f'"{quoted}' if quoted is not None else found["bracket"] or found["word"])
        at = found.end()
    return tokens


def _either(tokens: list[str]) -> tuple[Wanted, list[str]]:
    left, rest = _both(tokens)
    while rest and rest[0].lower() == "or":
        right, rest = _both(rest[1:])
        left = _or(left, right)
    return left, rest


def _both(tokens: list[str]) -> tuple[Wanted, list[str]]:
    left, rest = _negated(tokens)
    while rest and rest[0].lower() == "and":
        right, rest = _negated(rest[1:])
        left = _and(left, right)
    return left, rest


def _negated(tokens: list[str]) -> tuple[Wanted, list[str]]:
    if tokens and tokens[0].lower() == "not":
        inner, rest = _negated(tokens[1:])
        return (lambda name: not inner(name)), rest
    return _text(tokens)


def _text(tokens: list[str]) -> tuple[Wanted, list[str]]:
    if tokens and tokens[0] == "(":
        inner, rest = _either(tokens[1:])
        if rest[:1] != [")"]:
            raise ValueError("a parenthesis is not closed")
        return inner, rest[1:]
    words = []
    while tokens and tokens[0] not in ("(", ")") and tokens[0].lower() not in ("and", "or", "not"):
        words.append(tokens[0].removeprefix('"'))
        tokens = tokens[1:]
    if not words:
        raise ValueError("a text is missing; write part of a test's name, such as -k 'outage and not page'")
    wanted = " ".join(words).lower()
    return (lambda name: wanted in name.lower()), tokens


def _or(left: Wanted, right: Wanted) -> Wanted:
    return lambda name: left(name) or right(name)


def _and(left: Wanted, right: Wanted) -> Wanted:
    return lambda name: left(name) and right(name)
