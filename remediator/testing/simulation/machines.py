"""The workloads of the simulated cluster and their pods: what breaks, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from remediator.core.policies import WorkloadRef


@dataclass(frozen=True, kw_only=True)
class SimPod:
    """One pod. ``sick``: it will not be ready."""

    uid: str
    made_at: float
    sick: bool


@dataclass
class Machine:
    """One workload of two pods: whether it works, and whether new pods would make it work."""

    ref: WorkloadRef
    heals: bool
    broken: bool = False
    broke_at: float = -1e9
    generation: int = 1
    restarted_at: int | None = None
    rolled_at: float = -1e9
    annotations: dict[str, str] = field(default_factory=dict)
    pods: list[SimPod] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self.replace_all(-1e9)

    def strike(self, *, heals: bool, at: float) -> None:
        """It breaks, with every pod it has."""
        self.broken, self.heals, self.broke_at = True, heals, at
        self.pods = [replace(pod, sick=True) for pod in self.pods]

    def mend(self) -> None:
        """It works again."""
        self.broken = False
        self.pods = [replace(pod, sick=False) for pod in self.pods]

    def replace_all(self, at: float) -> None:
        """A rollout: every pod is a new one."""
        self.pods = [self._pod(at), self._pod(at)]

    def remove(self, uid: str, at: float) -> bool:
        """Another pod takes the place of that one; whether it was there."""
        kept = [pod for pod in self.pods if pod.uid != uid]
        if len(kept) == len(self.pods):
            return False
        self.pods = [*kept, self._pod(at)]
        return True

    def _pod(self, at: float) -> SimPod:
        self.made += 1
        return SimPod(uid=f"{self.ref.name}-{self.made}", made_at=at, sick=self.broken and not self.heals)
