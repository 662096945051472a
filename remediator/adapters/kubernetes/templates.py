"""The pod templates that earlier revisions keep, in ReplicaSets or in ControllerRevisions."""

from __future__ import annotations

from typing import Any

from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.reader import checked_name
from remediator.adapters.kubernetes.snapshots import Json
from remediator.core.errors import Refused
from remediator.core.policies import WorkloadRef

POD_TEMPLATE_HASH = "pod-template-hash"
"""The label by which a Deployment tells its ReplicaSets' pods apart; it is not part of the template."""


def kept_in(ref: WorkloadRef) -> str:
    """The resource of the API group ``apps`` that keeps the workload's revisions."""
    return "replicasets" if ref.kind == "deployment" else "controllerrevisions"


def revision_call(ref: WorkloadRef, name: str) -> Call:
    """The request that reads one revision of a workload. Raises Refused for a name that cannot be."""
    namespace, resource = checked_name(ref.namespace), kept_in(ref)
    return Call(
        method="GET",
        path=f"/apis/apps/v1/namespaces/{namespace}/{resource}/{checked_name(name)}",
        doing=f"read revision {name} of {ref} in namespace {namespace}",
        needs=f"get {resource}.apps in namespace {namespace}",
        repeatable=True,
    )


def template_of(kept: Json) -> dict[str, Any]:
    """The template as it stood in the workload. Raises Refused when there is none."""
    holder = (kept["data"] or {}) if "data" in kept else kept  # a ControllerRevision holds a patch
    spec = holder.get("spec") or {}
    template = {key: value for key, value in (spec.get("template") or {}).items() if key != "$patch"}
    if not template.get("spec"):
        raise Refused(f"{kept['metadata']['name']} keeps no pod template")
    meta = dict(template.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != POD_TEMPLATE_HASH}
    return {**template, "metadata": {**meta, "labels": labels}}
