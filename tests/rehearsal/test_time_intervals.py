"""Freezes and windows on a virtual clock: what is blocked, what waits, until when, and which tests see it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.classify import Classifier
from remediator.core.incident import Incident, Outcome
from remediator.core.journal import Kind
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, Millis, parse_stamp, stamp_instant
from remediator.policy.load import load_policy
from remediator.rehearsal.coverage import Part, measure
from remediator.rehearsal.mutants.intervals import mutants_of_intervals
from remediator.rehearsal.mutating import Score, try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from remediator.rehearsal.script import CheckOutcome, Result
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.world import World
from tests.rehearsal.scenes import POLICY, WEB, cases, told
from tests.rehearsal.scenes import alert as fired

INTERVALS = """
time_intervals:
  quarter-end: [{months: ['3', '12'], days_of_month: ['-3:-1'], location: Europe/Berlin}]
  new-year: [{days_of_month: ['1'], months: [january], location: Europe/Berlin}]
  office-hours: [{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]}]
"""
FROZEN = POLICY.replace("guards:\n", "guards:\n  freeze: [quarter-end, new-year]\n") + INTERVALS
IN_HOURS = POLICY.replace("cooldown: 0s}\n", "cooldown: 0s}\n    during: [office-hours]\n") + INTERVALS


def at(text: str) -> Instant:
    return stamp_instant(parse_stamp(text))


def play(text: str, since: str, span: int = HOUR, world: World | None = None) -> tuple[Incident, list[str]]:
    """The incident of an outage that begins then, and what guards said against it."""
    began = at(since)
    with Stage(load_policy({"policies.yaml": text}), world, start_at=began) as stage:
        stage.deliver([fired(WEB, 0)], began)
        stage.run_until(Instant(began + span))
        (incident,) = stage.incidents
        entries = stage.timeline(incident.id)
    blocks = [e for e in entries if e.kind is Kind.GUARD and e.data["verdict"] == "blocks"]
    return incident, [each.text for each in blocks]


def outcomes(incident: Incident) -> list[tuple[str, Outcome | None, tuple[str, ...]]]:
    return [(each.runbook.name, each.outcome, each.changes) for each in incident.attempts]


def test_while_a_freeze_holds_nothing_is_changed_and_people_are_asked() -> None:
    """It says which, and until when: two that follow each other are told as one."""
    incident, blocks = play(FROZEN, "2026-12-30T12:00:00Z")
    assert outcomes(incident) == [("restart-web", Outcome.BLOCKED, ()), ("take-pod", Outcome.BLOCKED, ())]
    text = "freeze: quarter-end: nothing is changed before 2027-01-01T23:00:00.000Z"
    assert blocks == [text, text]
    assert incident.attempts[0].reason == text
    assert incident.level > 0


def test_a_freeze_that_is_over_in_a_moment_is_waited_for_and_no_longer() -> None:
    """To the millisecond."""
    incident, blocks = play(FROZEN, "2027-01-01T22:58:00Z", 2 * MINUTE)
    assert len(blocks) == 1
    [attempt] = incident.attempts
    assert attempt.changes == ("restart deployment/web",)
    assert attempt.phase_at == at("2027-01-01T23:00:00Z")


def test_a_freeze_that_outlasts_what_a_step_may_be_put_off_blocks_at_once() -> None:
    incident, _ = play(FROZEN, "2027-01-01T22:54:59Z", SECOND)
    assert [each[1] for each in outcomes(incident)] == [Outcome.BLOCKED, Outcome.BLOCKED]


@pytest.mark.parametrize("since", ["2026-12-28T22:59:59Z", "2027-01-01T23:00:00Z", "2026-06-30T12:00:00Z"])
def test_outside_of_every_freeze_it_is_as_if_there_was_none(since: str) -> None:
    incident, blocks = play(FROZEN, since, SECOND // 2)
    assert blocks == []
    assert incident.attempts[0].changes == ("restart deployment/web",)


@pytest.mark.parametrize(
    ("since", "following"),
    [
        ("2026-11-27T17:00:00Z", "2026-11-30T09:00:00.000Z"),
        ("2026-11-25T08:54:00Z", "2026-11-25T09:00:00.000Z"),
    ],
)
def test_outside_of_its_window_a_runbook_changes_nothing_and_the_next_has_its_turn(
    since: str, following: str
) -> None:
    incident, blocks = play(IN_HOURS, since)
    [first, second] = outcomes(incident)
    assert first == ("restart-web", Outcome.BLOCKED, ())
    assert second[2] != ()
    assert blocks == [f"window: runbook restart-web is for office-hours, which begins at {following}"]


def test_a_window_that_begins_in_a_moment_is_waited_for() -> None:
    incident, _ = play(IN_HOURS, "2026-11-25T08:56:00Z", 4 * MINUTE)
    [attempt] = incident.attempts
    assert (attempt.changes, attempt.phase_at) == (("restart deployment/web",), at("2026-11-25T09:00:00Z"))


def test_within_its_window_a_runbook_is_performed() -> None:
    incident, blocks = play(IN_HOURS, "2026-11-25T16:59:59Z", SECOND)
    assert (incident.attempts[0].changes, blocks) == (("restart deployment/web",), [])


def test_a_window_that_closes_between_two_steps_keeps_the_second() -> None:
    """Its first step is done, and what was changed is told."""
    text = IN_HOURS.replace(
        "steps: [{restart: {}}]", "steps: [{restart: {}}, {wait: {for: ready}}, {restart: {}}]"
    )
    slow = World([CheckOutcome(check="ready", result=Result.OK, after=Millis(2 * MINUTE))])
    incident, blocks = play(text, "2026-11-25T16:59:00Z", world=slow)
    assert outcomes(incident)[0] == ("restart-web", Outcome.BLOCKED, ("restart deployment/web",))
    assert blocks[0] == (
        "window: runbook restart-web is for office-hours, which begins at 2026-11-26T09:00:00.000Z"
    )


def test_a_window_that_never_begins_again_says_so() -> None:
    text = IN_HOURS.replace("['monday:friday'], times", "['monday:friday'], years: ['2025'], times")
    _, blocks = play(text, "2026-11-25T12:00:00Z", SECOND)
    assert blocks == ["window: runbook restart-web is for office-hours, which never begins again"]


def test_an_interval_that_is_gone_from_the_policy_blocks() -> None:
    """What a freeze or a window means is always the newest loaded, and unknown is no."""
    for text, said in (
        (FROZEN, "freeze: time interval quarter-end is gone from the policy: whether it holds is unknown"),
        (
            IN_HOURS,
            "window: time interval office-hours, which runbook restart-web asks for, is gone from the policy",
        ),
    ):
        known = load_policy({"policies.yaml": text})
        with Stage(replace(known, time_intervals={})) as stage:
            stage.deliver([fired(WEB, 0)], stage.now())
            stage.run_until(Instant(stage.now() + SECOND))
            assert said in [each.text for each in stage.timeline(stage.incidents[0].id)]


TESTS = """
tests:
  - name: at the end of the quarter nothing is changed
    start: '2026-12-30T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, blocked_by: freeze, changes: []}]
  - name: on other days it is
    start: '2026-12-15T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, changes: [restart deployment/web]}]
"""
EDGES = """
  - name: just before
    start: '2026-12-28T22:59:58Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1s, changes: [restart deployment/web]}]
  - name: at its beginning
    start: '2026-12-28T23:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, blocked_by: freeze, changes: []}]
  - name: on the last day
    start: '2026-12-31T22:50:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, blocked_by: freeze, changes: []}]
  - name: in the spring too
    start: '2026-03-31T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, blocked_by: freeze, changes: []}]
  - name: neither in the month after nor in the one before
    start: '2026-04-29T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, changes: [restart deployment/web]}]
  - name: nor in february
    start: '2026-02-28T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, changes: [restart deployment/web]}]
  - name: nor in november
    start: '2026-11-30T12:00:00Z'
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, changes: [restart deployment/web]}]
"""
ONE_FREEZE = FROZEN.replace("[quarter-end, new-year]", "[quarter-end]")


def score(tests: str, text: str = ONE_FREEZE) -> Score:
    rules = load_policy({"policies.yaml": text})
    run = run_cases(cases(tests, rules), Classifier(rules))
    assert not run.failed, [told(ran.played) for ran in run.tests]
    return try_mutants(rules, Places.read({"policies.yaml": text}), run)


def test_a_test_that_begins_within_a_freeze_sees_it_and_covers_the_guard() -> None:
    rules = load_policy({"policies.yaml": ONE_FREEZE})
    run = run_cases(cases(TESTS, rules), Classifier(rules))
    coverage = measure(rules, Places.read({"policies.yaml": ONE_FREEZE}), run.points)
    guards = coverage.part(Part.GUARDS)
    assert guards.covered == 1
    assert "freeze" not in [each.name for each in guards.missing]
    assert "window" not in [each.name for each in guards.missing]  # no runbook has one


def test_a_window_counts_for_coverage_where_a_runbook_of_a_rule_has_one() -> None:
    rules = load_policy({"policies.yaml": IN_HOURS})
    missing = measure(rules, Places.read({"policies.yaml": IN_HOURS}), []).part(Part.GUARDS).missing
    assert {"window"} == {each.name for each in missing} & {"window", "freeze"}


def test_mutants_of_intervals_move_every_end_and_are_noticed_by_tests_near_it() -> None:
    """With their place, in the words of the files."""
    lax, strict = score(TESTS), score(TESTS + EDGES)
    own = {each.change: each.where for each in lax.survivors if each.section == "time_intervals"}
    assert own == {
        "months march -> february:march": "policies.yaml:69:27",
        "months march -> march:april": "policies.yaml:69:27",
        "months december -> november:december": "policies.yaml:69:32",
        "days_of_month -3:-1 -> -4:-1": "policies.yaml:69:55",
        "days_of_month -3:-1 -> -2:-1": "policies.yaml:69:55",
        "days_of_month -3:-1 -> -3:-2": "policies.yaml:69:55",
        "months removed": "policies.yaml:69:18",
        "location Europe/Berlin -> UTC": "policies.yaml:69:65",
    }
    assert [each.change for each in strict.survivors if each.section == "time_intervals"] == []


def test_mutants_of_times_and_weekdays_stay_ranges_that_a_file_can_say() -> None:
    rules = load_policy({"policies.yaml": IN_HOURS})
    found = mutants_of_intervals(rules, Places.read({"policies.yaml": IN_HOURS}))
    assert [each.change for each in found] == [
        "times 09:00-17:00 -> 08:00-17:00",
        "times 09:00-17:00 -> 10:00-17:00",
        "times 09:00-17:00 -> 09:00-16:00",
        "times 09:00-17:00 -> 09:00-18:00",
        "times removed",
        "weekdays monday:friday -> sunday:friday",
        "weekdays monday:friday -> tuesday:friday",
        "weekdays monday:friday -> monday:thursday",
        "weekdays monday:friday -> monday:saturday",
        "weekdays removed",
    ]


def test_a_freeze_and_a_window_that_are_taken_out_are_mutants_too() -> None:
    changes = {each.change for each in score(TESTS).survivors}
    assert "no freeze while quarter-end holds" not in changes
    outside = (
        TESTS.replace("freeze", "window")
        .replace("2026-12-30T12", "2026-12-30T20")
        .replace("changes: []", "attempts: [{runbook: restart-web, outcome: blocked}, {runbook: take-pod}]")
    )
    assert "during removed" not in {each.change for each in score(outside, IN_HOURS).survivors}
