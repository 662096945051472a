"""One replica's ways to the outside: the cluster, programs, services, Prometheus, Alertmanagers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from random import Random
from typing import TypeVar

from remediator.core.changes import ClusterChange, Fence, RunJob, SendRequest
from remediator.core.cluster import (
    Autoscaler,
    Budget,
    ClusterEvent,
    Endpoints,
    Marked,
    Pod,
    Revision,
    Workload,
)
from remediator.core.errors import Fenced, NotFound, Refused, Retryable, Unknown
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import JOB, CronJob, Job
from remediator.core.objects import ObjectRef
from remediator.core.plugins import HttpAnswer
from remediator.core.policies import WorkloadRef
from remediator.core.probing import authority
from remediator.core.programs import Ended, Program
from remediator.core.requests import HttpReply, HttpRequest
from remediator.core.times import Millis
from remediator.testing.simulation.cluster import Caller, SimCluster
from remediator.testing.simulation.machines import Machine
from remediator.testing.simulation.replica import SHORTLY, Replica
from remediator.testing.simulation.sights import (
    autoscaler_of,
    pods_of,
    revisions_of,
    snapshot_of,
    usage_of,
)

T = TypeVar("T")

NAMESPACE = "sim"
DOMAIN = "sim.example"
"""Service ``x`` listens at ``x.sim.example``."""
WORKING_ON: ContextVar[tuple[str, bool]] = ContextVar("WORKING_ON", default=("", False))
"""What the task that calls is at work for: the step, or the look, and whether it is one of those. Programs
carry no mark of their own."""


class Late:
    """Calls that can linger on the wire and land long after their caller gave up."""

    def __init__(self, cluster: SimCluster, replica: Replica, rng: Random) -> None:
        self._cluster, self._replica, self._rng = cluster, replica, rng

    def _caller(self) -> Caller:
        asked_at = self._replica.monotonic()
        frozen = self._replica.froze_for if asked_at - self._replica.froze_at < SHORTLY else 0.0
        return Caller(replica=self._replica.name, asked_at=asked_at, frozen_for=frozen)

    async def _land(self, work: Callable[[], T], silent: str) -> T:
        """Raises Unknown when it lingers, and what the work raises."""
        if self._rng.random() < self._replica.chaos.error * 4:
            loop = asyncio.get_running_loop()
            loop.call_later(self._rng.choice([0.5, 5.0, 30.0]), _land_late, work)
            await asyncio.sleep(1.0)
            raise Unknown(f"{silent} did not answer in time")
        return work()


def _land_late(work: Callable[[], object]) -> None:
    try:
        work()
    except (Fenced, NotFound, Refused, Retryable):
        return  # that is what the epoch and the identity are for


class SimPorts(Late):
    """``ClusterReader`` and ``Executor``. ``shy``: whether many dead workloads are never seen as such."""

    def __init__(self, cluster: SimCluster, replica: Replica, rng: Random, *, shy: bool) -> None:
        super().__init__(cluster, replica, rng)
        self._shy = shy

    def _see(self, ref: ObjectRef) -> Machine:
        self._cluster.see("cluster")
        return self._cluster.machine(ref)

    async def workload(self, ref: WorkloadRef) -> Workload:
        """As the Protocol says."""
        return snapshot_of(self._see(ref), self._cluster.now)

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """As the Protocol says. Where it is ``shy``, one pod of each looks ready.

        Here every service may break at once, which the guard ``observer`` does not believe: it would keep
        the replicas from competing for limits and leases in every run.
        """
        self._cluster.see("cluster")
        machines = [
            machine
            for path, machine in self._cluster.machines.items()
            if path in {f"{namespace}/{kind}/{name}" for name in names}
        ]
        seen = (snapshot_of(machine, self._cluster.now) for machine in machines)
        return tuple(_not_dead(one) if self._shy else one for one in seen)

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """As the Protocol says."""
        return pods_of(self._see(workload.ref), self._cluster.now)

    async def nodes(self) -> tuple[Workload, ...]:
        """None is told: nothing here is about one."""
        return ()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """As the Protocol says."""
        return revisions_of(self._see(workload.ref))

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """As the Protocol says."""
        machine = self._see(workload.ref)
        allowed = machine.traits.disruptions
        if allowed is None:
            return ()
        ready = machine.ready(self._cluster.now)
        return (Budget(name="pdb", allowed=allowed, healthy=ready, wanted=machine.desired),)

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """As the Protocol says."""
        machine = self._see(workload.ref)
        return (autoscaler_of(machine),) if machine.traits.scaled else ()

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        """Nobody tells any."""
        self._cluster.see("cluster")
        return ()

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
        """A pod that is sick complains."""
        self._cluster.see("cluster")
        for machine in self._cluster.machines.values():
            found = next((one for one in machine.pods if one.uid == pod), None)
            if found is not None:
                return ("ERROR: down",) if found.sick else ("up",)
        raise NotFound(f"pod {pod} is gone")

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """Services are called as their workloads."""
        machine = self._see(WorkloadRef(kind="deployment", namespace=namespace, name=service))
        ready = machine.ready(self._cluster.now)
        return Endpoints(ready=ready, not_ready=len(machine.pods) - ready)

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """None."""
        return ()

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """As the Protocol says."""
        return usage_of(self._see(workload.ref), self._cluster.now)

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """As the Protocol says."""
        self._cluster.see("cluster")
        return self._cluster.jobs.source(name)

    async def job(self, namespace: str, name: str) -> Job:
        """As the Protocol says."""
        self._cluster.see("cluster")
        found = self._cluster.jobs.get(ObjectRef(kind=JOB, namespace=namespace, name=name))
        return found.seen(self._cluster.now)

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """None is left."""
        return ()

    # --- Executor ---

    async def dry_run(self, change: ClusterChange) -> None:
        """As the Protocol says."""
        self._cluster.see("cluster")
        self._cluster.dry_run(change)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Marked:
        """As the Protocol says."""
        return self._cluster.claim(target, fence)

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        """As the Protocol says."""
        return self._cluster.prepare(change, fence)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """As the Protocol says."""
        caller = self._caller()
        await self._land(lambda: self._cluster.apply(change, fence, caller), "the API server")


def _not_dead(seen: Workload) -> Workload:
    return replace(seen, ready=max(seen.ready, 1))


class SimPrograms(Late):
    """``ProgramRunner``."""

    async def permit(self, program: Program) -> None:
        """As the Protocol says."""
        self._cluster.see("cluster")
        self._cluster.permit(self._cluster.machine(program.of), str(program))

    async def run(self, program: Program) -> Ended:
        """As the Protocol says."""
        caller, (effect, looks) = self._caller(), WORKING_ON.get()
        return await self._land(
            lambda: self._cluster.run(program, effect, caller, looks=looks), "the program"
        )


class SimServices(Late):
    """``HttpSender`` and ``HttpProber``: every service answers for itself."""

    def _machine(self, url: str, hosts: Collection[str]) -> Machine:
        host = authority(url)
        if host not in hosts:
            raise Refused(f"{host} is no host of the catalog")
        name = host.partition(".")[0]
        return self._cluster.machine(WorkloadRef(kind="deployment", namespace=NAMESPACE, name=name))

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        """As the Protocol says."""
        self._cluster.permit(self._machine(request.url, hosts), str(request))

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        """As the Protocol says."""
        machine, caller = self._machine(request.url, hosts), self._caller()
        change = SendRequest(target=machine.ref, uid="", request=request, expect=())
        status = await self._land(lambda: self._cluster.act(change, key, caller), "the service")
        return HttpReply(status=status, text="")

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        """As the Protocol says."""
        machine = self._machine(url, hosts)
        well = machine.healthy(self._cluster.now) and not machine.broken
        return HttpAnswer(status=200 if well else 503, text="")


class SimMetrics:
    """A Prometheus that knows two metrics, ``broken{service="x"}`` and its share of ``errors``."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """As ``core.plugins.Metrics`` says."""
        self._cluster.see("prometheus")
        name = promql.partition('"')[2].partition('"')[0]
        machine = self._cluster.machines.get(f"{NAMESPACE}/deployment/{name}")
        if machine is None:
            return ()
        if "errors{" in promql:
            return (({}, 0.0095 if machine.traits.spent else 0.0005),)
        return (({"service": name}, float(machine.broken)),)
