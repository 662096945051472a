"""The policy language as JSON schema, for editors: generated from the models that the loader reads by.

Draft 7, which the YAML language server knows best. A schema never refuses what the loader accepts; what it
cannot say (names that must exist, templates, one bound of three) only the loader refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from remediator.core.policies import SEVERITIES
from remediator.core.values import IS
from remediator.policy.describe import MARK, REFERENCE, TEMPLATE, UNPERFORMED, Schema, describe
from remediator.policy.draft import SECTIONS, Draft, Section
from remediator.policy.examples import SECTION_TEXTS
from remediator.policy.model import WHOLE
from remediator.policy.values import NAME

DIALECT = "http://json-schema.org/draft-07/schema#"
_MAY_HOLD = "May hold templates, such as {{ service.name }}."


def sections() -> Iterator[Section[BaseModel]]:
    """Every section of policy files, empty, in the order of the reference."""
    draft = Draft()
    for name in SECTIONS:
        section = draft.section(name)
        assert section is not None
        yield section


def entry_name(section: Section[BaseModel]) -> str:
    """What an entry of the section is called: ``rule``, ``severity``; ``guards`` is one by itself."""
    return section.name if section.form == "single" else section.what.replace(" ", "_")


def described() -> dict[str, Schema]:
    """Everything that policy files hold, by name: entries of sections, steps, checks, diagnoses."""
    return describe({entry_name(section): section.model for section in sections()})


def policy_schema() -> Schema:
    """The schema of a policy file."""
    models = described()
    return {
        "$schema": DIALECT,
        "description": "A policy file of remediator: what alerts mean, who is asked, what may be done.",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {section.name: published(_section_schema(section, models)) for section in sections()},
        "definitions": {name: published(each) for name, each in models.items()},
    }


def _section_schema(section: Section[BaseModel], models: dict[str, Schema]) -> Schema:
    entry = {"$ref": REFERENCE + entry_name(section)}
    undone = models[entry_name(section)].get(UNPERFORMED, {}).get(WHOLE)
    text = SECTION_TEXTS[section.name]
    said = {"description": f"{text} {not_performed(*undone)}" if undone else text}
    match section.form:
        case "list":
            return {**said, "type": ["array", "null"], "items": entry}
        case "single":
            return {**said, "anyOf": [entry, {"type": "null"}]}
        case _:
            named = {**said, "type": ["object", "null"]}
            if section.name == "severities":
                return {
                    **named,
                    "additionalProperties": False,
                    "properties": dict.fromkeys(SEVERITIES, entry),
                }
            names = {"pattern": f"^{NAME.pattern}$"}
            return {**named, "propertyNames": names, "additionalProperties": entry}


def published(node: Schema) -> Schema:
    """What editors see: without marks of ours, and with a few keywords that only editors know."""
    made: Schema = {key: _below(key, value) for key, value in node.items() if not key.startswith(MARK)}
    for key, said in node.get(UNPERFORMED, {}).items():
        if key in made.get("properties", {}):
            _say(made["properties"][key], not_performed(*said))
    if "anyOf" in made or "oneOf" in made:  # editors offer an example of one form as a value of every form
        made["examples"] = [each for each in made.get("examples", ()) if not isinstance(each, dict | list)]
        if not made["examples"]:
            del made["examples"]
    if made.get("format") == TEMPLATE:
        del made["format"]
        _say(made, _MAY_HOLD)
    if "pattern" in made and IS in node:
        words = f"{node[IS][0].lower()}{node[IS][1:].rstrip('.')}"
        made["patternErrorMessage"] = f"Expected {words}, such as {made['examples'][0]}."
    if "`" in made.get("description", ""):
        _say(made, "")
    return made


def _below(keyword: str, value: Any) -> object:
    match keyword:
        case "properties":
            return {key: published(each) for key, each in value.items()}
        case "anyOf" | "oneOf" | "allOf":
            return [published(each) for each in value]
        case "items" | "additionalProperties" if isinstance(value, dict):
            return published(value)
        case _:
            return value


def _say(node: Schema, more: str) -> None:
    """Add to what a key means. Only where editors read it as Markdown are there backticks."""
    text = f"{node.get('markdownDescription', node.get('description', ''))} {more}".strip()
    node["description"] = text.replace("`", "")
    if "`" in text:
        node["markdownDescription"] = text


def not_performed(code: str, only: str, instead: str) -> str:
    """What becomes of a key that is read and not performed. ``only``: the one value of it that is meant."""
    what = f"{only[0].upper()}{only[1:]} is not performed" if only else "Not performed"
    return f"{what} in this version ({code}): {instead}."
