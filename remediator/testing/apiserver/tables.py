"""Lists as tables, for ``kubectl get``: columns of Deployments and pods, name and age of everything else.

Source: ``k8s.io/kubernetes/pkg/printers/internalversion``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.kinds import DEPLOYMENTS, PODS, Kind
from remediator.testing.apiserver.objects import Json, deleting
from remediator.testing.apiserver.selectors import query_form

FORM = "as=Table"
_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources "
    "may allow a client to request the generation of an appropriate name automatically. Name is primarily "
    "intended for creation idempotence and configuration definition. Cannot be updated. More info: "
    "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_AGE = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not "
    "guaranteed to be set in happens-before order across separate operations. Clients may not set this "
    "value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for "
    "lists. More info: "
    "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)
_UPDATED = (
    "Total number of non-terminated pods targeted by this deployment that have the desired template spec."
)
_AVAILABLE = (
    "Total number of available pods (ready for at least minReadySeconds) targeted by this deployment."
)
_SELECTOR = (
    "Label selector for pods. Existing ReplicaSets whose pods are selected by this will be the ones affected "
    "by this deployment."
)
Cells: TypeAlias = Callable[[Json, str], list[Any]]


def _column(name: str, description: str, *, of: str = "string", form: str = "", wide: bool = False) -> Json:
    priority = 1 if wide else 0
    return {"name": name, "type": of, "format": form, "description": description, "priority": priority}


_FIRST = _column("Name", _NAME, form="name")
_LAST = _column("Age", _AGE)
_DEPLOYMENT = (
    _FIRST,
    _column("Ready", "Number of the pod with ready state"),
    _column("Up-to-date", _UPDATED),
    _column("Available", _AVAILABLE),
    _LAST,
    _column("Containers", "Names of each container in the template.", wide=True),
    _column("Images", "Images referenced by each container in the template.", wide=True),
    _column("Selector", _SELECTOR, wide=True),
)
_POD = (
    _FIRST,
    _column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    _column("Status", "The aggregate status of the containers in this pod."),
    _column("Restarts", "The number of times the containers in this pod have been restarted."),
    _LAST,
)


def _deployment(obj: Json, age: str) -> list[Any]:
    status, spec = obj.get("status", {}), obj["spec"]
    containers = spec["template"]["spec"]["containers"]
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec['replicas']}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age,
        ",".join(one["name"] for one in containers),
        ",".join(one["image"] for one in containers),
        query_form(spec["selector"]),
    ]


def _pod(obj: Json, age: str) -> list[Any]:
    statuses = obj["status"].get("containerStatuses", ())
    ready = sum(bool(one.get("ready")) for one in statuses)
    restarts = sum(one.get("restartCount", 0) for one in statuses)
    total = len(obj["spec"]["containers"])
    return [obj["metadata"]["name"], f"{ready}/{total}", _state(obj), str(restarts), age]


def _state(pod: Json) -> str:
    """What a person is told: the reason of the last container that has one, else the phase."""
    if deleting(pod):
        return "Terminating"
    found = str(pod["status"].get("reason") or pod["status"].get("phase", ""))
    for one in pod["status"].get("containerStatuses", ()):
        state = one.get("state", {})
        said = state.get("waiting", {}).get("reason") or state.get("terminated", {}).get("reason")
        found = said or found
    return "Running" if found == "Completed" and is_ready(pod) else found


def _plain(obj: Json, age: str) -> list[Any]:
    return [obj["metadata"]["name"], age]


_SHAPES: dict[str, tuple[Sequence[Json], Cells]] = {
    DEPLOYMENTS.name: (_DEPLOYMENT, _deployment),
    PODS.name: (_POD, _pod),
}


def table(kind: Kind, found: Sequence[Json], meta: Json, now: str) -> Json:
    """The objects as a table; ``now``: RFC 3339."""
    columns, cells = _SHAPES.get(kind.name, ((_FIRST, _LAST), _plain))
    rows = [{"cells": cells(obj, _age(obj, now)), "object": _shown(obj)} for obj in found]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
    return head | {"columnDefinitions": list(columns), "rows": rows}


def _shown(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _age(obj: Json, now: str) -> str:
    made = datetime.fromisoformat(obj["metadata"]["creationTimestamp"])
    seconds = max(0, int((datetime.fromisoformat(now) - made).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
