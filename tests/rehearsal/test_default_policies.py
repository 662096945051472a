"""The default policies are held by their own tests: where it matters, nothing is broken unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

from remediator.rehearsal.mutants.runbooks import OUTLASTED
from tests.integration.test_cli_check import run

POLICIES = str(Path(__file__).parents[2] / "policies")


UNCOVERED = ["lease"]
"""Alerts of one service are one incident here, so no two incidents ever want the same target."""

DECIDE_NOTHING = {
    "restart-service": ("rollout", "ready", "endpoints"),
    "restore-database": ("ready", "endpoints", "promql", "exec", "alert"),
    "break-cascade": ("ready", "endpoints", "http"),
    "replace-leaking-pod": ("rollout", "ready", "alert", "no_recurrence"),
    "replace-stuck-pods": ("rollout", "ready"),
    "roll-back": ("rollout", "ready"),
    "enable-fallback": ("http", "promql", "alert"),
}
"""Checks whose ``within`` may be another: the attempt waits for all as long as for the longest of them."""


def test_everything_in_the_default_policies_comes_to_pass_in_a_test() -> None:
    """Rules, steps, proofs, raises, page policies and levels; and every guard blocks, but one that cannot."""
    ran = run("test", POLICIES, "--coverage", "--json")
    coverage = json.loads(ran.stdout)["coverage"]
    assert ran.returncode == 0
    missing = {part: [each["name"] for each in found["missing"]] for part, found in coverage.items()}
    assert missing.pop("guards") == UNCOVERED
    assert set(map(tuple, missing.values())) == {()}
    assert coverage.pop("approvals")["total"] == 0, "they act by themselves, or not at all"
    assert all(found["total"] for found in coverage.values())


def test_nothing_in_the_default_policies_is_broken_unnoticed() -> None:
    """A number that nobody tests is a number that somebody will change by mistake."""
    mutants = json.loads(run("test", POLICIES, "--mutate", "--json").stdout)["mutants"]
    unexplained = [each for each in mutants["survivors"] if not each["hint"].startswith(OUTLASTED)]
    assert unexplained == []
    assert {(each["subject"], each["change"].split(": within ")[0]) for each in mutants["survivors"]} == {
        (f"runbook {name}", f"check {check}") for name, checks in DECIDE_NOTHING.items() for check in checks
    }
    few = {name for name, found in mutants["sections"].items() if found["total"] <= 10}
    assert few == {"services"}, "of the catalog only what depends on what, not through something else as well"
