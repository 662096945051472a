"""The cluster as decisions see it: read-only snapshots, and the changes that may be asked for.

``Change`` is a closed union. An action returns changes as data; the executor alone applies them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant

EPOCH_ANNOTATION = "remediator/epoch"
"""The epoch of the lease under which the object was last claimed. Every change tests it."""
EFFECT_ANNOTATION = "remediator/effect"
"""The effect that last changed the object: how a change is recognised after an answer got lost."""
IGNORE_ANNOTATION = "remediator/ignore"
"""On an object: this daemon leaves it alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """A condition of an object's status, as the API server tells it."""

    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A snapshot of a Deployment, StatefulSet or DaemonSet. Counts are pods."""

    ref: WorkloadRef
    uid: str
    generation: int
    observed_generation: int
    desired: int
    total: int
    updated: int
    ready: int
    available: int
    paused: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, Condition] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The epoch it was last claimed under; 0 when never, or when somebody wrote nonsense there."""
        text = self.annotations.get(EPOCH_ANNOTATION, "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0

    @property
    def rolled_out(self) -> bool:
        """Whether the newest template runs everywhere. Source: ``kubectl rollout status``."""
        return (
            self.observed_generation >= self.generation
            and self.updated >= self.desired
            and self.total <= self.updated
            and self.available >= self.desired
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A snapshot of a pod. ``state`` is the reason a person would look for, such as CrashLoopBackOff."""

    name: str
    phase: str
    ready: bool
    restarts: int
    state: str = ""
    node: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestartWorkload:
    """Replace every pod of a workload, by its own rollout strategy.

    ``at`` becomes the template's ``kubectl.kubernetes.io/restartedAt``: the same effect applied twice
    changes nothing the second time.
    """

    target: WorkloadRef
    uid: str
    at: Instant

    def __str__(self) -> str:
        return f"restart {self.target}"


Change = RestartWorkload


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """Under which epoch and for which effect a change is made."""

    epoch: int
    effect: EffectId


class ClusterReader(Protocol):
    """Reading snapshots. Raises NotFound, Refused (a permission is missing) and Retryable."""

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The workload of that name."""

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The pods its selector selects."""


class Executor(Protocol):
    """The only thing in the program that can change a cluster.

    Raises NotFound, Refused, Fenced, Retryable (it surely did not happen) and Unknown (it may have).
    """

    async def dry_run(self, change: Change) -> None:
        """Have the server check the change, permissions included, without making it."""

    async def claim(self, target: WorkloadRef, uid: str, fence: Fence) -> Workload:
        """Write the epoch to the target, so that no older owner can change it; its state after that."""

    async def apply(self, change: Change, fence: Fence) -> None:
        """Make the change if the target is still that object and still carries our epoch."""
