"""A node against its model: every mistake in it, each at its place and in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from remediator.policy.findings import Findings, Spot, quoted, suggestion
from remediator.policy.intervals import NEAREST
from remediator.policy.nodes import Items, Node, Scalar, Table, to_data
from remediator.policy.values import check_template

M = TypeVar("M", bound=BaseModel)

_EXPECTED = {
    "string_type": "text; put it in double quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, such as [a, b]",
    "tuple_type": "a list, such as [a, b]",
    "dict_type": "a mapping, such as {key: value}",
    "model_type": "a mapping, such as {key: value}",
    "dataclass_type": "a mapping, such as {key: value}",
}
_EXAMPLES = {
    "name": "name: service-down",
    "match": "match: ['alertname=\"ServiceDown\"']",
    "severity": "severity: SEV-2",
    "steps": "steps: [{restart: {}}]",
    "level": "level: 1",
    "channels": "channels: [oncall]",
    "query": "query: 'up{service=\"web\"}'",
    "routing_key": "routing_key: {env: PAGERDUTY_ROUTING_KEY}",
    "token": "token: {env: TOKEN}",
    "unless_verified_within": "unless_verified_within: 15m",
    "to": "to: SEV-1",
    "within": "within: 10m",
    "stop_for": "stop_for: 5m",
    "incidents": "incidents: 10",
    "reopened": "reopened: 3",
    "failures": "failures: 3",
    "below": "below: 10%",
    "then": "then: approve",
    "objective": "objective: 99.95%",
    "window": "window: 30d",
    "start_time": "start_time: '09:00'",
    "end_time": "end_time: '17:00'",
    "schedule": "schedule: '0 10 1-7 * MON'",
    "namespaces": "namespaces: [staging]",
    "command": "command: [psql, -c, 'SELECT 1']",
    "image": "image: registry.example.com/shop/web:1.4.2",
}


def validate(model: type[M], node: Node, name_at: Spot, out: Findings, *, secret: bool = False) -> M | None:
    """The model of ``node``; None when something is wrong with it, all of which is in ``out``.

    ``name_at``: where the object's name stands, for what is missing in it. ``secret``: no value of it is
    ever repeated in a message.
    """
    try:
        # As JSON, a list may become a tuple and a word an enum, while nothing else is coerced.
        return model.model_validate_json(json.dumps(to_data(node)), strict=True, context=check_template)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            if out.full:
                out.leave_out()
                continue
            at, code, message = _describe(detail, model, node, name_at, secret=secret)
            out.add(at, code, message)
        return None


def _describe(
    detail: ErrorDetails, model: type[BaseModel], node: Node, name_at: Spot, *, secret: bool
) -> tuple[Spot, str, str]:
    kind, context = detail["type"], detail.get("ctx", {})
    loc = [part for part in detail["loc"] if isinstance(part, str | int)]
    key_at, found, key = locate(node, loc, name_at)
    if kind == "missing":
        wanted = str(loc[-1])
        example = _EXAMPLES.get(wanted, f"{wanted}: …")
        return key_at, "P012", f"'{wanted}' is missing; add {example}"
    if kind == "extra_forbidden":
        return key_at, "P010", _unknown(str(loc[-1]), _models_at(model, loc[:-1]))
    if isinstance(found, Table) and (entry := found.get(str(context.get("key")))) is not None:
        key_at, found, key = entry.key.at, entry.value, entry.key.text
    label = f"{key}: " if key else ""
    if "why" in context:
        empty = isinstance(found, Scalar) and found.value is None
        at = key_at if isinstance(found, Table | Items) or empty else found.at
        if isinstance(found, Scalar) and "offset" in context:
            at = found.spot(int(context["offset"]))
        return at, kind, label + str(context["why"]) + _nearest(context)
    return found.at, "P013", label + _expectation(kind, context, found, detail["msg"], secret=secret)


def _nearest(context: Mapping[str, Any]) -> str:
    """What a word that was refused may have been meant to be, see ``values.refusal``."""
    if "vocabulary" not in context:
        return ""
    near = get_close_matches(str(context["word"]), NEAREST[context["vocabulary"]](), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else "; write one such as UTC or Europe/Berlin"


def _expectation(kind: str, context: dict[str, Any], found: Node, fallback: str, *, secret: bool) -> str:
    shown = "that" if secret else _shown(found)
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}; found {shown}"
    if kind in ("literal_error", "enum"):
        words = [
            word.strip("' ") for word in str(context.get("expected", "")).replace(" or ", ", ").split(",")
        ]
        return f"{shown} is not possible here; {suggestion(_text(found), words)}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty; name at least one"
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return f"{shown} is out of range; {fallback[0].lower()}{fallback[1:]}"
    return f"{shown} is not possible here: {fallback}"


def _unknown(key: str, models: Iterable[type[BaseModel]]) -> str:
    if key == "<<":
        return f"unknown key {quoted(key)}: mappings are not merged; write out the keys that are meant"
    known = {field.alias or name for model in models for name, field in model.model_fields.items()}
    return f"unknown key {quoted(key)}; {suggestion(key, known)}"


def locate(node: Node, loc: Sequence[str | int], name_at: Spot) -> tuple[Spot, Node, str]:
    """Where an error stands: the place of the last key on the way, the node there, and that key.

    Parts of ``loc`` that the file does not know (the names of union members, keys that are missing) are
    passed over.
    """
    key_at, key = name_at, ""
    for part in loc:
        if isinstance(node, Table) and isinstance(part, str) and (entry := node.get(part)) is not None:
            key_at, node, key = entry.key.at, entry.value, part
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            key_at = node.at
    return key_at, node, key


def _models_at(model: type[BaseModel], loc: Sequence[str | int]) -> set[type[BaseModel]]:
    """The models that an object at ``loc`` may have."""
    current = {model, *_models_in(_root(model))}
    for part in loc:
        fields = [
            field.annotation
            for each in current
            for name, field in each.model_fields.items()
            if part == (field.alias or name)
        ]
        if fields:
            current = set().union(*map(_models_in, fields))
    return current


def _root(model: type[BaseModel]) -> object:
    field = model.model_fields.get("root")
    return None if field is None else field.annotation


def _models_in(annotation: object) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return set().union(*map(_models_in, get_args(annotation)))


def _shown(node: Node) -> str:
    match node:
        case Items():
            return "a list"
        case Table():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar():
            return quoted(node.text)


def _text(node: Node) -> str:
    return node.text if isinstance(node, Scalar) else ""
