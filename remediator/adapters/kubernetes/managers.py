"""Who wrote which fields of an object: ``metadata.managedFields``, as far as a change can touch them.

Source: kubernetes.io/docs/reference/using-api/server-side-apply (FieldsV1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from remediator.adapters.kubernetes.patches import RESTARTED_AT
from remediator.core.ownership import (
    LEAST,
    MOST,
    REPLICAS,
    RESTARTED,
    TEMPLATE,
    UNSCHEDULABLE,
    FieldManager,
    container_path,
)

Json: TypeAlias = Mapping[str, Any]
_PLAIN = {"f:replicas": REPLICAS, "f:minReplicas": LEAST, "f:maxReplicas": MOST} | {
    "f:unschedulable": UNSCHEDULABLE
}
_CONTAINER = 'k:{"name":"'


def managers_of(obj: Json) -> tuple[FieldManager, ...]:
    """Everybody who wrote anything. What was written through a subresource, such as a status, is left out."""
    entries = obj["metadata"].get("managedFields") or ()
    return tuple(
        FieldManager(name=str(entry.get("manager", "")), owns=frozenset(_owned(entry)))
        for entry in entries
        if not entry.get("subresource")
    )


def _owned(entry: Json) -> Iterator[str]:
    spec = _within(entry.get("fieldsV1") or {}, "f:spec")
    for key, path in _PLAIN.items():
        if key in spec:
            yield path
    template = _within(spec, "f:template")
    if f"f:{RESTARTED_AT}" in _within(_within(template, "f:metadata"), "f:annotations"):
        yield RESTARTED
    if "f:spec" in template:
        yield TEMPLATE
    containers = _within(_within(template, "f:spec"), "f:containers")
    for key, fields in containers.items():
        if key.startswith(_CONTAINER):
            name = key.removeprefix(_CONTAINER).removesuffix('"}')
            for what in ("image", "resources"):
                if f"f:{what}" in fields:
                    yield container_path(name, what)


def _within(fields: Json, key: str) -> Json:
    found = fields.get(key)
    return found if isinstance(found, Mapping) else {}
