"""The default policies are held by their own tests: little in them can be broken without a test noticing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.test_cli_check import run

POLICIES = str(Path(__file__).parents[2] / "policies")


def test_every_default_rule_wins_and_every_raise_comes_to_pass_in_a_test() -> None:
    ran = run("test", POLICIES, "--coverage", "--json")
    coverage = json.loads(ran.stdout)["coverage"]
    assert ran.returncode == 0
    for part in ("rules", "raises", "escalation_levels"):
        assert coverage[part]["missing"] == []


def test_no_broken_severity_guard_or_escalation_of_the_defaults_goes_unnoticed() -> None:
    """A number that nobody tests is a number that somebody will change by mistake."""
    mutants = json.loads(run("test", POLICIES, "--mutate", "--json").stdout)["mutants"]
    careful = ("severities", "guards", "escalations")
    assert [each for each in mutants["survivors"] if each["section"] in careful] == []
    assert all(mutants["sections"][part]["total"] > 10 for part in careful)
