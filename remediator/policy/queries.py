"""Queries in policy files: whether Prometheus would understand them."""

from __future__ import annotations

import re
from functools import lru_cache

from remediator.core.text import plain

MOST_OPERATORS = 200
"""Brackets and operators of a query: the parser goes one call deeper with each, and stacks are finite."""

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|#[^\n]*", re.DOTALL)
_OPERATOR = re.compile(r"[-+*/%^(\[{=<>!]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_GIVEN_UP = "its parser gives up; a duration or a number in it may be too large"
_OF_RUST = "pyo3_runtime"
"""Where the exception of a panic of the parser, which is no Exception, says it is from."""
_QUOTED = re.compile(r"name '([^']+)'|function '([^']+)'|regex for (.+)|character '(.)'", re.DOTALL)


class QueryError(ValueError):
    """Prometheus would refuse it. ``quoted``: the part of it that the parser names; empty: none."""

    def __init__(self, message: str, *, quoted: str = "") -> None:
        super().__init__(message)
        self.quoted = quoted


@lru_cache(maxsize=2048)
def check_query(query: str) -> None:
    """Raises QueryError, in the parser's words, when ``query`` is no PromQL."""
    import promql_parser  # here, because whoever only runs the daemon's loop has no use for it

    if len(_OPERATOR.findall(_STRING.sub("", query))) > MOST_OPERATORS:
        raise QueryError(
            f"it has more than {MOST_OPERATORS} operators and brackets; record a part of it as a rule"
        )
    try:
        promql_parser.parse(query)
    except UnicodeEncodeError:
        raise QueryError("it holds a lone surrogate; write valid UTF-8") from None
    except OverflowError:
        raise QueryError(_GIVEN_UP) from None
    except ValueError as error:
        found = _QUOTED.search(str(error))
        quoted = next((group for group in found.groups() if group), "") if found else ""
        raise QueryError(plain(str(error), 200), quoted=quoted) from None
    except BaseException as error:
        if type(error).__module__ != _OF_RUST:
            raise
        raise QueryError(_GIVEN_UP) from None
