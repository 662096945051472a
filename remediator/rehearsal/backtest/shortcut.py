"""Duplicates, known by their bytes: nine of ten recorded alerts are repeats, and reading them costs most.

A line is cut at the places where an alert begins and ends in the JSON that Alertmanager and the archive
write. When every piece has been part of a line that the parser accepted whole, the line is as good as those
were, and says of each alert what it said before; whether that is a duplicate is for the store to say.

A quotation mark inside a JSON string stands behind a backslash, so ``},{"`` and ``,"`` never occur in one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from remediator.core.alerts import AlertStatus, Fingerprint
from remediator.core.times import Instant, Stamp
from remediator.rehearsal.backtest.lines import ARCHIVED, Taken, own_time

BEGIN = b'"alerts":[{"status":"'
BETWEEN = b'},{"status":"'
LAST_KEY = b',"fingerprint":"'
KEPT_FRAMES = 20_000
"""What stands around the alerts of a line, remembered so often."""
KEPT_ALERTS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """A line in pieces. ``frame``: what stands around its alerts, without the time it was taken in."""

    frame: tuple[bytes, bytes]
    alerts: list[bytes]


def cut(raw: bytes) -> Cut | None:
    """The pieces of a line; None when it is not written as it usually is."""
    begin = raw.find(BEGIN)
    if begin < 0:
        return None
    begin += len(BEGIN)
    alerts = raw[begin:].split(BETWEEN)
    last = alerts[-1]
    found = last.rfind(LAST_KEY)
    end = last.find(b'"', found + len(LAST_KEY)) + 1
    if found < 0 or end == 0 or not last.startswith(b"}]", end):
        return None
    alerts[-1] = last[:end]
    head = raw[:begin]
    if head.startswith(ARCHIVED):
        head = head[len(ARCHIVED) + 24 :]
    return Cut(frame=(head, last[end:]), alerts=alerts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What a piece says, and for each policy whether a rule of it matches."""

    fingerprint: Fingerprint
    status: AlertStatus
    starts_at: Stamp
    own_time: Instant
    matched: tuple[bool, ...]


class Shortcut:
    """What was accepted so far, in pieces. Bounded: what is forgotten is read again."""

    def __init__(self) -> None:
        self._frames: set[bytes] = set()
        self._alerts: dict[bytes, Known] = {}

    def known(self, pieces: Cut) -> list[Known] | None:
        """What each alert of a line says, if all of the line is known."""
        if _digest(*pieces.frame) not in self._frames:
            return None
        found = []
        for piece in pieces.alerts:
            known = self._alerts.get(_digest(piece))
            if known is None:
                return None
            found.append(known)
        return found

    def learn(self, pieces: Cut, taken: Taken, matched: Sequence[tuple[bool, ...]]) -> None:
        """Remember the pieces of a line that was read, if they are what they look like.

        ``matched``: of each alert, for each policy whether a rule matches.
        """
        alerts = taken.notification.alerts
        if taken.notification.rejected or len(pieces.alerts) != len(alerts):
            return
        if not all(map(_is, pieces.alerts, taken.raw_alerts)):
            return
        if len(self._frames) >= KEPT_FRAMES:
            self._frames.clear()
        if len(self._alerts) >= KEPT_ALERTS:
            newest = list(self._alerts.items())[KEPT_ALERTS // 2 :]
            self._alerts = dict(newest)
        self._frames.add(_digest(*pieces.frame))
        for piece, alert, of_each in zip(pieces.alerts, alerts, matched, strict=True):
            self._alerts[_digest(piece)] = Known(
                fingerprint=alert.fingerprint,
                status=alert.status,
                starts_at=alert.starts_at,
                own_time=own_time((alert,)),
                matched=of_each,
            )


def _digest(*pieces: bytes) -> bytes:
    return blake2b(b"\0".join(pieces), digest_size=16).digest()


def _is(piece: bytes, raw: Any) -> bool:
    """Whether the piece is that very alert, and not a part of it that looks like one."""
    try:
        return bool(json.loads(b'{"status":"' + piece + b"}") == raw)
    except ValueError:
        return False
