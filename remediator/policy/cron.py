"""Schedules as cron writes them: ``minute hour day-of-month month day-of-week``."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

from remediator.core.text import plain
from remediator.core.values import said
from remediator.policy.values import refusal

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)
_PART = re.compile(r"(\*|([0-9a-z]{1,3})(?:-([0-9a-z]{1,3}))?)(?:/([0-9]{1,2}))?", re.ASCII)
_LONGEST = 200
_EXAMPLE = "write five fields, such as '0 10 1-7 * MON'"


def _cron(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise refusal("P023", f"not a schedule of cron; {_EXAMPLE}")
    fields = list(re.finditer(r"\S+", value))
    if len(fields) != len(_FIELDS):
        raise refusal("P023", f"a schedule has five fields, this one has {len(fields)}; {_EXAMPLE}")
    for found, (name, least, most, words) in zip(fields, _FIELDS, strict=True):
        at = found.start()
        for part in found[0].split(","):
            trouble = _part_trouble(part.lower(), least, most, words)
            if trouble:
                shown = plain(part, 40)
                raise refusal("P023", f"'{shown}' is no {name}: {trouble}; {_EXAMPLE}", at)
            at += len(part) + 1
    return value


def _part_trouble(part: str, least: int, most: int, words: tuple[str, ...]) -> str:
    """What is wrong with one part of a field; empty when nothing is."""
    found = _PART.fullmatch(part)
    if found is None:
        return f"it is none of *, {least}, {least}-{most} and */2"
    ends = [_number(text, least, words) for text in found.group(2, 3) if text is not None]
    if any(end is None or not least <= end <= most for end in ends):
        also = f" or {words[0].upper()} to {words[-1].upper()}" if words else ""
        return f"it goes from {least} to {most}{also}"
    if len(ends) == 2 and (ends[0] or 0) > (ends[1] or 0):
        return "the range ends before it begins"
    return "a step is at least 1" if found[4] is not None and int(found[4]) == 0 else ""


def _number(text: str, least: int, words: tuple[str, ...]) -> int | None:
    if text.isdecimal():
        return int(text)
    return words.index(text) + least if text in words else None


CronText = Annotated[
    str,
    BeforeValidator(_cron),
    said("A schedule of cron, five fields in UTC.", "0 10 1-7 * MON", "*/15 * * * *"),
]
"""A schedule that was found to be one."""
