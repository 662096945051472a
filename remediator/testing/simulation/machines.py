"""The workloads of the simulated cluster: what breaks, what changes do to them, and what mends them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from remediator.core.changes import (
    IsolateWorkload,
    MarkedChange,
    PodChange,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
)
from remediator.core.errors import Retryable
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, say_until
from remediator.core.policies import WorkloadRef

PODS = 2
"""So many a workload asks for when nobody has changed that."""
IMAGE = "registry.example/app"
MAIN = "app"
"""The one container of every pod."""
BOUNDS = (1, 4)
"""Of an autoscaler that nobody has changed."""
ROLLOUT = 8.0
"""Virtual seconds a rollout takes."""
STARTS = 3.0
"""Virtual seconds until a new pod is ready."""


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a workload is like from the beginning to the end.

    ``scaled``: an autoscaler scales it. ``kept_by``: ``flux`` or ``argo``, who would set changes of its
    template and of its numbers back. ``disruptions``: how many more healthy pods its budget lets go; None:
    it has none. ``refuses``: admission takes no change of it. ``fails``: its programs, requests and jobs end
    badly. ``foreign``: its alerts are of another cluster. ``spent``: its error budget nearly is.
    """

    scaled: bool = False
    kept_by: str = ""
    disruptions: int | None = None
    unavailable: int = 0
    """How many pods its rollouts take away before there are new ones."""
    refuses: bool = False
    fails: bool = False
    foreign: bool = False
    spent: bool = False


@dataclass(frozen=True, kw_only=True)
class SimPod:
    """One pod. ``ready_at``: from when on it is ready; ``sick``: never, unless somebody mends it."""

    uid: str
    made_at: float
    ready_at: float
    sick: bool


@dataclass
class Machine:
    """One workload: whether it works, and whether what is done to it would make it work."""

    ref: WorkloadRef
    traits: Traits = field(default_factory=Traits)
    heals: bool = True
    broken: bool = False
    broke_at: float = -1e9
    desired: int = PODS
    image: str = f"{IMAGE}:0"
    resources: Mapping[str, Any] | None = None
    bounds: tuple[int, int] = BOUNDS
    generation: int = 1
    revision: int = 2
    rolled_out: dict[int, float] = field(default_factory=lambda: {1: -7200.0, 2: -3600.0})
    """When each revision was made."""
    restarted_at: int | None = None
    rolled_at: float = -1e9
    annotations: dict[str, str] = field(default_factory=dict)
    scaler_annotations: dict[str, str] = field(default_factory=dict)
    pods: list[SimPod] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self._replace_all(-1e9)

    # --- what befalls it ---

    def strike(self, *, heals: bool, at: float, sick: int) -> None:
        """It breaks, with so many of its pods: somebody has just rolled out what does not work."""
        self._deploy(at)
        self.broken, self.heals, self.broke_at = True, heals, at
        self.pods = [replace(pod, sick=number < sick) for number, pod in enumerate(self.pods)]

    def mend(self, at: float) -> None:
        """Its pods are well again, as many as there are."""
        self.broken = False
        self.pods = [replace(pod, sick=False, ready_at=at) if pod.sick else pod for pod in self.pods]

    def repair(self, at: float) -> None:
        """A person makes it work again, whatever was done to it."""
        self._deploy(at)
        self.mend(at)

    def _deploy(self, at: float) -> None:
        """As its source says, whatever it was made into. What others wrote onto it stays."""
        self.generation += 1
        self._revise(at)
        self.image, self.resources, self.bounds = f"{IMAGE}:{self.revision}", None, BOUNDS
        for mark in (ISOLATED_REPLICAS, ISOLATED_UNTIL):
            self.annotations.pop(mark, None)
        self._ask_for(PODS, at)

    # --- how it stands ---

    def pod_ready(self, pod: SimPod, now: float) -> bool:
        """Whether that pod is ready now."""
        return not pod.sick and now >= pod.ready_at and not self.rolling(now)

    def ready(self, now: float) -> int:
        """How many of its pods are."""
        return sum(self.pod_ready(pod, now) for pod in self.pods)

    def rolling(self, now: float) -> bool:
        """Whether a rollout is under way, in which no pod counts as ready."""
        return now - self.rolled_at < ROLLOUT

    def healthy(self, now: float) -> bool:
        """Whether it works now."""
        return self.ready(now) >= self.desired > 0

    # --- what changes do ---

    def make(self, change: MarkedChange, at: float) -> bool:
        """Whether it made a difference. Raises Retryable where it is not as the change was planned from."""
        made = self._make(change, at)
        if made and not isinstance(change, SetAutoscalerBounds):
            self.generation += 1
        return made

    def _make(self, change: MarkedChange, at: float) -> bool:
        match change:
            case RestartWorkload():
                if self.restarted_at == change.at:
                    return False
                self.restarted_at = change.at
                self._roll_out(at)
            case RollBackWorkload():
                self._expect(change.generation == self.generation)
                self._roll_out(at)
            case SetContainerImage():
                self._expect(change.seen == self.image)
                self.image = change.image
                self._roll_out(at)
            case SetContainerResources():
                self._expect(change.seen == self.resources)
                self.resources = change.resources
                self._roll_out(at)
            case ScaleWorkload():
                self._expect(change.seen == self.desired)
                self._ask_for(change.replicas, at)
            case IsolateWorkload():
                self._expect(change.seen == self.desired)
                self._expect(change.memory == self.annotations.get(ISOLATED_REPLICAS))
                self.annotations[ISOLATED_REPLICAS] = str(change.seen)
                self.annotations[ISOLATED_UNTIL] = say_until(change.until)
                self._ask_for(0, at)
            case RestoreWorkload():
                self._expect(change.seen == self.desired)
                self._expect(change.memory == self.annotations.get(ISOLATED_REPLICAS))
                for mark in (ISOLATED_REPLICAS, ISOLATED_UNTIL):
                    self.annotations.pop(mark, None)
                self._ask_for(change.replicas, at)
            case SetAutoscalerBounds():
                self._expect((change.seen_least, change.seen_most) == self.bounds)
                self.bounds = (change.least, change.most)
                if self.desired:
                    self._ask_for(min(max(self.desired, change.least), change.most), at)
        return True

    def remove(self, change: PodChange, at: float) -> bool:
        """Another pod takes the place of that one; whether it was there. Raises Retryable."""
        gone = next((pod for pod in self.pods if pod.uid == change.pod_uid), None)
        if gone is None:
            return False
        if not change.ready and self.pod_ready(gone, at):
            raise Retryable(f"pod {change.pod} is ready by now: look again")
        self.pods = [*(pod for pod in self.pods if pod.uid != gone.uid), self._pod(at)]
        return True

    def _expect(self, as_planned: bool) -> None:
        if not as_planned:
            raise Retryable(f"{self.ref} changed meanwhile: read it again")

    def _roll_out(self, at: float) -> None:
        self._revise(at)
        self.rolled_at = at
        self._replace_all(at)

    def _revise(self, at: float) -> None:
        self.revision += 1
        self.rolled_out[self.revision] = at

    def _replace_all(self, at: float) -> None:
        self.pods = [self._pod(at) for _ in range(self.desired)]

    def _ask_for(self, replicas: int, at: float) -> None:
        """The first to go are those that are sick."""
        kept = sorted(self.pods, key=lambda pod: pod.sick)[:replicas]
        self.pods = [*kept, *(self._pod(at) for _ in range(replicas - len(kept)))]
        self.desired = replicas

    def _pod(self, at: float) -> SimPod:
        self.made += 1
        name, sick = f"{self.ref.name}-{self.made}", self.broken and not self.heals
        return SimPod(uid=name, made_at=at, ready_at=at + STARTS, sick=sick)
