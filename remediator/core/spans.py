"""Spans of time as policy files write them: Prometheus durations, in milliseconds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer
from pydantic_core import PydanticCustomError

from remediator.core.text import plain
from remediator.core.times import format_duration, parse_duration
from remediator.core.values import expect_text, said

CODE = "P014"
_EXAMPLES = "90s, 15m, 1h30m or 7d"
_LONGEST_TEXT = 60


def read_duration(value: object) -> int:
    """The milliseconds of a duration, ``0s`` included. Raises PydanticCustomError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _refusal(f"{value} has no unit; write a duration such as {_EXAMPLES}")
    text = expect_text(value, CODE, _EXAMPLES)
    if len(text) > _LONGEST_TEXT:
        raise _refusal(f"that is no duration; write a number and a unit, such as {_EXAMPLES}")
    try:
        return parse_duration(text)
    except ValueError as error:
        raise _refusal(plain(str(error), 300)) from None


def read_positive_duration(value: object) -> int:
    """The milliseconds of a duration longer than nothing. Raises PydanticCustomError."""
    span = read_duration(value)
    if span == 0:
        raise _refusal(f"must be longer than 0s; write a duration such as {_EXAMPLES}")
    return span


def _refusal(why: str) -> PydanticCustomError:
    return PydanticCustomError(CODE, "{why}", {"why": why})


UNITS = "([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?"
SOME = f"(?=.*[1-9]){UNITS}"
"""A duration that is longer than nothing."""
SPANS = ("15m", "90s", "1h30m", "7d")

Duration = Annotated[
    int,
    BeforeValidator(read_duration),
    said("A Prometheus duration.", *SPANS, "0s", pattern=f"^(0|(?=[0-9]){UNITS})$"),
]
"""A Prometheus duration, in milliseconds; ``0s`` is one."""
PositiveDuration = Annotated[
    int,
    BeforeValidator(read_positive_duration),
    said("A Prometheus duration.", *SPANS, pattern=f"^{SOME}$"),
]
"""A Prometheus duration longer than nothing, in milliseconds."""
Span = Annotated[PositiveDuration, PlainSerializer(format_duration, return_type=str, when_used="json")]
"""A Prometheus duration longer than nothing, told as it is written."""
