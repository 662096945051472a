"""A step that waits: a phase of the attempt, which asks its check until it holds and changes nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.alerts import Fingerprint
from remediator.core.codec import incident_json
from remediator.core.decide import decide
from remediator.core.decision import Facts
from remediator.core.incident import EffectId, Outcome, Phase, Status
from remediator.core.journal import (
    Act,
    Acted,
    ActResult,
    Checked,
    CheckResult,
    EffectLost,
    Kind,
    Resolved,
    TimerDue,
    Verify,
)
from remediator.core.policies import Check, Policy, Step
from remediator.core.times import MINUTE, SECOND, Instant, Millis
from tests.core.builders import policy
from tests.core.test_decide import Life, opened

DELETE = Step(action="delete_pod", params={"which": "not_ready", "at_most": 1})
RESTART = Step(action="restart")


def waiting(stable: int = 0, within: int = 2 * MINUTE) -> Step:
    """``wait: {for: {ready: {for: …}}, timeout: …}``."""
    check = Check(check="ready", stable=Millis(stable), within=Millis(within))
    return Step(action="wait", params={"for": "ready"}, wait=check)


def begun(*steps: Step, runbooks: tuple[str, ...] = ("restart",)) -> Life:
    """An incident whose runbook has these steps."""
    of: Policy = policy(runbooks=runbooks)
    runbook = replace(of.runbooks["restart"], steps=steps)
    return opened(replace(of, runbooks={**of.runbooks, "restart": runbook}))


def phase(life: Life) -> tuple[Phase, int]:
    attempt = life.now.attempts[-1]
    return attempt.phase, attempt.step


def over(life: Life) -> Life:
    """Its alert resolves."""
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    return life


def time_out(life: Life, holds: bool | None = False) -> None:
    """It is asked, in vain, until its time is over."""
    for _ in range(1000):
        life.checked(holds)
        if life.now.active is None or "poll" not in life.timers:
            return
        life.ring("poll")
    raise AssertionError("it waits for ever")


def test_a_wait_that_holds_at_once_goes_on_at_once() -> None:
    """One look, no timer; then the verification, which begins anew."""
    life = begun(DELETE, waiting())
    [look] = life.acted().effects
    assert isinstance(look, Verify)
    assert phase(life) == (Phase.WAITING, 1)
    statuses = [life.now.status]
    [verify] = life.checked(True).effects
    assert isinstance(verify, Verify)
    assert verify.id != look.id
    assert phase(life)[0] is Phase.VERIFYING
    assert [*statuses, life.now.status] == [Status.REMEDIATING, Status.VERIFYING]
    active = life.now.active
    assert active is not None
    assert [check.since for check in active.checks] == [None], "what was waited for proves nothing yet"


def test_a_wait_that_holds_later_is_asked_until_then() -> None:
    """Every second at first, every five later; unknown is not held."""
    life = begun(DELETE, waiting())
    life.acted()
    began = life.at
    for holds in (False, None, False):
        life.checked(holds)
        assert life.timers["poll"] == life.at + SECOND
        life.ring("poll")
    life.at = Instant(began + 40 * SECOND)
    life.checked(False)
    assert life.timers["poll"] == life.at + 5 * SECOND
    life.ring("poll")
    life.checked(True)
    assert phase(life)[0] is Phase.VERIFYING
    done = [entry for d in life.decisions for entry in d.timeline if entry.data.get("action") == "wait"]
    assert [entry.data["result"] for entry in done] == [ActResult.DONE]


def test_a_wait_for_stability_goes_on_when_it_has_held_for_so_long() -> None:
    """It looks again at the very moment, and begins anew when it falters."""
    life = begun(DELETE, waiting(stable=3 * SECOND))
    life.acted()
    life.checked(True)
    life.ring("poll")
    life.checked(False)
    life.ring("poll")
    life.checked(True)
    held_from = life.at
    while phase(life)[0] is Phase.WAITING:
        life.ring("poll")
        life.checked(True)
    assert life.at - held_from == 3 * SECOND


@pytest.mark.parametrize("holds", [False, None])
def test_P14_a_wait_in_vain_fails_the_attempt_and_pages(holds: bool | None) -> None:
    """Not a moment later than its time-out; what was seen last is told."""
    life = begun(DELETE, waiting())
    life.acted()
    began = life.at
    time_out(life, holds)
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert life.at - began == 2 * MINUTE
    assert attempt.reason.startswith("waited in vain for 2m: ready: ")
    assert ("unknown" in attempt.reason) is (holds is None)
    [page] = life.pages
    assert page.channel == "oncall"
    assert life.now.status is Status.ESCALATED


def test_a_wait_in_vain_gives_way_to_the_next_runbook() -> None:
    """As any other failed attempt."""
    life = begun(DELETE, waiting(), runbooks=("restart", "again"))
    life.acted()
    time_out(life)
    assert [attempt.outcome for attempt in life.now.attempts] == [Outcome.FAILED, None]
    assert life.pages == []


def test_after_a_wait_the_next_step_is_a_step_of_its_own() -> None:
    """Its effect names its own number: what the journal knows it by."""
    life = begun(DELETE, waiting(), RESTART)
    first = life.decisions[0].effects[0]
    life.acted()
    [second] = life.checked(True).effects
    assert isinstance(first, Act)
    assert isinstance(second, Act)
    assert (first.step, second.step) == (0, 2)
    assert first.step_id != second.step_id
    assert second.at == life.at


@pytest.mark.parametrize("firing", [True, False])
def test_a_step_after_a_wait_whose_guards_block(firing: bool) -> None:
    """While its alert fires the attempt is blocked; when it is silent, what was changed must be verified."""
    life = begun(DELETE, waiting(), RESTART)
    life.acted()
    life.checked(True)
    if not firing:
        over(life)
    life.acted(ActResult.BLOCKED)
    if firing:
        assert life.now.attempts[-1].outcome is Outcome.BLOCKED
        assert len(life.pages) == 1
    else:
        assert phase(life)[0] is Phase.VERIFYING
        assert not life.now.resolved


def test_a_blocked_step_after_a_first_wait_has_changed_nothing() -> None:
    """The alert is over and nobody did anything: the incident is over, too."""
    life = over(begun(waiting(), RESTART))
    life.checked(True)
    life.acted(ActResult.BLOCKED)
    assert life.now.attempts[-1].outcome is Outcome.ABANDONED
    assert life.now.resolved


def test_an_alert_that_resolves_while_waiting_changes_nothing_about_the_wait() -> None:
    """A silent alert is no proof: the wait ends as it would, and the verification decides."""
    life = begun(DELETE, waiting())
    life.acted()
    life.checked(False)
    over(life)
    assert phase(life) == (Phase.WAITING, 1)
    life.ring("poll")
    life.checked(True)
    life.checked(True)
    life.ring("poll")
    life.at = Instant(life.at + 10 * SECOND)
    life.checked(True)
    assert life.now.attempts[-1].outcome is Outcome.VERIFIED
    assert life.now.resolved


def test_P14_a_wait_in_vain_after_a_change_pages_though_the_alert_is_silent() -> None:
    """The workload may have vanished with its metrics."""
    life = begun(DELETE, waiting())
    life.acted()
    life.checked(False)
    over(life)
    life.ring("poll")
    time_out(life)
    assert life.now.attempts[-1].outcome is Outcome.FAILED
    assert len(life.pages) == 1
    assert not life.now.resolved


def test_a_wait_in_vain_before_any_change_pages_nobody_when_the_alert_is_over() -> None:
    """Nothing was done and nothing fires: as when guards block for that reason."""
    life = begun(waiting(), RESTART)
    life.checked(False)
    over(life)
    life.ring("poll")
    time_out(life)
    assert life.now.attempts[-1].outcome is Outcome.ABANDONED
    assert life.now.resolved
    assert life.pages == []


@pytest.mark.parametrize("steps", [(DELETE, waiting()), (waiting(), DELETE)])
def test_a_lost_look_of_a_wait_fails_the_attempt(steps: tuple[Step, ...]) -> None:
    """It was given up after five deliveries: it proves nothing, and nothing can be in doubt because of it."""
    life = begun(*steps)
    if steps[0] is DELETE:
        life.acted()
    active = life.now.active
    assert active is not None
    assert active.pending is not None
    life.tell(EffectLost(effect=active.pending, reason="poison"))
    assert life.now.attempts[-1].outcome is Outcome.FAILED
    assert "waiting could not be performed: poison" in life.now.attempts[-1].reason
    assert len(life.pages) == 1


def test_P7_an_answer_that_comes_twice_or_late_counts_once() -> None:
    """After a crash the same look is made again: the second answer speaks of nothing that is waited for."""
    life = begun(DELETE, waiting(), RESTART)
    life.acted()
    active = life.now.active
    assert active is not None
    assert active.pending is not None
    answer = Checked(effect=active.pending, results=(CheckResult(holds=True, observed="2 of 2"),))
    life.tell(answer)
    before = incident_json(life.now)
    again = life.tell(answer)
    assert again.effects == ()
    assert incident_json(life.now) == before
    life.tell(Acted(effect=EffectId("older"), result=ActResult.DONE, reason="late"))
    assert incident_json(life.now) == before


def test_P12_deciding_again_from_the_same_incident_decides_the_same() -> None:
    """What a crash before the commit leaves behind is decided once more, to the letter."""
    life = begun(DELETE, waiting())
    life.acted()
    active = life.now.active
    assert active is not None
    assert active.pending is not None
    event = Checked(effect=active.pending, results=(CheckResult(holds=False, observed="1 of 2"),))
    facts = Facts(firing=1, members=frozenset(life.members), over=frozenset())
    once, twice = (decide(life.incident, [event], facts, life.policy, life.at) for _ in range(2))
    assert once == twice


def test_a_poll_of_a_wait_that_is_over_does_nothing() -> None:
    """The timer fell due just as the answer came."""
    life = begun(DELETE, waiting())
    life.acted()
    life.checked(False)
    [stored] = [key for key in life.stored if key.startswith("poll#")]
    due = life.stored[stored]
    life.ring("poll")
    life.checked(True)
    assert phase(life)[0] is Phase.VERIFYING
    before = incident_json(life.now)
    assert life.tell(TimerDue(name=stored, due=due)).effects == ()
    assert incident_json(life.now) == before


def test_a_wait_tells_no_change() -> None:
    """Only steps that act are told as changes."""
    life = begun(waiting(), waiting())
    life.checked(True)
    life.checked(True)
    assert life.now.attempts[-1].changes == ()
    assert phase(life)[0] is Phase.VERIFYING
    assert not [e for d in life.decisions for e in d.timeline if e.kind is Kind.GUARD]
