"""Decoding: an object must have the types of its kind; unknown fields are dropped, as in a real server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.schema import Field, fields_of
from remediator.testing.apiserver.times import normal_time

_GO_NAMES = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_KEPT_EMPTY = {"containers", "items"}
"""Lists that are written even when they are empty; every other one is left out, as Go's omitempty does."""
_KEPT_NULL = {"creationTimestamp", "lastProbeTime", "eventTime", "firstTimestamp", "lastTimestamp"}
_PYTHON = {"string": str, "boolean": bool, "int32": int, "int64": int}
_TIMES = {"time", "microtime"}


class Mismatch(Exception):
    """A value that its field cannot hold, in the words of Go's decoder.

    ``wanted``: the field's type, where the value has another; empty where it is the text that is wrong.
    """

    def __init__(self, text: str, *, wanted: str = "") -> None:
        super().__init__(text)
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
    if plain in _TIMES and value is not None:
        return _time(value, plain, path, struct)
    if plain in _PYTHON:
        _require(value, _PYTHON[plain], path, struct, _go(plain))
    return value


def _time(value: Any, kind: str, path: str, struct: str) -> str:
    _require(value, str, path, struct, "string")
    try:
        return normal_time(value, kind)
    except ValueError as error:
        raise Mismatch(str(error)) from error


def _require(value: Any, wanted: type, path: str, struct: str, go: str) -> None:
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        found = _GO_NAMES.get(type(value), "null")
        text = f"json: cannot unmarshal {found} into Go struct field {struct}.{path} of type {go}"
        raise Mismatch(text, wanted=go)


def _go(plain: str) -> str:
    named = f"v1.{plain.rpartition('.')[2].lstrip('@')}" if plain.startswith("@") else plain
    return {"boolean": "bool"}.get(plain, named)
