"""What an attempt silenced ends with it, whatever comes of it; until then, and if need be, by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.codec import pack, unpack
from remediator.core.incident import Outcome
from remediator.core.journal import Act, Acted, ActResult, EffectLost, EndSilences, Kind, TimerDue
from remediator.core.policies import Step
from remediator.core.quieting import AGAIN
from remediator.core.times import MINUTE
from tests.core.builders import NOW, policy
from tests.core.test_decide import Life, opened

FOR = 15 * MINUTE


def silencing() -> Life:
    """An incident whose runbook silences and restarts, and waits for the first."""
    of = policy()
    steps = (Step(action="silence", params={"for": "15m"}), Step(action="restart"))
    return opened(replace(of, runbooks={"restart": replace(of.runbooks["restart"], steps=steps)}))


def answer(life: Life, result: ActResult = ActResult.DONE, *changes: str, doubt: bool = False) -> None:
    """The step that is waited for came back."""
    attempt = life.now.attempts[-1]
    assert attempt.pending is not None
    life.tell(Acted(effect=attempt.pending, result=result, reason="so", changes=changes, in_doubt=doubt))


def ends(life: Life) -> list[EndSilences]:
    """What the last decision wants ended."""
    return [one for one in life.decisions[-1].effects if isinstance(one, EndSilences)]


def told(life: Life) -> list[str]:
    """What the last decision says about it."""
    return [one.text for one in life.decisions[-1].timeline if one.kind is Kind.STEP]


def failed() -> Life:
    """It silenced, and the next step failed."""
    life = silencing()
    answer(life, ActResult.DONE, "silence {}")
    assert [one.name for one in life.now.quiets] == ["1.0"]
    assert ends(life) == []
    answer(life, ActResult.FAILED)
    assert life.now.attempts[-1].outcome is Outcome.FAILED
    return life


def test_what_is_silenced_is_known_before_it_is_and_ends_by_itself_at_a_known_time() -> None:
    """In the very commit that sends the step out."""
    life = silencing()
    [act] = life.decisions[-1].effects
    assert isinstance(act, Act)
    [quiet] = life.now.quiets
    assert (quiet.name, quiet.until, quiet.runbook) == ("1.0", NOW + FOR, "restart")


def test_it_ends_with_a_failed_attempt() -> None:
    life = failed()
    [effect] = ends(life)
    assert effect.silenced_by == f"{life.now.id}/1/0"
    assert unpack(*pack(effect)) == effect
    life.tell(Acted(effect=effect.id, result=ActResult.DONE, reason="end the silence of {}"))
    assert told(life) == ["its silence ends with the attempt: end the silence of {}"]
    assert life.now.quiets == ()


def test_it_ends_with_a_verified_attempt() -> None:
    life = silencing()
    answer(life, ActResult.DONE, "silence {}")
    answer(life, ActResult.DONE, "restart")
    life.checked(True)
    life.ring("poll")
    life.at = type(life.at)(life.at + 10_000)
    life.checked(True)
    assert life.now.attempts[-1].outcome is Outcome.VERIFIED
    assert len(ends(life)) == 1


@pytest.mark.parametrize("doubt", [False, True])
def test_what_surely_was_not_silenced_is_nobody_s_to_end(doubt: bool) -> None:
    """Where it may have been, it is."""
    life = silencing()
    if doubt:
        life.at = type(life.at)(life.at + 6 * MINUTE)
        answer(life, ActResult.RETRY, doubt=True)
    else:
        answer(life, ActResult.BLOCKED)
    assert life.now.attempts[-1].outcome is (Outcome.UNKNOWN if doubt else Outcome.BLOCKED)
    assert len(ends(life)) == doubt


@pytest.mark.parametrize("result", [ActResult.RETRY, ActResult.BLOCKED, None])
def test_what_cannot_be_ended_is_tried_again_and_told_once_until_it_is_over(result: ActResult | None) -> None:
    """An Alertmanager that does not answer, a pause, a dead letter. Nobody is paged for it."""
    life, said = failed(), 0
    pages = len(life.pages)
    for _ in range(FOR // AGAIN):
        for effect in ends(life):
            if result is None:
                life.tell(EffectLost(effect=effect.id, reason="why"))
            else:
                life.tell(Acted(effect=effect.id, result=result, reason="why"))
            said += len(told(life))
        if not life.now.quiets:
            break
        life.ring("silence/1.0")
    assert said == 1
    assert life.now.quiets == ()
    assert "silence/1.0" not in life.timers
    assert len(life.pages) == pages


def test_an_answer_that_comes_twice_says_nothing_new() -> None:
    life = failed()
    [effect] = ends(life)
    done = Acted(effect=effect.id, result=ActResult.DONE, reason="x")
    life.tell(done)
    life.tell(done)
    assert told(life) == []
    life.tell(TimerDue(name="silence/1.0#99", due=life.at))
    assert ends(life) == []
