"""Tests of policies that ask a person first: who answers, when, and what comes of it."""

from __future__ import annotations

import pytest

from remediator.core.classify import Classifier
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.rehearsal.coverage import Part, measure
from remediator.rehearsal.mutants import all_mutants
from remediator.rehearsal.mutating import try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import Run, run_cases
from tests.rehearsal.scenes import POLICY, cases, one, told

TRIES = "mode: auto\n    runbooks: [restart-web, take-pod]"
ASKS = POLICY.replace(TRIES, "mode: approve\n    runbooks: [restart-web]")
LIMITS = "    limits: {attempts: 2"
TERMS = ASKS.replace(LIMITS, "    approval: {for: [SEV-3], within: 10m, by: [sre, admin]}\n" + LIMITS)
FIRE = "{at: 0s, fire: {alertname: WebDown}}"
HEALED = "{at: 4m, resolve: {alertname: WebDown}}"


def known(text: str) -> Policy:
    return load_policy({"policies.yaml": text})


def items(*moments: str) -> str:
    return "".join(f"- {moment}\n" for moment in moments if moment)


def test_texts_of_this_file_say_what_they_should() -> None:
    assert "mode: approve" in ASKS
    assert "within: 10m, by" in TERMS


@pytest.mark.parametrize(
    ("of", "alerts", "expected"),
    [
        (ASKS, (), ["{at: 14m, attempts: [{runbook: restart-web, outcome: approving}], changes: []}"]),
        (ASKS, (), ["{at: 14m, attempts: [{runbook: restart-web, outcome: running}], status: remediating}"]),
        (ASKS, (), ["{at: 1m, pages: {oncall: 1, manager: 1}, level: 0}"]),
        (
            ASKS,
            ("{at: 3m, approve: oncall}",),
            [
                "{at: 179s, changes: [], timeline: ['asks: approval by anyone']}",
                "{at: 3m, changes: [restart deployment/web], timeline: ['approved by oncall']}",
                "{at: 10m, status: resolved, attempts: [{runbook: restart-web, outcome: verified}]}",
            ],
        ),
        (
            ASKS,
            ("{at: 3m, reject: oncall}",),
            ["{at: 3m, attempts: [{runbook: restart-web, outcome: blocked}], changes: [], level: 1}"],
        ),
        (TERMS, (), ["{at: 9m59s, attempts: [{runbook: restart-web, outcome: approving}], level: 0}"]),
        (
            TERMS,
            (),
            ["{at: 10m, attempts: [{runbook: restart-web, outcome: blocked}], level: 1, status: escalated}"],
        ),
        (
            TERMS,
            ("{at: 1m, approve: eve}",),
            ["{at: 2m, changes: [], timeline: ['only sre or admin may answer']}"],
        ),
        (TERMS, ("{at: 1m, approve: sre}",), ["{at: 1m, changes: [restart deployment/web]}"]),
        (
            ASKS,
            ("{at: 1m, pause: deploying}", "{at: 2m, approve: oncall}"),
            ["{at: 2m, blocked_by: kill_switch, changes: []}"],
        ),
    ],
)
def test_a_person_is_asked_and_answers(of: str, alerts: tuple[str, ...], expected: list[str]) -> None:
    healed = HEALED if any("approve: oncall" in each for each in alerts) and len(alerts) == 1 else ""
    played = one(items(FIRE, *alerts, healed), items(*expected), known=known(of))
    assert played.passed, told(played)


def test_an_answer_to_nothing_fails_the_test() -> None:
    moments = items(FIRE, "{at: 20m, approve: oncall}")
    played = one(moments, items("{at: 21m, level: 1}"), known=known(ASKS))
    assert not played.passed
    assert "waits for no approval then" in told(played)


def test_a_failing_expectation_says_until_when_it_waits() -> None:
    played = one(items(FIRE), items("{at: 1m, status: verifying}"), known=known(ASKS))
    assert "its attempt ends at T+15m unless somebody approves the plan" in told(played)


TESTS = """
tests:
  - name: nobody answers
    alerts: [{at: 0s, fire: {alertname: WebDown}}, {at: 1m, approve: eve}]
    expect:
      - {at: 599s, attempts: [{runbook: restart-web, outcome: approving}], changes: []}
      - {at: 10m, attempts: [{runbook: restart-web, outcome: blocked}]}
"""
SLOW_TOO = TERMS.replace("mode: suggest", "mode: auto").replace("for: [SEV-3]", "for: [SEV-2, SEV-3]")


def played(text: str, tests: str) -> Run:
    rules = known(text)
    run = run_cases(cases(tests, rules), Classifier(rules))
    assert not run.failed
    return run


def own_mutants(text: str, tests: str) -> tuple[set[str], set[str]]:
    """What is about approval of what breaks the policies: all of it, and what no test notices."""
    places = Places.read({"policies.yaml": text})
    found = try_mutants(known(text), places, played(text, tests))
    every = all_mutants(known(text), places, [])
    own, left = (
        {each.change for each in some if "approv" in each.change} for some in (every, found.survivors)
    )
    return own, left


def test_a_runbook_that_asks_is_covered_once_a_test_has_it_asked() -> None:
    places = Places.read({"policies.yaml": TERMS})
    found = measure(known(TERMS), places, played(TERMS, TESTS).points).part(Part.APPROVALS)
    assert (found.covered, found.total) == (1, 1)
    found = measure(known(TERMS), places, ()).part(Part.APPROVALS)
    assert [each.name for each in found.missing] == ["restart-web"]
    assert measure(known(POLICY), places, ()).part(Part.APPROVALS).total == 0


def test_what_is_broken_about_approval_is_noticed_or_told() -> None:
    """Nobody asked, anybody allowed, more time and less."""
    own, left = own_mutants(TERMS, TESTS)
    assert own >= {
        "mode approve -> auto",
        "approval removed",
        "anybody may approve",
        "approval: within 10m -> 5m",
        "approval: within 10m -> 20m",
    }
    assert left == set()
    lax = TESTS.replace(", {at: 1m, approve: eve}", "").replace(
        "      - {at: 10m, attempts: [{runbook: restart-web, outcome: blocked}]}\n", ""
    )
    assert own_mutants(TERMS, lax)[1] == {
        "approval: within 10m -> 20m",
        "approval removed",
        "anybody may approve",
    }


def test_a_severity_that_needs_approval_no_longer_is_noticed() -> None:
    tests = """
tests:
  - name: what is slow is restarted once somebody agrees
    alerts: [{at: 0s, fire: {alertname: WebSlow}}]
    expect: [{at: 1m, attempts: [{runbook: restart-web, outcome: approving}]}]
"""
    own, left = own_mutants(SLOW_TOO, tests)
    assert {"no approval for SEV-2", "no approval for SEV-3"} <= own
    assert "no approval for SEV-3" not in left


def test_a_rule_that_fails_three_times_in_a_row_asks_in_a_test_as_in_the_daemon() -> None:
    """The record is kept on the stage, too: a test can show that a rule is held back."""
    hours = ("0s", "2h", "4h", "6h")
    ends = ("1h", "3h", "5h")
    moments = [f"{{at: {at}, fire: {{alertname: WebDown}}}}" for at in hours]
    moments += [f"{{at: {at}, resolve: {{alertname: WebDown}}}}" for at in ends]
    outcomes = ("failed", "failed", "failed", "approving")
    attempts = [f"{{runbook: restart-web, outcome: {outcome}}}" for outcome in outcomes]
    known_rules = known(POLICY.replace(TRIES, "mode: auto\n    runbooks: [restart-web]"))
    played = one(
        items(*moments),
        items(
            "{at: 30m, attempts: [{runbook: restart-web, outcome: failed}]}",
            "{at: 5h, timeline: ['rule web-down is held to approve from now on']}",
            f"{{at: 361m, attempts: [{', '.join(attempts)}], timeline: ['held to approve since']}}",
        ),
        more="outcomes: [{check: ready, result: failed}]",
        known=known_rules,
    )
    assert played.passed, told(played)


def test_a_rule_that_is_only_watched_learns_from_what_happens() -> None:
    observing = known(POLICY.replace(TRIES, "mode: observe\n    runbooks: [restart-web]"))
    lasts = one(
        items(FIRE),
        items("{at: 11m, timeline: ['later its alerts fire on: acting would have been right']}"),
        known=observing,
    )
    assert lasts.passed, told(lasts)
    heals = one(
        items(FIRE, "{at: 4m, resolve: {alertname: WebDown}}"),
        items("{at: 5m, status: resolved, timeline: ['by themselves within 4m: acting was not needed']}"),
        known=observing,
    )
    assert heals.passed, told(heals)
