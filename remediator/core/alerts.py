"""What arrives: notifications, alerts and their episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from remediator.core.times import Stamp

Fingerprint = NewType("Fingerprint", str)
"""Alertmanager's hash of a label set, taken as sent: 1 to 64 lower-case hexadecimal digits."""


class AlertStatus(StrEnum):
    """What Alertmanager says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """One alert of a notification.

    ``starts_at`` is evidence, not identity: a Prometheus restart can shift it within one outage.
    ``ends_at`` is None while the alert fires.
    """

    fingerprint: Fingerprint
    status: AlertStatus
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: Stamp
    ends_at: Stamp | None
    generator_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """One alert of a notification that cannot be understood: kept as a dead letter, with the reason.

    ``raw`` is the alert as JSON text, at most 64 KiB of it.
    """

    reason: str
    raw: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """One webhook of Alertmanager (version 4): its alerts, and those among them that are unusable."""

    receiver: str
    group_key: str
    external_url: str
    truncated: int
    alerts: tuple[Alert, ...]
    rejected: tuple[Rejected, ...] = ()


class Disposition(StrEnum):
    """What the intake made of one alert. The label of ``remediator_alerts_total``."""

    NEW = "new"
    DUPLICATE = "duplicate"
    RESOLVED = "resolved"
    STALE = "stale"
    UNMATCHED = "unmatched"
    DEAD_LETTER = "dead_letter"


class Lane(StrEnum):
    """The two streams of the intake, chosen by classifying at the door."""

    URGENT = "urgent"
    NORMAL = "normal"
