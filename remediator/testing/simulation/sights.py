"""What is seen of the simulated workloads: as the API server would answer."""

from __future__ import annotations

from decimal import Decimal

from remediator.core.cluster import Autoscaler, Container, Pod, Revision, Workload
from remediator.core.holdings import ContainerUsage, PodUsage
from remediator.core.objects import HPA, ObjectRef
from remediator.core.ownership import KUSTOMIZE, TRACKING
from remediator.core.times import Instant
from remediator.testing.simulation.clock import instant
from remediator.testing.simulation.machines import MAIN, Machine, SimPod

KEPT_REVISIONS = 3


def snapshot_of(machine: Machine, now: float) -> Workload:
    """The workload."""
    ready, rolling, kept_by, ref = (
        machine.ready(now),
        machine.rolling(now),
        machine.traits.kept_by,
        machine.ref,
    )
    marks = dict(machine.annotations)
    if kept_by == "argo":
        marks[TRACKING] = f"apps:apps/{ref.kind.capitalize()}:{ref.namespace}/{ref.name}"
    return Workload(
        ref=ref,
        uid=f"uid-{ref.name}",
        generation=machine.generation,
        observed_generation=machine.generation,
        desired=machine.desired,
        total=machine.desired + 1 if rolling else len(machine.pods),
        updated=min(1, machine.desired) if rolling else len(machine.pods),
        ready=ready,
        available=ready,
        max_unavailable=machine.traits.unavailable,
        annotations=marks,
        containers=(Container(name=MAIN, image=machine.image, resources=machine.resources),),
        labels={f"{KUSTOMIZE}/name": "apps"} if kept_by == "flux" else {},
    )


def autoscaler_of(machine: Machine) -> Autoscaler:
    """What scales it."""
    least, most = machine.bounds
    return Autoscaler(
        ref=ObjectRef(kind=HPA, namespace=machine.ref.namespace, name=machine.ref.name),
        uid=f"uid-hpa-{machine.ref.name}",
        least=least,
        most=most,
        annotations=dict(machine.scaler_annotations),
    )


def pods_of(machine: Machine, now: float) -> tuple[Pod, ...]:
    """Its pods."""
    return tuple(
        Pod(
            name=pod.uid,
            phase="Running",
            ready=machine.pod_ready(pod, now),
            restarts=0,
            uid=pod.uid,
            containers=(MAIN,),
            created_at=_made(pod),
            controller=f"replicaset/{machine.ref.name}-5d9c7",
        )
        for pod in machine.pods
    )


def usage_of(machine: Machine, now: float) -> tuple[PodUsage, ...]:
    """What they use: those that were made first the most."""
    cpu, most = Decimal("0.1"), 1_000_000
    return tuple(
        PodUsage(
            pod=pod.uid,
            at=instant(now),
            containers=(ContainerUsage(name=MAIN, cpu=cpu, memory=Decimal(most - number)),),
        )
        for number, pod in enumerate(machine.pods)
    )


def revisions_of(machine: Machine) -> tuple[Revision, ...]:
    """The newest first."""
    newest = machine.revision
    return tuple(
        Revision(
            number=number,
            name=f"{machine.ref.name}-{number}",
            uid=f"uid-{machine.ref.name}-{number}",
            current=number == newest,
            created_at=instant(machine.rolled_out[number]),
        )
        for number in range(newest, max(newest - KEPT_REVISIONS, 0), -1)
    )


def _made(pod: SimPod) -> Instant:
    return instant(max(pod.made_at, 0.0))
