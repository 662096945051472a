"""What the models say of the policy language: every key with its type, default, meaning and example.

JSON schema of draft 7 in a tidy form: entries of sections and what is chosen by a single key (a step, a
check, a diagnosis, a channel) have names and are referred to; any other model stands where it is used.
Defaults are written as files write them. The schema for editors and the reference of the language are both
made of this.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.times import Millis, format_duration
from remediator.diagnoses import DIAGNOSES
from remediator.policy.examples import EXAMPLES
from remediator.policy.findings import Findings
from remediator.policy.model import OneOf
from remediator.policy.nodes import compose, to_data
from remediator.policy.plugins import IDLE_STEPS

Schema = dict[str, Any]

REFERENCE = "#/definitions/"
MARK = "x-remediator-"
"""Keywords of ours begin so. Editors never see them."""
CHOICE, UNPERFORMED = (f"{MARK}{what}" for what in ("choice", "unperformed"))
"""The keys of which one is chosen; those that are not performed: code, the only such value, what instead."""
TEMPLATE = "template"
"""The format of text that may hold templates (``core.templated``)."""

PLUGINS: Mapping[str, Mapping[str, object]] = {
    "step": {**ACTIONS, **IDLE_STEPS},
    "check": CHECKS,
    "condition": CHECKS,
    "diagnosis": DIAGNOSES,
}
"""What is chosen by a single key, by what it is and its name; each tells of itself and has an example."""


class _Generator(GenerateJsonSchema):
    """Also tells which models choose one of several keys, and what default factories make."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        cls = schema["cls"]
        undone = getattr(cls, "unperformed", {})
        marks = {
            CHOICE: sorted(getattr(cls, "options", ())) if issubclass(cls, OneOf) else None,
            UNPERFORMED: {key: [each.code, each.only, each.instead] for key, each in undone.items()},
        }
        return {**made, **{mark: value for mark, value in marks.items() if value}}

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if "default_factory" not in schema or schema.get("default_factory_takes_data"):
            return made
        return {**made, "default": schema["default_factory"]()}  # type: ignore[call-arg]


def describe(
    models: Mapping[str, type[BaseModel]], examples: Mapping[str, str] = EXAMPLES
) -> dict[str, Schema]:
    """The models by their names, and whatever they choose from by its own. ``examples``: files, by path."""
    wanted: list[tuple[type[BaseModel], Literal["validation"]]] = [(m, "validation") for m in models.values()]
    made, rest = models_json_schema(wanted, ref_template="{model}", schema_generator=_Generator)
    writer = _Writer(raw=rest.get("$defs", {}), examples=examples)
    described = {name: writer.write(made[model, "validation"], name) for name, model in models.items()}
    for title, each in writer.raw.items():
        if each.get(CHOICE):
            name = title.lower()
            described[name] = writer.write(each, name)
    return dict(sorted(described.items()))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Writer:
    """Pydantic's schemas in the tidy form. ``raw``: its definitions by name."""

    raw: Mapping[str, Schema]
    examples: Mapping[str, str]

    def write(self, node: Schema, path: str, *, whole: bool = True) -> Schema:
        """``path``: the name and the keys on the way to it, such as ``severity.page``.

        ``whole``: it is all that may stand there, not one of several forms.
        """
        node = self._looked_up(node, path)
        if "$ref" in node:
            return node
        made = {key: value for key, value in node.items() if key not in ("title", "properties")}
        for key in ("items", "additionalProperties"):
            if isinstance(made.get(key), dict):
                made[key] = self.write(made[key], f"{path}.*" if key == "additionalProperties" else path)
        for key in ("anyOf", "oneOf", "allOf"):
            if key in made:
                forms = [self.write(each, path, whole=False) for each in made[key]]
                made[key] = [_unsaid(each) for each in forms] if "description" in made else forms
        if "properties" in node:
            each = node["properties"].items()
            made["properties"] = {key: self.write(below, f"{path}.{key}") for key, below in each}
        made = _finished(_chosen(made, path) if made.get(CHOICE) else made)
        if whole and path in self.examples:
            made["examples"] = [shown_value(self.examples[path], path)]
        return made

    def _looked_up(self, node: Schema, path: str) -> Schema:
        """What ``$ref`` leads to, with what stands beside it, which counts more."""
        if "$ref" not in node or node["$ref"].startswith(REFERENCE):
            return node
        name = node["$ref"]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        if self.raw[name].get(CHOICE) and name.lower() != path:
            reference = {"$ref": REFERENCE + name.lower()}
            beside.pop("default", None)
            return {"allOf": [reference], **beside} if beside else reference
        return {**self._looked_up(self.raw[name], path), **beside}


def _unsaid(form: Schema) -> Schema:
    """One of several forms of a value, which is described as a whole."""
    return {key: value for key, value in form.items() if key != "description"}


def _chosen(node: Schema, path: str) -> Schema:
    """A mapping that chooses by one key, each with what its plugin says of itself."""
    choice = node[CHOICE]
    keys = {
        name: _option(each, f"{path}.{name}") if name in choice else each
        for name, each in node["properties"].items()
    }
    bound: Schema = {"minProperties": 1, "maxProperties": 1}
    if len(choice) < len(keys):  # others may stand beside it
        bound = {"oneOf": [{"required": [name]} for name in choice]}
    return {**node, **bound, "properties": keys}


def _option(option: Schema, path: str) -> Schema:
    kind, _, name = path.partition(".")
    plugin = PLUGINS.get(kind, {}).get(name)
    own = {key: value for key, value in option.items() if key != "default"}
    if not own.get("required"):
        own["type"] = ["object", "null"]
    if plugin is not None:
        own["description"] = prose(plugin)
        (example,) = read_example(getattr(plugin, "example", "")).values()
        own["examples"] = [{key: each for key, each in example.items() if key in own["properties"]}]
    return own


def _finished(node: Schema) -> Schema:
    """The schema with its texts plain, and its default as files write it."""
    made = _nullable(node)
    if "description" in made:
        made["description"] = " ".join(made["description"].replace("``", "`").split())
    if "default" in made:
        made["default"] = as_written(made["default"], made)
        if made["default"] is None:
            del made["default"]
    return made


def _nullable(node: Schema) -> Schema:
    """``X or null`` as one schema of two types, where that says the same: editors complete it better."""
    match node.get("anyOf"):
        case [{"type": str(kind)} as only, {"type": "null"}] if not only.keys() & {"enum", "const"}:
            rest = {key: value for key, value in node.items() if key != "anyOf"}
            return {**only, **rest, "type": [kind, "null"]}
    return node


def as_written(value: object, schema: Schema) -> object:
    """A default as a file would say it: durations are kept in milliseconds and written as ``5m``."""
    kinds = schema.get("type")
    if isinstance(value, Mapping):
        below = schema.get("properties", {})
        written = {key: as_written(each, below.get(key, {})) for key, each in value.items()}
        return {key: each for key, each in written.items() if each is not None}
    if isinstance(value, int) and not isinstance(value, bool) and kinds in ("string", ["string", "null"]):
        return format_duration(Millis(value))
    return value


def prose(documented: object) -> str:
    """A docstring as one paragraph of Markdown."""
    own = documented if isinstance(documented, type) else type(documented)
    return " ".join((inspect.getdoc(own) or "").replace("``", "`").split())


def shown_value(example: str, path: str) -> object:
    """What the example says at ``path``: the first that is found on the way of its keys."""
    head, *keys = path.split(".")
    ((section, value),) = read_example(example).items()
    found = [value] if head == section else list(value.values() if isinstance(value, dict) else value)
    for key in keys:
        holders = [item for each in found for item in (each if isinstance(each, list) else [each])]
        found = [holder[key] for holder in holders if key in holder]
    return found[0]


def read_example(text: str) -> dict[str, Any]:
    """The example as plain values."""
    out = Findings()
    documents = compose("example.yaml", text, out)
    assert documents, f"not an example: {text}"
    data = to_data(documents[0])
    assert isinstance(data, dict), f"not an example: {text}"
    return data
