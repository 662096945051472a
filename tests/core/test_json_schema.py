"""The JSON schema says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from remediator.policy.describe import MARK
from remediator.policy.examples import EXAMPLES, SECTION_TEXTS
from remediator.policy.findings import Findings
from remediator.policy.json_schema import described, policy_schema, sections
from remediator.policy.load import read_policies
from remediator.policy.nodes import compose, to_data

ROOT = Path(__file__).parents[2]
SCHEMA = policy_schema()
SHIPPED = sorted((*ROOT.glob("policies/**/*.yaml"), *ROOT.glob("remediator/testing/**/*.yaml")))
POLICIES = [path for path in SHIPPED if not path.name.endswith("_test.yaml")]
VALIDATOR = Draft7Validator(SCHEMA)

MISTAKES = {
    "an unknown section": "severties: {}",
    "a section of the wrong form": "rules: {name: x}",
    "rules by name": "rules: {down: {match: [], severity: SEV-1}}",
    "no such severity": "severities: {SEV-5: {}}",
    "a name with a blank": "services: {'a b': {}}",
    "an unknown key": "severities: {SEV-1: {pgae: now}}",
    "a key that is missing": "rules: [{name: x, match: []}]",
    "a number for a text": "severities: {SEV-1: {summary: 5}}",
    "a text for a number": "runbooks: {f: {steps: [{scale: {to: three}}]}}",
    "a text for a list": "services: {a: {depends_on: b}}",
    "an empty list": "escalations: {e: []}",
    "a number out of range": "runbooks: {f: {steps: [{restart: {}}], limits: {attempts: 0}}}",
    "a duration without a unit": "severities: {SEV-1: {respond_within: 15}}",
    "a duration of an unknown unit": "severities: {SEV-1: {respond_within: 15min}}",
    "a duration in the wrong order": "severities: {SEV-1: {respond_within: 30m1h}}",
    "a duration of nothing": "severities: {SEV-1: {respond_within: 0s}}",
    "no such mode": "rules: [{name: x, match: [], severity: SEV-1, mode: yolo}]",
    "no such word for page": "severities: {SEV-1: {page: later}}",
    "a key of page that is unknown": "severities: {SEV-1: {page: {unless_verified: 5m}}}",
    "no matcher": "rules: [{name: x, match: [web], severity: SEV-1}]",
    "no workload": "services: {a: {namespace: n, workload: web}}",
    "no kind of workload": "services: {a: {namespace: n, workload: pod/web}}",
    "no namespace": "guards: {namespaces: [Kube_System]}",
    "no rate": "guards: {rate: {service: 3 an hour}}",
    "no share": "guards: {max_unavailable: half}",
    "a step that is unknown": "runbooks: {f: {steps: [{reboot: {}}]}}",
    "a step that is a word": "runbooks: {f: {steps: [restart]}}",
    "two actions in a step": "runbooks: {f: {steps: [{restart: {}, rollback: {}}]}}",
    "an empty step": "runbooks: {f: {steps: [{}]}}",
    "no steps": "runbooks: {f: {steps: []}}",
    "a parameter that is unknown": "runbooks: {f: {steps: [{scale: {to: 1, by: 2}}]}}",
    "a wait for a word that is no check": "runbooks: {f: {steps: [{wait: {for: redy}}]}}",
    "a wait for a check that needs parameters": "runbooks: {f: {steps: [{wait: {for: promql}}]}}",
    "a secret in the file": "channels: {c: {pagerduty: {routing_key: abc}}}",
    "a secret by two names": "channels: {c: {pagerduty: {routing_key: {env: A, file: /a}}}}",
    "a level without a number": "escalations: {e: [{channels: [c]}]}",
}


def data_of(text: str) -> object:
    """The only document of a text, as an editor reads it."""
    out = Findings()
    documents = compose("p.yaml", text, out)
    assert documents is not None, out.found
    assert len(documents) == 1
    return to_data(documents[0])


def refusals(text: str) -> list[str]:
    """What the schema refuses in it."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(data_of(text))]


def nodes(schema: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every schema within ``schema`` that describes a key, with the way to it."""
    if isinstance(schema, list):
        return [each for item in schema for each in nodes(item, path)]
    if not isinstance(schema, dict):
        return []
    found = []
    for key, value in schema.items():
        if key in ("properties", "definitions") and isinstance(value, dict):
            for name, each in value.items():
                found += [(f"{path}.{name}", each), *nodes(each, f"{path}.{name}")]
        elif key not in ("default", "examples", "enum", "const"):
            found += nodes(value, path)
    return found


def test_it_is_a_schema_of_draft_7_without_marks_of_ours() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert MARK not in json.dumps(SCHEMA)
    assert MARK in json.dumps(described())


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_policies_are_accepted(path: Path) -> None:
    assert refusals(path.read_text()) == []


@pytest.mark.parametrize("path", EXAMPLES)
def test_every_example_is_read_by_the_loader_and_accepted_by_the_schema(path: str) -> None:
    """Only what it refers to may be missing."""
    text = EXAMPLES[path]
    found = [each for each in read_policies({"p.yaml": text}).findings if each.code not in ("P017",)]
    errors = [
        str(each) for each in found if each.level == "error" and "no severity is defined" not in each.message
    ]
    assert errors == []
    assert refusals(text) == []


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_of_form_is_refused_by_both(what: str) -> None:
    assert read_policies({"p.yaml": MISTAKES[what]}).policy is None
    assert refusals(MISTAKES[what]), what


def test_every_section_has_a_text_and_an_example() -> None:
    for section in sections():
        assert section.name in SECTION_TEXTS
        assert SCHEMA["properties"][section.name]["description"].startswith(
            SECTION_TEXTS[section.name].replace("`", "")
        )


def test_every_key_says_what_it_means() -> None:
    keys = [(path, node) for path, node in nodes(SCHEMA) if path.count(".") > 1 and "$ref" not in node]
    assert len(keys) > 200
    assert [path for path, node in keys if not node.get("description")] == []


def test_examples_are_of_what_there_is() -> None:
    """No example is left over from a key that has gone."""
    known = {path.removeprefix(".") for path, _ in nodes({"definitions": described()})}
    assert [path for path in EXAMPLES if path not in known] == []


def test_defaults_are_accepted_where_they_stand() -> None:
    """An editor writes a default into the file: the loader must take it."""
    found = [(path, node) for path, node in nodes(SCHEMA) if "default" in node]
    assert len(found) > 20
    for path, node in found:
        own = {**node, "definitions": SCHEMA["definitions"]}
        assert list(Draft7Validator(own).iter_errors(node["default"])) == [], path


def test_examples_are_accepted_where_they_stand() -> None:
    found = [(path, node) for path, node in nodes(SCHEMA) if "examples" in node]
    assert len(found) > 20
    for path, node in found:
        own = {**node, "definitions": SCHEMA["definitions"]}
        for example in node["examples"]:
            assert list(Draft7Validator(own).iter_errors(example)) == [], path
