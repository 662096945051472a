"""What an apply makes of an object: merged by owner, and without what nobody wants any more.

Source: ``sigs.k8s.io/structured-merge-diff/merge``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from remediator.testing.apiserver.bodies import parse_json
from remediator.testing.apiserver.fieldsets import Path, Paths, key_of_member, leaves
from remediator.testing.apiserver.managers import (
    Manager,
    apply_conflict,
    conflicts,
    managers_of,
    with_managers,
)
from remediator.testing.apiserver.objects import Json, clone
from remediator.testing.apiserver.patches import clone_any
from remediator.testing.apiserver.schema import Field, fields_of


def applied(config: Json, old: Json | None, type_name: str, writer: Manager, *, force: bool) -> Json:
    """The object that the apply asks for, with its managers. Raises ApiError 409 for conflicts.

    ``old``: the present object, None when there is none.
    """
    wanted = leaves(config, type_name)
    present = managers_of(old) if old is not None else []
    before = leaves(old, type_name) if old is not None else {}
    absent = object()
    touched = frozenset(path for path, value in wanted.items() if before.get(path, absent) != value)
    found = conflicts(present, writer, touched)
    if found and not force:
        raise apply_conflict(found)
    others = [
        replace(one, paths=one.paths - touched if force else one.paths)
        for one in present
        if not one.is_same(writer)
    ]
    mine: Paths = frozenset().union(*(one.paths for one in present if one.is_same(writer)))
    merged = _merge(clone(old) if old is not None else {}, config, type_name)
    unwanted = mine - wanted.keys()
    # The member of a list first: without the fields that name it, it would not be found.
    for path in sorted(unwanted.difference(*(one.paths for one in others)), key=len):
        _remove(merged, path)
    entry = replace(writer, paths=frozenset(wanted))
    if not touched and not unwanted:  # who wants what is there already has written nothing, and at no time
        entry = next((one for one in present if one.is_same(writer) and one.paths == entry.paths), entry)
    return with_managers(merged, [*others, entry])


def _merge(target: Json, config: Json, type_name: str | None) -> Json:
    known = fields_of(type_name) or {}
    for key, value in config.items():
        target[key] = _merged(target.get(key), value, known.get(key))
    return target


def _merged(old: Any, new: Any, field: Field | None) -> Any:
    if field is None or field.atomic or old is None:
        return clone_any(new)
    if isinstance(new, dict) and isinstance(old, dict):
        if field.is_map:
            members = {key: _member(old.get(key), value, field.object) for key, value in new.items()}
            return old | members
        return _merge(old, new, field.object)
    if isinstance(new, list) and isinstance(old, list):
        if field.map_keys:
            return _merged_members(old, new, field)
        if field.is_set:
            return [*old, *(item for item in new if item not in old)]
    return clone_any(new)


def _member(old: Any, new: Any, type_name: str | None) -> Any:
    if isinstance(old, dict) and isinstance(new, dict) and fields_of(type_name):
        return _merge(old, new, type_name)
    return clone_any(new)


def _merged_members(old: list[Any], new: list[Any], field: Field) -> list[Any]:
    result = list(old)
    places = {key_of_member(member, field.map_keys): index for index, member in enumerate(old)}
    for member in new:
        at = places.get(key_of_member(member, field.map_keys))
        if at is None:
            result.append(clone_any(member))
        else:
            result[at] = _merge(result[at], member, field.object)
    return result


def _remove(obj: Any, path: Path) -> None:
    """Take a field out of an object in place, if it is there."""
    here = obj
    for step in path[:-1]:
        here = _down(here, step)
        if here is None:
            return
    last = path[-1]
    if last.startswith("f:") and isinstance(here, dict):
        here.pop(last[2:], None)
    elif isinstance(here, list):
        member = _down(here, last)
        if member is not None:
            here.remove(member)


def _down(here: Any, step: str) -> Any:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return here.get(rest) if isinstance(here, dict) else None
    value = parse_json(rest.encode())
    for member in here if isinstance(here, list) else ():
        if member == value or (kind == "k" and value.items() <= member.items()):
            return member
    return None
