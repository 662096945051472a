"""Rehearsals of what looks at what a service depends on: well unless something else was said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.times import MINUTE, Millis
from remediator.rehearsal.script import CheckOutcome, Result, WorkloadFacts
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.world import World
from tests.rehearsal.scenes import WEB, alert, one, policy, told
from tests.rehearsal.test_stage import at

KNOWN = policy(
    ("workload: deployment/web, ", "workload: deployment/web, depends_on: [postgres, bank], "),
    ("  postgres:", "  bank: {health: 'https://bank.example/health'}\n  postgres:"),
    ("    steps: [{restart: {}}]", "    diagnose: [{dependencies: {}}]\n    steps: [{restart: {}}]"),
    ("      - ready: {for: 30s}", "      - dependencies: {for: 30s, within: 5m}"),
    ("runbooks: [restart-web, take-pod]", "runbooks: [restart-web]"),
)
FIRES = "- {at: 0s, fire: {alertname: WebDown}}\n- {at: 20s, resolve: {alertname: WebDown}}"
VERIFIED = (
    "- {at: 5m, attempts: [{runbook: restart-web, outcome: verified}], pages: {oncall: 0}}\n"
    "- {at: 5m, timeline: 'postgres: well: 3 of 3 pods ready'}"
)
FAILED = "- {at: 11m, attempts: [{runbook: restart-web, outcome: failed}], pages: {oncall: 1}}"
DOWN = "cluster: {workload: statefulset/postgres, replicas: 1, ready: 0}"


def test_what_is_below_is_well_unless_it_is_said_otherwise() -> None:
    """The step of the runbook expects trouble of its target, not of what that depends on."""
    played = one(FIRES, VERIFIED, known=KNOWN)
    assert told(played) == ""


@pytest.mark.parametrize(
    "said",
    [
        DOWN,
        "outcomes: [{check: dependencies, result: failed}]",
        "outcomes: [{check: dependencies, result: unknown}]",
        "cluster: {workload: statefulset/postgres, missing: true}",
    ],
)
def test_what_is_said_to_be_down_below_keeps_it_from_being_verified(said: str) -> None:
    """By the workload that is down, or by the answer of the check; unknown is no better (P14)."""
    assert told(one(FIRES, FAILED, more=said, known=KNOWN)) == ""


def test_which_of_them_fails_is_told_and_can_be_expected() -> None:
    expect = (
        "- {at: 1m, timeline: 'postgres: not well: 0 of 1 pods ready'}\n"
        "- {at: 1m, timeline: 'bank: well: https://bank.example/health answered 200'}"
    )
    assert told(one(FIRES, expect, more=DOWN, known=KNOWN)) == ""


def test_what_the_target_is_told_to_be_says_nothing_of_what_is_below() -> None:
    more = "cluster: {workload: deployment/web, replicas: 3, ready: 1}"
    assert told(one(FIRES, VERIFIED, more=more, known=KNOWN)) == ""


def test_jumping_over_rounds_of_it_changes_nothing() -> None:
    """It depends on the world alone: what is asked every few seconds need not be played."""

    def played(*, jumps: bool) -> tuple[object, ...]:
        outcomes = [CheckOutcome(check="dependencies", result=Result.OK, after=Millis(4 * MINUTE))]
        facts = [WorkloadFacts(path="shop/statefulset/postgres", replicas=1, ready=1)]
        with Stage(KNOWN, World(outcomes, workloads=facts), jumps=jumps) as stage:
            stage.deliver([alert(WEB, 0)], at(0))
            stage.deliver([alert(WEB, MINUTE, since=0)], at(MINUTE))
            stage.run_until(at(15 * MINUTE))
            incidents = [replace(incident, version=0) for incident in stage.incidents]
            return incidents, [stage.timeline(incident.id) for incident in incidents]

    assert played(jumps=True) == played(jumps=False)
