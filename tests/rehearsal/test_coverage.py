"""What of a policy the tests cover, and what is said of the rest."""

from __future__ import annotations

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.rehearsal.coverage import Coverage, Part, measure
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from tests.rehearsal.scenes import POLICY, cases, policy

ALL_OF_IT = """
tests:
  - name: the database heals
    alerts:
      - {at: 0s, fire: {alertname: PostgresDown, cluster: prod}}
      - {at: 4m, resolve: {alertname: PostgresDown, cluster: prod}}
    expect: [{at: 10m, status: resolved}]
  - name: nothing helps, nobody answers, and it becomes worse
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    outcomes: [{check: alert, result: failed}]
    expect: [{at: 3h, severity: SEV-1}]
  - name: what is slow becomes worse when users suffer
    alerts:
      - {at: 0s, fire: {alertname: WebSlow}}
      - {at: 1m, query: {'sum(rate(errors[5m]))': 0.3}}
    expect: [{at: 1h, severity: SEV-1}]
"""


def covered(text: str, known: Policy | None = None) -> Coverage:
    """How much these tests cover."""
    rules = known or policy()
    run = run_cases(cases(text, rules), Classifier(rules))
    assert not run.failed
    return measure(rules, Places.read({"policies.yaml": POLICY}), run.points)


def test_what_is_covered_is_counted() -> None:
    """Rules that won, steps that were done, waits that held, verifications, raises and levels."""
    coverage = covered(ALL_OF_IT)
    counts = {part.part: (part.covered, part.total) for part in coverage.parts}
    assert counts == {
        Part.RULES: (3, 4),
        Part.STEPS: (4, 4),
        Part.VERIFICATIONS: (1, 3),
        Part.GUARDS: (1, 10),
        Part.APPROVALS: (0, 0),
        Part.RAISES: (2, 2),
        Part.PAGES: (3, 3),
        Part.LEVELS: (3, 3),
    }
    assert coverage.part(Part.RULES).percent == 75


def test_what_is_missing_is_named_with_its_place() -> None:
    """So that an editor can go there."""
    coverage = covered(ALL_OF_IT)
    missing = {
        part.part: [f"{each.where} {each.name}" for each in part.missing]
        for part in coverage.parts
        if part.missing
    }
    assert missing[Part.RULES] == ["policies.yaml:30:11 anything-down"]
    assert missing[Part.VERIFICATIONS] == [
        "policies.yaml:44:5 restart-web",
        "policies.yaml:51:5 take-pod",
    ]
    assert "policies.yaml:52:1 limits" in missing[Part.GUARDS]


def test_a_wait_that_never_ends_well_is_not_covered() -> None:
    """Only what was done counts."""
    coverage = covered(
        """
        tests:
          - name: it never becomes ready
            alerts: [{at: 0s, fire: {alertname: PostgresDown, cluster: prod}}]
            outcomes: [{check: ready, result: failed}]
            expect: [{at: 6m, attempts: [{runbook: restore-database, outcome: failed}]}]
        """
    )
    names = [each.name for each in coverage.part(Part.STEPS).missing]
    assert "restore-database, step 1" not in names
    assert "restore-database, step 2" in names


def test_guards_that_no_test_can_make_block_are_not_asked_for() -> None:
    """The clock of a rehearsal never jumps; without a bound the population guard never blocks."""
    coverage = covered(ALL_OF_IT, policy(("max_unavailable: 40%", "accept: []")))
    assert coverage.part(Part.GUARDS).total == 9
    assert "clock" not in [each.name for each in coverage.part(Part.GUARDS).missing]
