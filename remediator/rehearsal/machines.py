"""Workloads of a rehearsal: as an attempt's runbook expects to find them, or as the facts say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.core.cluster import (
    EFFECT_ANNOTATION,
    EPOCH_ANNOTATION,
    IGNORE_ANNOTATION,
    Change,
    DeletePod,
    EvictPod,
    Fence,
    Pod,
    RestartWorkload,
    Revision,
    RollBackWorkload,
    ScaleWorkload,
    Workload,
)
from remediator.core.errors import Fenced
from remediator.core.policies import Runbook, Step, WorkloadRef
from remediator.core.times import HOUR, MINUTE, Instant
from remediator.rehearsal.script import WorkloadFacts

HEALTHY = 3
"""Pods of a workload of which nothing else is known."""
RESTARTS = 7


@dataclass(kw_only=True, slots=True)
class Machine:
    """One workload. ``sick``: how many of its first pods are in a crash loop.

    ``restarted``: how many of those after them have restarted and are ready again.
    """

    ref: WorkloadRef
    desired: int
    sick: int
    generation: int = 1
    pods: int = 0
    """How many pods it has; the first ``sick`` of them are not ready."""
    made: int = 0
    """How many were ever replaced: makes their names unique."""
    revision: int = 2
    restarted: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    facts: WorkloadFacts | None = None

    def snapshot(self) -> Workload:
        """As the API server would answer."""
        ready = max(self.pods - self.sick, 0)
        return Workload(
            ref=self.ref,
            uid=f"uid-{self.ref.path}",
            generation=self.generation,
            observed_generation=self.generation,
            desired=self.desired,
            total=self.pods,
            updated=self.pods,
            ready=ready,
            available=ready,
            paused=self.facts is not None and self.facts.paused,
            annotations=dict(self.annotations),
        )

    def list_pods(self, at: Instant) -> tuple[Pod, ...]:
        """Its pods, the sick ones first: they are also the oldest."""
        return tuple(self._pod(number, at) for number in range(self.pods))

    def _pod(self, number: int, at: Instant) -> Pod:
        sick, name = number < self.sick, f"{self.ref.name}-{self.made + number}"
        restarted = number < self.sick + self.restarted
        controller = str(self.ref)
        if self.ref.kind == "deployment":
            name, controller = (
                f"{self.ref.name}-5d9c7-{self.made + number}",
                f"replicaset/{self.ref.name}-5d9c7",
            )
        return Pod(
            name=name,
            phase="Running",
            ready=not sick,
            restarts=RESTARTS if restarted else 0,
            uid=f"uid-{name}",
            state="CrashLoopBackOff" if sick else "",
            containers=("main",),
            created_at=Instant(at - 2 * HOUR + number * MINUTE),
            suspect="main" if sick else "",
            last_end="Error (exit 1)" if restarted else "",
            controller=controller,
        )

    def revisions(self, at: Instant) -> tuple[Revision, ...]:
        """The revision that runs and those before it, newest first."""
        return tuple(
            Revision(
                number=number,
                name=f"{self.ref.name}-{number}",
                uid=f"uid-{self.ref.name}-{number}",
                current=number == self.revision,
                images=(f"{self.ref.name}:{number}",),
                created_at=Instant(at - (self.revision - number + 1) * HOUR),
            )
            for number in range(self.revision, 0, -1)
        )

    def claim(self, fence: Fence) -> Workload:
        """Under this epoch from now on. Raises Fenced."""
        seen = self.snapshot()
        if seen.epoch > fence.epoch:
            raise Fenced(f"{self.ref} carries epoch {seen.epoch}, ours is {fence.epoch}")
        self.annotations[EPOCH_ANNOTATION] = str(fence.epoch)
        return self.snapshot()

    def apply(self, change: Change, fence: Fence) -> None:
        """What the change does: whatever runs afterwards is well."""
        match change:
            case DeletePod() | EvictPod():
                self.sick = max(self.sick - (not change.ready), 0)
                self.restarted = max(self.restarted - change.ready, 0)
                self.made += 1
                return
            case ScaleWorkload(replicas=replicas):
                self.desired = self.pods = replicas
                self.sick = self.restarted = 0
            case RestartWorkload():
                self.pods, self.sick, self.restarted = self.desired, 0, 0
                self.made += self.desired
            case RollBackWorkload(revision=revision):
                self.pods, self.sick, self.restarted = self.desired, 0, 0
                self.made += self.desired
                self.revision = max(self.revision + 1, revision)
        self.generation += 1
        self.annotations[EFFECT_ANNOTATION] = fence.effect

    @property
    def is_well(self) -> bool:
        """Whether every pod that it wants is ready."""
        return self.desired > 0 and self.pods - self.sick >= self.desired

    def healed(self) -> Workload:
        """As it would be if it were well."""
        desired = max(self.desired, 1)
        return Machine(
            ref=self.ref, desired=desired, pods=desired, sick=0, generation=self.generation, facts=self.facts
        ).snapshot()


def expected_by(runbook: Runbook, ref: WorkloadRef) -> Machine:
    """The workload as the runbook expects to find it: every step has something to do, and may do it."""
    scale = next((step for step in runbook.steps if step.action == "scale"), None)
    if scale is not None:
        return _to_be_scaled(scale, ref)
    sick = max((_number(step.params, "at_most", 1) for step in runbook.steps), default=1)
    pods = sick + HEALTHY - 1
    revision = max((_number(step.params, "revision", 1) for step in runbook.steps), default=1) + 1
    return Machine(ref=ref, desired=pods, pods=pods, sick=sick, revision=revision)


def _to_be_scaled(step: Step, ref: WorkloadRef) -> Machine:
    """Fewer pods than wanted; where fewer are wanted, one more, which costs no healthy one."""
    wanted = _number(step.params, "to", 1)
    if step.params.get("only") == "down" or wanted == 0:
        healthy = wanted if ref.kind == "deployment" else 0
        return Machine(ref=ref, desired=wanted + 1, pods=wanted + 1, sick=wanted + 1 - healthy)
    return Machine(ref=ref, desired=wanted - 1, pods=wanted - 1, sick=0)


def told_by(facts: WorkloadFacts, ref: WorkloadRef) -> Machine:
    """The workload as the facts say. Where they count no ready pods, one is not ready."""
    desired = facts.replicas if facts.replicas is not None else max(HEALTHY, facts.ready or 0)
    ready = facts.ready if facts.ready is not None else max(desired - 1, 0)
    annotations = {IGNORE_ANNOTATION: "true"} if facts.ignored else {}
    pods = max(desired, ready)
    return Machine(
        ref=ref,
        desired=desired,
        pods=pods,
        sick=pods - ready,
        restarted=facts.restarted,
        annotations=annotations,
        facts=facts,
    )


def _number(params: Mapping[str, object], key: str, default: int) -> int:
    value = params.get(key, default)
    return value if isinstance(value, int) else default
