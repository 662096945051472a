"""What a real API server says of its objects' shapes, held against objects.

``openapi.json`` holds what the chart needs of the OpenAPI document (``/openapi/v2``) of Kubernetes v1.32.13,
without its prose. Unknown fields are mistakes here, as with ``kubectl --validate=strict``. The
operator of Prometheus adds kinds of its own: of those, the fields that we use are held to its API reference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.chart.rendering import Object

_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_DURATION = {"type": "string", "pattern": r"^([0-9]+(ms|[smhdwy]))+$"}
_RULE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["expr"],
    "oneOf": [{"required": ["alert"]}, {"required": ["record"]}],
    "properties": {
        "alert": _TEXT, "record": _TEXT, "expr": {"type": ["string", "integer"]}, "for": _DURATION,
        "keep_firing_for": _DURATION, "labels": _TEXTS, "annotations": _TEXTS,
    },
}  # fmt: skip
_GROUP = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1}, "interval": _DURATION, "limit": {"type": "integer"},
        "labels": _TEXTS, "query_offset": _DURATION, "partial_response_strategy": _TEXT,
        "rules": {"type": "array", "items": _RULE},
    },
}  # fmt: skip
_ENDPOINT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "port": _TEXT, "path": _TEXT, "scheme": _TEXT, "honorLabels": {"type": "boolean"},
        "interval": _DURATION, "scrapeTimeout": _DURATION,
    },
}  # fmt: skip
_OPERATOR = {
    "ServiceMonitor": {
        "type": "object",
        "additionalProperties": False,
        "required": ["selector", "endpoints"],
        "properties": {
            "selector": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"},
            "endpoints": {"type": "array", "minItems": 1, "items": _ENDPOINT},
        },
    },
    "PrometheusRule": {
        "type": "object",
        "additionalProperties": False,
        "required": ["groups"],
        "properties": {"groups": {"type": "array", "minItems": 1, "items": _GROUP}},
    },
}


def complaints(obj: Object) -> Iterator[str]:
    """What is wrong with it, each with its place."""
    api, kind = str(obj["apiVersion"]), str(obj["kind"])
    name = f"{kind}/{obj['metadata']['name']}"
    validator = _validators().get((api, kind))
    if validator is None:
        yield f"{name}: {api} has no {kind}"
        return
    for error in validator.iter_errors(obj):
        yield f"{name}{error.json_path[1:]}: {error.message}"


@cache
def _validators() -> dict[tuple[str, str], Draft202012Validator]:
    raw = json.loads(Path(__file__).with_name("openapi.json").read_text())
    definitions = {name: _strict(schema) for name, schema in raw.items()}
    meta = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    roots: dict[tuple[str, str], Any] = {
        (_api(each), each["kind"]): {"$ref": f"#/definitions/{name}"}
        for name, schema in raw.items()
        for each in schema.get("x-kubernetes-group-version-kind", ())
    }
    for kind, spec in _OPERATOR.items():
        properties = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": meta, "spec": spec}
        roots["monitoring.coreos.com/v1", kind] = {
            "type": "object",
            "additionalProperties": False,
            "required": [*properties],
            "properties": properties,
        }
    return {key: Draft202012Validator({**root, "definitions": definitions}) for key, root in roots.items()}


def _api(each: dict[str, str]) -> str:
    return f"{each['group']}/{each['version']}" if each["group"] else each["version"]


def _strict(schema: Any) -> Any:
    """OpenAPI 2 as JSON Schema: no unknown fields, and what is written as a text or a number."""
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string":
        return {"type": ["integer", "string"]}
    plain = {key: value for key, value in schema.items() if key not in ("properties", "format")}
    result = {key: _strict(value) for key, value in plain.items() if not key.startswith("x-kubernetes")}
    if "properties" in schema:
        result["properties"] = {key: _strict(value) for key, value in schema["properties"].items()}
        result["additionalProperties"] = False
    return result
