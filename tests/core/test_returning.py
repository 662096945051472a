"""Where what takes back a change meets what comes first, and what alerts name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core import codec
from remediator.core.alerts import Fingerprint, Lane
from remediator.core.incident import EffectId, Incident, IncidentId, Outcome, Phase
from remediator.core.journal import Acted, ActResult, EffectLost, Kind, Locate, Resolved, VerdictNote
from remediator.core.policies import Mode, PageNever, Policy, Service
from remediator.core.roots import DEPENDENCY, Root
from remediator.core.store import Delivered, Queue
from remediator.core.times import MINUTE, Instant
from remediator.core.verdicts import ChangeRequest
from remediator.workers.lost import lost_outcome
from tests.core.builders import WEB, policy
from tests.core.test_decide import Life, opened
from tests.core.test_isolating import TIMER
from tests.core.test_isolating import book as isolating
from tests.core.test_locating import BATCH, answer, fires, named, targeted
from tests.core.test_undoing import BACK, STEPS, acted, book, changed, checked, failing, texts

DB = Root(incident=IncidentId("i-db"), about="db", severity="SEV-2")
FIRST = (VerdictNote(guard=DEPENDENCY, allowed=False, text="db comes first"),)


def dependent(of: Policy) -> Policy:
    """``web`` depends on ``db``."""
    web = replace(of.services["web"], depends_on=("db",))
    return replace(of, services={**of.services, "web": web, "db": Service(name="db")})


def stop(life: Life) -> None:
    """The guard says what comes first."""
    life.roots = (DB,)
    acted(life, ActResult.BLOCKED, reason="dependency: db comes first", verdicts=FIRST)


# --- what comes first ---


def test_an_undo_that_comes_second_is_put_off_and_goes_on_when_that_is_over() -> None:
    """It is no remedy that could give way: nothing attaches in the middle of it."""
    life = failing(dependent(book()))
    stop(life)
    assert life.now.attempts[-1].phase is Phase.UNDOING
    assert "act" in life.timers
    assert (life.now.attached_to, life.pages) == (None, [])
    life.roots = ()
    life.ring("act")
    acted(life, ActResult.DONE, BACK["scale"])
    acted(life, ActResult.DONE, reason="restart has no inverse")
    acted(life, ActResult.DONE, BACK["set_image"])
    assert "left in place" not in life.now.attempts[-1].reason


def test_an_undo_that_comes_second_for_too_long_is_told_and_then_it_waits() -> None:
    """What is left in place is paged, though somebody is asked for the other incident; nothing is retried."""
    life = failing(dependent(book(runbooks=("mend", "restart"))))
    began = life.at
    stop(life)
    while life.now.active is not None:
        life.ring("act")
        stop(life)
    assert life.at - began <= 5 * MINUTE
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert (
        "left in place: set the image, restart web, scale web (dependency: db comes first)" in attempt.reason
    )
    assert [page.channel for page in life.pages] == ["oncall"]
    assert life.now.attached_to == "i-db"
    assert [planned.runbook for planned in life.now.plan] == ["restart"]


def test_a_step_that_gives_way_tells_what_its_attempt_leaves() -> None:
    """No verification has failed, so nothing is taken back; it gets another turn."""
    life = opened(dependent(book()))
    acted(life, ActResult.DONE, "set the image")
    stop(life)
    attempt = life.now.attempts[-1]
    assert (attempt.outcome, attempt.made) == (Outcome.BLOCKED, ())
    assert attempt.reason.endswith("not undone, as no verification failed: set the image")
    assert life.now.attached_to == "i-db"
    assert [planned.runbook for planned in life.now.plan] == ["mend"]


def test_a_failed_runbook_that_was_taken_back_waits_without_a_page_where_the_cause_is_known() -> None:
    """Nothing is left in place, and somebody is asked for the other one."""
    life = changed(dependent(book()))
    life.roots = (DB,)
    checked(life, True, False, after=2 * MINUTE)
    for step in reversed([step for step in STEPS if step.wait is None]):
        acted(life, ActResult.DONE, BACK.get(step.action, "back"))
    assert life.now.attempts[-1].outcome is Outcome.FAILED
    assert (life.now.attached_to, life.pages) == ("i-db", [])


# --- what alerts name ---


def located(of: Policy) -> Life:
    """Its alert names pod web-1, which belongs to ``web``; its runbook has begun."""
    life = named(targeted(of))
    answer(life)
    assert life.now.active is not None
    return life


def request(life: Life, phase: Phase = Phase.ACTING, *, expires: bool = False) -> ChangeRequest:
    attempt = replace(life.now.attempts[-1], phase=phase)
    return ChangeRequest(
        incident=life.now,
        attempt=attempt,
        step=STEPS[0],
        effect=EffectId("e"),
        at=life.at,
        policy=life.policy,
        ceiling=Mode.AUTO,
        expires=expires,
    )


def test_an_attempt_keeps_the_workload_that_its_alerts_led_to() -> None:
    """By its UID; where the catalog names it there is none to keep."""
    life = located(policy())
    attempt = life.now.attempts[-1]
    assert (attempt.target, attempt.target_uid, attempt.located) == ("shop/deployment/web", "u-1", WEB)
    assert opened().now.attempts[-1].located is None
    assert codec.incident_from(codec.incident_json(life.now)) == life.now


def test_what_is_taken_back_or_ended_is_where_it_was_done_also_when_the_alerts_name_two() -> None:
    """A further step has no target any more: nothing new is changed."""
    life = located(policy())
    life.incident = life.now.evolve(aim=replace_aim(life.now, trouble="its alerts name two objects"))
    assert request(life).target is None
    for one in (request(life, Phase.UNDOING), request(life, expires=True)):
        assert (one.target, one.target_uid) == (WEB, "u-1")


def replace_aim(incident: Incident, *, trouble: str) -> object:
    assert incident.aim is not None
    return replace(incident.aim, trouble=trouble)


def test_an_isolation_keeps_its_workload_though_its_incident_is_about_another_by_now() -> None:
    """Reopened, it names another pod of the same name; a new attempt is for that one's owner."""
    life = located(isolating())
    acted(life, ActResult.DONE, "isolate deployment/web")
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    checked(life, True)
    assert life.now.resolved
    life.tell(fires(life.policy, "bb"))
    answer(life, BATCH)
    old, new = life.now.isolations
    assert (old.target, old.target_uid) == ("shop/deployment/web", "u-1")
    assert new.target == life.now.attempts[-1].target == "shop/deployment/batch"
    life.ring(TIMER)
    assert life.now.isolations[0].pending is not None
    assert codec.incident_from(codec.incident_json(life.now)) == life.now


@pytest.mark.parametrize("step", ["isolation", "attach"])
def test_the_end_of_an_isolation_and_the_look_at_what_comes_first_leave_each_other_alone(step: str) -> None:
    """Both are timers of one incident."""
    life = opened(dependent(replace_page(isolating())))
    acted(life, ActResult.DONE, "isolate deployment/web")
    life.roots = (DB,)
    life.at = Instant(life.at + MINUTE)
    checked(life, False)
    assert life.now.attached_to == "i-db"
    assert {TIMER, "attach"} <= {*life.timers}
    life.ring(TIMER if step == "isolation" else "attach")
    if step == "isolation":
        (isolation,) = life.now.isolations
        assert isolation.pending is not None
        life.tell(Acted(effect=isolation.pending, result=ActResult.DONE, reason="restored"))
        assert (life.now.isolations, TIMER in life.timers) == ((), False)
    assert life.now.attached_to == "i-db"
    assert "attach" in life.timers


def replace_page(of: Policy) -> Policy:
    severities = {name: replace(one, page=PageNever()) for name, one in of.severities.items()}
    return replace(of, severities=severities)


def test_a_question_that_became_a_dead_letter_is_told_to_its_incident() -> None:
    """It waits for no timer: nothing will be changed."""
    life = named()
    [asked] = [one for one in life.decisions[0].effects if isinstance(one, Locate)]
    kind, data = codec.pack(asked)
    delivery = Delivered(queue=Queue.EFFECTS, id="1", kind=kind, data=data, incident=life.now.id)
    [(incident, event, lane)] = lost_outcome(delivery, "five deliveries")
    assert (incident, lane) == (life.now.id, Lane.URGENT)
    assert isinstance(event, EffectLost)
    life.tell(event)
    assert "could not be looked for: five deliveries" in texts(life, Kind.LOCATED)[-1]
    assert life.now.active is None
