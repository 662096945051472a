"""What is isolated is brought back when its time is over, whatever has become of the attempt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.incident import Delivery, Status
from remediator.core.journal import Acted, ActResult, EffectLost, EndIsolation, Kind, PageKind, Resolved
from remediator.core.policies import Check, Policy, Step
from remediator.core.times import DAY, MINUTE, Instant, Millis, format_instant
from remediator.http.views import show_incident
from tests.core.builders import NOW, policy
from tests.core.test_decide import Life, opened

TIMER = "isolation/1.0"
DONE = "isolate deployment/web: scale it from 4 to 0, for 30m at most"


def book(*, undo: bool = False) -> Policy:
    of = policy()
    steps = (Step(action="isolate", params={"for": "30m"}),)
    verify = (Check(check="alert", within=Millis(MINUTE)),)
    return replace(
        of, runbooks={"restart": replace(of.runbooks["restart"], steps=steps, verify=verify, undo=undo)}
    )


def acted(life: Life, result: ActResult, *changes: str, **more: object) -> None:
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(Acted(effect=attempt.pending, result=result, reason="so", changes=changes, **more))  # type: ignore[arg-type]


def isolated() -> Life:
    life = opened(book())
    acted(life, ActResult.DONE, DONE)
    return life


def verified() -> Life:
    """It helped, and the incident is over."""
    life = isolated()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.checked(True)
    assert life.now.resolved
    return life


def end(life: Life) -> EndIsolation:
    (found,) = life.decisions[-1].effects
    assert isinstance(found, EndIsolation)
    return found


def answer(life: Life, result: ActResult, reason: str = "so", **more: object) -> None:
    (isolation,) = life.now.isolations
    assert isolation.pending is not None
    life.tell(Acted(effect=isolation.pending, result=result, reason=reason, **more))  # type: ignore[arg-type]


def test_its_end_is_armed_before_anything_is_isolated() -> None:
    """In the commit that sends the step out: no crash after it can leave something isolated for ever."""
    life = opened(book())
    assert life.timers[TIMER] == life.at + 30 * MINUTE
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(EffectLost(effect=attempt.pending, reason="died five times"))
    assert TIMER in life.timers
    assert codec.incident_from(codec.incident_json(life.now)) == life.now


@pytest.mark.parametrize("result", [ActResult.BLOCKED, ActResult.WITHHELD, ActResult.FAILED, ActResult.DONE])
def test_where_surely_nothing_was_isolated_nothing_is_to_be_ended(result: ActResult) -> None:
    """Done without a change: it asked for no pods before, which is not ours to end."""
    life = opened(book())
    acted(life, result)
    assert TIMER not in life.timers
    assert life.now.isolations == ()


def test_what_may_have_been_isolated_is_looked_after() -> None:
    """Its outcome is unknown."""
    life = opened(book())
    acted(life, ActResult.UNKNOWN)
    assert TIMER in life.timers


def test_a_step_that_was_put_off_beyond_its_own_time_is_ended_at_once() -> None:
    """The timer found nothing to end, and then the step was done after all."""
    life = opened(book())
    life.ring(TIMER)
    answer(life, ActResult.DONE)
    assert life.now.isolations == ()
    assert life.decisions[-1].timeline[-1].data == {}, "nothing was ended, so no step is counted"
    acted(life, ActResult.DONE, DONE)
    assert life.timers[TIMER] <= life.at


@pytest.mark.parametrize("how", ["verified", "failed"])
def test_when_its_time_is_over_it_is_brought_back(how: str) -> None:
    """Also where the incident is over, and where the runbook failed."""
    if how == "verified":
        life = verified()
    else:
        life = isolated()
        life.at = life.at + 2 * MINUTE  # type: ignore[assignment]
        life.checked(False)
        assert not life.now.resolved
    before, pages = life.now.status, len(life.pages)
    life.ring(TIMER)
    effect = end(life)
    assert codec.unpack(*codec.pack(effect)) == effect
    assert effect.step_id == f"{life.now.id}/isolation/1.0"
    back = "restore deployment/web: scale it from 0 to 4"
    answer(life, ActResult.DONE, back, changes=(back,))
    assert life.now.isolations == ()
    assert (life.now.status, len(life.pages)) == (before, pages)
    text = "the isolation is over: restore deployment/web: scale it from 0 to 4"
    (entry,) = life.decisions[-1].timeline
    assert (entry.text, entry.data) == (text, {"action": "end:isolate", "result": "done"})
    assert TIMER not in life.timers


def test_where_it_must_not_be_ended_people_are_told_once_and_it_is_tried_again() -> None:
    """The incident is over and stays so; its page is no page of the outage, and ends with the isolation."""
    life = verified()
    life.ring(TIMER)
    for _ in range(3):
        answer(life, ActResult.BLOCKED, "kill_switch: paused by ada: deploying")
        assert life.timers[TIMER] == life.at + 5 * MINUTE
        life.ring(TIMER)
    assert life.now.status is Status.RESOLVED
    (page,) = life.pages
    assert (page.channel, page.kind) == ("operator", PageKind.TRIGGER)
    assert life.now.pages[0].reason == (
        "shop/deployment/web stays isolated beyond its time, it may have no pods: "
        "kill_switch: paused by ada: deploying; tried again every 5m"
    )
    life.accept(page)
    assert life.now.pages[0].resolve is None, "it stays open though the incident is over"
    told = [e for d in life.decisions for e in d.timeline if e.data.get("action") == "end:isolate"]
    assert len(told) == 1, "the same reason is told once"
    answer(life, ActResult.DONE, "restored")
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER, PageKind.RESOLVE]


def test_a_page_that_is_still_on_its_way_when_it_ended_is_resolved_when_it_has_arrived() -> None:
    """Trigger before resolve."""
    life = verified()
    life.ring(TIMER)
    answer(life, ActResult.BLOCKED)
    (page,) = life.pages
    life.ring(TIMER)
    answer(life, ActResult.DONE)
    assert len(life.pages) == 1
    life.accept(page)
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER, PageKind.RESOLVE]
    assert life.now.pages[0].trigger is Delivery.ACCEPTED


def test_what_is_put_off_for_too_long_is_told_too() -> None:
    """The target is leased by somebody, for five minutes."""
    life = verified()
    life.ring(TIMER)
    began = life.at
    while not life.pages:
        answer(life, ActResult.RETRY, "it is leased")
        life.ring(TIMER)
    assert 5 * MINUTE <= life.at - began <= 11 * MINUTE


def test_an_end_that_got_lost_is_told_and_tried_again() -> None:
    """Five deliveries failed."""
    life = verified()
    life.ring(TIMER)
    (isolation,) = life.now.isolations
    assert isolation.pending is not None
    life.tell(EffectLost(effect=isolation.pending, reason="five deliveries"))
    assert len(life.pages) == 1
    assert TIMER in life.timers


def test_it_is_not_tried_for_ever() -> None:
    """After a week that is told, and nothing is armed any more."""
    life = verified()
    life.ring(TIMER)
    life.at = life.at + 7 * DAY  # type: ignore[assignment]
    answer(life, ActResult.BLOCKED, "frozen")
    assert life.timers == {}
    assert "nobody tries any more" in life.decisions[-1].timeline[-1].text


def test_a_new_outage_on_the_same_incident_leaves_the_end_alone() -> None:
    """It is reopened; what was isolated before still ends, and its page stands."""
    from tests.core.builders import fired

    life = verified()
    due = life.timers[TIMER]
    life.tell(fired(life.policy, "bb"))
    assert life.now.reopened == 1
    assert life.timers[TIMER] == due
    assert [name for name in life.timers if name.startswith("isolation/")] == [TIMER, "isolation/2.0"]
    assert Kind.REOPENED in {entry.kind for entry in life.decisions[-1].timeline}


def test_what_is_isolated_is_shown() -> None:
    """By the API, with until when."""
    assert show_incident(isolated().now)["isolated"] == [
        {"workload": "shop/deployment/web", "until": format_instant(Instant(NOW + 30 * MINUTE))}
    ]
