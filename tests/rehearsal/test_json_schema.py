"""The JSON schema of test files says what reading them says, as far as a schema can."""

from __future__ import annotations

import pytest
from jsonschema import Draft7Validator

from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.rehearsal.examples import TEST_EXAMPLES
from remediator.rehearsal.json_schema import described_test, schema_of_tests
from remediator.rehearsal.reading import read_tests
from tests.core.test_json_schema import SHIPPED, data_of, nodes

SCHEMA = schema_of_tests()
VALIDATOR = Draft7Validator(SCHEMA)
POLICY = """
severities:
  SEV-1: {page: now, escalation: e}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: e, raise: {to: SEV-1, after: 1h}}
escalations:
  e: [{level: 1, channels: [oncall], acknowledge_within: 10m}, {level: 2, channels: [manager]}]
channels:
  oncall: {pagerduty: {routing_key: {env: A}}}
  manager: {pagerduty: {routing_key: {env: B}}}
services: {web: {namespace: shop, workload: deployment/web}}
guards: {namespaces: [shop]}
rules:
  - {name: service-down, match: ['alertname=~"Service.*"'], severity: SEV-2, mode: auto, runbooks: [restart]}
runbooks:
  restart:
    diagnose: [{pods: {}}]
    steps: [{restart: {}}]
    verify: [{ready: {}}, {alert: {state: resolved}}]
"""
TEST = "tests: [{name: x, alerts: [{at: 0s, fire: {alertname: ServiceDown}}], expect: [{at: 1s, level: 0}]}]"
MISTAKES = {
    "an unknown section": "rules: []",
    "tests by name": "tests: {x: {}}",
    "an unknown key": TEST.replace("name: x", "name: x, nmae: y"),
    "no expectation": "tests: [{name: x, expect: []}]",
    "no name": "tests: [{expect: [{at: 1s, level: 0}]}]",
    "a moment without a time": TEST.replace("at: 0s, ", ""),
    "a duration without a unit": TEST.replace("at: 1s", "at: 1"),
    "a label that is a number": TEST.replace("ServiceDown", "5"),
    "no labels": TEST.replace("{alertname: ServiceDown}", "{}"),
    "no such status": TEST.replace("level: 0", "status: closed"),
    "a count below nothing": TEST.replace("level: 0", "level: -1"),
    "no such outcome": TEST.replace("level: 0", "attempts: [{runbook: restart, outcome: fine}]"),
    "no workload": TEST.replace("name: x", "name: x, cluster: {workload: web}"),
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy({"p.yaml": POLICY})


def refusals(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(data_of(text))]


def test_it_is_a_schema_of_draft_7_in_which_every_key_says_what_it_means() -> None:
    Draft7Validator.check_schema(SCHEMA)
    keys = [(path, node) for path, node in nodes(SCHEMA) if path.count(".") > 1]
    assert len(keys) > 50
    assert [path for path, node in keys if not node.get("description")] == []


@pytest.mark.parametrize("path", TEST_EXAMPLES)
def test_every_example_is_read_and_accepted(path: str, policy: Policy) -> None:
    assert read_tests({"p_test.yaml": TEST_EXAMPLES[path]}, policy).findings == ()
    assert refusals(TEST_EXAMPLES[path]) == []
    known = {name.removeprefix(".") for name, _ in nodes({"definitions": {"test": described_test()}})}
    assert path in known


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_of_form_is_refused_by_both(what: str, policy: Policy) -> None:
    assert refusals(TEST) == []
    assert not read_tests({"p_test.yaml": TEST}, policy).has_errors
    assert read_tests({"p_test.yaml": MISTAKES[what]}, policy).has_errors
    assert refusals(MISTAKES[what])


def test_shipped_tests_are_accepted() -> None:
    shipped = [path for path in SHIPPED if path.name.endswith("_test.yaml")]
    assert [(path, refusals(path.read_text())) for path in shipped if refusals(path.read_text())] == []


@pytest.mark.parametrize(
    "short",
    [
        "{fire: {alertname: ServiceDown}}",
        "{fire: [{alertname: ServiceDown}]}",
        "{query: {up: }}",
        "{query: {up: 1.5}}",
        "{query: {up: [1, 2]}}",
        "{cluster: {workload: deployment/web, ready: 0}}",
        "{cluster: [{workload: deployment/web}]}",
        "{outcome: {diagnosis: pods, finds: one line}}",
        "{resume: true}",
    ],
)
def test_one_may_stand_for_a_list_of_one(short: str, policy: Policy) -> None:
    """What is read, the schema accepts."""
    text = TEST.replace("alerts: [", f"alerts: [{{at: 0s, {short[1:]}, ")
    assert not read_tests({"p_test.yaml": text}, policy).has_errors
    assert refusals(text) == []
