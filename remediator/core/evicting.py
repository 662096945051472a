"""What leaves a node that is drained, whose it is, and what that leaves of its workload."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.core.changes import EvictPod
from remediator.core.cluster import ClusterReader, Pod
from remediator.core.errors import Refused, Retryable
from remediator.core.naming import say_object
from remediator.core.objects import ObjectRef
from remediator.core.owners import CHANGEABLE, POD, Named, climb
from remediator.core.policies import Share, WorkloadRef
from remediator.core.verdicts import Evicted, Measure

FINISHED = frozenset(("Succeeded", "Failed"))
DAEMON = "daemonset/"


def stays(pod: Pod) -> str:
    """Why a drain leaves the pod where it is; empty when it has to go.

    Source: the filters of ``kubectl drain``. What a DaemonSet of another API group made is not left: its
    controller's kind holds a dot.
    """
    if pod.phase in FINISHED:
        return "it has finished"
    if pod.fixed:
        return "its kubelet runs it"
    if pod.controller.startswith(DAEMON):
        return "a DaemonSet keeps it there"
    return "it has opted out by annotation" if pod.ignored else ""


def pod_ref(change: EvictPod) -> ObjectRef:
    """The pod that is evicted."""
    return ObjectRef(kind=POD, namespace=change.space, name=change.pod)


async def look_at(reader: ClusterReader, change: EvictPod) -> Evicted:
    """Whose the pod is, and how its workload is now.

    Raises NotFound where the pod is gone, Retryable where another has its name, Refused where it belongs to
    what is not known here, and what the reader raises.
    """
    pod = await reader.named(pod_ref(change))
    if pod.uid != change.pod_uid:
        raise Retryable(f"{say_object(pod.ref)} was replaced meanwhile: look again")
    owner = await climb(reader, pod)
    if owner.ref.kind not in CHANGEABLE:
        return Evicted(owner=owner if owner.ref.kind != POD else None)
    ref = WorkloadRef(kind=owner.ref.kind, namespace=owner.ref.namespace, name=owner.ref.name)
    workload = await reader.workload(ref)
    pods = await reader.pods(workload)
    return Evicted(
        owner=owner,
        workload=workload,
        healthy=sum(each.ready and not each.terminating for each in pods),
        budgets=await reader.budgets(workload),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Whether a workload can spare one healthy pod: now, and ever. ``text``: what was compared."""

    now: bool
    ever: bool
    text: str
    measure: Measure


def room_of(evicted: Evicted, bound: Share) -> Room | None:
    """What ``guards.max_unavailable`` leaves of the workload; None where it owns none that could be counted.

    The pods themselves are counted, without those that are on their way out: what a workload's status says is
    behind for a moment. Raises Refused where nobody knows how many there should be.
    """
    seen = evicted.workload
    if seen is None:
        owner = evicted.owner
        if owner is not None and owner.ref.kind in UNCOUNTED:
            raise Refused(f"{say_object(owner.ref)} is of a kind whose pods are not counted here")
        return None
    allowed = bound.of(seen.desired)
    down = max(seen.desired - evicted.healthy, 0) + 1
    text = (
        f"{seen.ref}: {down} of {seen.desired} unavailable with one more, at most {allowed} allowed ({bound})"
    )
    what = f"pods of {seen.ref} unavailable"
    measure = Measure(what=what, observed=down, allowed=allowed, of=seen.desired)
    return Room(now=down <= allowed, ever=allowed > 0, text=text, measure=measure)


UNCOUNTED = frozenset(("replicaset",))
"""Kinds that keep a number of pods, and that no action knows."""


def named_owner(owner: Named | None) -> str:
    """``deployment/web``; ``nobody`` of a pod that nothing manages."""
    return "nobody" if owner is None else str(owner.ref)
