"""A step that only begins something: asked until it is over, by a timer; what cannot be known is unknown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.codec import incident_from, incident_json, pack, unpack
from remediator.core.incident import Outcome, Phase, Status
from remediator.core.journal import Acted, ActResult, Checked, CheckResult, EffectLost, Kind, Verify
from remediator.core.policies import Check, Step
from remediator.core.times import MINUTE, SECOND, Instant, Millis
from tests.core.test_decide import Life
from tests.core.test_waiting import RESTART, begun, over, phase

JOB = Step(action="job", params={"from": "tidy"})
OVER = Check(check="job", params={"name": "tidy-1"}, within=Millis(5 * MINUTE))


def settling(*steps: Step, runbooks: tuple[str, ...] = ("restart",)) -> Life:
    """Its first step has begun something."""
    life = begun(JOB, *steps, runbooks=runbooks)
    life.acted(settles=OVER)
    return life


def answer(life: Life, holds: bool | None, *, final: bool = False) -> None:
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    seen = CheckResult(holds=holds, observed="1 pod at work", final=final)
    life.tell(Checked(effect=attempt.pending, results=(seen,)))


def told(life: Life) -> list[tuple[str, object]]:
    return [(e.text, e.data["result"]) for d in life.decisions for e in d.timeline if e.kind is Kind.STEP]


def test_what_was_begun_is_asked_for_by_the_timer_of_any_other_check() -> None:
    """It is over when the check holds, and the next step begins then; nobody is busy in between."""
    life = settling(RESTART)
    [look] = life.decisions[-1].effects
    assert isinstance(look, Verify)
    active = life.now.active
    assert active is not None
    assert (phase(life), active.awaited) == ((Phase.SETTLING, 0), (OVER,))
    assert life.now.status is Status.REMEDIATING
    answer(life, False)
    assert life.decisions[-1].effects == ()
    assert life.timers["poll"] == life.at + SECOND
    life.incident = incident_from(incident_json(life.now))  # a restart
    life.ring("poll")
    answer(life, True)
    assert phase(life) == (Phase.ACTING, 1)
    active = life.now.active
    assert active is not None
    assert (active.settling, active.changes) == (None, ("restart deployment/web",))
    assert told(life) == [("job: begun: so", "begun"), ("job: done: 1 pod at work", "done")]


def test_what_settles_a_step_travels_with_its_outcome() -> None:
    """A runner and a clerk need not be one process."""
    acted = Acted(effect="e", result=ActResult.DONE, reason="so", settles=OVER)  # type: ignore[arg-type]  # an id
    assert unpack(*pack(acted)) == acted


@pytest.mark.parametrize(
    ("holds", "outcome", "reason"),
    [
        (False, Outcome.FAILED, "job failed: 1 pod at work"),
        (None, Outcome.UNKNOWN, "how job ended is unknown: 1 pod at work"),
    ],
)
def test_P14_a_final_answer_ends_it_at_once(holds: bool | None, outcome: Outcome, reason: str) -> None:
    """Failed, the next runbook has its turn; unknown, nothing else is tried and people are asked."""
    life = settling(RESTART, runbooks=("restart", "again"))
    answer(life, holds, final=True)
    first = life.now.attempts[0]
    assert (first.outcome, first.reason) == (outcome, reason)
    assert len(life.now.attempts) == (2 if holds is False else 1)
    assert len(life.pages) == (0 if holds is False else 1)
    assert ("failed" if holds is False else "unknown") in [result for _, result in told(life)]


@pytest.mark.parametrize(("holds", "outcome"), [(False, Outcome.FAILED), (None, Outcome.UNKNOWN)])
def test_P14_what_is_not_over_in_time_has_failed_or_is_unknown(holds: bool | None, outcome: Outcome) -> None:
    """By what was seen last: it was at work still, or nobody could look."""
    life = settling()
    began = life.at
    while life.now.active is not None:
        answer(life, holds)
        if life.now.active is not None:
            life.ring("poll")
    attempt = life.now.attempts[-1]
    assert attempt.outcome is outcome
    assert "not over after 5m: job: " in attempt.reason
    assert life.at - began == 5 * MINUTE
    assert len(life.pages) == 1


def test_a_look_that_became_a_dead_letter_is_unknown() -> None:
    """What was begun may still go on."""
    life = settling()
    active = life.now.active
    assert active is not None
    assert active.pending is not None
    life.tell(EffectLost(effect=active.pending, reason="five deliveries"))
    assert life.now.attempts[-1].outcome is Outcome.UNKNOWN


def test_alerts_that_resolve_meanwhile_do_not_end_it() -> None:
    """Something was changed: it is seen to its end, and proven."""
    life = over(settling())
    answer(life, False)
    assert phase(life) == (Phase.SETTLING, 0)
    life.ring("poll")
    answer(life, True)
    assert phase(life)[0] is Phase.VERIFYING


def test_P12_it_goes_on_where_it_was_after_a_time_without_a_look() -> None:
    """A daemon that was down for longer than the time that it has finds out how it ended all the same."""
    life = settling()
    answer(life, False)
    life.at = Instant(life.at + 60 * MINUTE)
    life.ring("poll")
    answer(life, True)
    assert phase(life)[0] is Phase.VERIFYING


def test_a_wait_is_not_settled_by_a_final_answer() -> None:
    """Checks of policy files never are final; if one were, it would be waited for as ever."""
    check = Check(check="ready", within=Millis(2 * MINUTE))
    life = begun(replace(JOB, action="wait", wait=check))
    answer(life, False, final=True)
    assert phase(life) == (Phase.WAITING, 0)
