"""One recorded notification: from a line of text to what was taken in and when.

A line is one of the archive's (``core.archive``) or a bare webhook body of Alertmanager. It is read by the
receiver's own parser; a bare body says nothing of when it came, so its alerts' own times do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from remediator.core.alerts import Alert, Notification, Rejected
from remediator.core.archive import VERSION
from remediator.core.times import Instant, parse_stamp, stamp_instant
from remediator.http.payload import BadPayload, parse_json, understand

ARCHIVED = b'{"v":1,"received_at":"'
"""How a line of the archive begins; then comes a time of a fixed length."""
_TIME = slice(len(ARCHIVED), len(ARCHIVED) + 24)
LATEST = stamp_instant(parse_stamp("9000-01-01T00:00:00Z"))
"""What is later is no time: deadlines that follow from it would be beyond all calendars."""
_PLAIN_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class BadLine(ValueError):
    """It is no notification; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A notification as it was recorded, not read yet. ``where``: ``file:line``."""

    where: str
    raw: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A notification and when it was taken in. ``timed``: somebody noted that; else its alerts' times say it.

    ``raw_alerts``: its alerts as they stood in the JSON.
    """

    at: Instant
    notification: Notification
    raw_alerts: tuple[Any, ...]
    timed: bool


def read_line(raw: bytes) -> Taken:
    """What a line says. Raises BadLine."""
    try:
        root = parse_json(raw)
        if "received_at" not in root:
            notification = understand(root, raw)
            at = own_time(notification.alerts)
            if at > LATEST:
                raise BadLine(
                    "its alerts speak of a time after the year 9000, and nobody noted when they came"
                )
            return Taken(at=at, notification=notification, raw_alerts=tuple(root["alerts"]), timed=False)
        body, version, rejected = root.get("notification"), root.get("v"), root.get("rejected", [])
        if version != VERSION:
            raise BadLine(f"v is not {VERSION}: another version of the daemon wrote it")
        if not isinstance(body, dict) or not isinstance(rejected, list):
            raise BadLine("it has a received_at, but no notification beside it")
        notification = understand(body, raw)
    except BadPayload as error:
        raise BadLine(error.reason) from None
    lost = tuple(Rejected(reason=str(reason), raw="") for reason in rejected)
    return Taken(
        at=_moment(root["received_at"]),
        notification=replace(notification, rejected=(*notification.rejected, *lost)),
        raw_alerts=tuple(body["alerts"]),
        timed=True,
    )


def own_time(alerts: Iterable[Alert]) -> Instant:
    """The latest moment that the alerts speak of themselves; 0 when there is none."""
    moments = [stamp_instant(alert.ends_at or alert.starts_at) for alert in alerts]
    return Instant(max(0, *moments) if moments else 0)


def _moment(value: object) -> Instant:
    try:
        at = Instant(max(stamp_instant(parse_stamp(value if isinstance(value, str) else "")), 0))
    except ValueError:
        raise BadLine("received_at is not an RFC 3339 time") from None
    if at > LATEST:
        raise BadLine("received_at is after the year 9000")
    return at


def received_at(raw: bytes) -> str | None:
    """When a line of the archive was taken in, without reading all of it. Sorts as text."""
    if not raw.startswith(ARCHIVED):
        return None
    time = raw[_TIME]
    return time.decode() if _PLAIN_TIME.fullmatch(time) is not None else None
