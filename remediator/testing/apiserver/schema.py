"""The shapes of the API's objects: fields, types and how a strategic merge treats each.

``schema.json`` is the OpenAPI document of Kubernetes v1.32 (``/openapi/v2``) without its prose: type name to
field name to field. A field is written

* ``string``, ``boolean``, ``number``, ``int32``, ``int64``, ``any``,
* ``@Type`` for an object, ``[X]`` for a list of X, ``{X}`` for a map of X,
* and after a space, for strategic merge: ``merge`` (lists of plain values are united), ``merge=KEY`` (lists
  of objects are merged by that key), ``retainKeys``.

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
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
    "io.k8s.api.batch.v1.CronJob",
    "io.k8s.api.batch.v1.Job",
    "io.k8s.api.coordination.v1.Lease",
    "io.k8s.api.core.v1.ConfigMap",
    "io.k8s.api.core.v1.Endpoints",
    "io.k8s.api.core.v1.Event",
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.Node",
    "io.k8s.api.core.v1.Pod",
    "io.k8s.api.core.v1.Service",
    "io.k8s.api.policy.v1.PodDisruptionBudget",
)
_OPAQUE = {"Quantity", "IntOrString", "RawExtension", "FieldsV1", "JSON"}
_TEXT = {"Time", "MicroTime"}


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field: its type as written in ``schema.json``, and its merge strategy."""

    type: str
    merge_key: str | None = None
    merge: bool = False
    retain_keys: bool = False

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
    keys = [option.removeprefix("merge=") for option in options if option.startswith("merge=")]
    return Field(
        type=kind,
        merge_key=keys[0] if keys else None,
        merge="merge" in options,
        retain_keys="retainKeys" in options,
    )


def fields_of(type_name: str | None) -> dict[str, Field] | None:
    """The fields of a type, or None when it is not described (anything goes)."""
    return _types().get(type_name) if type_name else None


def compact(document: Json) -> Types:
    """The content of ``schema.json`` from an OpenAPI v2 document."""
    definitions: dict[str, Json] = document["definitions"]
    found: Types = {}
    waiting = list(ROOTS)
    while waiting:
        full = waiting.pop()
        short = full.rpartition(".")[2]
        if short in found or short in _OPAQUE or short in _TEXT:
            continue
        found[short] = {}
        for name, field in definitions[full].get("properties", {}).items():
            found[short][name] = " ".join([_type_text(field), *_merge_text(field)])
            waiting += [ref for ref in (_reference(field),) if ref]
    return dict(sorted(found.items()))


def _reference(field: Json) -> str | None:
    inner = field.get("items") or field.get("additionalProperties") or field
    ref = inner.get("$ref")
    return str(ref).removeprefix("#/definitions/") if ref else None


def _type_text(field: Json) -> str:
    if ref := field.get("$ref"):
        short = str(ref).rpartition(".")[2]
        return "any" if short in _OPAQUE else "string" if short in _TEXT else f"@{short}"
    match field.get("type"):
        case "array":
            return f"[{_type_text(field['items'])}]"
        case "object" if "additionalProperties" in field:
            return f"{{{_type_text(field['additionalProperties'])}}}"
        case "integer":
            return str(field.get("format", "int32"))
        case "string" | "boolean" | "number" as plain:
            return str(plain)
        case _:
            return "any"


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
