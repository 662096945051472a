"""Decoding: an object must have the types of its kind; unknown fields are dropped, as in a real server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.schema import Field, fields_of

_GO_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_KEPT_EMPTY = {"containers", "items"}
"""Lists that are written even when they are empty; every other one is left out, as Go's omitempty does."""
_KEPT_NULL = {"creationTimestamp", "lastProbeTime"}
_PYTHON = {"string": str, "boolean": bool, "int32": int, "int64": int}


class Mismatch(Exception):
    """A value of another type than its field, in the words of Go's decoder; ``wanted``: the field's type."""

    def __init__(self, *, path: str, struct: str, found: str, wanted: str) -> None:
        where = f"{struct}.{path}"
        super().__init__(f"json: cannot unmarshal {found} into Go struct field {where} of type {wanted}")
        self.wanted = wanted


@dataclass(kw_only=True)
class Decoded:
    """The object without its unknown fields, and the paths of those."""

    obj: Json
    unknown: list[str] = field(default_factory=list)


def decode(obj: Json, type_name: str) -> Decoded:
    """Check the types of every field and drop what the type does not have. Raises Mismatch."""
    decoded = Decoded(obj={})
    decoded.obj = _object(obj, type_name, "", decoded.unknown)
    return decoded


def _object(value: Json, type_name: str | None, path: str, unknown: list[str]) -> Json:
    known = fields_of(type_name)
    if not known:
        return value
    result: Json = {}
    for key, inner in value.items():
        here = f"{path}.{key}" if path else key
        if key not in known:
            unknown.append(here)
        elif inner is None:
            if key in _KEPT_NULL:
                result[key] = None
        else:
            decoded = _value(inner, known[key], here, str(type_name), unknown)
            if decoded or key in _KEPT_EMPTY or not (known[key].is_list or known[key].is_map):
                result[key] = decoded
    return result


def _value(value: Any, kind: Field, path: str, struct: str, unknown: list[str]) -> Any:
    if kind.is_list:
        _require(value, list, path, struct, f"[]{_go(kind.type[1:-1])}")
        return [_member(item, kind, f"{path}[{index}]", struct, unknown) for index, item in enumerate(value)]
    if kind.is_map:
        _require(value, dict, path, struct, f"map[string]{_go(kind.type[1:-1])}")
        return {key: _member(item, kind, path, struct, unknown) for key, item in value.items()}
    return _member(value, kind, path, struct, unknown)


def _member(value: Any, kind: Field, path: str, struct: str, unknown: list[str]) -> Any:
    if kind.object is not None:
        _require(value, dict, path, struct, f"v1.{kind.object}")
        return _object(value, kind.object, path, unknown)
    plain = kind.type.strip("[]{}")
    if plain in _PYTHON:
        _require(value, _PYTHON[plain], path, struct, _go(plain))
    return value


def _require(value: Any, wanted: type, path: str, struct: str, go: str) -> None:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise Mismatch(path=path, struct=struct, found=_GO_NAMES.get(type(value), "null"), wanted=go)


def _go(plain: str) -> str:
    return {"boolean": "bool"}.get(plain, f"v1.{plain[1:]}" if plain.startswith("@") else plain)
