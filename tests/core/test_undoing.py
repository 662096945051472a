"""After a failed verification what was changed is taken back, or people hear of what is left."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core import codec
from remediator.core.incident import Outcome, Phase, Status
from remediator.core.journal import (
    Acted,
    ActResult,
    Checked,
    CheckResult,
    Diagnose,
    EffectLost,
    Kind,
    Undo,
)
from remediator.core.policies import Check, PageNever, PageNow, PagePolicy, Policy, Runbook, Step
from remediator.core.times import MINUTE, SECOND, Millis
from tests.core.builders import policy
from tests.core.test_decide import Life, opened

STEPS = (
    Step(action="set_image", params={"image": "shop/web:2"}),
    Step(action="restart"),
    Step(action="wait", wait=Check(check="ready")),
    Step(action="scale", params={"to": 4}),
)
CHANGES = {"set_image": "set the image", "restart": "restart web", "scale": "scale web"}
BACK = {"set_image": "set the image back", "scale": "scale web back"}


def book(
    *, undo: bool = True, runbooks: tuple[str, ...] = ("mend",), page: PagePolicy | None = None
) -> Policy:
    """Three changes and two checks."""
    of = policy(page, runbooks=runbooks)
    checks = (Check(check="ready", within=Millis(2 * MINUTE)), Check(check="promql", within=Millis(MINUTE)))
    mend = Runbook(name="mend", steps=STEPS, verify=checks, undo=undo)
    return replace(of, runbooks={**of.runbooks, "mend": mend})


def acted(
    life: Life, result: ActResult = ActResult.DONE, *changes: str, reason: str = "so", **more: object
) -> None:
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(Acted(effect=attempt.pending, result=result, reason=reason, changes=changes, **more))  # type: ignore[arg-type]


def checked(life: Life, *holds: bool | None, after: int = 0) -> None:
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    results = tuple(CheckResult(holds=each, observed=f"{each}") for each in holds)
    life.tell(Checked(effect=attempt.pending, results=results), after=after)


def changed(of: Policy | None = None) -> Life:
    """Every step is done; the verification is asked."""
    life = opened(of if of is not None else book())
    for step in STEPS:
        if step.wait is None:
            acted(life, ActResult.DONE, CHANGES[step.action])
        else:
            checked(life, True)
    assert life.now.attempts[-1].phase is Phase.VERIFYING
    return life


def failing(of: Policy | None = None, *holds: bool | None) -> Life:
    """The verification is over, with these last answers."""
    life = changed(of)
    checked(life, *(holds or (True, False)), after=2 * MINUTE)
    return life


def undo(life: Life) -> Undo:
    """What was asked for last."""
    found = life.decisions[-1].effects[-1]
    assert isinstance(found, Undo)
    return found


def texts(life: Life, kind: Kind) -> list[str]:
    return [entry.text for decision in life.decisions for entry in decision.timeline if entry.kind is kind]


def test_a_failed_verification_takes_back_what_was_changed_the_last_step_first() -> None:
    """Each under an identity of its own; waits changed nothing; what has no inverse stops nothing."""
    life = failing()
    first = undo(life)
    assert (first.step, first.step_id) == (3, f"{life.now.id}/1/undo/3")
    assert first.undoes == f"{life.now.id}/1/3"
    assert (life.now.status, life.now.attempts[-1].phase) == (Status.REMEDIATING, Phase.UNDOING)
    acted(life, ActResult.DONE, BACK["scale"])
    assert undo(life).step == 1
    acted(life, ActResult.DONE, reason="restart has no inverse")
    assert undo(life).step == 0
    acted(life, ActResult.DONE, BACK["set_image"])
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert attempt.reason == (
        "not verified in 2m: promql: False; undone: scale web back, set the image back; "
        "not undone: restart web (restart has no inverse)"
    )
    assert attempt.changes == (*CHANGES.values(), BACK["scale"], BACK["set_image"])
    assert attempt.made == ()
    assert "undo restart: nothing is taken back: restart has no inverse" in texts(life, Kind.STEP)
    steps = [e for d in life.decisions for e in d.timeline if e.kind is Kind.STEP and "action" in e.data]
    assert [(e.data["action"], e.data["result"]) for e in steps[-2:]] == [
        ("undo:scale", "done"),
        ("undo:set_image", "done"),
    ]


def test_then_the_next_runbook_and_then_the_page_each_with_its_reason() -> None:
    """What was undone is told where people look."""
    life = failing(book(runbooks=("mend", "restart")))
    for back in ((BACK["scale"],), (), (BACK["set_image"],)):
        acted(life, ActResult.DONE, *back)
    assert [attempt.runbook.name for attempt in life.now.attempts] == ["mend", "restart"]
    assert not life.pages
    life.acted(ActResult.FAILED)
    assert [page.channel for page in life.pages] == ["oncall"]
    assert "undone: scale web back" in life.now.attempts[0].reason


@pytest.mark.parametrize(
    ("holds", "why"),
    [((None, False), "unknown: None"), ((False, None), "unknown: None"), ((None, None), "unknown: None")],
)
def test_P14_nothing_is_undone_where_a_check_could_not_be_found_out(
    holds: tuple[bool | None, ...], why: str
) -> None:
    """It is paged at once, with what is left in place, though another runbook comes next."""
    life = failing(book(runbooks=("mend", "restart")), *holds)
    attempt = life.now.attempts[0]
    assert attempt.outcome is Outcome.FAILED
    assert why in attempt.reason
    assert "undoing" not in {effect.id.split("/")[2] for d in life.decisions for effect in d.effects}
    left = "set the image, restart web, scale web (what could not be verified is not known to have failed)"
    assert f"left in place: {left}" in attempt.reason
    assert [page.channel for page in life.pages] == ["oncall"]
    assert life.now.pages[0].reason == f"runbook mend failed: {attempt.reason}"
    assert [attempt.runbook.name for attempt in life.now.attempts] == ["mend", "restart"]


def test_what_holds_by_now_though_not_for_long_enough_is_not_undone() -> None:
    """The fix may well be one: taking it away would be a guess."""
    of = book()
    mend = replace(
        of.runbooks["mend"], verify=(Check(check="ready", stable=Millis(MINUTE), within=Millis(2 * MINUTE)),)
    )
    life = changed(replace(of, runbooks={**of.runbooks, "mend": mend}))
    checked(life, False, after=MINUTE)
    life.ring("poll")
    checked(life, True, after=59 * SECOND)
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert "held for" in attempt.reason
    assert attempt.undoing is not None
    assert attempt.undoing.left
    assert len(life.pages) == 1


@pytest.mark.parametrize("result", [ActResult.BLOCKED, ActResult.WITHHELD, ActResult.FAILED])
def test_what_may_not_be_taken_back_stops_it_there_and_is_paged(result: ActResult) -> None:
    """What is left is a state that the runbook went through: nothing before it is taken back."""
    life = failing(book(runbooks=("mend", "restart")))
    acted(life, ActResult.DONE, BACK["scale"])
    acted(life, result, reason="kill_switch: paused by ada: deploying")
    attempt = life.now.attempts[0]
    assert attempt.outcome is Outcome.FAILED
    left = "set the image, restart web (kill_switch: paused by ada: deploying)"
    assert attempt.reason.endswith(f"; left in place: {left}; undone: scale web back")
    assert life.now.pages[0].reason == f"runbook mend failed: {attempt.reason}"
    assert [attempt.runbook.name for attempt in life.now.attempts] == ["mend", "restart"]


@pytest.mark.parametrize(
    ("page", "asked"), [(PageNow(), ["oncall", "operator"]), (PageNever(), ["operator"])]
)
def test_what_is_left_reaches_somebody_whoever_was_asked_before(page: PagePolicy, asked: list[str]) -> None:
    """The same page again would be swallowed; where nobody is ever paged the operator is."""
    life = failing(book(page=page))
    acted(life, ActResult.BLOCKED, reason="frozen")
    assert [page.channel for page in life.pages] == asked
    assert life.now.pages[-1].reason == (
        "runbook mend failed: not verified in 2m: promql: False; "
        "left in place: set the image, restart web, scale web (frozen)"
    )


def test_an_undo_that_is_put_off_is_tried_again_and_not_for_ever() -> None:
    """The target is leased: as a step. Its identity stays the same."""
    life = failing()
    first = undo(life)
    acted(life, ActResult.RETRY)
    life.ring("act")
    again = undo(life)
    assert (again.step_id, again.at) == (first.step_id, first.at)
    assert again.id != first.id
    while life.now.attempts[-1].outcome is None:
        acted(life, ActResult.RETRY, reason="it is leased")
        if "act" in life.timers:
            life.ring("act")
    assert (
        "left in place: set the image, restart web, scale web (it is leased)" in life.now.attempts[-1].reason
    )


@pytest.mark.parametrize("how", ["unknown", "in doubt", "lost"])
def test_an_undo_of_which_nobody_knows_ends_all_of_it_and_people_are_asked(how: str) -> None:
    """No other runbook begins on what is unknown."""
    life = failing(book(runbooks=("mend", "restart")))
    acted(life, ActResult.DONE, BACK["scale"])
    acted(life, ActResult.DONE)
    if how == "unknown":
        acted(life, ActResult.UNKNOWN, reason="no answer")
    elif how == "lost":
        life.tell(EffectLost(effect=undo(life).id, reason="no answer"))
    else:
        acted(life, ActResult.RETRY, reason="no answer", in_doubt=True, retry_after=Millis(10 * MINUTE))
    attempt = life.now.attempts[-1]
    assert (attempt.number, attempt.outcome) == (1, Outcome.UNKNOWN)
    left = "set the image (whether it was taken back is unknown: "
    assert f"; left in place: {left}" in attempt.reason
    assert attempt.reason.endswith("; undone: scale web back; not undone: restart web (so)")
    assert life.now.pages[0].reason == f"runbook mend unknown: {attempt.reason}"
    assert [page.channel for page in life.pages] == ["oncall"]


def test_a_verification_that_got_lost_is_unknown_and_undoes_nothing() -> None:
    """A lost look proves nothing."""
    life = changed()
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    life.tell(EffectLost(effect=attempt.pending, reason="five deliveries"))
    assert life.now.attempts[-1].outcome is Outcome.FAILED
    assert "left in place: set the image, restart web, scale web (whether it helped is unknown)" in (
        life.now.attempts[-1].reason
    )
    assert len(life.pages) == 1


@pytest.mark.parametrize("at", ["step", "wait"])
def test_nothing_is_undone_unless_a_verification_failed(at: str) -> None:
    """A step or a wait that failed is none; what is there is told with the reason."""
    life = opened(book())
    acted(life, ActResult.DONE, CHANGES["set_image"])
    if at == "step":
        acted(life, ActResult.FAILED, reason="refused")
    else:
        acted(life, ActResult.DONE, CHANGES["restart"])
        checked(life, False, after=5 * MINUTE)
    attempt = life.now.attempts[-1]
    assert attempt.outcome is Outcome.FAILED
    assert "; not undone, as no verification failed: set the image" in attempt.reason
    assert not [e for d in life.decisions for e in d.effects if isinstance(e, Undo)]
    assert len(life.pages) == 1


@pytest.mark.parametrize("undo", [True, False])
def test_without_changes_or_without_the_wish_nothing_is_undone(undo: bool) -> None:
    """As before: it failed, and people are asked."""
    life = opened(book(undo=undo))
    for step in STEPS:
        if step.wait is None:
            acted(life, ActResult.DONE, *(() if undo else (CHANGES[step.action],)))
        else:
            checked(life, True)
    checked(life, False, False, after=2 * MINUTE)
    assert life.now.attempts[-1].reason == "not verified in 2m: ready: False; promql: False"
    assert life.now.attempts[-1].made == ()


def test_an_attempt_that_is_being_undone_survives_being_kept() -> None:
    """The store keeps it as JSON; an effect, too. What an older version kept can be read."""
    life = failing()
    acted(life, ActResult.DONE, BACK["scale"])
    kept = codec.incident_json(life.now)
    assert codec.incident_from(kept) == life.now
    effect = undo(life)
    assert codec.unpack(*codec.pack(effect)) == effect
    look = Diagnose(id=effect.id, incident=effect.incident, attempt=1)
    assert codec.unpack(*codec.pack(look)) == look
