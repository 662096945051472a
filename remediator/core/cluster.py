"""The cluster as decisions see it: read-only snapshots, and the two ways to it: reading and changing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from remediator.core.alerts import Alert
from remediator.core.changes import ClusterChange, Fence, RunJob
from remediator.core.errors import NotFound
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import CronJob, Job
from remediator.core.nodes import NodeState
from remediator.core.objects import ObjectRef
from remediator.core.owners import Named
from remediator.core.ownership import FieldManager
from remediator.core.policies import Service, WorkloadRef
from remediator.core.silencing import Author
from remediator.core.times import Instant, Millis

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


class Marked(Protocol):
    """An object that carries an epoch and a mark."""

    @property
    def generation(self) -> int:
        """Of its specification; 0 where its kind counts none."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """All of them."""

    @property
    def epoch(self) -> int:
        """The epoch it was last claimed under; 0 when never, or when somebody wrote nonsense there."""


def epoch_of(annotations: Mapping[str, str]) -> int:
    """The epoch among an object's annotations; 0 when there is none, or nonsense."""
    text = annotations.get(EPOCH_ANNOTATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """A container of a template. ``resources``: as the API server writes them; None: it has none."""

    name: str
    image: str = ""
    resources: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A snapshot of a Deployment, StatefulSet or DaemonSet. Counts are pods.

    Or of a Node, which ``node`` tells: it counts as one pod, ready while it is.

    ``max_unavailable``: how many pods its rollout strategy takes away before new ones are ready.
    ``heedless``: it takes the next in order, whether others are down or not. ``containers``: those of its
    template, in their order, without init containers. ``managers``: who wrote which fields of it.
    """

    ref: WorkloadRef
    uid: str
    generation: int
    observed_generation: int
    desired: int
    total: int
    updated: int
    ready: int
    available: int
    max_unavailable: int = 0
    heedless: bool = False
    paused: bool = False
    annotations: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    managers: tuple[FieldManager, ...] = ()
    node: NodeState | None = None

    @property
    def epoch(self) -> int:
        """The epoch it was last claimed under; 0 when never, or when somebody wrote nonsense there."""
        return epoch_of(self.annotations)

    @property
    def is_ready(self) -> bool:
        """Whether as many pods are ready as it wants, which is at least one, by its newest specification."""
        return self.observed_generation >= self.generation and self.ready >= self.desired > 0

    @property
    def readiness(self) -> str:
        """That in words."""
        unseen = "" if self.observed_generation >= self.generation else ", change not yet seen"
        return f"{self.ready} of {self.desired} pods ready{unseen}"

    @property
    def rolled_out(self) -> bool:
        """Whether the newest template runs everywhere. Source: ``kubectl rollout status``."""
        return (
            self.observed_generation >= self.generation
            and self.updated >= self.desired
            and self.total <= self.updated
            and self.available >= self.desired
        )

    @property
    def taken_by_rollout(self) -> int:
        """How many ready pods a rollout that began now would take away at its worst moment."""
        if self.heedless:
            return min(self.ready, self.max_unavailable)
        return max(0, min(self.ready, self.ready - (self.desired - self.max_unavailable)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pod:
    """A snapshot of a pod. ``state`` is the reason a person would look for, such as CrashLoopBackOff.

    ``suspect``: the container that gives this reason, an init container too; empty when all are well.
    ``last_end``: how the last run that ended did, such as ``OOMKilled (exit 137)``; empty when none did.
    ``controller``: what made it and will make another, such as ``replicaset/web-5d9c7``; empty when nothing.
    ``claims``: names of the PersistentVolumeClaims that it mounts. ``resources``: what its containers ask for
    and may have at most, by name, as the API server writes it. ``fixed``: its kubelet runs it by itself (a
    mirror pod). ``scratch``: it has an emptyDir, whose data goes with it. ``ignored``: it has opted out.
    """

    name: str
    phase: str
    ready: bool
    restarts: int
    uid: str = ""
    state: str = ""
    node: str = ""
    containers: tuple[str, ...] = ()
    created_at: Instant = Instant(0)
    terminating: bool = False
    suspect: str = ""
    last_end: str = ""
    controller: str = ""
    claims: tuple[str, ...] = ()
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    namespace: str = ""
    fixed: bool = False
    scratch: bool = False
    ignored: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One revision of a workload's template, as ``kubectl rollout history`` knows it.

    ``name`` and ``uid`` are those of the ReplicaSet or ControllerRevision that keeps it; ``images`` those of
    its containers. ``pods`` and ``ready`` count what still runs of it; None where the API does not tell.
    """

    number: int
    name: str
    uid: str
    current: bool
    images: tuple[str, ...] = ()
    created_at: Instant = Instant(0)
    cause: str = ""
    pods: int | None = None
    ready: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterEvent:
    """An Event of Kubernetes. ``about``: what it speaks of, such as ``pod/web-1``; ``at``: when last seen."""

    at: Instant
    warning: bool
    reason: str
    about: str
    message: str
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """A PodDisruptionBudget over the workload's pods. ``allowed``: how many more it lets go now."""

    name: str
    allowed: int
    healthy: int
    wanted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler that scales the workload. ``least``, ``most``: its bounds, in pods."""

    ref: ObjectRef
    uid: str
    least: int
    most: int
    generation: int = 0
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    managers: tuple[FieldManager, ...] = ()

    @property
    def epoch(self) -> int:
        """The epoch it was last claimed under; 0 when never, or when somebody wrote nonsense there."""
        return epoch_of(self.annotations)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """How many addresses stand behind a Service, ready to be sent requests or not."""

    ready: int
    not_ready: int


class Need(StrEnum):
    """What an action must see of its target, beside the workload itself, to plan."""

    PODS = "pods"
    REVISIONS = "revisions"
    AUTOSCALERS = "autoscalers"
    USAGE = "usage"
    ALERTS = "alerts"
    """Of the incident, not of the target: Alertmanager lists them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What an action plans from. Only what it needs was read; the rest is empty.

    ``service``: what the catalog says of the target's service. ``alerts``: those of the incident that fire,
    as Alertmanager lists them. ``author``: the step that is planned.
    """

    workload: Workload
    pods: tuple[Pod, ...] = ()
    revisions: tuple[Revision, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    usage: tuple[PodUsage, ...] = ()
    service: Service | None = None
    cron_job: CronJob | None = None
    """The one whose template is run, where the action runs one."""
    alerts: tuple[Alert, ...] = ()
    author: Author | None = None

    def annotations_of(self, ref: ObjectRef) -> Mapping[str, str]:
        """Those of an object in it; none when it is not."""
        there: tuple[tuple[ObjectRef, Marked], ...] = (
            (self.workload.ref, self.workload),
            *((each.ref, each) for each in self.autoscalers),
        )
        return next((each.annotations for place, each in there if place.path == ref.path), {})


class ClusterReader(Protocol):
    """Reading snapshots. Raises NotFound, Refused (a permission is missing) and Retryable."""

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The workload, or the node, of that name."""

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """Those of the named that exist, from one list of their kind in the namespace."""

    async def nodes(self) -> tuple[Workload, ...]:
        """Every node of the cluster, by name."""

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The pods its selector selects; of a node all that are on it, of every namespace."""

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """Its revisions, newest first."""

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """The disruption budgets that select its pods."""

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """The HorizontalPodAutoscalers that scale it, by name."""

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        """Events about the workload and about those pods, newest first."""

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail: int,
        previous: bool = False,
        since: Millis | None = None,
    ) -> tuple[str, ...]:
        """The last ``tail`` lines of a container, oldest first; ``previous``: of the run before this one.

        ``since``: only those written so long ago or later; Refused where they are longer than can be read.
        """

    async def named(self, ref: ObjectRef) -> Named:
        """The object of that name: a workload, a pod, or what may own one."""

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """What stands behind the Kubernetes Service of that name."""

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """The PersistentVolumeClaims of the workload and of those pods, by name.

        Those of pods that are not there now are among them; one that is named and is not there is Missing.
        """

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """What its pods use, as far as it was measured. NotFound: this cluster has no metrics API."""

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """The CronJob of that name."""

    async def job(self, namespace: str, name: str) -> Job:
        """The Job of that name."""

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """The pods that it made."""


async def read_snapshot(
    reader: ClusterReader, workload: Workload, needs: frozenset[Need], *, cron_job: str = ""
) -> Snapshot:
    """The workload as seen, and what else is needed of it. Raises what the reader raises.

    ``cron_job``: the name of the one that is needed, in the workload's namespace; empty: none is.
    """
    return Snapshot(
        workload=workload,
        pods=await reader.pods(workload) if Need.PODS in needs else (),
        revisions=await reader.revisions(workload) if Need.REVISIONS in needs else (),
        autoscalers=await reader.autoscalers(workload) if Need.AUTOSCALERS in needs else (),
        usage=await _measured(reader, workload) if Need.USAGE in needs else (),
        cron_job=await reader.cron_job(workload.ref.namespace, cron_job) if cron_job else None,
    )


async def _measured(reader: ClusterReader, workload: Workload) -> tuple[PodUsage, ...]:
    """Raises NotFound where nothing is measured: nobody is to guess."""
    try:
        return await reader.usage(workload)
    except NotFound as error:
        raise NotFound(f"what the pods of {workload.ref} use is unknown: {error}") from error


async def read_workloads(reader: ClusterReader, refs: Sequence[WorkloadRef]) -> tuple[Workload, ...]:
    """Those that exist, with one list for each kind in each namespace. Raises what the reader raises."""
    named: dict[tuple[str, str], set[str]] = {}
    for ref in refs:
        named.setdefault((ref.kind, ref.namespace), set()).add(ref.name)
    return tuple(
        [
            each
            for (kind, namespace), names in named.items()
            for each in await reader.workloads(kind, namespace, frozenset(names))
        ]
    )


class Executor(Protocol):
    """The only thing in the program that can change objects of a cluster.

    Raises NotFound, Refused, Fenced, Retryable (it surely did not happen) and Unknown (it may have).
    """

    async def dry_run(self, change: ClusterChange) -> None:
        """Have the server check the change, permissions included, without making it."""

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Marked:
        """Write the epoch to the object, so that no older owner can change it; its state after that."""

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        """Have the step's Job there, asleep and under our epoch; or as it is, where it was woken already.

        What is asleep runs nothing: that may be done more than once. ``apply`` then wakes the very Job.
        """

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """Make the change if what it is fenced on is still that object and still carries our epoch."""
