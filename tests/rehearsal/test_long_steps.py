"""Pauses, and steps that depend on something, in a rehearsal: when they are over, and what is left out."""

from __future__ import annotations

import pytest

from remediator.core.classify import Classifier
from remediator.rehearsal.coverage import Part, measure
from remediator.rehearsal.mutating import try_mutants
from remediator.rehearsal.places import Places
from remediator.rehearsal.running import run_cases
from tests.rehearsal.scenes import POLICY, cases, one, policy, told

FIRES = "- {at: 0s, fire: {alertname: WebDown}}"
DOWN = f"{FIRES}\n- {{at: 2m, resolve: {{alertname: WebDown}}}}"
RESTARTED = ["restart deployment/web"]
WHEN = "restart: {}, when: {endpoints: {at_least: 2}}"


def played(steps: str, expect: str, more: str = "", alerts: str = DOWN) -> str:
    return told(one(alerts, expect, more=more, known=policy(("restart: {}", steps))))


def test_a_pause_takes_exactly_as_long_as_it_says() -> None:
    """And hours of it cost nothing."""
    steps = "pause: {for: 40s}}, {restart: {}"
    expect = (
        "- {at: 39s, changes: [], attempts: [{runbook: restart-web, outcome: running}]}\n"
        f"- {{at: 41s, changes: {RESTARTED}, timeline: 'pause: done after 40s'}}"
    )
    assert played(steps, expect) == ""


def test_an_alert_that_resolves_in_the_pause_is_left_alone() -> None:
    steps = "pause: {for: 3m}}, {restart: {}"
    expect = "- {at: 4m, status: resolved, attempts: [{runbook: restart-web, outcome: abandoned}]}"
    assert played(steps, expect) == ""


@pytest.mark.parametrize(
    ("result", "expect"),
    [
        ("ok", f"changes: {RESTARTED}, attempts: [{{runbook: restart-web, outcome: running}}]"),
        ("failed", "changes: [], timeline: 'restart: skipped: when endpoints does not hold'"),
        ("unknown", "blocked_by: when, pages: {oncall: 1}"),
    ],
)
def test_what_a_step_depends_on_answers_as_it_is_said_to(result: str, expect: str) -> None:
    """By default it holds, as every check does. Unknown changes nothing, and the next runbook fails too."""
    more = f"outcomes: [{{check: endpoints, result: {result}}}, {{step: delete_pod, result: failed}}]"
    assert played(WHEN, f"- {{at: 5s, {expect}}}", more) == ""


def test_a_query_with_a_value_decides_whether_a_step_is_meant() -> None:
    steps = "restart: {}, when: {promql: {query: 'queue_length', above: 100}}"
    more = "query: {queue_length: 99}"
    assert played(steps, "- {at: 5s, changes: [], timeline: 'restart: skipped'}", more) == ""
    more = "query: {queue_length: 101}"
    assert played(steps, f"- {{at: 5s, changes: {RESTARTED}}}", more) == ""


STEPS = "pause: {for: 40s}}, {restart: {}, when: {endpoints: {at_least: 2}}"
TAKEN = f"""
    tests:
      - name: it is restarted after a while
        cluster: {{workload: deployment/web, replicas: 3, ready: 2}}
        alerts: [{{at: 0s, fire: {{alertname: WebDown}}}}]
        expect:
          - {{at: 39s, changes: []}}
          - {{at: 41s, changes: {RESTARTED}}}
"""
LEFT = """
      - name: with too few pods it is not
        cluster: {workload: deployment/web, replicas: 3, ready: 1}
        alerts: [{at: 0s, fire: {alertname: WebDown}}]
        expect: [{at: 41s, changes: []}]
"""


def test_a_step_that_may_be_left_out_is_covered_when_tests_saw_both() -> None:
    rules = policy(("restart: {}", STEPS))
    names = {"restart-web, step 1", "restart-web, step 2", "restart-web, step 2, left out"}
    for text, left in ((TAKEN, {"restart-web, step 2, left out"}), (TAKEN + LEFT, set())):
        done = run_cases(cases(text, rules), Classifier(rules))
        assert not done.failed
        places = Places.read({"policies.yaml": POLICY.replace("restart: {}", STEPS)})
        steps = measure(rules, places, done.points).part(Part.STEPS)
        assert {each.name for each in steps.missing} & names == left


def test_a_pause_and_what_a_step_depends_on_are_broken_by_mutants_and_noticed() -> None:
    rules = policy(("restart: {}", STEPS))
    strict = run_cases(cases(TAKEN + LEFT, rules), Classifier(rules))
    assert not strict.failed
    found = try_mutants(rules, Places.read({"policies.yaml": POLICY.replace("restart: {}", STEPS)}), strict)
    tried = {each.change for each in found.survivors if each.subject == "runbook restart-web"}
    assert not {change for change in tried if change.startswith(("pause", "restart"))}
    assert found.killed >= 5  # the pause halved and doubled, `when` removed, one more and one less


JOB = "job: {from: tidy, timeout: 4m}"
RAN = ["run cronjob/tidy once, for 4m at most"]


def test_a_job_is_run_and_completes_at_once() -> None:
    says = ["job: begun: run cronjob/tidy once", "job: done: job tidy-"]
    expect = f"- {{at: 5s, changes: {RAN}, timeline: {says}}}"
    assert played(JOB, expect) == ""


def test_a_job_takes_as_long_as_it_is_said_to_and_the_next_step_waits_for_it() -> None:
    steps = f"{JOB}}}, {{restart: {{}}"
    expect = f"- {{at: 1m59s, changes: {RAN}}}\n- {{at: 2m10s, changes: [{RAN[0]!r}, {RESTARTED[0]!r}]}}"
    assert played(steps, expect, "outcomes: {step: job, takes: 2m}", FIRES) == ""


@pytest.mark.parametrize(
    ("said", "expect"),
    [
        (
            "takes: 2m, result: failed",
            "{at: 2m10s, attempts: [{runbook: restart-web, outcome: failed}, TAKE]}",
        ),
        ("result: failed", "{at: 1s, attempts: [{runbook: restart-web, outcome: failed}, TAKE]}"),
        ("takes: 5m", "{at: 4m10s, attempts: [{runbook: restart-web, outcome: failed}, TAKE]}"),
        (
            "result: unknown",
            "{at: 1s, attempts: [{runbook: restart-web, outcome: unknown}], pages: {oncall: 1}}",
        ),
    ],
)
def test_a_job_goes_as_it_is_said_to(said: str, expect: str) -> None:
    """Failed when its time is over, at once, or because it took too long; and nobody knows."""
    expect = expect.replace("TAKE", "{runbook: take-pod}")
    assert played(JOB, f"- {expect}", f"outcomes: {{step: job, {said}}}", FIRES) == ""


def test_how_long_a_job_may_take_is_broken_by_mutants_and_noticed() -> None:
    rules = policy(("restart: {}", JOB))
    test = f"""
    tests:
      - name: a job of three minutes is in time
        alerts: [{{at: 0s, fire: {{alertname: WebDown}}}}]
        outcomes: {{step: job, takes: 3m}}
        expect: [{{at: 3m10s, changes: {RAN}, timeline: 'job: done'}}]
    """
    strict = run_cases(cases(test, rules), Classifier(rules))
    assert not strict.failed
    found = try_mutants(rules, Places.read({"policies.yaml": POLICY.replace("restart: {}", JOB)}), strict)
    assert not [each.change for each in found.survivors if each.change.startswith("job")]
