"""Programs in a rehearsal: nothing is run, guards are asked, and each ends as the test says."""

from __future__ import annotations

import pytest

from tests.rehearsal.scenes import one, policy, told

DOWN = "- {at: 0s, fire: {alertname: WebDown}}\n- {at: 10s, resolve: {alertname: WebDown}}"
ON = "- {at: 0s, fire: {alertname: WebDown}}"
RESET = "exec: {container: breakers, command: [/app/breakers, reset]}"
LOOK = "exec: {container: db, command: [psql, -c, 'SELECT 1']}"
COUNT = "exec: {container: db, command: [psql, -c, 'SELECT 1'], contains: '(1 row)'}"


def played(steps: str, expect: str, more: str = "", *, alerts: str = DOWN, looks: str = "") -> str:
    """What an attempt with these steps does not fulfil. ``looks``: what it is diagnosed with."""
    replaced = [("restart: {}", steps), ("[restart-web, take-pod]", "[restart-web]")]
    if looks:
        replaced.append(("steps: [", f"diagnose: [{looks}]\n    steps: ["))
    return told(one(alerts, expect, more=more, known=policy(*replaced)))


def test_a_program_is_run_once_and_told() -> None:
    """In a pod that is ready, in the container that is named."""
    change = "run /app/breakers reset in web-5d9c7-1/breakers of deployment/web"
    expect = f"- {{at: 5m, attempts: [{{runbook: restart-web, outcome: verified}}], changes: ['{change}']}}"
    assert played(RESET, expect) == ""
    assert played(RESET, "- {at: 5m, timeline: 'ended with 0'}") == ""


@pytest.mark.parametrize(
    ("result", "outcome", "says"),
    [
        ("failed", "failed", "ended with 1; stderr: the rehearsal lets it fail"),
        ("unknown", "unknown", "whether exec took effect is unknown: the rehearsal gives no answer"),
    ],
)
def test_how_it_ends_is_said(result: str, outcome: str, says: str) -> None:
    """Unknown at once: it is not looked for, and not tried again."""
    more = f"outcomes: [{{step: exec, result: {result}, takes: 20s}}]"
    expect = "\n".join(
        [
            "- {at: 15s, attempts: [{runbook: restart-web, outcome: running}]}",
            f"- {{at: 25s, attempts: [{{runbook: restart-web, outcome: {outcome}}}], timeline: '{says}'}}",
        ]
    )
    assert played(RESET, expect, more, alerts=ON) == ""


@pytest.mark.parametrize(
    ("result", "outcome"), [("ok", "verified"), ("failed", "failed"), ("unknown", "failed")]
)
def test_what_a_check_finds_is_said(result: str, outcome: str) -> None:
    """By default the program ends as the check wants."""
    steps = f"restart: {{}}}}, {{wait: {{for: {{{COUNT}}}, timeout: 1m}}"
    expect = f"- {{at: 12m, attempts: [{{runbook: restart-web, outcome: {outcome}}}]}}"
    more = f"outcomes: [{{check: exec, result: {result}}}]"
    assert played(steps, expect, more, alerts=ON if outcome == "failed" else DOWN) == ""


@pytest.mark.parametrize(
    ("result", "expect"),
    [
        (
            "ok",
            "attempts: [{runbook: restart-web, outcome: running}], timeline: 'when exec: ended with 0'",
        ),
        ("failed", "changes: [], timeline: 'restart: skipped: when exec does not hold: ended with 1'"),
        ("unknown", "changes: [], blocked_by: when"),
    ],
)
def test_a_program_tells_whether_a_step_is_meant(result: str, expect: str) -> None:
    steps = f"restart: {{}}, when: {{{COUNT}}}"
    more = f"outcomes: [{{check: exec, result: {result}}}]"
    assert played(steps, f"- {{at: 1s, {expect}}}", more, alerts=ON) == ""


@pytest.mark.parametrize("mode", ["observe", "suggest"])
def test_a_rule_that_may_not_act_runs_nothing_to_look(mode: str) -> None:
    """Whatever the test says that it would find."""
    more = f"trust: {{web-down: {mode}}}\noutcomes: [{{diagnosis: exec, finds: [a row]}}]"
    expect = f"- {{at: 5m, timeline: 'nothing was run: mode: rule web-down is in mode {mode}'}}"
    assert played("restart: {}", expect, more, alerts=ON, looks=LOOK) == ""


def test_a_rule_that_may_act_finds_what_is_said() -> None:
    more = "outcomes: [{diagnosis: exec, finds: [a row]}]"
    assert played("restart: {}", "- {at: 5m, timeline: 'a row'}", more, looks=LOOK) == ""


def test_a_pause_holds_looks_back_too() -> None:
    """The kill switch is asked before anything is run."""
    alerts = f"- {{at: 0s, pause: deploying}}\n{ON}"
    expect = "- {at: 5m, timeline: 'nothing was run: kill_switch: paused'}"
    assert played("restart: {}", expect, alerts=alerts, looks=LOOK) == ""


def test_what_the_server_forbids_is_not_run() -> None:
    """The permission is asked for beforehand."""
    more = "cluster: {workload: deployment/web, forbidden: true}"
    assert played(RESET, "- {at: 5m, blocked_by: [dry_run], changes: []}", more, alerts=ON) == ""


def test_where_no_pod_is_ready_nothing_is_run() -> None:
    more = "cluster: {workload: deployment/web, replicas: 2, ready: 0}"
    expect = "- {at: 1s, timeline: 'no pod of deployment/web is ready'}"
    assert played(RESET, expect, more, alerts=ON) == ""


SEND = 'http: {path: /breakers/reset, body: \'{"service": "{{ service.name }}"}\', token: {env: GONE}}'


@pytest.mark.parametrize(
    ("result", "outcome", "says"),
    [
        ("ok", "verified", "answered 200"),
        ("failed", "failed", "answered 500"),
        ("unknown", "unknown", "the rehearsal gives no answer"),
    ],
)
def test_a_request_is_answered_as_is_said(result: str, outcome: str, says: str) -> None:
    """Nothing is sent, and no secret read."""
    more = f"outcomes: [{{step: http, result: {result}, takes: 5s}}]"
    expect = f"- {{at: 12m, attempts: [{{runbook: restart-web, outcome: {outcome}}}], timeline: '{says}'}}"
    alerts = DOWN if outcome == "verified" else ON
    assert played(SEND, expect, more, alerts=alerts) == ""


def test_a_request_to_a_host_that_is_not_the_catalogs_is_blocked() -> None:
    steps = "http: {url: 'http://elsewhere.example/x'}"
    assert played(steps, "- {at: 5m, blocked_by: [dry_run], changes: []}", alerts=ON) == ""
