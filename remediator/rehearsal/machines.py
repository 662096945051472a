"""Workloads of a rehearsal: as an attempt's runbook expects to find them, or as the facts say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, assert_never

from remediator.core.changes import (
    ClusterChange,
    CordonNode,
    DeletePod,
    EvictPod,
    Fence,
    IsolateWorkload,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    RunJob,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
    UncordonNode,
)
from remediator.core.cluster import (
    EFFECT_ANNOTATION,
    EPOCH_ANNOTATION,
    IGNORE_ANNOTATION,
    Autoscaler,
    Container,
    Marked,
    Pod,
    Revision,
    Workload,
    epoch_of,
)
from remediator.core.errors import Fenced, NotFound
from remediator.core.holdings import ContainerUsage, PodUsage
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, say_until
from remediator.core.objects import HPA, ObjectRef
from remediator.core.ownership import KUSTOMIZE, TRACKING
from remediator.core.policies import Runbook, Step, WorkloadRef
from remediator.core.running import looks_that_run
from remediator.core.times import HOUR, MINUTE, Instant
from remediator.rehearsal.script import WorkloadFacts

MAIN, BEFORE = "main", "registry.invalid/what/ran:before"
"""A container of which nothing else is known, and its image."""
HEALTHY = 3
"""Pods of a workload of which nothing else is known."""
RESTARTS = 7
TOLD_REVISION = 2
"""The present revision of a workload that facts tell of, until a step changes it."""
MEBIBYTE, USED_CPU = 2**20, Decimal("0.1")
"""Of memory each pod uses so much more than the next, and of processors all use the same."""
KEPT_BY_FLUX = {f"{KUSTOMIZE}/name": "apps", f"{KUSTOMIZE}/namespace": "flux-system"}


def uid_of(ref: ObjectRef) -> str:
    """Of an object of a rehearsal: none is ever replaced by another of the same name."""
    return f"uid-{ref.path}"


@dataclass(slots=True)
class Scaler:
    """The autoscaler of a workload, and its bounds."""

    least: int
    most: int
    annotations: dict[str, str] = field(default_factory=dict)

    def snapshot(self, target: WorkloadRef) -> Autoscaler:
        """As the API server would answer."""
        name = target.name if target.kind == "deployment" else f"{target.name}-{target.kind}"
        return Autoscaler(
            ref=ObjectRef(kind=HPA, namespace=target.namespace, name=name),
            uid=f"uid-hpa-{target.path}",
            least=self.least,
            most=self.most,
            annotations=dict(self.annotations),
        )


def scaler_for(step: Step) -> Scaler:
    """An autoscaler whose bounds the step changes: it lets fewer pods be, if that is possible."""
    least, most = (_number(step.params, key, 0) for key in ("min", "max"))
    if most > 1:
        return Scaler(min(least or 1, most - 1), most - 1)
    if most == 1:
        return Scaler(1, 2)
    return Scaler(least - 1 if least > 1 else 2, max(least, 10))


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
    revision: int = TOLD_REVISION
    returned: dict[int, int] = field(default_factory=dict)
    """Numbers of revisions that run a template anew, and the number that it had first."""
    restarted: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    facts: WorkloadFacts | None = None
    images: dict[str, str] = field(default_factory=dict)
    """Of its containers, by their names."""
    resources: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    scaler: Scaler | None = None

    def snapshot(self) -> Workload:
        """As the API server would answer."""
        ready = max(self.pods - self.sick, 0)
        return Workload(
            ref=self.ref,
            uid=uid_of(self.ref),
            generation=self.generation,
            observed_generation=self.generation,
            desired=self.desired,
            total=self.pods,
            updated=self.pods,
            ready=ready,
            available=ready,
            paused=self.facts is not None and self.facts.paused,
            annotations=dict(self.annotations),
            labels=KEPT_BY_FLUX if self.facts is not None and self.facts.kept_by == "flux" else {},
            containers=tuple(
                Container(name=name, image=image, resources=self.resources.get(name, {}))
                for name, image in (self.images or {MAIN: BEFORE}).items()
            ),
        )

    def autoscalers(self) -> tuple[Autoscaler, ...]:
        """The one that scales it, if there is any."""
        return () if self.scaler is None else (self.scaler.snapshot(self.ref),)

    def expect(self, runbook: Runbook) -> None:
        """What the runbook speaks of and nobody told of is there: its containers, its autoscaler."""
        if not self.images:
            asked = [step.params for step in runbook.steps] + looks_that_run(runbook)
            named = [str(params["container"]) for params in asked if params.get("container")]
            self.images = dict.fromkeys(named, BEFORE)
        hpa = next((step for step in runbook.steps if step.action == "hpa"), None)
        if hpa is not None and self.scaler is None:
            self.scaler = scaler_for(hpa)

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
            containers=tuple(self.images) or (MAIN,),
            created_at=Instant(at - 2 * HOUR + number * MINUTE),
            suspect=next(iter(self.images), MAIN) if sick else "",
            last_end="Error (exit 1)" if restarted else "",
            controller=controller,
        )

    def usage(self, at: Instant) -> tuple[PodUsage, ...]:
        """What its pods use: the sick ones, which come first, the most."""
        return tuple(
            PodUsage(
                pod=pod.name,
                at=at,
                containers=tuple(
                    ContainerUsage(name=name, cpu=USED_CPU, memory=Decimal((self.pods - number) * MEBIBYTE))
                    for name in pod.containers
                ),
            )
            for number, pod in enumerate(self.list_pods(at))
        )

    def revisions(self, at: Instant, opened: Instant) -> tuple[Revision, ...]:
        """The revision that runs and those before it, newest first; ``opened``: when the incident did."""
        kept = {
            number: self.returned.get(number, number)
            for number in range(self.revision, 0, -1)
            if number not in self.returned.values()
        }
        newest = max(kept.values())
        made = {first: Instant(at - (newest - first + 1) * HOUR) for first in kept.values()}
        if self.facts is not None and self.facts.rolled_out is not None:
            made[TOLD_REVISION] = Instant(opened - self.facts.rolled_out)
        return tuple(
            Revision(
                number=number,
                name=f"{self.ref.name}-{first}",
                uid=f"uid-{self.ref.name}-{first}",
                current=number == self.revision,
                images=(f"{self.ref.name}:{first}",),
                created_at=made[first],
            )
            for number, first in kept.items()
        )

    def _return_to(self, revision: int) -> None:
        """The template of a revision gets a new number, and keeps its name, its UID and its age."""
        first = self.returned.pop(revision, revision)
        self.revision = max(self.revision, revision) + 1
        self.returned[self.revision] = first

    def claim(self, ref: ObjectRef, fence: Fence) -> Marked:
        """It, or its autoscaler, is under this epoch from now on. Raises Fenced, NotFound."""
        scaler = self.scaler if ref.kind == HPA else None
        if ref.kind == HPA and scaler is None:
            raise NotFound(f"{ref} does not exist")
        kept = self.annotations if scaler is None else scaler.annotations
        if epoch_of(kept) > fence.epoch:
            raise Fenced(f"{ref} carries epoch {epoch_of(kept)}, ours is {fence.epoch}")
        kept[EPOCH_ANNOTATION] = str(fence.epoch)
        return self.snapshot() if scaler is None else scaler.snapshot(self.ref)

    def apply(self, change: ClusterChange, fence: Fence) -> None:
        """What the change does: whatever runs afterwards is well."""
        match change:
            case RunJob() | CordonNode() | UncordonNode():
                return  # it leaves the workload as it is
            case DeletePod() | EvictPod():
                self.sick = max(self.sick - (not change.ready), 0)
                self.restarted = max(self.restarted - change.ready, 0)
                self.made += 1
                return
            case ScaleWorkload(replicas=replicas):
                self._scale(replicas)
            case RestartWorkload():
                self._roll_out()
            case RollBackWorkload(revision=revision):
                self._roll_out()
                self._return_to(revision)
            case SetContainerImage():
                self._roll_out()
                self.images = {**(self.images or {MAIN: BEFORE}), change.container: change.image}
                self.revision += 1
            case SetContainerResources():
                self._roll_out()
                self.resources[change.container] = change.resources
                self.revision += 1
            case IsolateWorkload():
                self._scale(0)
                self.annotations[ISOLATED_REPLICAS] = str(change.seen)
                self.annotations[ISOLATED_UNTIL] = say_until(change.until)
            case RestoreWorkload():
                self._scale(change.replicas)
                for key in (ISOLATED_REPLICAS, ISOLATED_UNTIL):
                    self.annotations.pop(key, None)
            case SetAutoscalerBounds():
                assert self.scaler is not None, "it was planned from it"
                self.scaler.least, self.scaler.most = change.least, change.most
                self.scaler.annotations[EFFECT_ANNOTATION] = fence.effect
                if self.desired:
                    self._scale(min(max(self.desired, change.least), change.most))
                return
            case _:
                assert_never(change)
        self.generation += 1
        self.annotations[EFFECT_ANNOTATION] = fence.effect

    def _scale(self, replicas: int) -> None:
        self.desired = self.pods = replicas
        self.sick = self.restarted = 0

    def _roll_out(self) -> None:
        self.pods, self.sick, self.restarted = self.desired, 0, 0
        self.made += self.desired

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
    machine = _to_be_changed(runbook, ref)
    machine.expect(runbook)
    return machine


def _to_be_changed(runbook: Runbook, ref: WorkloadRef) -> Machine:
    for step in runbook.steps:
        match step.action:
            case "scale":
                return _to_be_scaled(step, ref)
            case "isolate":  # which costs no healthy pod
                return Machine(ref=ref, desired=HEALTHY, pods=HEALTHY, sick=HEALTHY)
            case "restore":
                memory = {ISOLATED_REPLICAS: str(HEALTHY)}
                return Machine(ref=ref, desired=0, pods=0, sick=0, annotations=memory)
            case "hpa":
                pods = 1 if step.params.get("max") == 1 else HEALTHY
                return Machine(ref=ref, desired=pods, pods=pods, sick=0)
            case _:
                continue
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
    usual = max(HEALTHY, facts.ready or 0) if facts.isolated is None else 0
    desired = facts.replicas if facts.replicas is not None else usual
    ready = facts.ready if facts.ready is not None else max(desired - 1, 0)
    annotations = {IGNORE_ANNOTATION: "true"} if facts.ignored else {}
    if facts.isolated is not None:
        annotations[ISOLATED_REPLICAS] = str(facts.isolated)
    if facts.kept_by == "argocd":
        annotations[TRACKING] = f"{ref.namespace}:apps/{ref.kind}:{ref.namespace}/{ref.name}"
    pods = max(desired, ready)
    return Machine(
        ref=ref,
        desired=desired,
        pods=pods,
        sick=pods - ready,
        restarted=facts.restarted,
        annotations=annotations,
        facts=facts,
        images=dict(facts.images),
        scaler=None if facts.autoscaler is None else Scaler(*facts.autoscaler),
    )


def _number(params: Mapping[str, object], key: str, default: int) -> int:
    value = params.get(key, default)
    return value if isinstance(value, int) else default
