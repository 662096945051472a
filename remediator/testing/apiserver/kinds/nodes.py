"""Nodes."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import META_FIELDS, Kind
from remediator.testing.apiserver.objects import Json


def _unschedulable(obj: Json) -> str:
    return str(obj["spec"].get("unschedulable", False)).lower()


def _default_node(obj: Json) -> None:
    obj.setdefault("spec", {})


NODES = Kind(
    name="Node",
    plural="nodes",
    singular="node",
    namespaced=False,
    short_names=("no",),
    fields=META_FIELDS | {"spec.unschedulable": _unschedulable},
    defaults=_default_node,
    initial=dict,
)
