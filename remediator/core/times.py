"""Time as values.

* ``Instant``: milliseconds since 1970-01-01T00:00:00Z. What decisions, timers and limits count in; the
  store's own clock (Redis TIME) is its only source while the daemon runs.
* ``Millis``: a duration in milliseconds. The resolution of Prometheus durations.
* ``Stamp``: an RFC 3339 time in UTC with exactly nine fractional digits, as text. What an alert's
  ``startsAt`` becomes: it keeps all nine digits and compares as plain text, in Python and in Lua alike.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NewType

Instant = NewType("Instant", int)
Millis = NewType("Millis", int)
Stamp = NewType("Stamp", str)

SECOND = Millis(1_000)
MINUTE = Millis(60_000)
HOUR = Millis(3_600_000)
DAY = Millis(86_400_000)

_UNITS = (("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1))
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit, _ in _UNITS))
_STAMP = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))", re.ASCII
)
_LONGEST = 2**63 // 1_000_000  # Prometheus counts durations in nanoseconds in a signed 64-bit integer


def parse_duration(text: str) -> Millis:
    """The milliseconds of a Prometheus duration such as ``90s``, ``1h30m`` or ``7d``.

    Source: Prometheus ``model.ParseDuration``: units y w d h m s ms, each at most once, in that order.
    Raises ValueError for anything else.
    """
    if text == "0":
        return Millis(0)
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(
            f"{text!r} is not a duration; write a number and a unit, such as 90s, 15m, 1h30m or 7d"
        )
    total = sum(int(n) * size for n, (_, size) in zip(found.groups(), _UNITS, strict=True) if n)
    if total > _LONGEST:
        raise ValueError(f"{text!r} is longer than Prometheus durations can be (about 292 years)")
    return Millis(total)


def format_duration(span: int) -> str:
    """The shortest Prometheus duration for ``span`` milliseconds, such as ``1h30m``."""
    if span == 0:
        return "0s"
    text, rest = "", abs(span)
    for unit, size in _UNITS[2:]:  # days and smaller: a person says 365d, not 1y, of a window
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return f"-{text}" if span < 0 else text


def parse_stamp(text: str) -> Stamp:
    """An RFC 3339 time of any offset, normalised to UTC and nine digits. Raises ValueError."""
    found = _STAMP.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not an RFC 3339 time such as 2026-11-23T04:24:11.09Z")
    whole, fraction, zulu, sign, hours, minutes = found.groups()
    moment = datetime.fromisoformat(whole.upper())  # checks the ranges
    if zulu is None:
        offset = (int(hours) * 60 + int(minutes)) * 60
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError(f"{text[:40]!r} has an offset that does not exist")
        seconds = moment.replace(tzinfo=UTC).timestamp() - (offset if sign == "+" else -offset)
        try:
            whole = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
        except (OverflowError, ValueError) as error:
            raise ValueError(f"{text[:40]!r} is outside the years 1 to 9999") from error
    return Stamp(f"{whole.upper()}.{(fraction or ''):0<9}Z")


def format_instant(at: int) -> str:
    """``at`` as RFC 3339 in UTC with milliseconds, such as ``2026-11-23T04:24:11.090Z``."""
    return f"{datetime.fromtimestamp(at // 1000, UTC).isoformat()[:19]}.{at % 1000:03d}Z"


def stamp_instant(stamp: Stamp) -> Instant:
    """The instant of a stamp, its digits below a millisecond cut off."""
    seconds = int(datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC).timestamp())
    return Instant(seconds * 1000 + int(stamp[20:23]))
