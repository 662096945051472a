"""OpenAPI documents: as much as clients need to check a manifest before they send it.

They hold the shapes of ``schema.json`` and say of every kind that it can be patched with ``fieldValidation``;
nothing is described in prose, and paths are there for that one purpose. Version 2 is served as JSON and in
the form that older versions of kubectl ask for, the protocol buffers of ``gnostic`` (``OpenAPIv2.proto``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from remediator.testing.apiserver.discovery import VERSION
from remediator.testing.apiserver.kinds import SERVED, Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.schema import Field, fields_of, type_names

PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""What a client accepts."""
PROTOBUF_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""What it is answered: Go cannot parse the other."""
_GVK = "x-kubernetes-group-version-kind"
_INFO = {"title": "Kubernetes", "version": VERSION["gitVersion"]}
_FORMATS = {"int32": "integer", "int64": "integer", "number": "number"}
_SCALARS = {"string": "string", "time": "string", "microtime": "string", "boolean": "boolean"}
_VALIDATION = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
_V2, _V3 = "#/definitions/", "#/components/schemas/"


def document(path: str) -> Json | None:
    """The document at a path (without a trailing slash), or None."""
    if path == "/openapi/v2":
        return _version_2()
    if path == "/openapi/v3":
        groups = sorted({_root(kind) for kind in SERVED})
        return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in groups}}
    root = path.removeprefix("/openapi/v3/")
    kinds = [kind for kind in SERVED if _root(kind) == root]
    return _version_3(kinds) if kinds else None


def _root(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _identity(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


@cache
def _version_2() -> Json:
    return {"swagger": "2.0", "info": _INFO, "paths": {}, "definitions": _schemas(_V2)}


def _version_3(kinds: list[Kind]) -> Json:
    paths = {}
    for kind in kinds:
        inside = "/namespaces/{namespace}" if kind.namespaced else ""
        patch = {_GVK: _identity(kind), "x-kubernetes-action": "patch", "parameters": [_VALIDATION]}
        paths[f"/{_root(kind)}{inside}/{kind.plural}/{{name}}"] = {"patch": patch | {"responses": {}}}
    return {
        "openapi": "3.0.0",
        "info": _INFO,
        "paths": paths,
        "components": {"schemas": _schemas(_V3)},
    }


def _schemas(prefix: str) -> Json:
    owners = {kind.type_name: kind for kind in SERVED}
    found: Json = {}
    for name in type_names():
        fields = fields_of(name) or {}
        schema: Json = {"type": "object"}
        if fields:
            schema["properties"] = {key: _property(field, prefix) for key, field in fields.items()}
        if name in owners:
            schema[_GVK] = [_identity(owners[name])]
        found[name] = schema
    return found


def _property(field: Field, prefix: str) -> Json:
    inner = field.type.strip("[]{}")
    if inner.startswith("@"):
        member: Json = {"$ref": prefix + inner[1:]}
    elif inner in _FORMATS:
        member = {"type": _FORMATS[inner]}
    else:
        member = {"type": _SCALARS[inner]} if inner in _SCALARS else {}
    if field.is_list:
        return {"type": "array", "items": member}
    return {"type": "object", "additionalProperties": member} if field.is_map else member


@cache
def protobuf() -> bytes:
    """Version 2 in protocol buffers."""
    whole = _version_2()
    definitions = b"".join(
        _field(1, _named(name, _schema(schema))) for name, schema in whole["definitions"].items()
    )
    info = _field(1, _INFO["title"].encode()) + _field(2, _INFO["version"].encode())
    return _field(1, b"2.0") + _field(2, info) + _field(8, b"") + _field(9, definitions)


def _schema(schema: Json) -> bytes:
    """A ``Schema``; the numbers are those of its fields in ``OpenAPIv2.proto``."""
    return b"".join(_schema_parts(schema))


def _schema_parts(schema: Json) -> Iterator[bytes]:
    if "$ref" in schema:
        yield _field(1, schema["$ref"].encode())
    if "additionalProperties" in schema:
        yield _field(21, _field(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        yield _field(22, _field(1, schema["type"].encode()))
    if "items" in schema:
        yield _field(23, _field(1, _schema(schema["items"])))
    if "properties" in schema:
        members = (_named(name, _schema(inner)) for name, inner in schema["properties"].items())
        yield _field(25, b"".join(_field(1, member) for member in members))
    for identity in schema.get(_GVK, ()):
        lines = "\n  ".join(f'{name}: "{value}"' for name, value in identity.items())
        yield _field(31, _named(_GVK, _field(2, f"- {lines}\n".encode())))


def _named(name: str, value: bytes) -> bytes:
    return _field(1, name.encode()) + _field(2, value)


def _field(number: int, content: bytes) -> bytes:
    """One length-delimited field."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
