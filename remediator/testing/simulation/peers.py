"""The simulated cluster and pager: what they do, and what they do when answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random

from remediator.core.changes import ClusterChange, DeletePod, Fence, RestartWorkload, RunJob
from remediator.core.cluster import (
    EFFECT_ANNOTATION,
    EPOCH_ANNOTATION,
    Autoscaler,
    Budget,
    ClusterEvent,
    Endpoints,
    Pod,
    Revision,
    Workload,
)
from remediator.core.errors import Fenced, NotFound, Refused, Retryable, Unknown
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import CronJob, Job
from remediator.core.journal import PageKind
from remediator.core.objects import ObjectRef
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import WorkloadRef
from remediator.core.times import Millis
from remediator.testing.simulation.history import Changed, Claimed, History, PagerGot
from remediator.testing.simulation.machines import Machine, SimPod
from remediator.testing.simulation.replica import SHORTLY, Replica

LOOKED_BEFORE = 60.0
"""Virtual seconds between a look and the commit of what it found: a replica may freeze in between."""
ROLLOUT = 8.0
"""Virtual seconds a rollout takes."""
STARTS = 3.0
"""Virtual seconds until a new pod is ready."""


class SimCluster:
    """The state of the cluster, shared by all replicas. ``fences``: whether it tests epochs (it must)."""

    def __init__(self, history: History, on_heal: Callable[[str], None], *, fences: bool = True) -> None:
        self.machines: dict[str, Machine] = {}
        self._history, self._on_heal, self._fences = history, on_heal, fences

    def add(self, machine: Machine) -> None:
        """A workload exists from now on."""
        self.machines[machine.ref.path] = machine

    def _machine(self, ref: ObjectRef) -> Machine:
        machine = self.machines.get(ref.path)
        if machine is None:
            raise NotFound(f"{ref} does not exist")
        return machine

    def healthy(self, ref: WorkloadRef) -> bool:
        """Whether it works now."""
        return self.ready(self._machine(ref)) == 2

    def ready(self, machine: Machine) -> int:
        """How many of its pods are ready now."""
        now = self._history.now()
        if now - machine.rolled_at < ROLLOUT:
            return 0
        return sum(self.pod_ready(pod) for pod in machine.pods)

    def pod_ready(self, pod: SimPod) -> bool:
        """Whether that pod is ready now, if no rollout is under way."""
        return not pod.sick and self._history.now() - pod.made_at >= STARTS

    def was_healthy(self, ref: WorkloadRef) -> bool:
        """Whether it works, or broke so lately that whoever looked before could not know."""
        return self.healthy(ref) or self._history.now() - self._machine(ref).broke_at < LOOKED_BEFORE

    def snapshot(self, ref: WorkloadRef) -> Workload:
        """As the API server would answer."""
        machine = self._machine(ref)
        rolling = self._history.now() - machine.rolled_at < ROLLOUT
        ready = self.ready(machine)
        return Workload(
            ref=ref,
            uid=f"uid-{ref.name}",
            generation=machine.generation,
            observed_generation=machine.generation,
            desired=2,
            total=3 if rolling else 2,
            updated=1 if rolling else 2,
            ready=ready,
            available=ready,
            annotations=dict(machine.annotations),
        )

    def pods(self, ref: WorkloadRef) -> tuple[Pod, ...]:
        """As the API server would list them."""
        machine = self._machine(ref)
        some = self.ready(machine) > 0
        return tuple(
            Pod(
                name=pod.uid,
                phase="Running",
                ready=some and self.pod_ready(pod),
                restarts=0,
                uid=pod.uid,
                controller=f"replicaset/{ref.name}-5d9c7",
            )
            for pod in machine.pods
        )

    def claim(self, ref: ObjectRef, fence: Fence) -> Workload:
        """Write the epoch, unless a newer one is there."""
        machine = self._machine(ref)
        seen = self.snapshot(machine.ref)
        if self._fences and seen.epoch > fence.epoch:
            raise Fenced(f"{ref} carries epoch {seen.epoch}, ours is {fence.epoch}")
        machine.annotations[EPOCH_ANNOTATION] = str(fence.epoch)
        self._history.add(Claimed(target=ref.path, epoch=fence.epoch, at=self._history.now()))
        return self.snapshot(machine.ref)

    def apply(self, change: ClusterChange, fence: Fence, asked_at: float, frozen_for: float) -> None:
        """Restart, if the epoch still is the caller's; or take a pod away, whoever asks."""
        machine, seen = self._machine(change.target), self.snapshot(change.target)
        if isinstance(change, DeletePod):
            self._delete(machine, change, fence, asked_at, frozen_for)
            return
        if not isinstance(change, RestartWorkload):
            raise Refused(f"the simulated cluster cannot {change}")
        if self._fences and seen.epoch != fence.epoch:
            raise Fenced(f"{change.target} carries epoch {seen.epoch}, ours is {fence.epoch}")
        rolled = machine.restarted_at != change.at
        machine.annotations[EFFECT_ANNOTATION] = fence.effect
        machine.restarted_at = change.at
        if rolled:
            machine.generation += 1
            machine.rolled_at = self._history.now()
            machine.replace_all(machine.rolled_at)
            self._heal(machine)
        self._history.add(
            Changed(
                target=change.target.path,
                epoch=fence.epoch,
                effect=fence.effect,
                rolled=rolled,
                asked_at=asked_at,
                at=self._history.now(),
                frozen_for=frozen_for,
            )
        )

    def _delete(
        self, machine: Machine, change: DeletePod, fence: Fence, asked_at: float, frozen_for: float
    ) -> None:
        """By UID, and by nothing else: pods carry no epoch."""
        if not machine.remove(change.pod_uid, self._history.now()):
            return
        self._history.add(
            Changed(
                target=change.target.path,
                epoch=fence.epoch,
                effect=fence.effect,
                rolled=True,
                asked_at=asked_at,
                at=self._history.now(),
                frozen_for=frozen_for,
                pod=change.pod_uid,
            )
        )
        self._heal(machine)

    def _heal(self, machine: Machine) -> None:
        if machine.broken and not any(pod.sick for pod in machine.pods):
            machine.mend()
            self._on_heal(machine.ref.name)


class SimPorts:
    """One replica's way to the cluster: ``ClusterReader`` and ``Executor``."""

    def __init__(self, cluster: SimCluster, replica: Replica, rng: Random) -> None:
        self._cluster, self._replica, self._rng = cluster, replica, rng

    async def workload(self, ref: WorkloadRef) -> Workload:
        """As the Protocol says."""
        return self._cluster.snapshot(ref)

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """As the Protocol says, but that none looks dead.

        Here every service may break at once, which the guard ``observer`` does not believe: it would keep the
        replicas from competing for limits and leases.
        """
        refs = (WorkloadRef(kind=kind, namespace=namespace, name=name) for name in sorted(names))
        return tuple(replace(seen, ready=max(seen.ready, 1)) for seen in map(self._cluster.snapshot, refs))

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """As the Protocol says."""
        return self._cluster.pods(workload.ref)

    async def nodes(self) -> tuple[Workload, ...]:
        """None is told."""
        return ()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """Nothing was ever rolled out."""
        return ()

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """There are none."""
        return ()

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """There are none."""
        return ()

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        """Nobody tells any."""
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
        """Nothing was written."""
        return ()

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """None stand behind anything."""
        return Endpoints(ready=0, not_ready=0)

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """None."""
        return ()

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """Raises NotFound: nobody measures here."""
        raise NotFound("no metrics API here")

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """There are none."""
        raise NotFound(f"cronjob/{name} does not exist")

    async def job(self, namespace: str, name: str) -> Job:
        """There are none."""
        raise NotFound(f"job/{name} does not exist")

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """There are none."""
        return ()

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        """No step of the simulation runs one."""
        raise NotFound(f"cronjob/{change.source} does not exist")

    async def dry_run(self, change: ClusterChange) -> None:
        """As the Protocol says."""
        self._cluster.snapshot(change.target)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Workload:
        """As the Protocol says."""
        return self._cluster.claim(target, fence)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """As the Protocol says. A write can linger on the wire and land long after its caller gave up."""
        asked_at = self._replica.monotonic()
        frozen = self._replica.froze_for if asked_at - self._replica.froze_at < SHORTLY else 0.0
        if self._rng.random() < self._replica.chaos.error * 4:
            loop = asyncio.get_running_loop()
            loop.call_later(
                self._rng.choice([0.5, 5.0, 30.0]), self._land_late, change, fence, asked_at, frozen
            )
            await asyncio.sleep(1.0)
            raise Unknown("the API server did not answer in time")
        self._cluster.apply(change, fence, asked_at, frozen)

    def _land_late(self, change: ClusterChange, fence: Fence, asked_at: float, frozen: float) -> None:
        try:
            self._cluster.apply(change, fence, asked_at, frozen)
        except Fenced:
            return  # that is what the epoch is for


class SimMetrics:
    """A Prometheus that knows one metric: ``broken{service="x"}`` is 1 while x is."""

    def __init__(self, cluster: SimCluster) -> None:
        self._cluster = cluster

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """As ``core.plugins.Metrics`` says."""
        name = promql.partition('"')[2].rstrip('"}')
        machine = self._cluster.machines.get(f"sim/deployment/{name}")
        return () if machine is None else (({"service": name}, float(machine.broken)),)


class SimPager:
    """PagerDuty, which takes events and sometimes does not say so."""

    def __init__(self, history: History, rng: Random, chaos_error: Callable[[], float]) -> None:
        self._history, self._rng, self._error = history, rng, chaos_error

    async def send(self, message: ChannelMessage) -> str:
        """As the Protocol says."""
        if self._rng.random() < self._error() * 4:
            raise Retryable("429: slow down", delay=self._rng.choice([None, 3000]))
        self.got(message.dedup_key, message.kind)
        return "Event processed"

    def got(self, dedup_key: str, kind: PageKind) -> None:
        """Taken."""
        self._history.add(PagerGot(dedup_key=dedup_key, kind=kind, at=self._history.now()))
