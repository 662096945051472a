"""A step that pauses: a timer, and nothing else."""

from __future__ import annotations

from remediator.core.codec import incident_from, incident_json
from remediator.core.incident import Outcome, Phase, Status
from remediator.core.journal import Kind
from remediator.core.policies import Step
from remediator.core.times import HOUR, SECOND, Instant, Millis
from tests.core.test_waiting import RESTART, begun, over, phase

PAUSE = Step(action="pause", params={"for": "30s"}, pause=Millis(30 * SECOND))


def test_P12_a_pause_is_a_timer_that_the_store_keeps() -> None:
    """Nobody is busy meanwhile: nothing is performed, nothing is asked. A restart changes nothing of it."""
    life = begun(PAUSE, RESTART)
    assert phase(life) == (Phase.PAUSING, 0)
    assert life.decisions[-1].effects == ()
    assert life.timers["poll"] == life.at + 30 * SECOND
    assert life.now.status is Status.REMEDIATING
    life.incident = incident_from(incident_json(life.now))
    life.ring("poll")
    assert phase(life) == (Phase.ACTING, 1)
    [done] = [e for d in life.decisions for e in d.timeline if e.kind is Kind.STEP]
    assert done.text == "pause: done after 30s"
    assert done.data == {"action": "pause", "result": "done", "runbook": "restart", "step": 0}


def test_a_pause_after_a_change_is_followed_by_the_proof() -> None:
    life = begun(RESTART, PAUSE)
    life.acted()
    assert phase(life) == (Phase.PAUSING, 1)
    life.ring("poll")
    assert phase(life)[0] is Phase.VERIFYING


def test_alerts_that_resolve_meanwhile_end_an_attempt_that_changed_nothing() -> None:
    """At the end of the pause, as with a wait: one that fires again by then is the same outage."""
    life = over(begun(PAUSE, RESTART))
    assert life.now.active is not None
    life.ring("poll")
    assert life.now.attempts[-1].outcome is Outcome.ABANDONED
    assert life.now.resolved
    assert life.timers == {}


def test_alerts_that_resolve_after_a_change_leave_it_to_be_proven() -> None:
    life = begun(RESTART, PAUSE)
    life.acted()
    over(life)
    life.ring("poll")
    assert phase(life)[0] is Phase.VERIFYING


def test_P12_a_clock_that_jumped_ends_the_pause_and_no_more() -> None:
    """What follows asks its guards, the clock among them; the pause itself touches nothing."""
    life = begun(PAUSE, RESTART)
    life.at = Instant(life.at + HOUR)
    life.ring("poll")
    assert phase(life) == (Phase.ACTING, 1)
    assert [page.channel for page in life.pages] == []
