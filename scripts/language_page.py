"""``docs/language.md``: every section and key of policy files, from the models that the loader reads by."""

from __future__ import annotations

import json
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
from remediator.rehearsal.examples import TEST_EXAMPLES, TESTS_TEXT
from remediator.rehearsal.json_schema import TEST, described_test

SHOWN = {**EXAMPLES, **TEST_EXAMPLES}
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
    definitions, known = described(), dict[str, str]()
    yield "| section | |\n|---|---|"
    for section in sections():
        yield f"| [`{section.name}`](#{section.name}) | {SECTION_TEXTS[section.name]} |"
    yield f"| [`tests`](#tests) | {TESTS_TEXT} Stands in files of its own, `*_test.yaml`. |\n"
    for section in sections():
        yield from _section(section, definitions, known)
    yield f"## tests\n\n{TESTS_TEXT} A file named `*_test.yaml` holds nothing but this section.\n"
    yield from _example(TEST)
    yield "Each item is a mapping:\n"
    yield from _keys(described_test(), TEST, "test", known)


def _section(
    section: Section[BaseModel], definitions: dict[str, Any], known: dict[str, str]
) -> Iterator[str]:
    name = entry_name(section)
    node = definitions[name]
    yield f"## {section.name}\n\n{SECTION_TEXTS[section.name]}\n"
    if WHOLE in node.get(UNPERFORMED, {}):
        yield f"**{not_performed(*node[UNPERFORMED][WHOLE])}**\n"
    yield from _example(name)
    yield _form(section, node)
    yield from _keys(node, name, name if section.form == "single" else section.what, known)


def _form(section: Section[BaseModel], node: dict[str, Any]) -> str:
    """What an entry is, in a sentence before its keys."""
    entry = {"single": "It is", "list": "Each item is"}.get(section.form, "Each entry is")
    if "properties" in node:
        return f"{entry} a mapping{' with one of these keys' if CHOICE in node else ''}:\n"
    if _holder(node).get("properties"):
        return f"{entry} a list of mappings:\n"
    words = type_words(node)
    return f"{entry} {'a ' if words.startswith('list') else ''}{words}.\n"


def _keys(node: dict[str, Any], path: str, owner: str, known: dict[str, str]) -> Iterator[str]:
    """The table of an object's keys, then what is to be said of each that holds more.

    ``known``: the tables that the page has already, as text, and the headings above them.
    """
    node = _holder(node)
    keys = {key: each for key, each in node.get("properties", {}).items() if _tells(f"{path}.{key}", each)}
    tables = {
        key: json.dumps(_bare(_holder(each).get("properties")), sort_keys=True) for key, each in keys.items()
    }
    headings = {key: f"`{key}` of {_with_article(owner)}" for key in keys}
    targets = {
        key: headings[key] if f"{path}.{key}" in SHOWN else known.get(tables[key], headings[key])
        for key in keys
    }
    yield from key_table(node, lambda key: f"#{_anchor(targets[key])}" if key in targets else "")
    for key, each in keys.items():
        if targets[key] != headings[key]:
            continue
        yield f"### {headings[key]}\n"
        yield from _example(f"{path}.{key}")
        if (first := known.get(tables[key])) is not None:
            yield f"Its keys are those of [{first}](#{_anchor(first)}).\n"
        elif _holder(each):
            known[tables[key]] = headings[key]
            yield from _keys(each, f"{path}.{key}", f"`{key}`", known)


def _bare(node: Any) -> Any:
    """The schema without examples: two tables that differ in these alone are one."""
    match node:
        case dict():
            return {key: _bare(each) for key, each in node.items() if key != "examples"}
        case list():
            return [_bare(each) for each in node]
        case _:
            return node


def _tells(path: str, node: dict[str, Any]) -> bool:
    """Whether there is more to be said of a key than its line in a table."""
    return path in SHOWN or bool(_holder(node).get("properties"))


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
    if path in SHOWN:
        yield f"```yaml\n{SHOWN[path]}```\n"


def _with_article(owner: str) -> str:
    if owner in ("guards", "operator") or owner.startswith("`"):
        return owner
    return f"{'an' if owner[0] in 'aeiou' else 'a'} {owner}"


def _anchor(heading: str) -> str:
    return heading.lower().replace("`", "").replace(" ", "-")
