"""`when` of a step: a check that is asked once before it; unknown means no change and a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.codec import incident_from, incident_json
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import Act, Checked, CheckResult, EffectLost, Entry, Kind, Verify
from remediator.core.policies import Check, Step
from remediator.core.times import Millis
from remediator.policy.load import load_policy
from tests.core.explaining import of_labels
from tests.core.test_decide import Life
from tests.core.test_waiting import RESTART, begun, over, phase, waiting

NEEDED = Check(check="endpoints", params={"at_least": 2})
ONLY_THEN = replace(RESTART, when=NEEDED)


def entries(life: Life, kind: Kind) -> list[Entry]:
    return [entry for decision in life.decisions for entry in decision.timeline if entry.kind is kind]


def answer(life: Life, holds: bool | None) -> None:
    """The check is asked, and answers so."""
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    result = CheckResult(holds=holds, observed="1 of 2 ready")
    life.tell(Checked(effect=attempt.pending, results=(result,)))


def test_the_check_is_asked_before_the_step_and_the_step_performed_when_it_holds() -> None:
    """It is the only one that is asked, and it is asked once: for how long it holds is of no interest."""
    life = begun(ONLY_THEN)
    [look] = life.decisions[-1].effects
    assert isinstance(look, Verify)
    active = life.now.active
    assert active is not None
    assert (phase(life), active.awaited) == ((Phase.DECIDING, 0), (NEEDED,))
    answer(life, True)
    [act] = life.decisions[-1].effects
    assert isinstance(act, Act)
    assert (phase(life), act.step) == ((Phase.ACTING, 0), 0)
    assert "poll" not in life.timers
    told = entries(life, Kind.GUARD)
    assert [(entry.text, entry.data["verdict"]) for entry in told] == [
        ("when endpoints: 1 of 2 ready", "allows")
    ]


def test_a_step_that_is_not_meant_is_left_out_with_its_reason() -> None:
    """Whoever asks what happened reads why; the next step has its own turn."""
    life = begun(ONLY_THEN, Step(action="rollback"))
    answer(life, False)
    assert phase(life) == (Phase.ACTING, 1)
    [skipped] = entries(life, Kind.STEP)
    assert skipped.text == "restart: skipped: when endpoints does not hold: 1 of 2 ready"
    assert skipped.data == {"action": "restart", "result": "skipped", "runbook": "restart", "step": 0}
    life.acted()
    assert phase(life)[0] is Phase.VERIFYING


def test_P14_where_every_step_is_left_out_it_is_proven_all_the_same() -> None:
    """Nothing was done: what is left is to see whether it is well."""
    life = begun(ONLY_THEN)
    answer(life, False)
    assert phase(life)[0] is Phase.VERIFYING


def test_where_it_cannot_be_found_out_nothing_is_changed_and_people_are_paged() -> None:
    life = begun(ONLY_THEN)
    answer(life, None)
    attempt = life.now.attempts[-1]
    assert (attempt.outcome, attempt.changes) == (Outcome.BLOCKED, ())
    assert attempt.reason == "whether restart is meant is unknown: when endpoints: 1 of 2 ready"
    [guard] = entries(life, Kind.GUARD)
    assert (guard.data["guard"], guard.data["verdict"]) == ("when", "blocks")
    [page] = life.pages
    assert page.channel == "oncall"


def test_the_next_runbook_has_its_turn_where_one_is_blocked_so() -> None:
    life = begun(ONLY_THEN, runbooks=("restart", "again"))
    answer(life, None)
    assert [attempt.runbook.name for attempt in life.now.attempts] == ["restart", "again"]
    assert life.pages == []


def test_unknown_after_something_was_changed_leaves_it_half_done_and_says_so() -> None:
    life = begun(RESTART, replace(Step(action="rollback"), when=NEEDED))
    life.acted()
    answer(life, None)
    attempt = life.now.attempts[-1]
    assert (attempt.outcome, attempt.changes) == (Outcome.BLOCKED, ("restart deployment/web",))


def test_unknown_after_its_alerts_resolved_proves_what_was_done_before() -> None:
    """And with nothing done before, the attempt is given up: there is no trouble any more."""
    life = begun(RESTART, replace(Step(action="rollback"), when=NEEDED))
    life.acted()
    answer(over(life), None)
    assert phase(life)[0] is Phase.VERIFYING
    life = begun(ONLY_THEN)
    answer(over(life), None)
    assert life.now.attempts[-1].outcome is Outcome.ABANDONED
    assert life.now.resolved


def test_an_answer_that_never_comes_is_unknown() -> None:
    life = begun(ONLY_THEN)
    active = life.now.active
    assert active is not None
    assert active.pending is not None
    life.tell(EffectLost(effect=active.pending, reason="five deliveries"))
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED


@pytest.mark.parametrize("idle", [waiting(), Step(action="pause", pause=Millis(1000))])
def test_waits_and_pauses_may_depend_on_something_too(idle: Step) -> None:
    life = begun(replace(idle, when=NEEDED), RESTART)
    answer(life, False)
    assert phase(life) == (Phase.ACTING, 1)
    life = begun(replace(idle, when=NEEDED), RESTART)
    answer(life, True)
    assert phase(life) == (Phase.PAUSING if idle.pause else Phase.WAITING, 0)


def test_what_it_stands_at_is_kept() -> None:
    """A daemon that is started anew knows the step and what it depends on."""
    life = begun(ONLY_THEN)
    assert incident_from(incident_json(life.now)) == life.now


async def test_explaining_says_what_a_step_depends_on() -> None:
    text = """
severities: {SEV-4: {}}
services: {web: {namespace: shop, workload: deployment/web}}
guards: {namespaces: [shop]}
rules: [{name: r, match: [a="1"], severity: SEV-4, service: web, mode: auto, runbooks: [fix]}]
runbooks:
  fix:
    steps:
      - {restart: {}, when: {promql: {query: 'up{app="{{ service.name }}"}', below: 1}}}
      - {pause: {for: 1m}, when: ready}
    verify: [{alert: {}}]
"""
    [book] = (await of_labels(load_policy({"p.yaml": text}), {"a": "1"})).runbooks
    first, second = book.steps
    assert first.step == (
        'restart deployment/web in shop; only when promql (query: up{app="web"}, below: 1.0)'
    )
    assert second.step == "pause (for: 1m); only when ready"
    assert second.diff == ()
