"""The described models (``remediator.policy.describe``) in the words of an SRE: types, defaults, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from remediator.core.values import IS
from remediator.policy.describe import REFERENCE, TEMPLATE, UNPERFORMED
from remediator.policy.json_schema import not_performed

Schema = Mapping[str, Any]
Below = Callable[[str], str]
"""Where a key's own keys are told: a Markdown link's target, or an empty text."""

_KINDS = {
    "step": "[action](reference.md#actions)",
    "check": "[check](reference.md#checks)",
    "condition": "[check](reference.md#checks)",
    "diagnosis": "[diagnosis](reference.md#diagnoses)",
}
_PLAIN = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}


def key_table(node: Schema, below: Below) -> Iterator[str]:
    """The keys of an object as a table; nothing when it has none."""
    keys = node.get("properties", {})
    if not keys:
        return
    needed, undone = node.get("required", ()), node.get(UNPERFORMED, {})
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for key, each in keys.items():
        default = "needed" if key in needed else default_words(each)
        meaning = [each.get("description", "")]
        if key in undone:
            meaning.append(f"**{not_performed(*undone[key])}**")
        yield f"| `{key}` | {type_words(each, below(key))} | {default} | {' '.join(filter(None, meaning))} |"
    yield ""


def default_words(node: Schema) -> str:
    """The default as a file would say it; nothing where there is none."""
    default = node.get("default")
    if default in (None, "", [], {}):
        return ""
    return f"`{flow(default)}`"


def flow(value: object) -> str:
    """A value in YAML's flow style."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {flow(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case str():
            return value
        case _:
            return json.dumps(value)


def type_words(node: Schema, target: str = "") -> str:
    """What may stand there. ``target``: the link to where its own keys are told."""
    if IS in node:
        return _example(node[IS], node)
    if "enum" in node or "const" in node:
        words = [f"`{flow(word)}`" for word in node.get("enum", [node.get("const")]) if word is not None]
        return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    for union in ("anyOf", "oneOf"):
        if union in node:
            forms = [type_words(each, target) for each in node[union] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(forms))
    if "$ref" in node or "allOf" in node:
        reference = node.get("$ref") or node["allOf"][0]["$ref"]
        return _KINDS.get(name := reference.removeprefix(REFERENCE), name)
    if node.get("format") == TEMPLATE:
        return "text with [templates](policies.md#templates-in-runbooks)"
    kinds = node.get("type", "anything")
    kind = kinds if isinstance(kinds, str) else next(each for each in kinds if each != "null")
    match kind:
        case "array":
            return f"list of {_plural(type_words(node['items'], target))}"
        case "object" if "properties" in node:
            return f"[mapping]({target})" if target else "mapping"
        case "object":
            values = node.get("additionalProperties")
            of = type_words(values, target) if isinstance(values, dict) else "anything"
            return f"mapping of names to {of}"
        case _:
            return _bounded(_example(_PLAIN.get(kind, kind), node), node)


def _example(words: str, node: Schema) -> str:
    """What a text is, without its explanation, and an example of it."""
    words = re.sub(r"^(An?|The) ", "", re.split(r"[:;]", words.rstrip("."))[0])
    examples = node.get("examples", ())
    return f"{words}, such as {_code(flow(examples[0]))}" if examples else words


def _code(text: str) -> str:
    """In backticks, within a cell of a table."""
    return f"`{text}`".replace("|", "\\|")


def _plural(words: str) -> str:
    """``checks``, ``matchers of Alertmanager``; not of text and of what ends in a link's target."""
    head = re.match(r"\[?[A-Za-z ]*?(?=\]|,| of | by | or |$)", words)
    if head is None or head[0] in ("", "text"):
        return words
    word = head[0]
    many = f"{word[:-2]}es" if word.endswith("is") else f"{word}es" if word.endswith("s") else f"{word}s"
    return many + words[head.end() :]


def _bounded(words: str, node: Schema) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is None and most is None:
        return words
    return f"{words}, at least {least}" if most is None else f"{words}, {least or 0} to {most}"
