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
PREPARING = 30.0
"""Seconds between a guard that is asked once and the last of the changes that it allows, likewise."""


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
    service: str
    severity: str
    status: Status
    attached: bool
    """It waits for another incident."""
    reopened: int
    firing: int
    """Alerts of it that fire."""
    joined: tuple[str, ...]
    queued_pages: tuple[tuple[str, PageKind], ...]
    """Deduplication key and kind of each."""
    notices: tuple[str, ...]
    """Deduplication keys of what people are told if a breaker opens by it."""
    ended: tuple[tuple[int, Outcome], ...]
    """Number and outcome of the attempts that ended."""
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Began:
    """An attempt began. ``steps``: the actions of its runbook."""

    attempt: str
    incident: str
    service: str
    rule: str
    runbook: str
    steps: tuple[str, ...]
    asks_for: tuple[str, ...]
    """Severities for which a person has to agree to it, whatever its rule is trusted with."""
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A lease was given, with an epoch of its own, to a replica."""

    replica: str
    epoch: int
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """An epoch was written to an object."""

    target: str
    epoch: int
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """Something outside was changed, or might have been by a program that only looks.

    ``rolled``: it made a difference. ``asked_at``: when the replica called. ``target``: the workload that it
    is for. ``on``: the object whose epoch it tests; empty: it tests none. ``effect``: the step; of a program
    that a check or a diagnosis runs, that look.
    """

    target: str
    effect: str
    action: str
    """The kind of change, as its class is called."""
    replica: str
    rolled: bool
    asked_at: float
    at: float
    frozen_for: float
    """Seconds the caller stood frozen shortly before."""
    on: str = ""
    epoch: int = 0
    pod: str = ""
    looks: bool = False
    """It is a program that only looks."""
    took: int = 0
    """Healthy pods that it took away, of those that had been so for long enough to be seen."""
    wanted: int = 0
    """How many pods the workload asked for before."""

    @property
    def attempt(self) -> str:
        """Whose change it is: incident and number. The end of an isolation is that of who isolated."""
        incident, number, *rest = self.effect.split("/")
        return f"{incident}/{rest[0].partition('.')[0]}" if self.ends else f"{incident}/{number}"

    @property
    def undoes(self) -> bool:
        """It takes back what a step changed."""
        return "/undo/" in self.effect

    @property
    def ends(self) -> bool:
        """It ends an isolation, whose time is over."""
        return "/isolation/" in self.effect

    @property
    def step(self) -> int:
        """The number of the step that it makes, takes back or ends."""
        return int(self.effect.rpartition("/")[2].rpartition(".")[2])

    @property
    def incident(self) -> str:
        """Whose incident it is for."""
        return self.effect.split("/")[0]


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
    """An attempt took its limits: names with their counts and windows in milliseconds.

    ``clock``: what the store's clock said, in seconds: limits go by it.
    """

    member: str
    limits: tuple[tuple[str, int, int], ...]
    at: float
    clock: float


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
class Forbade:
    """From now on nobody may change these targets, or may again.

    ``promise``: which one says so; ``why``: tells what forbids it from whatever else does at the same time.
    ``within``: seconds after which every replica has noticed. ``looks``: programs that look are meant, too.
    ``only``: kinds of changes that are meant; empty: all.
    """

    promise: str
    why: str
    targets: frozenset[str]
    on: bool
    at: float
    within: float = LOOKING
    looks: bool = True
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreed:
    """A person agrees to what an attempt was shown to want, ``incident/number``."""

    attempt: str
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reloaded:
    """A policy is the newest from now on: the second one, or again the first."""

    second: bool
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Jumped:
    """The store's clock jumped by that many seconds."""

    seconds: float
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
class Blinded:
    """For that many seconds something that is asked does not answer."""

    what: str
    seconds: float
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """An attempt was called verified; whether its target was healthy at that moment, and when it broke."""

    incident: str
    target: str
    healthy: bool
    broke_at: float
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
