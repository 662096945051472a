"""Nodes and the leases by which they, and anybody else, say that they are alive."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def _validate_node(obj: Json) -> Sequence[Cause]:
    found: list[Cause] = []
    for index, taint in enumerate(obj.get("spec", {}).get("taints", ())):
        path = f"metadata.taints[{index}]"
        if not taint.get("key"):
            found.append(Cause.required(f"{path}.key"))
        if taint.get("effect") not in _EFFECTS:
            allowed = ", ".join(f'"{effect}"' for effect in _EFFECTS)
            # The real server looks at taints twice and says so twice.
            found += [Cause.unsupported(f"{path}.effect", f'"{taint.get("effect", "")}"', allowed)] * 2
    return found


def _default_node(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    if spec.get("unschedulable") is False:
        del spec["unschedulable"]


def _validate_lease(obj: Json) -> Sequence[Cause]:
    spec = obj.get("spec", {})
    found = []
    if (seconds := spec.get("leaseDurationSeconds", 1)) <= 0:
        found.append(Cause.invalid("spec.leaseDurationSeconds", str(seconds), "must be greater than 0"))
    if (transitions := spec.get("leaseTransitions", 0)) < 0:
        why = "must be greater than or equal to 0"
        found.append(Cause.invalid("spec.leaseTransitions", str(transitions), why))
    return found


NODES = Kind(
    name="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    fields=META_FIELDS
    | {"spec.unschedulable": lambda obj: str(obj["spec"].get("unschedulable", False)).lower()},
    defaults=_default_node,
    validate=_validate_node,
    initial=dict,
)
LEASES = Kind(
    name="Lease",
    plural="leases",
    singular="lease",
    group="coordination.k8s.io",
    validate=_validate_lease,
    status_subresource=False,
    unconditional=False,
    create_on_update=True,
)
