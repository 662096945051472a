"""Who owns which field of an object: ``metadata.managedFields``.

Writes by requests are tracked; what controllers write belongs to nobody here. Source:
``k8s.io/apimachinery/pkg/util/managedfields``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.fieldsets import Path, Paths, from_fields, leaves, shown, to_fields
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import ApiError

APPLY = "Apply"
UPDATE = "Update"


@dataclass(frozen=True, kw_only=True)
class Manager:
    """One entry: who, how (``Apply`` or ``Update``), through which subresource, in which version."""

    name: str
    operation: str
    api_version: str
    subresource: str
    paths: Paths
    time: str = ""

    def is_same(self, other: Manager) -> bool:
        """Whether both entries are of one manager."""
        return (self.name, self.operation, self.api_version, self.subresource) == (
            other.name,
            other.operation,
            other.api_version,
            other.subresource,
        )

    def as_json(self) -> Json:
        """The entry as objects carry it."""
        entry: Json = {"manager": self.name, "operation": self.operation, "apiVersion": self.api_version}
        if self.time:
            entry["time"] = self.time
        entry |= {"fieldsType": "FieldsV1", "fieldsV1": to_fields(self.paths)}
        return entry | ({"subresource": self.subresource} if self.subresource else {})

    def __str__(self) -> str:
        """As conflicts name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        if self.operation == UPDATE:
            text += f" using {self.api_version}" + (f" at {self.time}" if self.time else "")
        return text


def manager_of(request: Request, kind: Kind, operation: str, now: str) -> Manager:
    """The entry of a request that has not written anything yet; ``now``: RFC 3339."""
    return Manager(
        name=request.manager,
        operation=operation,
        api_version=kind.api_version,
        subresource=request.asked.subresource,
        paths=frozenset(),
        time=now,
    )


def managers_of(obj: Json) -> list[Manager]:
    """The entries of an object."""
    return [
        Manager(
            name=entry.get("manager", ""),
            operation=entry.get("operation", UPDATE),
            api_version=entry.get("apiVersion", ""),
            subresource=entry.get("subresource", ""),
            paths=from_fields(entry.get("fieldsV1", {})),
            time=entry.get("time", ""),
        )
        for entry in obj["metadata"].get("managedFields", ())
    ]


def with_managers(obj: Json, managers: Sequence[Manager]) -> Json:
    """The object with these entries; those that own nothing are left out."""
    order = sorted(managers, key=lambda one: (one.operation != APPLY, one.time))
    entries = [manager.as_json() for manager in order if manager.paths]
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta | ({"managedFields": entries} if entries else {})}


def changed(new: Json, old: Json | None, type_name: str) -> tuple[Paths, Paths]:
    """The fields that have another value than before, and those that are no more."""
    after, before = leaves(new, type_name), leaves(old, type_name) if old is not None else {}
    absent = object()
    differing = frozenset(path for path, value in after.items() if before.get(path, absent) != value)
    return differing, frozenset(before.keys() - after.keys())


def updated(new: Json, old: Json | None, type_name: str, writer: Manager) -> Json:
    """The object after a write that is no apply: whoever changes a field owns it alone."""
    taken, gone = changed(new, old, type_name)
    present = managers_of(old) if old is not None else []
    if not taken and not gone:
        return with_managers(new, present)
    kept = [replace(one, paths=one.paths - taken - gone) for one in present if not one.is_same(writer)]
    mine = [one.paths - gone for one in present if one.is_same(writer)]
    return with_managers(new, [*kept, replace(writer, paths=taken.union(*mine))])


def conflicts(present: Sequence[Manager], writer: Manager, touched: Paths) -> list[tuple[Manager, Path]]:
    """Fields that an apply would change and others own."""
    return [
        (other, path)
        for other in present
        if not other.is_same(writer)
        for path in sorted(other.paths & touched)
    ]


def apply_conflict(found: Sequence[tuple[Manager, Path]]) -> ApiError:
    """The refusal that names them."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {other}", "field": shown(path)}
        for other, path in found
    ]
    if len(found) == 1:
        other, path = found[0]
        text = f"1 conflict: conflict with {other}: {shown(path)}"
    else:
        parts = []
        for name in sorted({str(other) for other, _ in found}):
            paths = [f"- {shown(path)}" for other, path in found if str(other) == name]
            parts += [f"conflicts with {name}:", *paths]
        text = f"{len(found)} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", f"Apply failed with {text}", details={"causes": causes})
