"""Sets of fields, as the owners of an object's fields are kept: ``FieldsV1`` of the meta API group.

A path is a tuple of steps: ``f:NAME`` into an object or map, ``k:{...}`` to the member of a list that has
these keys, ``v:VALUE`` to a member of a set. Source: ``sigs.k8s.io/structured-merge-diff``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.schema import Field, fields_of

Path: TypeAlias = tuple[str, ...]
Paths: TypeAlias = frozenset[Path]

_UNOWNED = {"apiVersion", "kind"}
_UNOWNED_META = {
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "generateName",
}
_DEFAULTED = {"protocol": "TCP"}
"""Keys of list members that may be left out, and what they are then."""


def leaves(obj: Json, type_name: str) -> dict[Path, Any]:
    """Every field of an object that somebody can own, and its value; members of lists as ``True``."""
    found: dict[Path, Any] = {}
    for key, value in obj.items():
        if key == "metadata":
            value = {name: inner for name, inner in value.items() if name not in _UNOWNED_META}
            found.update(_fields(value, "ObjectMeta", ("f:metadata",)))
        elif key not in _UNOWNED:
            field = (fields_of(type_name) or {}).get(key)
            found.update(_value(value, field, (f"f:{key}",)))
    return found


def _fields(value: Json, type_name: str | None, path: Path) -> Iterator[tuple[Path, Any]]:
    known = fields_of(type_name) or {}
    for key, inner in value.items():
        yield from _value(inner, known.get(key), (*path, f"f:{key}"))


def _value(value: Any, field: Field | None, path: Path) -> Iterator[tuple[Path, Any]]:
    if field is None or field.atomic or value is None:
        yield path, value
    elif field.is_list and isinstance(value, list):
        yield from _list(value, field, path)
    elif isinstance(value, dict) and value and (field.is_map or field.object):
        inner = field.object
        if field.is_map:
            for key, member in value.items():
                yield from _member(member, inner, (*path, f"f:{key}"))
        else:
            yield from _member(value, inner, path)
    else:
        yield path, value


def _member(value: Any, type_name: str | None, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict) and value and fields_of(type_name):
        yield from _fields(value, type_name, path)
    else:
        yield path, value


def _list(value: list[Any], field: Field, path: Path) -> Iterator[tuple[Path, Any]]:
    if field.map_keys:
        for member in value:
            here = (*path, key_of_member(member, field.map_keys))
            yield here, True
            yield from _fields(member, field.object, here)
    elif field.is_set:
        for member in value:
            yield (*path, f"v:{json.dumps(member)}"), True
    else:
        yield path, value


def key_of_member(member: Json, keys: tuple[str, ...]) -> str:
    """The step to a member of a list."""
    named = {key: member.get(key, _DEFAULTED.get(key)) for key in sorted(keys)}
    kept = {key: value for key, value in named.items() if value is not None}
    return f"k:{json.dumps(kept, separators=(',', ':'))}"


def to_fields(paths: Iterable[Path]) -> Json:
    """As ``fieldsV1`` writes them; a dot stands for an owned path that others go through."""
    root: Json = {}
    chosen = set(paths)
    for path in sorted(chosen):
        here = root
        for step in path:
            here = here.setdefault(step, {})
    for path in chosen:
        here = root
        for step in path:
            here = here[step]
        if here:
            here["."] = {}
    return root


def from_fields(fields: Json) -> Paths:
    """The paths of a ``fieldsV1``."""
    return frozenset(_walk(fields, ()))


def _walk(fields: Json, path: Path) -> Iterator[Path]:
    for step, inner in fields.items():
        if step == ".":
            yield path
        elif inner:
            yield from _walk(inner, (*path, step))
        else:
            yield (*path, step)


def shown(path: Path) -> str:
    """A path as conflicts name it: ``.spec.containers[name="web"].image``."""
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            keys = json.loads(rest).items()
            text += "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in keys) + "]"
        else:
            text += f"[={rest}]"
    return text
