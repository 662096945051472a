"""A cluster that says what a test says, for whoever only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from remediator.core.cluster import Autoscaler, Budget, ClusterEvent, Endpoints, Pod, Revision, Workload
from remediator.core.errors import NotFound, RemediatorError
from remediator.core.objects import ObjectRef
from remediator.core.owners import Named
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant

NOW = Instant(1_790_000_000_000)
WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
WORKLOAD = Workload(
    ref=WEB, uid="w", generation=1, observed_generation=1, desired=3, total=3, updated=3, ready=1, available=1
)
READY = Pod(name="web-a", phase="Running", ready=True, restarts=0, uid="a", node="node1", containers=("web",))
CRASHING = replace(
    READY,
    name="web-b",
    uid="b",
    ready=False,
    restarts=4,
    state="CrashLoopBackOff (OOMKilled)",
    suspect="web",
    last_end="OOMKilled (exit 137)",
)


@dataclass(kw_only=True)
class Cluster:
    """A cluster that says what a test says. ``logs``: lines by ``pod/container``, ``previous`` appended."""

    found: tuple[Pod, ...] = (READY, CRASHING)
    history: tuple[Revision, ...] = ()
    told: tuple[ClusterEvent, ...] = ()
    written: Mapping[str, Sequence[str] | RemediatorError] = field(default_factory=dict)
    behind: Endpoints | RemediatorError | None = None
    asked: list[str] = field(default_factory=list)

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The one workload."""
        return replace(WORKLOAD, ref=ref)

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """Its pods."""
        return self.found

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """Its revisions."""
        return self.history

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """None."""
        return ()

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """None."""
        return ()

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        """Whatever was told."""
        self.asked += [pod.name for pod in pods]
        return self.told

    async def logs(
        self, namespace: str, pod: str, container: str, *, tail: int, previous: bool = False
    ) -> tuple[str, ...]:
        """What was written."""
        key = f"{pod}/{container}" + ("/previous" if previous else "")
        self.asked.append(f"{key}:{tail}")
        found = self.written.get(key, NotFound(f"{key} has no log"))
        if isinstance(found, RemediatorError):
            raise found
        return tuple(found[-tail:])

    async def named(self, ref: ObjectRef) -> Named:
        """Itself, and nobody's."""
        self.asked.append(ref.path)
        return Named(ref=ref, uid=f"uid-{ref.path}")

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """What is behind."""
        self.asked.append(f"{namespace}/{service}")
        if isinstance(self.behind, RemediatorError):
            raise self.behind
        return self.behind or Endpoints(ready=0, not_ready=0)
