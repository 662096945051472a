"""What a workload holds of the cluster's room: storage that it claims, processors and memory it uses."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from remediator.core.times import Instant

MISSING = "Missing"
"""The phase of a claim that pods name and that is not there."""
BOUND = "Bound"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A PersistentVolumeClaim. ``phase``: Bound, Pending or Lost, as the API server says, or Missing.

    ``capacity`` and ``wanted`` are quantities of Kubernetes, such as ``10Gi``; empty: none yet.
    """

    name: str
    phase: str
    capacity: str = ""
    wanted: str = ""
    storage_class: str = ""
    terminating: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ContainerUsage:
    """What a container uses: ``cpu`` in cores, ``memory`` in bytes (its working set)."""

    name: str
    cpu: Decimal
    memory: Decimal


@dataclass(frozen=True, kw_only=True, slots=True)
class PodUsage:
    """What a pod used when it was last measured. ``at``: the end of that measurement.

    A measurement names its pod, not the pod's UID: one from before the pod was made is another's.
    """

    pod: str
    at: Instant
    containers: tuple[ContainerUsage, ...]

    @property
    def cpu(self) -> Decimal:
        """Of all containers, in cores."""
        return sum((one.cpu for one in self.containers), Decimal(0))

    @property
    def memory(self) -> Decimal:
        """Of all containers, in bytes."""
        return sum((one.memory for one in self.containers), Decimal(0))
