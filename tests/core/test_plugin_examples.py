"""Every plugin carries an example that a policy file may hold, as it stands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.diagnoses import DIAGNOSES
from remediator.policy.load import read_policies

POLICY = """
severities:
  SEV-2: {{summary: bad}}
services:
  web: {{namespace: shop, workload: deployment/web}}
rules:
  - {{name: down, match: ['alertname="Down"'], severity: SEV-2, runbooks: [fix]}}
guards: {{namespaces: [shop]}}
runbooks:
  fix:
    diagnose: [{diagnosis}]
    steps: [{step}]
    verify:
      - alert: {{state: resolved, within: 10m}}
      - {check}
"""


def examples() -> Iterator[tuple[str, dict[str, str]]]:
    """The name of each plugin and the part of a runbook that its example is."""
    for name, action in ACTIONS.items():
        yield name, {"step": action.example}
    yield "wait", {"step": "wait: {for: ready, timeout: 5m}"}
    for name, check in CHECKS.items():
        yield name, {"check": check.example}
    for name, diagnosis in DIAGNOSES.items():
        yield name, {"diagnosis": diagnosis.example}


@pytest.mark.parametrize(("name", "part"), list(examples()), ids=str)
def test_the_example_of_every_plugin_is_a_policy(name: str, part: dict[str, str]) -> None:
    """It loads without an error, under the name it is registered by."""
    usual = {"diagnosis": "pods: {}", "step": "restart: {}", "check": "rollout: {}"}
    text = POLICY.format(**{key: f"{{{value}}}" for key, value in {**usual, **part}.items()})
    loaded = read_policies({"p.yaml": text})
    assert loaded.policy is not None, loaded.findings
    runbook = loaded.policy.runbooks["fix"]
    names = {each.action for each in runbook.steps} | {each.check for each in runbook.verify}
    assert name in names | {each.diagnosis for each in runbook.diagnose}
