"""Storms, flapping incidents and breakers on a virtual clock: what stops, how long, and who hears of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.classify import Classifier
from remediator.core.incident import Incident, Outcome
from remediator.core.policies import StormBound
from remediator.core.storms import Opening, Openings
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, Millis
from remediator.policy.load import load_policy
from remediator.rehearsal.coverage import Part, measure
from remediator.rehearsal.mutants.guards import mutants_of_guards
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from remediator.rehearsal.script import CheckOutcome, Result
from remediator.rehearsal.stage import START, Stage
from remediator.rehearsal.world import World
from tests.rehearsal.scenes import POLICY, WEB, cases, told
from tests.rehearsal.scenes import alert as fired

STORM = POLICY.replace("guards:\n", "guards:\n  storm: {incidents: 3, within: 5m, stop_for: 4m}\n")
FLAPPING = POLICY.replace("guards:\n", "guards:\n  flapping: {reopened: 2, within: 1h}\n").replace(
    "{target: 9/10m, service: 9/1h}", "{target: 99/10m, service: 99/1h, cluster: 99/1h}"
)
FLAPPING = FLAPPING.replace("limits: {attempts: 2,", "limits: {attempts: 99,")
BREAKER = FLAPPING.replace("flapping: {reopened: 2, within: 1h}", "breaker: {failures: 2, within: 1h}")


def at(span: int) -> Instant:
    return Instant(START + span)


def outcomes(incident: Incident) -> list[tuple[str, Outcome | None]]:
    return [(each.runbook.name, each.outcome) for each in incident.attempts]


def other(name: str) -> dict[str, str]:
    """An alert that opens an incident and does nothing else."""
    return {"alertname": "DiskDown", "service": name}


# --- storms, by themselves ---

BOUND = StormBound(incidents=3, within=Millis(5 * MINUTE), stop_for=Millis(4 * MINUTE))


def openings(now: int, *moments: tuple[str, int]) -> Openings:
    items = tuple(Opening(member=member, at=Instant(moment)) for member, moment in moments)
    return Openings(at=Instant(now), items=items)


@pytest.mark.parametrize(
    ("moments", "now", "until"),
    [
        ([("a#0", 0), ("b#0", 1), ("c#0", 2)], 2, 2 + 4 * MINUTE),
        ([("a#0", 0), ("b#0", 1), ("c#0", 2)], 1 + 4 * MINUTE, 2 + 4 * MINUTE),
        ([("a#0", 0), ("b#0", 1), ("c#0", 2)], 2 + 4 * MINUTE, None),
        ([("a#0", 0), ("b#0", 1)], 1, None),
        ([("a#0", 0), ("a#1", 1), ("a#2", 2)], 2, None),
        ([("a#0", 0), ("a#1", 1), ("b#0", 2), ("c#3", 3)], 3, 3 + 4 * MINUTE),
        ([("a#0", 0), ("b#0", 1), ("c#0", 5 * MINUTE - 1)], 5 * MINUTE, 9 * MINUTE - 1),
        ([("a#0", 0), ("b#0", 1), ("c#0", 5 * MINUTE)], 5 * MINUTE, None),
        ([("a#0", 0), ("b#0", 1), ("c#0", 2), ("d#0", 3 * MINUTE)], 5 * MINUTE, 7 * MINUTE),
    ],
)
def test_a_storm_holds_after_enough_incidents_opened_within_the_span(
    moments: list[tuple[str, int]], now: int, until: int | None
) -> None:
    """Different ones; the stop is counted from the last of them, to the millisecond."""
    storm = openings(now, *moments).storm(BOUND)
    assert (None if storm is None else storm.until) == until


# --- on the stage ---


def test_a_storm_stops_every_change_and_is_waited_for_while_it_is_short() -> None:
    """The rule of the incident that is stopped is not that of the others; they count all the same."""
    with Stage(load_policy({"p.yaml": STORM})) as stage:
        for number in range(2):
            stage.deliver([fired(other(f"s{number}"), 0)], at(number * MINUTE))
        stage.deliver([fired(WEB, 0)], at(2 * MINUTE))
        stage.run_until(at(6 * MINUTE - 1))
        incident = next(each for each in stage.incidents if each.service == "web")
        [attempt] = incident.attempts
        assert (attempt.outcome, attempt.changes) == (None, ())
        said = [each.verdict for each in stage.verdicts if not each.verdict.allowed]
        assert {each.guard for each in said} == {"storm"}
        assert said[0].text == (
            "3 incidents opened within 5m, at most 2 allowed: nothing is changed before "
            "2026-01-05T08:06:00.000Z"
        )
        [measure] = said[0].measures
        assert (measure.observed, measure.allowed, measure.within) == (3, 2, 5 * MINUTE)
        stage.run_until(at(6 * MINUTE))
        incident = next(each for each in stage.incidents if each.service == "web")
        assert incident.attempts[0].changes == ("restart deployment/web",)


def test_a_storm_that_lasts_blocks_and_people_are_asked() -> None:
    """Every further incident prolongs it; a step is put off for five minutes and no longer."""
    with Stage(load_policy({"p.yaml": STORM})) as stage:
        stage.deliver([fired(WEB, 0)], at(2 * MINUTE))
        for number in range(20):
            stage.deliver([fired(other(f"s{number}"), 0)], at(number * 30 * SECOND))
        stage.run_until(at(30 * MINUTE))
        incident = next(each for each in stage.incidents if each.service == "web")
        assert [each[1] for each in outcomes(incident)] == [Outcome.BLOCKED, Outcome.BLOCKED]
        assert incident.attempts[0].reason.startswith("storm: ")
        assert incident.level > 0


def test_fewer_incidents_are_no_storm() -> None:
    with Stage(load_policy({"p.yaml": STORM})) as stage:
        stage.deliver([fired(other("a"), 0)], at(0))
        stage.deliver([fired(WEB, 0)], at(MINUTE))
        stage.run_until(at(MINUTE))
        incident = next(each for each in stage.incidents if each.service == "web")
        assert incident.attempts[0].changes == ("restart deployment/web",)
        [said] = [each.verdict for each in stage.verdicts if each.verdict.guard == "storm"]
        assert said.text == "2 opened in the last 5m, at most 2 allowed"


def flap(stage: Stage, times: int, every: int = 10 * MINUTE) -> None:
    """The alert fires, and is over a minute later; again and again."""
    for number in range(times):
        stage.deliver([fired(WEB, number * every)], at(number * every))
        over = number * every + 2 * MINUTE
        stage.deliver([fired(WEB, over, since=number * every)], at(over))


def test_an_incident_that_comes_back_again_and_again_is_left_to_people() -> None:
    """Twice it is repaired; the third time, its second reopening, nothing is changed and it pages."""
    with Stage(load_policy({"p.yaml": FLAPPING})) as stage:
        flap(stage, 3)
        stage.run_until(at(21 * MINUTE))
        [incident] = stage.incidents
        assert outcomes(incident) == [
            ("restart-web", Outcome.VERIFIED),
            ("restart-web", Outcome.VERIFIED),
            ("restart-web", Outcome.BLOCKED),
            ("take-pod", Outcome.BLOCKED),
        ]
        text = "flapping: reopened 2 times in the last 1h, at most 1 allowed"
        assert incident.attempts[2].reason == text
        assert incident.level > 0


def test_reopenings_of_long_ago_do_not_count() -> None:
    """They leave the window one by one."""
    brief = FLAPPING.replace("reopened: 2, within: 1h", "reopened: 2, within: 45m")
    with Stage(load_policy({"p.yaml": brief})) as stage:
        flap(stage, 6, every=45 * MINUTE)
        stage.run_until(at(5 * 45 * MINUTE + 5 * MINUTE))
        [incident] = stage.incidents
        assert {each[1] for each in outcomes(incident)} == {Outcome.VERIFIED}
        assert incident.reopened == 5
        assert len(incident.reopenings) == 5


@pytest.mark.parametrize("bad", [True, False])
def test_a_runbook_that_fails_opens_its_breaker_and_the_operator_is_paged_once(bad: bool) -> None:
    """What was verified and came back has failed, too. Closing it lets the runbook be tried again."""
    world = World(outcomes=(CheckOutcome(check="promql", result=Result.FAILED),)) if bad else World()
    with Stage(load_policy({"p.yaml": BREAKER}), world) as stage:
        flap(stage, 5, every=20 * MINUTE)
        stage.run_until(at(4 * 20 * MINUTE + 3 * MINUTE))
        [incident] = stage.incidents
        restarts = [outcome for runbook, outcome in outcomes(incident) if runbook == "restart-web"]
        good = Outcome.FAILED if bad else Outcome.VERIFIED
        assert restarts[:2] == [good, good]
        assert restarts[2] is Outcome.BLOCKED
        reason = next(each.reason for each in incident.attempts if each.outcome is Outcome.BLOCKED)
        assert reason.startswith("breaker: breaker of restart-web is open since 2026-01-05T08:")
        [first, second] = stage.ask(stage.store.breakers())
        assert {first.runbook, second.runbook} == {"restart-web", "take-pod"}
        pages = [page for page in stage.pages if not page.incident]
        assert [page.channel for page in pages] == ["oncall", "oncall"], "one for each runbook"
        closed = stage.ask(stage.store.close_breaker("restart-web", "ada", ""))
        assert closed is not None
        stage.deliver([fired(WEB, 100 * MINUTE)], at(100 * MINUTE))
        stage.run_until(at(101 * MINUTE))
        assert stage.incidents[0].attempts[-1].changes == ("restart deployment/web",)


def test_observing_and_blocked_attempts_open_no_breaker() -> None:
    """Nothing was done that could have failed."""
    text = BREAKER.replace(
        "mode: auto\n    runbooks: [restart-web", "mode: observe\n    runbooks: [restart-web"
    )
    with Stage(load_policy({"p.yaml": text})) as stage:
        flap(stage, 5)
        stage.run_until(at(HOUR))
        assert stage.ask(stage.store.breakers()) == ()


def test_bounds_are_those_of_the_newest_policy() -> None:
    """A storm that is over by the newest bound no longer stops anything."""
    policy = load_policy({"p.yaml": STORM})
    loose = replace(policy, guards=replace(policy.guards, storm=replace(BOUND, incidents=4)))
    with Stage(loose) as stage:
        for number in range(2):
            stage.deliver([fired(other(f"s{number}"), 0)], at(0))
        stage.deliver([fired(WEB, 0)], at(SECOND))
        stage.run_until(at(SECOND))
        incident = next(each for each in stage.incidents if each.service == "web")
        assert incident.attempts[0].changes == ("restart deployment/web",)


# --- error budgets ---

BUDGET = POLICY.replace(
    "health: 'http://web.shop:8080/health'}",
    "health: 'http://web.shop:8080/health', "
    "slo: {objective: 99.9%, window: 30d, errors: 'web_errors_ratio'}}",
).replace("guards:\n", "guards:\n  error_budget: {below: 10%, then: suggest}\n")
BUDGET_TESTS = """
tests:
  - name: a service that has failed its users for long is left to people
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    query: {web_errors_ratio: 0.00095}
    expect:
      - {at: 1s, blocked_by: mode, attempts: [{runbook: restart-web, outcome: suggested}], changes: [],
         timeline: [held to suggest while]}
  - name: one that has not is repaired
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    query: {web_errors_ratio: 0.00085}
    expect: [{at: 1s, changes: [restart deployment/web]}]
  - name: one that cannot be judged is left alone
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    query: {web_errors_ratio: []}
    expect: [{at: 1s, blocked_by: error_budget, changes: []}]
"""


def test_tests_of_policies_know_error_budgets() -> None:
    """What is said of its errors is what they were over the whole window."""
    known = load_policy({"policies.yaml": BUDGET})
    run = run_cases(cases(BUDGET_TESTS, known), Classifier(known))
    assert not run.failed, [told(ran.played) for ran in run.tests]
    coverage = measure(known, Places.read({"policies.yaml": BUDGET}), run.points)
    assert "error_budget" not in [each.name for each in coverage.part(Part.GUARDS).missing]


def test_held_to_approve_by_its_budget_a_rule_acts_once_a_person_agrees() -> None:
    """It asks though its file says auto; each guard is asked again after the answer."""
    text = BUDGET.replace("then: suggest", "then: approve")
    asking = """
tests:
  - name: a person decides while little is left
    alerts: [{at: 0s, fire: {alertname: WebDown}}, {at: 2m, approve: oncall}]
    query: {web_errors_ratio: 0.00095}
    expect:
      - {at: 1m, attempts: [{runbook: restart-web, outcome: approving}], changes: [],
         timeline: [held to approve while]}
      - {at: 2m, changes: [restart deployment/web], timeline: [approved by oncall]}
"""
    known = load_policy({"policies.yaml": text})
    run = run_cases(cases(asking, known), Classifier(known))
    assert not run.failed, [told(ran.played) for ran in run.tests]


def test_every_number_of_an_error_budget_is_a_mutant_that_these_tests_notice() -> None:
    known = load_policy({"policies.yaml": BUDGET})
    places = Places.read({"policies.yaml": BUDGET})
    mutants = [each for each in mutants_of_guards(known, places) if "error_budget" in each.change]
    assert [each.change for each in mutants] == [
        "error_budget.below 10 -> 5",
        "error_budget.below 10 -> 20",
        "error_budget removed",
    ]
    for mutant in mutants:
        run = run_cases(cases(BUDGET_TESTS, known), Classifier(mutant.policy))
        assert run.failed, mutant.change
