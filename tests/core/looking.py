"""A cluster that says what a test says, for whoever only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from remediator.core.cluster import Autoscaler, Budget, ClusterEvent, Endpoints, Pod, Revision, Workload
from remediator.core.errors import NotFound, RemediatorError
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import CronJob, Job
from remediator.core.objects import ObjectRef
from remediator.core.owners import Named
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant, Millis

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
    claimed: tuple[Claim, ...] = ()
    measured: tuple[PodUsage, ...] | None = None
    behind: Endpoints | RemediatorError | None = None
    ran: Job | RemediatorError | None = None
    asked: list[str] = field(default_factory=list)

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The one workload."""
        return replace(WORKLOAD, ref=ref)

    async def nodes(self) -> tuple[Workload, ...]:
        """None."""
        return ()

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """All of them."""
        refs = (WorkloadRef(kind=kind, namespace=namespace, name=name) for name in sorted(names))
        return tuple(replace(WORKLOAD, ref=ref) for ref in refs)

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
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail: int,
        previous: bool = False,
        since: Millis | None = None,
    ) -> tuple[str, ...]:
        """What was written."""
        key = f"{pod}/{container}" + ("/previous" if previous else "")
        self.asked.append(f"{key}:{tail}" + (f":{since}" if since is not None else ""))
        found = self.written.get(key, NotFound(f"{key} has no log"))
        if isinstance(found, RemediatorError):
            raise found
        return tuple(found[-tail:])

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """None."""
        raise NotFound(f"cronjob/{name} does not exist")

    async def job(self, namespace: str, name: str) -> Job:
        """The one that a test says."""
        self.asked.append(f"{namespace}/job/{name}")
        if isinstance(self.ran, RemediatorError):
            raise self.ran
        if self.ran is None:
            raise NotFound(f"job/{name} does not exist")
        return self.ran

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """All there are."""
        return self.found

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

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """Whatever is claimed."""
        return self.claimed

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """What was measured."""
        if self.measured is None:
            raise NotFound("no metrics API here (metrics.k8s.io): install metrics-server")
        return self.measured
