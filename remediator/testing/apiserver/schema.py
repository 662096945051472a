"""The shapes of the API's objects: fields, types and how a strategic merge treats each.

``schema.json`` is the OpenAPI document of Kubernetes v1.32 (``/openapi/v2``) without its prose: type name to
field name to field. A field is written

* ``string``, ``boolean``, ``number``, ``int32``, ``int64``, ``time``, ``microtime``, ``any``,
* ``@Type`` for an object, ``[X]`` for a list of X, ``{X}`` for a map of X,
* after a space, for strategic merge: ``merge`` (lists of plain values are united), ``merge=KEY`` (lists
  of objects are merged by that key), ``retainKeys``,
* and for the owners of fields: ``map=KEY,KEY`` (a list whose members are owned one by one, told apart by
  these keys), ``set`` (a list of plain values, owned one by one), ``atomic`` (a map or an object that has one
  owner; a list without ``map`` or ``set`` always is).

A type whose name two API groups share is written with its group: ``events.v1.Event``.

To make it again, feed that document to ``python -m remediator.testing.apiserver.schema``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from remediator.testing.apiserver.objects import Json

Types: TypeAlias = dict[str, dict[str, str]]

ROOTS = (
    "io.k8s.api.apps.v1.ControllerRevision",
    "io.k8s.api.apps.v1.DaemonSet",
    "io.k8s.api.apps.v1.Deployment",
    "io.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.apps.v1.StatefulSet",
    "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.batch.v1.CronJob",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Endpoints",
    "io.k8s.api.core.v1.Event",
    "io.k8s.api.core.v1.LimitRange",
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Node",
    "io.k8s.api.core.v1.PersistentVolume",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.ResourceQuota",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.discovery.v1.EndpointSlice",
    "io.k8s.api.events.v1.Event",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
    "io.k8s.api.rbac.v1.ClusterRole",
    "io.k8s.api.rbac.v1.ClusterRoleBinding",
    "io.k8s.api.rbac.v1.Role",
    "io.k8s.api.rbac.v1.RoleBinding",
    "io.k8s.api.storage.v1.StorageClass",
)
_OPAQUE = {"Quantity", "IntOrString", "RawExtension", "FieldsV1", "JSON"}
_TIMES = {"Time": "time", "MicroTime": "microtime"}
_SECOND = ("io.k8s.api.autoscaling.v1.", "io.k8s.api.discovery.v1.", "io.k8s.api.events.v1.")
"""Packages whose types give way where another package has a type of the same name."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: its type as written in ``schema.json``, its merge strategy and how it is owned."""

    type: str
    merge_key: str | None = None
    merge: bool = False
    retain_keys: bool = False
    map_keys: tuple[str, ...] = ()
    is_set: bool = False
    atomic: bool = False

    @property
    def object(self) -> str | None:
        """The type name, for an object, or for the members of a list or map of objects."""
        inner = self.type.strip("[]{}")
        return inner[1:] if inner.startswith("@") else None

    @property
    def is_list(self) -> bool:
        """Whether it holds a list."""
        return self.type.startswith("[")

    @property
    def is_map(self) -> bool:
        """Whether it holds a map with free keys."""
        return self.type.startswith("{")


@cache
def _types() -> dict[str, dict[str, Field]]:
    raw: Types = json.loads(files(__package__).joinpath("schema.json").read_text())
    return {name: {key: _parse(text) for key, text in fields.items()} for name, fields in raw.items()}


def _parse(text: str) -> Field:
    kind, *options = text.split(" ")
    named = dict(option.split("=", 1) for option in options if "=" in option)
    return Field(
        type=kind,
        merge_key=named.get("merge"),
        merge="merge" in options,
        retain_keys="retainKeys" in options,
        map_keys=tuple(named["map"].split(",")) if "map" in named else (),
        is_set="set" in options,
        atomic="atomic" in options,
    )


def fields_of(type_name: str | None) -> dict[str, Field] | None:
    """The fields of a type, or None when it is not described (anything goes)."""
    return _types().get(type_name) if type_name else None


def type_names() -> list[str]:
    """Every type that is described."""
    return list(_types())


def compact(document: Json) -> Types:
    """The content of ``schema.json`` from an OpenAPI v2 document."""
    definitions: dict[str, Json] = document["definitions"]
    lasts = [full.rpartition(".")[2] for full in definitions]
    shared = {last for last in lasts if lasts.count(last) > 1}
    found: Types = {}
    waiting = list(ROOTS)
    while waiting:
        full = waiting.pop()
        last, short = full.rpartition(".")[2], _short(full, shared)
        if short in found or last in _OPAQUE or last in _TIMES:
            continue
        found[short] = {}
        for name, field in definitions[full].get("properties", {}).items():
            owned = _owned_text(field, definitions)
            found[short][name] = " ".join([_type_text(field, shared), *_merge_text(field), *owned])
            waiting += [ref for ref in (_reference(field),) if ref]
    return dict(sorted(found.items()))


def _short(full: str, shared: set[str]) -> str:
    last = full.rpartition(".")[2]
    second = last in shared and full.startswith(_SECOND)
    return full.removeprefix("io.k8s.api.") if second else last


def _reference(field: Json) -> str | None:
    inner = field.get("items") or field.get("additionalProperties") or field
    ref = inner.get("$ref")
    return str(ref).removeprefix("#/definitions/") if ref else None


def _type_text(field: Json, shared: set[str]) -> str:
    if ref := field.get("$ref"):
        full = str(ref).removeprefix("#/definitions/")
        last = full.rpartition(".")[2]
        return "any" if last in _OPAQUE else _TIMES.get(last) or f"@{_short(full, shared)}"
    match field.get("type"):
        case "array":
            return f"[{_type_text(field['items'], shared)}]"
        case "object" if "additionalProperties" in field:
            return f"{{{_type_text(field['additionalProperties'], shared)}}}"
        case "integer":
            return str(field.get("format", "int32"))
        case "string" | "boolean" | "number" as plain:
            return str(plain)
        case _:
            return "any"


def _owned_text(field: Json, definitions: dict[str, Json]) -> list[str]:
    keys = field.get("x-kubernetes-list-map-keys")
    if keys and field.get("x-kubernetes-list-type") == "map":
        return [f"map={','.join(keys)}"]
    if field.get("x-kubernetes-list-type") == "set":
        return ["set"]
    full = str(field.get("$ref", "")).removeprefix("#/definitions/")
    whole = field.get("x-kubernetes-map-type") or definitions.get(full, {}).get("x-kubernetes-map-type")
    return ["atomic"] if whole == "atomic" else []


def _merge_text(field: Json) -> list[str]:
    strategy = str(field.get("x-kubernetes-patch-strategy", "")).split(",")
    key = field.get("x-kubernetes-patch-merge-key")
    merge = [f"merge={key}" if key else "merge"] if "merge" in strategy else []
    return merge + (["retainKeys"] if "retainKeys" in strategy else [])


if __name__ == "__main__":
    lines = (
        f"  {json.dumps(name)}: {json.dumps(types)}" for name, types in compact(json.load(sys.stdin)).items()
    )
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
