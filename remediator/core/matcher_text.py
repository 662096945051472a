"""Matchers of Alertmanager as texts of policy files that stay texts: parameters are plain JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from remediator.core.matchers import Matcher, MatcherSyntaxError, parse_matcher
from remediator.core.text import plain
from remediator.core.values import expect_text, said

CODE = "P015"


def read_matcher(value: object) -> Matcher:
    """The matcher that a value of a file is. Raises PydanticCustomError."""
    text = expect_text(value, CODE, 'alertname="PostgresDown"')
    try:
        return parse_matcher(text)
    except MatcherSyntaxError as error:
        why = f"not a matcher: {plain(str(error), 300)}"
        raise PydanticCustomError(CODE, "{why}", {"why": why, "offset": error.offset}) from None


MatcherSource = Annotated[
    str,
    BeforeValidator(lambda value: str(read_matcher(value))),
    said("A matcher of Alertmanager.", 'alertname="PostgresDown"', pattern="(=|!~)"),
]
