"""The whole language, at random: findings, never an exception, never for long, and a policy or an error.

Structures are grown from the schema of the models themselves, so that a key that is added is tried without a
change here; texts are the policies of this repository, broken in the ways in which files are broken.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.core.policies import Policy
from remediator.policy.draft import SECTIONS, Draft, read_draft
from remediator.policy.findings import Findings, Level, Spot
from remediator.policy.load import Loaded, read_policies
from remediator.policy.placing import LONGEST as LONGEST_TEMPLATE
from remediator.policy.queries import QueryError, check_query
from remediator.policy.sources import read_sources
from remediator.policy.templates import TemplateRefused
from remediator.policy.texts import LONGEST as LONGEST_TEXT
from remediator.policy.texts import compile_text

ROOT = Path(__file__).parents[2]
WHOLE = (ROOT / "tests" / "core" / "language" / "whole.yaml").read_text()
DEFAULTS = (*(path.read_text() for path in sorted((ROOT / "policies").glob("*.yaml"))), WHOLE)
WITHIN = 5.0
"""Seconds for one file of a few kilobytes; it takes some milliseconds."""

Schema = Mapping[str, Any]

ODD = (
    *(None, True, 0, -1, 10**17, 0.5, "", " ", "0", "~", "SEV-1", "web", "c", "15m", "0s", "1/1h", "40%"),
    *("{{ service.name }}", "{{ labels.app }}", "{{", "'", '"', "up", "up{", "http://a/b", "{env: A}"),
    *("\x00", "\ud800", "\u202e", "a" * 70, "../x", "kube-system", "now", "never", "*", "24:00"),
)
NAMES = ("web", "c", "fix")
SEVERITIES = ("SEV-1", "SEV-2", "SEV-3")
REFERENCES = {
    **dict.fromkeys(("severity", "to", "for"), SEVERITIES),
    **dict.fromkeys(("escalation", "channels", "runbooks", "depends_on", "during", "freeze"), NAMES),
}
"""Keys whose values are names, so that some lead somewhere."""


class Grower:
    """Grows policies from the schema of the models. ``odd``: how often something else stands there."""

    def __init__(self, chance: Random, odd: float) -> None:
        self._chance, self._odd = chance, odd

    def policy(self) -> dict[str, Any]:
        """Some sections."""
        names = self._chance.sample(SECTIONS, self._chance.randint(1, len(SECTIONS)))
        return {name: self._section(name) for name in dict.fromkeys(["severities", *names])}

    def _section(self, name: str) -> Any:
        schema, form = SCHEMAS[name]
        definitions = schema.get("$defs", {})
        if form == "single":
            return self._value(schema, definitions, name)
        if form == "list":
            return [self._value(schema, definitions, name) for _ in range(self._chance.randint(0, 3))]
        keys = SEVERITIES if name == "severities" else NAMES
        return {key: self._value(schema, definitions, key) for key in keys}

    def _value(self, schema: Schema, definitions: Mapping[str, Schema], key: str, depth: int = 0) -> Any:
        """What the schema allows, mostly."""
        if self._chance.random() < self._odd:
            return self._anything()
        if "$ref" in schema:
            return self._value(definitions[schema["$ref"].rpartition("/")[2]], definitions, key, depth + 1)
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return self._value(self._chance.choice(choices), definitions, key, depth)
        for word in ("enum", "examples"):
            if schema.get(word):
                return self._chance.choice(schema[word])
        match schema.get("type"):
            case "object":
                return self._object(schema, definitions, depth)
            case "array":
                length = self._chance.randint(0 if self._odd else 1, 3)
                items = schema.get("items", {})
                return [self._value(items, definitions, key, depth) for _ in range(length)]
            case "integer":
                return self._chance.randint(1, 9)
            case "number":
                return self._chance.random()
            case "boolean":
                return self._chance.random() < 0.5
            case "null":
                return None
            case _:
                return schema.get("const") or self._chance.choice(REFERENCES.get(key, NAMES))

    def _object(self, schema: Schema, definitions: Mapping[str, Schema], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        if not properties:
            inner = schema.get("additionalProperties")
            value = inner if isinstance(inner, dict) else {"type": "string"}
            return {self._chance.choice(NAMES): self._value(value, definitions, "", depth)}
        needed = list(schema.get("required", ()))
        exactly_one = not needed and depth < 9 and len(properties) > 5  # a step, a check, a channel
        more = self._chance.randint(0, 3) if depth < 9 else 0
        keys = needed + self._chance.sample(
            sorted(properties), min(1 if exactly_one else more, len(properties))
        )
        return {key: self._value(properties[key], definitions, key, depth) for key in dict.fromkeys(keys)}

    def _anything(self, depth: int = 0) -> Any:
        match self._chance.randint(0, 7):
            case 0 if depth < 3:
                return [self._anything(depth + 1) for _ in range(self._chance.randint(0, 2))]
            case 1 if depth < 3:
                return {self._chance.choice(NAMES): self._anything(depth + 1)}
            case _:
                return self._chance.choice(ODD)


def _schemas() -> dict[str, tuple[Schema, str]]:
    found = [(name, Draft().section(name)) for name in SECTIONS]
    return {
        name: (each.model.model_json_schema(by_alias=True), each.form)
        for name, each in found
        if each is not None
    }


SCHEMAS = _schemas()
CHANCE = st.randoms(use_true_random=True)
"""One seed instead of a draw for each of hundreds of values: that would be ten times slower."""


def read(*texts: str | bytes) -> Loaded:
    """Read the files, and hold what comes of them to what is promised of any."""
    files = {f"{number}.yaml": text for number, text in enumerate(texts)}
    began = time.process_time()
    loaded = read_policies(files)
    assert time.process_time() - began < WITHIN
    errors = [each for each in loaded.findings if each.level is Level.ERROR]
    assert isinstance(loaded.policy, Policy) != bool(errors)
    for each in loaded.findings:
        assert _stands(each.at, files), each
        assert "\n" not in each.message
        assert each.message
    return loaded


def _stands(at: Spot, files: Mapping[str, str | bytes]) -> bool:
    """Whether the place exists: a line of the file, and a column of that line or just behind it."""
    if at.path not in files:
        return at.path == "."
    raw = files[at.path]
    text = raw.decode("utf-8-sig", "replace") if isinstance(raw, bytes) else raw
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return 1 <= at.line <= len(lines) + 1 and at.column >= 1


@settings(max_examples=600)
@given(CHANCE, st.sampled_from((0.0, 0.01, 0.1)))
def test_structures_grown_from_the_language_make_a_policy_or_an_error(chance: Random, odd: float) -> None:
    read(json.dumps(Grower(chance, odd).policy()))


@settings(max_examples=60)
@given(CHANCE)
def test_two_files_that_contradict_each_other_make_findings_of_both(chance: Random) -> None:
    first, second = (Grower(chance, 0.01).policy() for _ in range(2))
    read(json.dumps(first), json.dumps(second), WHOLE)


def test_what_is_grown_is_understood_mostly() -> None:
    """Else the tests above would try little more than the outermost keys."""
    chance, objects, valid = Random(4), 0, 0
    for _ in range(60):
        draft = read_draft(
            read_sources({"p.yaml": json.dumps(Grower(chance, 0.0).policy())}, Findings()), Findings()
        )
        items = [item for name in SECTIONS for item in (draft.section(name) or draft.rules).all_items]
        objects += len(items)
        valid += sum(item.model is not None for item in items)
    assert valid / objects > 0.5


WORDS = sorted({word for text in DEFAULTS for word in text.replace(",", " ").split() if len(word) < 40})
LINES = sorted({line for text in DEFAULTS for line in text.splitlines() if line.strip()})


EDITS = ("drop", "twice", "indent", "outdent", "word", "cut", "insert", "swap")


def _broken(data: st.DataObject) -> str:
    """One of the repository's policies, edited a few times as a hurried person would."""
    lines = data.draw(st.sampled_from(DEFAULTS)).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(
            st.sampled_from(("drop", "twice", "indent", "outdent", "word", "cut", "insert", "swap"))
        ):
            case "drop":
                lines.pop(at)
                lines = lines or [""]
            case "twice":
                lines.insert(at, lines[at])
            case "indent":
                lines[at] = " " * data.draw(st.integers(1, 4)) + lines[at]
            case "outdent":
                lines[at] = lines[at].removeprefix("  ")
            case "word":
                found = lines[at].split()
                if found:
                    old, new = data.draw(st.sampled_from(found)), data.draw(st.sampled_from(WORDS))
                    lines[at] = lines[at].replace(old, new, 1)
            case "cut":
                where = data.draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:where] + lines[at][where + data.draw(st.integers(1, 5)) :]
            case "insert":
                lines.insert(at, data.draw(st.sampled_from(LINES)))
            case _:
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
    return "\n".join(lines)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_policies_of_this_repository_broken_make_a_policy_or_an_error(data: st.DataObject) -> None:
    read(_broken(data))


@given(st.text(max_size=200) | st.text("{}[]()\"'`=~!<>+-*/^%,:. \n@#\\ax19_msumbyoffset", max_size=80))
def test_a_query_is_parsed_or_refused(query: str) -> None:
    said = ""
    try:
        check_query(query)
    except QueryError as error:
        said = str(error) or "nothing"
    assert said != "nothing"
    assert "\n" not in said


@pytest.mark.parametrize("piece", ["(", "-", "1+", "abs(", "x or ", "1^", "x{", "x[", '"', "`", "#", "\\"])
def test_a_query_that_is_nested_deeply_is_parsed_or_refused(piece: str) -> None:
    """The parser calls itself once for each level: an unbounded one would end the process."""
    for closing in ("", ")" * 5_000):
        with pytest.raises(QueryError):
            check_query((piece * LONGEST_TEMPLATE)[:LONGEST_TEMPLATE] + closing)


@given(st.text(max_size=100) | st.text("{}labels.ap|or '\"()[]~+-*%#_servic", max_size=60), st.booleans())
def test_a_text_for_people_is_refused_or_renders_to_something_short(source: str, braces: bool) -> None:
    """Whatever an alert says in it."""
    values = {"labels": {"app": "x" * 4096, "a": "{{ labels.app }}"}, "service": {"name": "web"}}
    try:
        text = compile_text(f"{{{{ {source} }}}}" if braces else source).render(values)
    except TemplateRefused:
        return
    assert len(text) <= LONGEST_TEXT


def test_texts_for_people_are_bounded() -> None:
    """As they are written, and as they render: what an alert says may be long."""
    with pytest.raises(TemplateRefused, match="at most 4000 are allowed"):
        compile_text("x" * (LONGEST_TEXT + 1))
    text = compile_text("{{ labels.app }}" * 4)
    with pytest.raises(TemplateRefused, match="renders to more than 4000 characters"):
        text.render({"labels": {"app": "x" * 2000}})


BOUNDED = {
    "templates": "templates: {" + ", ".join(f'k{n}: "{{{{ service.x }}}}"' for n in range(9_000)) + "}",
    "zones": "time_intervals:\n" + "".join(f"  n{n}: [{{location: Europe/Ber{n}}}]\n" for n in range(9_000)),
    "queries": "services:\n"
    + "".join(f"  s{n}: {{slo: {{objective: 99%, window: 1d, errors: 'x{n}{{'}}}}\n" for n in range(9_000)),
    "raises": "severities: {SEV-2: {raise: ["
    + ",\n".join(f"{{to: SEV-1, when: {{promql: 'a{n}', above: {n}}}}}" for n in range(9_000))
    + "]}}",
    "steps": "runbooks: {a: {steps: ["
    + ",\n".join(f"{{exec: {{command: [a{n}]}}, when: ready}}" for n in range(9_000))
    + "]}}",
    "anchors": "a: &a {times: [{start_time: '00:00', end_time: '01:00'}]}\ntime_intervals:\n"
    + "".join(f"  n{n}: [*a, *a, *a, *a]\n" for n in range(4_000)),
    "schedule": f"drills: {{namespaces: [a], schedule: '{'1,' * 4_000}1 * * * *'}}",
}


@pytest.mark.full
@pytest.mark.parametrize("text", BOUNDED.values(), ids=BOUNDED.keys())
def test_no_file_of_any_section_takes_long(text: str) -> None:
    began = time.process_time()
    loaded = read_policies({"p.yaml": text})
    assert time.process_time() - began < 60
    assert loaded.findings
