"""Regular expressions that policies look for in text: RE2, not anchored."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, cast

import re2

from remediator.core.text import plain

LONGEST = 1_000
"""Characters of an expression."""


class Expression(Protocol):
    """What is used of a compiled expression."""

    def search(self, text: str) -> object | None:
        """Something where it matches anywhere in ``text``; else None."""


class ExpressionError(ValueError):
    """RE2 does not take it. ``offset``: the position of the trouble in it, in characters from 0."""

    def __init__(self, message: str, *, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@lru_cache(maxsize=1_024)  # more than any policy directory holds; a miss only costs a compilation
def expression(pattern: str) -> Expression:
    """The compiled ``pattern``, linear in the length of what it searches. Raises ExpressionError."""
    if len(pattern) > LONGEST:
        raise ExpressionError(f"is longer than {LONGEST} characters; write several diagnoses or checks")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20  # bytes; beyond it RE2 matches more slowly, but still in linear time
    try:
        return cast("Expression", re2.compile(pattern, options))
    except re2.error as error:
        told = error.args[0]
        reason = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
        raise ExpressionError(
            f"is not a regular expression that RE2 knows ({plain(reason, 80)}); leave out look-around and "
            r"back-references, and write \( for a literal (",
            offset=_position(pattern, reason),
        ) from None
    except UnicodeEncodeError as error:
        raise ExpressionError("has a lone surrogate; write valid UTF-8", offset=error.start) from None


def _position(pattern: str, reason: str) -> int:
    """Where the part is that RE2 quotes after its reason; the beginning when it quotes none."""
    return max(pattern.find(reason.partition(": ")[2]), 0)
