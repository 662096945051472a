"""What is said of the world of a rehearsal. Whatever is not said works at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.core.times import Millis


class Result(StrEnum):
    """How a step goes, and what a check answers."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Hearing(StrEnum):
    """What a channel makes of a message."""

    OK = "ok"
    REFUSED = "refused"
    RETRY = "retry"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepOutcome:
    """How a step goes: ``takes`` so long, then ``result``. ``runbook`` None: in every runbook.

    ``undo``: it is about taking back what the step changed.
    """

    step: str
    runbook: str | None = None
    result: Result = Result.OK
    takes: Millis = Millis(0)
    undo: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckOutcome:
    """What a check answers from ``after`` on, counted from when an attempt first asks it.

    Before that it answers the opposite: ``ok`` after 2m has failed until then, ``failed`` after 2m has held.
    """

    check: str
    runbook: str | None = None
    result: Result = Result.OK
    after: Millis = Millis(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class DiagnosisOutcome:
    """What a diagnosis finds, a line each."""

    diagnosis: str
    runbook: str | None = None
    finds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelOutcome:
    """What a channel makes of every message."""

    channel: str
    result: Hearing = Hearing.OK


Outcome = StepOutcome | CheckOutcome | DiagnosisOutcome | ChannelOutcome


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadFacts:
    """A workload as it is until a step changes it. Counts are pods; None: as the runbook expects it.

    ``missing``: it does not exist. ``ignored``: it has opted out. ``paused``: its rollouts are. ``budget``:
    so many of its pods a PodDisruptionBudget lets go. ``forbidden``: the server does not let us change it.
    ``measured``: whether a metrics API tells what its pods use. ``rolled_out``: how long before the incident
    opened its present revision was, in milliseconds; None: long before.
    ``restarted``: so many of the ready pods ended before and run again. ``isolated``: it was isolated, and
    remembers so many pods. ``autoscaler``: the bounds of the one that scales it. ``images``: its containers.
    """

    path: str
    """``namespace/kind/name``."""
    replicas: int | None = None
    ready: int | None = None
    restarted: int = 0
    missing: bool = False
    ignored: bool = False
    paused: bool = False
    budget: int | None = None
    forbidden: bool = False
    isolated: int | None = None
    autoscaler: tuple[int, int] | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    measured: bool = True
    rolled_out: Millis | None = None
    kept_by: str = ""
    """``flux`` or ``argocd``: a controller that keeps it as its source says. Empty: none does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeFacts:
    """A node as it is until a step changes it. ``cordoned``: by ``us``, by ``somebody``, or empty.

    ``pods``: those that run there, as ``namespace/name``. ``last``: no other node is there.
    ``missing``, ``ignored``, ``forbidden``: as of a workload.
    """

    name: str
    ready: bool = True
    cordoned: str = ""
    control_plane: bool = False
    last: bool = False
    pods: tuple[str, ...] = ()
    missing: bool = False
    ignored: bool = False
    forbidden: bool = False
