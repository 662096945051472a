"""Reading test files: mistakes are told at their place, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Mode
from remediator.core.times import SECOND, Millis
from remediator.rehearsal.cases import Acknowledge, Fire, PauseChanges, ResumeChanges, Tell
from remediator.rehearsal.reading import read_tests
from remediator.rehearsal.script import CheckOutcome, Result, StepOutcome, WorkloadFacts
from tests.rehearsal.scenes import cases, policy, read

GOOD = """
tests:
  - name: everything that can be said
    start: 2026-03-31T22:00:00Z
    mode: suggest
    trust: {web-slow: auto}
    cluster: {workload: deployment/web, replicas: 5, ready: 2, budget: 1}
    query: {'sum(rate(errors[5m]))': 0.1, up: [1, 0], gone: null}
    alerts:
      - {at: 0s, fire: {alertname: WebDown}, annotations: {summary: it is down}}
      - {at: 1s, fire: [{alertname: WebDown, pod: a}, {alertname: WebDown, pod: b}]}
      - {at: 1m, acknowledge: oncall, service: web}
      - {at: 2m, pause: deploying}
      - {at: 3m, resume: true}
      - {at: 3m, pause: deploying, scope: {service: web}, for: 2h}
      - {at: 3m, resume: true, scope: {service: web}}
      - {at: 4m, query: {up: 0}}
      - {at: 5m, cluster: {workload: statefulset/postgres, namespace: shop, missing: true}}
      - {at: 6m, outcome: {step: restart, result: failed}}
      - {at: 7m, resolve: {alertname: WebDown}}
      - {at: 8m, close: alice}
    outcomes:
      - {step: restart, takes: 20s, runbook: restart-web}
      - {check: ready, result: failed, after: 2m}
      - {diagnosis: logs, finds: FATAL}
      - {channel: oncall, result: retry}
    expect:
      - {at: 9m, service: web, rule: web-down, severity: SEV-2, status: open, incidents: 1, reopened: 0}
      - {at: 1m, attempts: [{runbook: restart-web}], changes: [], blocked_by: mode, level: 1}
      - {at: 2m, pages: {oncall: 0}, timeline: opened, raised_to: SEV-1}
"""


def test_everything_that_can_be_said_is_read() -> None:
    """In the order of its moments, whatever the order in the file."""
    (case,) = cases(GOOD)
    assert [each.at // SECOND for each in case.expectations] == [60, 120, 540]
    assert case.ceiling is Mode.SUGGEST
    assert case.trust == {"web-slow": Mode.AUTO}
    assert case.workloads == (WorkloadFacts(path="shop/deployment/web", replicas=5, ready=2, budget=1),)
    assert case.queries == {"sum(rate(errors[5m]))": (0.1,), "up": (1.0, 0.0), "gone": ()}
    assert case.moments[0].deed == Fire(
        alerts=({"alertname": "WebDown"},), annotations={"summary": "it is down"}
    )
    assert case.moments[2].deed == Acknowledge(by="oncall", service="web")
    assert case.moments[3].deed == PauseChanges(reason="deploying")
    assert case.moments[4].deed == ResumeChanges()
    web = PauseScope(kind=ScopeKind.SERVICE, name="web")
    assert case.moments[5].deed == PauseChanges(reason="deploying", scope=web, span=Millis(7_200_000))
    assert case.moments[6].deed == ResumeChanges(scope=web)
    assert case.moments[7].deed == Tell(queries={"up": (0.0,)})
    assert case.outcomes[:2] == (
        StepOutcome(step="restart", runbook="restart-web", takes=Millis(20_000)),
        CheckOutcome(check="ready", result=Result.FAILED, after=Millis(120_000)),
    )
    assert str(case.expectations[0].places["attempts"]).startswith("web_test.yaml:29:")


HEAD = """tests:
  - name: one
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1s, incidents: 1}]
"""


def _paused(words: str) -> str:
    return HEAD.replace("fire: {alertname: WebDown}", words)


MISTAKES = [
    ("test: []\n", "1:1", "T810", "did you mean 'tests'?"),
    ("tests: {}\n", "1:8", "T813", "must be a list"),
    ("[1]\n", "1:1", "T813", "expected tests:"),
    ("tests:\n  - {expect: [{at: 1s, incidents: 1}]}\n", "2:5", "T812", "'name' is missing"),
    ("tests:\n  - {name: one, expect: []}\n", "2:25", "T813", "must not be empty"),
    (
        "tests:\n  - {name: one, expects: [], expect: [{at: 1s, incidents: 1}]}\n",
        "2:17",
        "T810",
        "did you mean 'expect'?",
    ),
    (HEAD.replace("at: 1s", "at: 1"), "4:19", "T814", "1 has no unit"),
    (HEAD.replace("incidents: 1", "service: web"), "4:14", "T813", "says what is to be so"),
    (HEAD.replace("incidents: 1", "rule: web-donw"), "4:29", "T831", "did you mean 'web-down'?"),
    (HEAD.replace("incidents: 1", "severity: SEV-4"), "4:33", "T831", "there is no severity 'SEV-4'"),
    (HEAD.replace("incidents: 1", "status: done"), "4:31", "T813", "'done' is not possible here"),
    (HEAD.replace("incidents: 1", "pages: {on-call: 1}"), "4:30", "T831", "did you mean 'oncall'?"),
    (HEAD.replace("incidents: 1", "blocked_by: limit"), "4:35", "T831", "did you mean 'limits'?"),
    (HEAD.replace("incidents: 1", "attempts: [{runbook: web}]"), "4:33", "T831", "no runbook 'web'"),
    (
        HEAD.replace("fire: {alertname: WebDown}", "fire: {code: 500}"),
        "3:36",
        "T813",
        "put it in double quotes",
    ),
    (HEAD.replace("fire: {alertname: WebDown}", "fired: {a: b}"), "3:23", "T810", "did you mean 'fire'?"),
    (HEAD.replace("fire: {", "pause: x, fire: {"), "3:14", "T813", "must say exactly one of fire"),
    (HEAD.replace("fire: {", "scope: {rule: x}, fire: {"), "3:14", "T813", "fire has none"),
    (
        HEAD.replace("fire: {", "for: 2h, fire: {"),
        "3:14",
        "T813",
        "'for' says how long a pause or a silence lasts",
    ),
    (
        _paused("resume: true, for: 2h"),
        "3:14",
        "T813",
        "a silence lasts; resume has",
    ),
    (_paused("pause: x, for: 0s"), "3:38", "T814", "must be longer than 0s"),
    (_paused("pause: x, scope: {}"), "3:33", "T813", "must name exactly one of namespace, service,"),
    (_paused("pause: x, scope: {rule: a, runbook: b}"), "3:33", "T813", "must name exactly one of"),
    (_paused("pause: x, scope: {service: ''}"), "3:50", "T818", "is not a name here"),
    (_paused("pause: x, scope: {team: a}"), "3:41", "T810", "write one of: namespace, rule, runbook"),
    (_paused("pause: x, scope: {service: wbe}"), "3:40", "T831", "did you mean 'web'?"),
    (_paused("pause: x, scope: {rule: web-donw}"), "3:40", "T831", "did you mean 'web-down'?"),
    (_paused("resume: true, scope: {runbook: restart-wb}"), "3:44", "T831", "did you mean 'restart-web'?"),
    (_paused("pause: x, scope: {namespace: Shop}"), "3:52", "T818", "a namespace"),
    (HEAD.replace("fire: {", "approve: alice, fire: {"), "3:14", "T813", "must say exactly one of fire"),
    (HEAD.replace("fire: {", "service: web, fire: {"), "3:14", "T813", "whose incident people mean"),
    (HEAD.replace("fire: {", "resolve: {"), "3:14", "T832", "nothing has fired by 0s"),
    (
        HEAD.replace("}}]", "}}, {at: 1s, resolve: {alertname: WebDown, pod: a}}]", 1),
        "3:52",
        "T832",
        "the nearest one differs in pod",
    ),
    (HEAD + "    outcomes: [{step: reboot}]\n", "5:16", "T833", "no runbook has a step 'reboot'"),
    (
        HEAD + "    outcomes: [{step: scale, runbook: take-pod}]\n",
        "5:16",
        "T833",
        "runbook take-pod has no step",
    ),
    (HEAD + "    outcomes: [{step: scale, runbook: tak-pod}]\n", "5:16", "T831", "did you mean 'take-pod'?"),
    (HEAD + "    outcomes: [{check: rollout}]\n", "5:16", "T833", "no runbook has a check 'rollout'"),
    (HEAD + "    outcomes: [{step: scale, result: refused}]\n", "5:16", "T813", "ok, failed, unknown"),
    (HEAD + "    outcomes: [{step: scale, finds: x}]\n", "5:16", "T813", "'finds' is not for a step"),
    (HEAD + "    outcomes: [{result: ok}]\n", "5:16", "T813", "exactly one of step, check"),
    (HEAD + "    outcomes: [{channel: vip}]\n", "5:16", "T831", "there is no channel 'vip'"),
    (HEAD + "    cluster: {workload: deployment/wbe}\n", "5:25", "T831", "did you mean 'deployment/web'?"),
    (HEAD + "    trust: {web-solw: auto}\n", "5:23", "T831", "did you mean 'web-slow'?"),
    (HEAD + "    trust: {web-slow: full}\n", "5:23", "T813", "'full' is not possible here"),
    (HEAD + "    start: yesterday\n", "5:12", "T813", "RFC 3339"),
    (HEAD + "    start: 9999-12-31T23:59:59Z\n", "5:12", "T813", "cannot begin after the year 9000"),
    (HEAD + HEAD.removeprefix("tests:\n"), "5:11", "T805", "is there twice"),
    ("tests:\n  - {name: one\n", "3:1", "T802", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "place", "code", "message"), MISTAKES, ids=[each[3] for each in MISTAKES])
def test_mistakes_are_told_at_their_place(text: str, place: str, code: str, message: str) -> None:
    """One finding, where it is, with what to write instead."""
    found = read_tests({"web_test.yaml": text}, policy())
    shown = [f"{each.line}:{each.column} {each.code} {each.message}" for each in found.findings]
    assert len(shown) == 1, shown
    assert shown[0].startswith(f"{place} {code} "), shown
    assert message in shown[0]


def test_a_directory_without_tests_says_how_to_begin(tmp_path: Path) -> None:
    """And what it proposes is a test."""
    found = read_tests(tmp_path, policy())
    assert [each.code for each in found.findings] == ["T830"]
    proposal = found.findings[0].message.split("such as ")[1]
    proposed = proposal.replace("ServiceDown", "WebDown")
    assert [case.name for case in read(proposed).cases] == ["a service that is down is SEV-2"]


def test_test_files_are_found_where_policy_files_are(tmp_path: Path) -> None:
    """In every folder but hidden ones; other files hold no tests."""
    for name in ("a_test.yaml", "deep/er/b_test.yaml", ".hidden/c_test.yaml", "d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(HEAD)
    found = read_tests(tmp_path, policy())
    assert [Path(case.where.path).name for case in found.cases] == ["a_test.yaml", "b_test.yaml"]
