"""The cluster of a rehearsal: ``ClusterReader`` and ``Executor`` over workloads that live in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from remediator.core.changes import ClusterChange, CordonNode, EvictPod, Fence, RunJob, UncordonNode
from remediator.core.cluster import (
    IGNORE_ANNOTATION,
    Autoscaler,
    Budget,
    ClusterEvent,
    Endpoints,
    Marked,
    Pod,
    Revision,
    Workload,
)
from remediator.core.errors import NotFound, Refused, Unknown
from remediator.core.holdings import Claim, PodUsage
from remediator.core.incident import Attempt, Incident
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.jobs import JOB, CronJob, Job
from remediator.core.objects import NODE, Anchor, ObjectRef
from remediator.core.owners import CHANGEABLE, OWNERS, POD, REPLICASET, Named
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant, Millis
from remediator.rehearsal.jobs import StagedJobs
from remediator.rehearsal.machines import HEALTHY, Machine, expected_by, told_by, uid_of
from remediator.rehearsal.nodes import StagedNode, StagedNodes, node_ref
from remediator.rehearsal.script import NodeFacts, Result, StepOutcome, WorkloadFacts

_OF_POD = re.compile(r"(.+)-[a-z0-9]{1,10}-[a-z0-9]{5}", re.ASCII)
_OF_REPLICASET = re.compile(r"(.+)-[a-z0-9]{1,10}", re.ASCII)
_ORDINAL = re.compile(r"(.+)-[0-9]{1,4}", re.ASCII)
ISOLATED = frozenset((ISOLATED_REPLICAS, ISOLATED_UNTIL))


class Surroundings(Protocol):
    """What the cluster must know of the rehearsal around it."""

    @property
    def now(self) -> Callable[[], Instant]:
        """The virtual clock."""

    @property
    def sleep(self) -> Callable[[Millis], Awaitable[None]]:
        """Lets virtual time pass."""

    def changes_at(self, at: Instant) -> None:
        """What is seen of the cluster changes by itself then."""

    @property
    def strangers(self) -> bool:
        """Whether pods of no known workload belong to one of their own name."""

    @property
    def workloads(self) -> Sequence[WorkloadRef]:
        """Those that the catalog names."""

    def attempt(self) -> tuple[Incident, Attempt] | None:
        """The attempt that the daemon is at work for."""

    def step_said(self) -> StepOutcome | None:
        """What was said of the step that is being performed."""


def _presumed(ref: ObjectRef) -> WorkloadRef:
    """The workload that Kubernetes would have named the object after."""
    if ref.kind == POD and (ordinal := _ORDINAL.fullmatch(ref.name)) is not None:
        return WorkloadRef(kind="statefulset", namespace=ref.namespace, name=ordinal[1])
    hashed = (_OF_POD if ref.kind == POD else _OF_REPLICASET).fullmatch(ref.name)
    name = hashed[1] if hashed is not None else ref.name
    return WorkloadRef(kind="deployment", namespace=ref.namespace, name=name)


class StagedCluster:
    """What the daemon sees of Kubernetes, and what it does to it.

    A workload that nothing is said of is, for every attempt anew, as the attempt's runbook expects it.
    """

    def __init__(self, world: Surroundings) -> None:
        self._world = world
        self._machines: dict[str, Machine] = {}
        self._expected: dict[str, str] = {}
        """For which attempt a workload was made ready."""
        self._facts: dict[str, WorkloadFacts] = {}
        self._in_doubt: set[str] = set()
        self._begun: set[str] = set()
        self._touched: Counter[str] = Counter()
        self._jobs = StagedJobs(world)
        self._nodes = StagedNodes()

    def tell(self, facts: WorkloadFacts | NodeFacts) -> None:
        """From now on the workload, or the node, is like this."""
        if isinstance(facts, NodeFacts):
            self._nodes.tell(facts)
            return
        self._facts[facts.path] = facts
        self._machines.pop(facts.path, None)

    def is_told(self, ref: WorkloadRef | None) -> bool:
        """Whether anything was said of the workload."""
        if ref is not None and ref.kind == NODE:
            return self._nodes.is_told(ref)
        return ref is not None and ref.path in self._facts

    def forbids(self, ref: WorkloadRef) -> bool:
        """Whether the server does not let us change it."""
        if ref.kind == NODE:
            told = self._nodes.facts_of(ref)
            return told is not None and told.forbidden
        return ref.path in self._facts and self._facts[ref.path].forbidden

    def touched(self, path: str) -> int:
        """How often the workload was changed; all of them where any was told: they may be asked about."""
        return self._touched.total() if self._facts else self._touched[path]

    def machine(self, ref: WorkloadRef) -> Machine:
        """The workload of that name. Raises NotFound."""
        facts = self._facts.get(ref.path)
        if facts is not None:
            if facts.missing:
                raise NotFound(f"{ref} does not exist")
            return self._expecting(self._machines.setdefault(ref.path, told_by(facts, ref)))
        attempt = self._world.attempt()
        name = f"{attempt[0].id}/{attempt[1].number}" if attempt is not None else ""
        known = self._machines.get(ref.path)
        if known is None or (name and self._expected.get(ref.path) != name):
            if attempt is not None and not attempt[1].target.startswith(f"/{NODE}/"):
                fresh = expected_by(attempt[1].runbook, ref)
            else:
                fresh = Machine(ref=ref, desired=HEALTHY, pods=HEALTHY, sick=0)
            if known is not None:
                kept = {key: value for key, value in known.annotations.items() if key not in ISOLATED}
                fresh.annotations, fresh.generation = {**kept, **fresh.annotations}, known.generation
            self._machines[ref.path], self._expected[ref.path] = fresh, name
            return fresh
        return known

    def _expecting(self, machine: Machine) -> Machine:
        attempt = self._world.attempt()
        if attempt is not None:
            machine.expect(attempt[1].runbook)
        return machine

    def _scaled_by(self, ref: ObjectRef) -> Machine:
        """The workload that the autoscaler of that name scales. Raises NotFound."""
        for machine in self._machines.values():
            if any(each.ref == ref for each in machine.autoscalers()):
                return machine
        raise NotFound(f"{ref} does not exist")

    def node(self, ref: WorkloadRef) -> StagedNode:
        """The node of that name. Raises NotFound."""
        attempt = self._world.attempt()
        if attempt is None:
            return self._nodes.find(ref)
        return self._nodes.find(ref, f"{attempt[0].id}/{attempt[1].number}", attempt[1].runbook)

    # --- ClusterReader ---

    async def nodes(self) -> tuple[Workload, ...]:
        """As the Protocol says."""
        return self._nodes.all()

    async def workload(self, ref: WorkloadRef) -> Workload:
        """As the Protocol says."""
        self._see(ref)
        if ref.kind == NODE:
            return self.node(ref).snapshot()
        return self.machine(ref).snapshot()

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """As the Protocol says. Those of which nothing is known are well."""
        refs = (WorkloadRef(kind=kind, namespace=namespace, name=name) for name in sorted(names))
        return tuple(machine.snapshot() for ref in refs if (machine := self._bystander(ref)) is not None)

    def _bystander(self, ref: WorkloadRef) -> Machine | None:
        """A workload that is looked at beside the target: no runbook expects anything of it."""
        facts, known = self._facts.get(ref.path), self._machines.get(ref.path)
        if facts is not None and facts.missing:
            return None
        if known is None and facts is not None:
            return told_by(facts, ref)
        return known or Machine(ref=ref, desired=HEALTHY, pods=HEALTHY, sick=0)

    def bystander(self, ref: WorkloadRef) -> Workload:
        """As it is, where anything was told of it; else as it is when it is well. Raises NotFound."""
        machine = self._bystander(ref)
        if machine is None:
            raise NotFound(f"{ref} does not exist")
        return machine.snapshot() if machine.is_well or self.is_told(ref) else machine.healed()

    def _see(self, ref: WorkloadRef) -> None:
        """Raises Refused, once, where nobody is to see what became of a step."""
        if ref.path in self._in_doubt:
            self._in_doubt.discard(ref.path)
            raise Refused(f"the rehearsal lets nobody see what became of {ref}")

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """As the Protocol says."""
        if workload.ref.kind == NODE:
            return self.node(workload.ref).list_pods(self._world.now(), self._controller)
        return self.machine(workload.ref).list_pods(self._world.now())

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """As the Protocol says."""
        attempt = self._world.attempt()
        opened = self._world.now() if attempt is None else attempt[0].opened_at
        return self.machine(workload.ref).revisions(self._world.now(), opened)

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """As the Protocol says."""
        facts = self._facts.get(workload.ref.path)
        if facts is None or facts.budget is None:
            return ()
        return (
            Budget(
                name=workload.ref.name, allowed=facts.budget, healthy=workload.ready, wanted=workload.desired
            ),
        )

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """As the Protocol says."""
        return self.machine(workload.ref).autoscalers()

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

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """As the Protocol says."""
        return self._jobs.cron_job(name)

    async def job(self, namespace: str, name: str) -> Job:
        """As the Protocol says."""
        return self._jobs.job(ObjectRef(kind=JOB, namespace=namespace, name=name))

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """None is left."""
        return ()

    async def named(self, ref: ObjectRef) -> Named:
        """What is named like a workload that is known belongs to it. Raises NotFound."""
        if ref.kind == NODE:
            found = self.node(node_ref(ref.name)).snapshot()
            return Named(ref=ref, uid=found.uid, ignored=IGNORE_ANNOTATION in found.annotations)
        owner = self._owner(ref)
        if owner is None or ((facts := self._facts.get(owner.path)) is not None and facts.missing):
            raise NotFound(f"{ref} does not exist")
        if owner.path == ref.path:
            told = self._facts.get(ref.path)
            return Named(ref=ref, uid=uid_of(ref), ignored=told is not None and told.ignored)
        above: ObjectRef = owner
        if ref.kind == POD and owner.kind not in OWNERS[POD]:
            above = ObjectRef(kind=REPLICASET, namespace=ref.namespace, name=f"{owner.name}-5d9c7")
        return Named(ref=ref, uid=uid_of(ref), controller=Anchor(ref=above, uid=uid_of(above)))

    def _owner(self, ref: ObjectRef) -> WorkloadRef | None:
        """Pods and ReplicaSets belong to the workload whose name they begin with, the longest one."""
        if ref.kind not in (POD, REPLICASET):
            return WorkloadRef(kind=ref.kind, namespace=ref.namespace, name=ref.name)
        told = [path.split("/") for path in self._facts]
        known = [WorkloadRef(kind=kind, namespace=space, name=name) for space, kind, name in told]
        known += self._world.workloads
        of_it = OWNERS[REPLICASET] if ref.kind == REPLICASET else CHANGEABLE
        fits = [one for one in known if one.namespace == ref.namespace and one.kind in of_it]
        fits = [one for one in fits if ref.name == one.name or ref.name.startswith(f"{one.name}-")]
        found = max(fits, key=lambda one: len(one.name), default=None)
        return found if found is not None or not self._world.strangers else _presumed(ref)

    def _controller(self, ref: ObjectRef) -> str:
        """What manages the pod; empty where nothing is known to."""
        owner = self._owner(ref)
        if owner is None:
            return ""
        return str(owner) if owner.kind in OWNERS[POD] else f"{REPLICASET}/{owner.name}-5d9c7"

    def _evict(self, change: EvictPod, fence: Fence) -> None:
        """The pod leaves its node, and its workload has another one elsewhere."""
        ref = ObjectRef(kind=POD, namespace=change.space, name=change.pod)
        self.node(change.target).leave(ref)
        owner = self._owner(ref)
        if owner is not None:
            self.machine(owner).apply(change, fence)

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """As many as there are ready pods of the workload of that name."""
        for path, facts in self._facts.items():  # told of, and perhaps not looked at yet
            space, kind, name = path.split("/")
            if (space, name) == (namespace, service) and not facts.missing:
                self.machine(WorkloadRef(kind=kind, namespace=space, name=name))
        for machine in self._machines.values():
            if (machine.ref.namespace, machine.ref.name) == (namespace, service):
                return Endpoints(ready=max(machine.pods - machine.sick, 0), not_ready=machine.sick)
        return Endpoints(ready=HEALTHY, not_ready=0)

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """None."""
        return ()

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """As much of each of its pods as the machine says. Raises NotFound where nothing is measured."""
        facts = self._facts.get(workload.ref.path)
        if facts is not None and not facts.measured:
            raise NotFound("no metrics API here (metrics.k8s.io): install metrics-server")
        return self.machine(workload.ref).usage(self._world.now())

    # --- Executor ---

    async def dry_run(self, change: ClusterChange) -> None:
        """As the Protocol says."""
        if self.forbids(change.target):
            raise Refused(f"the server forbids us to {change}")

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Marked:
        """As the Protocol says."""
        if target.kind == JOB:
            self._see(self._jobs.made_for(target))
            return self._jobs.claim(target, fence)
        if target.kind == NODE:
            self._see(node_ref(target.name))
            return self.node(node_ref(target.name)).claim(fence)
        machine = self.machine(target) if isinstance(target, WorkloadRef) else self._scaled_by(target)
        self._see(machine.ref)
        return machine.claim(target, fence)

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        """As the Protocol says."""
        return self._jobs.prepare(change, fence)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """As the Protocol says; how it goes was said before, or it is done at once."""
        said = self._world.step_said()
        if isinstance(change, RunJob):
            self._touched[change.target.path] += 1
            if said is not None and said.result is Result.UNKNOWN:
                self._in_doubt.add(change.target.path)
                raise Unknown("the rehearsal gives no answer")
            self._jobs.wake(change, fence, said)
            return
        if said is not None:
            if said.takes and fence.effect not in self._begun:
                self._begun.add(fence.effect)
                await self._world.sleep(said.takes)
            if said.result is Result.FAILED:
                raise Refused("the rehearsal lets it fail")
            if said.result is Result.UNKNOWN:
                self._in_doubt.add(change.target.path)
                raise Unknown("the rehearsal gives no answer")
        if isinstance(change, CordonNode | UncordonNode):
            self.node(change.target).apply(change, fence)
        elif isinstance(change, EvictPod) and change.namespace:
            self._evict(change, fence)
        else:
            self.machine(change.target).apply(change, fence)
        self._touched[change.target.path] += 1


class Bystanders(StagedCluster):
    """The same cluster, as somebody looks at what is beside the target: well, unless something was told."""

    def __init__(self, staged: StagedCluster) -> None:
        self._staged = staged

    async def workload(self, ref: WorkloadRef) -> Workload:
        """As the Protocol says."""
        return self._staged.bystander(ref)


class WellCluster(StagedCluster):
    """The same cluster, as it is seen by a check that holds."""

    def __init__(self, staged: StagedCluster) -> None:
        self._staged = staged

    async def workload(self, ref: WorkloadRef) -> Workload:
        """As the Protocol says."""
        if ref.kind == NODE:
            return self._staged.node(ref).healed()
        machine = self._staged.machine(ref)
        return machine.snapshot() if machine.is_well else machine.healed()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """As it is: when something was rolled out is not a matter of health."""
        return await self._staged.revisions(workload)

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """More than any check asks for."""
        return Endpoints(ready=1000, not_ready=0)
