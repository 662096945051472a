"""Time zones by name, read when the policies are: one that cannot be is an error then, not at night."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

MACHINE = "Local"
"""The zone of the machine that the daemon runs on."""
WITHOUT_DATABASE = frozenset(("UTC", MACHINE))
UNREADABLE = (ZoneInfoNotFoundError, OSError, ValueError, EOFError, IndexError, struct.error)
"""What the standard library raises where the rules of a zone are missing, cut off or no rules at all."""


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of the machine's database and of package ``tzdata``; none where there is neither."""
    return frozenset(available_timezones())


@lru_cache(maxsize=1024)
def zone_of(name: str) -> tzinfo:
    """The zone of that name. Raises LookupError when its rules cannot be read, saying what to do."""
    if name == "UTC":
        return UTC
    if name == MACHINE:
        return MachineZone()
    try:
        return ZoneInfo(name)
    except UNREADABLE as error:
        raise LookupError(
            f"the rules of time zone {name} cannot be read on this machine; install the package tzdata"
        ) from error


class MachineZone(tzinfo):
    """The machine's own zone, as its C library knows it."""

    def fromutc(self, dt: datetime) -> datetime:
        """As ``tzinfo`` says."""
        there = datetime.fromtimestamp(dt.replace(tzinfo=UTC).timestamp())  # noqa: DTZ006  # the very point
        return there.replace(tzinfo=self)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """As ``tzinfo`` says."""
        return None if dt is None else dt.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not known apart from the offset."""
        return None

    def tzname(self, dt: datetime | None) -> str:
        """As policies write it."""
        return MACHINE
