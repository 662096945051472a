"""``docs/language.md``: every section and key of policy files, from the models that the loader reads by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from wording import key_table, type_words

from remediator.core.values import IS
from remediator.policy.describe import CHOICE, UNPERFORMED
from remediator.policy.draft import Section
from remediator.policy.examples import EXAMPLES, SECTION_TEXTS
from remediator.policy.json_schema import described, entry_name, not_performed, sections
from remediator.policy.model import WHOLE

HEAD = """# The policy language

Written by `make reference` from the models that the loader itself reads by. What the parts are for and how
they work together is told in [policies.md](policies.md), a first policy is made in
[tutorial.md](tutorial.md), and what may stand under `steps`, `verify` and `diagnose` is in
[reference.md](reference.md).

A policy file is a mapping of these sections; the files of a directory merge. Editors complete and check all
of it where a file begins with this line (`remediator schema --out policy.schema.json` writes the schema):

```yaml
# yaml-language-server: $schema=policy.schema.json
```
"""


def language_page() -> Iterator[str]:
    """The page, in pieces."""
    yield HEAD
    definitions = described()
    yield "| section | |\n|---|---|"
    for section in sections():
        yield f"| [`{section.name}`](#{section.name}) | {SECTION_TEXTS[section.name]} |"
    yield ""
    for section in sections():
        yield from _section(section, definitions)


def _section(section: Section[BaseModel], definitions: dict[str, Any]) -> Iterator[str]:
    name = entry_name(section)
    node = definitions[name]
    yield f"## {section.name}\n\n{SECTION_TEXTS[section.name]}\n"
    if WHOLE in node.get(UNPERFORMED, {}):
        yield f"**{not_performed(*node[UNPERFORMED][WHOLE])}**\n"
    yield from _example(name)
    yield _form(section, node)
    yield from _keys(node, name, name if section.form == "single" else section.what)


def _form(section: Section[BaseModel], node: dict[str, Any]) -> str:
    """What an entry is, in a sentence before its keys."""
    entry = {"single": "It is", "list": "Each item is"}.get(section.form, "Each entry is")
    if "properties" in node:
        return f"{entry} a mapping{' with one of these keys' if CHOICE in node else ''}:\n"
    if _holder(node).get("properties"):
        return f"{entry} a list of mappings:\n"
    words = type_words(node)
    return f"{entry} {'a ' if words.startswith('list') else ''}{words}.\n"


def _keys(node: dict[str, Any], path: str, owner: str) -> Iterator[str]:
    """The table of an object's keys, then what is to be said of each that holds more."""
    node = _holder(node)
    properties = node.get("properties", {})
    told = [
        key
        for key, each in properties.items()
        if f"{path}.{key}" in EXAMPLES or _holder(each).get("properties")
    ]
    headings = {key: f"`{key}` of {_with_article(owner)}" for key in told}
    yield from key_table(node, lambda key: f"#{_anchor(headings[key])}" if key in headings else "")
    for key in told:
        yield f"### {headings[key]}\n"
        yield from _example(f"{path}.{key}")
        yield from _keys(properties[key], f"{path}.{key}", f"`{key}`")


def _holder(node: dict[str, Any]) -> dict[str, Any]:
    """The object that a key holds, wherever it stands in its forms; itself where there is none."""
    if IS in node:  # what people read as a text of its own, such as a reference to a secret
        return {}
    if "properties" in node:
        return node
    for form in (
        *node.get("anyOf", ()),
        *node.get("oneOf", ()),
        node.get("items"),
        node.get("additionalProperties"),
    ):
        if isinstance(form, dict) and (found := _holder(form)).get("properties"):
            return found
    return {}


def _example(path: str) -> Iterator[str]:
    if path in EXAMPLES:
        yield f"```yaml\n{EXAMPLES[path]}```\n"


def _with_article(owner: str) -> str:
    if owner in ("guards", "operator") or owner.startswith("`"):
        return owner
    return f"{'an' if owner[0] in 'aeiou' else 'a'} {owner}"


def _anchor(heading: str) -> str:
    return heading.lower().replace("`", "").replace(" ", "-")
