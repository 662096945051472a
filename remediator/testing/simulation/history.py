"""What happened in a simulation, as seen from outside the program: the checker's only source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from remediator.core.incident import Outcome, Status
from remediator.core.journal import PageKind
from remediator.core.pauses import PauseScope

Record = TypeVar("Record")

LOOKING = 10.0
"""Seconds between the last look and the change that it allows, at most, in a process that is not frozen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A webhook was answered 2xx to the sender."""

    fingerprint: str
    firing: bool
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """The store took a commit."""

    incident: str
    severity: str
    status: Status
    reopened: int
    joined: tuple[str, ...]
    queued_pages: tuple[tuple[str, PageKind], ...]
    """Deduplication key and kind of each."""
    ended: tuple[tuple[int, Outcome], ...]
    """Number and outcome of the attempts that ended."""
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """An epoch was written to a target."""

    target: str
    epoch: int
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """The cluster changed. ``rolled``: it made a difference: a rollout began, or the pod of that UID went.

    ``asked_at``: when the replica called.
    """

    target: str
    epoch: int
    effect: str
    rolled: bool
    asked_at: float
    at: float
    frozen_for: float
    """Seconds the caller stood frozen shortly before."""
    pod: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Intended:
    """The journal took an intent, with the pods that it means to take away."""

    effect: str
    pods: frozenset[str]
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PagerGot:
    """The pager took an event."""

    dedup_key: str
    kind: PageKind
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitsTaken:
    """An attempt took its limits: names with their counts and windows in milliseconds."""

    member: str
    limits: tuple[tuple[str, int, int], ...]
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitsRefunded:
    """An attempt gave its limits back."""

    member: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Paused:
    """The kill switch was thrown for a scope: on, or off."""

    on: bool
    scope: PauseScope
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """A person agrees to what an attempt was shown to want, ``incident/number``."""

    attempt: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """A policy is the newest from now on; ``forbidden``: the targets that nobody may touch under it."""

    forbidden: frozenset[str]
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Died:
    """A replica was killed, at that call."""

    replica: str
    where: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Froze:
    """A replica stood still for that many seconds."""

    replica: str
    seconds: float
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """An attempt was called verified; whether its target was healthy at that moment."""

    incident: str
    target: str
    healthy: bool
    at: float


@dataclass
class History:
    """Records in the order in which they happened. ``now`` answers virtual seconds."""

    now: Callable[[], float]
    records: list[object] = field(default_factory=list)

    def add(self, record: object) -> None:
        """Keep it."""
        self.records.append(record)

    def of(self, kind: type[Record]) -> Iterator[Record]:
        """All records of one kind."""
        return (record for record in self.records if isinstance(record, kind))
