"""A town of a few nodes: what is on them, and all that reaches them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from remediator.core.changes import ClusterChange, CordonNode, EvictPod, Fence, UncordonNode
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, IGNORE_ANNOTATION, Pod, Workload
from remediator.core.errors import NotFound
from remediator.core.nodes import CORDONED_AT, MANAGER, NodeState
from remediator.core.objects import NODE, Anchor, ObjectRef
from remediator.core.owners import POD, REPLICASET, Named
from remediator.core.policies import WorkloadRef
from tests.property.test_hostile_labels import Witness

BY_HAND = "kubectl-cordon"


def resident(namespace: str, of: str, number: str, kind: str = REPLICASET, *, ignored: bool = False) -> Pod:
    """A pod that is well, and what made it."""
    name = f"{of}-{number}"
    return Pod(
        name=name, namespace=namespace, uid=f"uid-{namespace}-{name}", controller=f"{kind}/{of}",
        phase="Running", ready=True, restarts=0, ignored=ignored,
    )  # fmt: skip


def _web(node: str) -> Pod:
    """One that could be evicted, were it for itself alone."""
    return resident("shop", "web", node)


def _node_agent(node: str) -> Pod:
    return resident("kube-system", "agent", node, "daemonset")


RESIDENTS = {
    "spare": (),
    "worker-1": (_web("1a"), _web("1b"), _node_agent("1"), resident("shop", "kept", "1", ignored=True)),
    "worker-2": (_web("2"), resident("kube-system", "dns", "2"), resident("shop", "db", "0", "statefulset")),
    "away": (_web("3"), resident("elsewhere", "far", "3")),
    "guarded": (_web("4"), resident("shop", "db", "1", "statefulset")),
    "shy": (_web("5"), resident("shop", "shy", "5")),
    "by-hand": (_web("6"),),
    "left-alone": (_web("7"),),
    "fenced-off": (_web("8"),),
    "cp-1": (_web("9"), resident("kube-system", "apiserver", "9")),
}
"""Where new pods are placed, in this order, and what is on each node at first."""
CLOSED = ("left-alone", "fenced-off", "cp-1")
"""Has opted out; is protected by ``POLICY``; is of the control plane."""
NEVER_DRAINED = ("worker-2", "away", "guarded", "shy", *CLOSED)
"""Each holds a pod that may be evicted, and one that may not, or is closed itself."""


@dataclass
class Machine:
    """A node as it is now. ``cordoned_by``: empty while pods are placed there."""

    ref: WorkloadRef
    pods: list[Pod]
    cordoned_by: str = ""
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        return f"uid-{self.ref.name}"

    def seen(self) -> Workload:
        """As the API server would answer."""
        control_plane = self.ref.name == "cp-1"
        state = NodeState(
            cordoned=bool(self.cordoned_by),
            control_plane=control_plane,
            taints=("control-plane",) if control_plane else (),
            cordoned_by=(self.cordoned_by,) if self.cordoned_by else (),
        )
        return Workload(
            ref=self.ref, uid=self.uid, generation=0, observed_generation=0, desired=1, total=1, updated=1,
            ready=1, available=1, annotations=dict(self.annotations), node=state,
        )  # fmt: skip


def _machines() -> dict[str, Machine]:
    made = {
        name: Machine(WorkloadRef(kind=NODE, namespace="", name=name), list(pods))
        for name, pods in RESIDENTS.items()
    }
    made["by-hand"].cordoned_by = BY_HAND
    made["left-alone"].annotations[IGNORE_ANNOTATION] = "true"
    return made


@dataclass
class Nodes(Witness):
    """Only what is there is found. What is evicted is made anew elsewhere, and is well at once."""

    machines: dict[str, Machine] = field(default_factory=_machines)
    asked: set[WorkloadRef] = field(default_factory=set)
    """Nodes of which the server checked a change."""
    claimed: set[ObjectRef] = field(default_factory=set)
    evicted: list[tuple[str, Pod]] = field(default_factory=list)
    """From which node, and the pod as it was."""
    uncordoned: list[tuple[str, str]] = field(default_factory=list)
    """Which node, and who had cordoned it."""

    def machine(self, ref: ObjectRef) -> Machine:
        """Raises NotFound."""
        found = self.machines.get(ref.name)
        if found is None or found.ref.path != ref.path:
            raise NotFound(f"{ref} does not exist")
        return found

    # --- core.cluster.ClusterReader ---

    async def named(self, ref: ObjectRef) -> Named:
        if ref.kind == NODE:
            found = self.machine(ref)
            ignored = IGNORE_ANNOTATION in found.annotations
            return Named(ref=ref, uid=found.uid, ignored=ignored)
        self.looked_at.add(WorkloadRef(kind=ref.kind, namespace=ref.namespace, name=ref.name))
        if ref.kind == POD:
            pod = next((pod for _, pod in self._everywhere() if pod_path(pod) == ref.path), None)
            if pod is None:
                raise NotFound(f"{ref} does not exist")
            kind, _, name = pod.controller.partition("/")
            maker = ObjectRef(kind=kind, namespace=ref.namespace, name=name)
            return Named(ref=ref, uid=pod.uid, controller=Anchor(ref=maker, uid=maker.path))
        owner = ObjectRef(kind="deployment", namespace=ref.namespace, name=ref.name)
        maker_of = Anchor(ref=owner, uid=owner.path) if ref.kind == REPLICASET else None
        return Named(ref=ref, uid=ref.path, controller=maker_of, ignored=ref == replace(owner, name="shy"))

    async def workload(self, ref: WorkloadRef) -> Workload:
        if ref.kind == NODE:
            return self.machine(ref).seen()
        self.looked_at.add(ref)
        pods = len(self._pods_of(ref))
        return replace(
            self._workload(ref), desired=pods, total=pods, updated=pods, ready=pods, available=pods
        )

    async def nodes(self) -> tuple[Workload, ...]:
        return tuple(self.machines[name].seen() for name in sorted(self.machines))

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        if workload.ref.kind == NODE:
            return tuple(self.machine(workload.ref).pods)
        self.looked_at.add(workload.ref)
        return self._pods_of(workload.ref)

    def _everywhere(self) -> list[tuple[Machine, Pod]]:
        return [(machine, pod) for machine in self.machines.values() for pod in machine.pods]

    def _pods_of(self, ref: WorkloadRef) -> tuple[Pod, ...]:
        maker = f"{REPLICASET if ref.kind == 'deployment' else ref.kind}/{ref.name}"
        pods = (pod for _, pod in self._everywhere() if pod.namespace == ref.namespace)
        return tuple(pod for pod in pods if pod.controller == maker)

    # --- core.cluster.Executor ---

    async def dry_run(self, change: ClusterChange) -> None:
        self.asked.add(change.target)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Workload:
        found = self.machine(target)
        assert uid == found.uid
        self.claimed.add(target)
        found.annotations[EPOCH_ANNOTATION] = str(fence.epoch)
        return found.seen()

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        self.applied.append(change)
        found = self.machine(change.target)
        assert change.uid == found.uid
        assert found.annotations[EPOCH_ANNOTATION] == str(fence.epoch)
        match change:
            case CordonNode():
                found.cordoned_by = MANAGER
                found.annotations |= {CORDONED_AT: change.mark, EFFECT_ANNOTATION: fence.effect}
            case UncordonNode():
                self.uncordoned.append((found.ref.name, found.cordoned_by))
                found.cordoned_by = ""
                del found.annotations[CORDONED_AT]
                found.annotations[EFFECT_ANNOTATION] = fence.effect
            case EvictPod():
                self._evict(change)
            case _:
                raise AssertionError(f"{change} is no change of a node")

    def _evict(self, change: EvictPod) -> None:
        """By the name it was asked for, wherever that pod is."""
        path = ObjectRef(kind=POD, namespace=change.space, name=change.pod).path
        machine, pod = next(each for each in self._everywhere() if pod_path(each[1]) == path)
        assert pod.uid == change.pod_uid
        self.evicted.append((machine.ref.name, pod))
        machine.pods.remove(pod)
        home = next(one for one in self.machines.values() if not one.cordoned_by)
        home.pods.append(replace(pod, name=f"{pod.name}x", uid=f"{pod.uid}x"))


def pod_path(pod: Pod) -> str:
    """Unique in the cluster."""
    return ObjectRef(kind=POD, namespace=pod.namespace, name=pod.name).path
