"""What a rule that only observes would have been worth: found out from what then happened without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.hindsight import horizon
from remediator.core.journal import Acknowledged, ActResult, Kind, Resolved, VerdictNote
from remediator.core.policies import Check, Mode, PageNever, Policy, Runbook, Step
from remediator.core.times import MINUTE, SECOND, Millis
from remediator.core.trust import Mark, Record, advise
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life, opened

RULE = "service-down"
MODE = VerdictNote(guard="mode", allowed=False, text="observe")
BLOCKS = VerdictNote(guard="limits", allowed=False, text="too often")


def watched(of: Policy | None = None, *verdicts: VerdictNote) -> Life:
    """An incident whose attempt only said what it would have done."""
    life = opened(of or policy(PageNever(), mode=Mode.OBSERVE))
    life.acted(ActResult.WITHHELD, mode=life.policy.rules[0].mode, verdicts=verdicts or (MODE,))
    return life


def marks(life: Life) -> list[str]:
    kinds = {mark.value for mark in (Mark.RIGHT, Mark.NEEDLESS, Mark.UNCLEAR, Mark.HELD_BACK)}
    return [what for decision in life.decisions for rule, what in decision.marks if what in kinds]


def resolve(life: Life, after: int = MINUTE) -> None:
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",), after=after)


def test_the_horizon_is_what_the_runbook_takes_at_most() -> None:
    wait = Step(action="wait", wait=Check(check="ready", within=Millis(3 * MINUTE)))
    checks = (Check(check="ready", within=Millis(MINUTE)), Check(check="alert", within=Millis(10 * MINUTE)))
    book = Runbook(name="x", steps=(Step(action="restart"), wait, wait), verify=checks)
    assert horizon(book) == 16 * MINUTE
    assert horizon(replace(book, steps=(), verify=())) == 5 * MINUTE


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.SUGGEST])
def test_what_fires_on_until_it_would_have_been_verified_was_worth_acting(mode: Mode) -> None:
    life = watched(policy(PageNever(), mode=mode))
    assert life.timers["hindsight"] == NOW + 2 * MINUTE
    decision = life.ring("hindsight")
    assert marks(life) == ["right"]
    [told] = [entry for entry in decision.timeline if entry.kind is Kind.TRUST]
    assert (
        told.text
        == "attempt 1, for rule service-down: 2m later its alerts fire on: acting would have been right"
    )
    resolve(life)
    assert marks(life) == ["right"], "it is told once"


def test_what_resolves_by_itself_needed_nobody() -> None:
    life = watched()
    resolve(life)
    assert marks(life) == ["needless"]
    assert life.timers == {}


def test_what_a_person_had_taken_on_tells_nothing() -> None:
    life = watched(policy(mode=Mode.OBSERVE))
    life.tell(Acknowledged(by="ada"))
    resolve(life)
    assert marks(life) == ["unclear"]


def test_what_would_have_been_blocked_anyway_tells_nothing() -> None:
    life = watched(None, MODE, BLOCKS)
    assert marks(life) == ["held_back"]
    assert "hindsight" not in life.timers


def test_what_fell_silent_and_fires_again_had_resolved_by_itself() -> None:
    """A person who never pages has left it; it is another outage then."""
    life = watched(policy(PageNever(), mode=Mode.OBSERVE))
    resolve(life, 30 * SECOND)
    life.tell(fired(life.policy, "bb"), after=30 * SECOND)
    assert marks(life) == ["needless"]


def test_P12_what_is_waited_for_survives_the_store_and_a_clock_that_was_set_back() -> None:
    life = watched()
    assert codec.incident_from(codec.incident_json(life.now)) == life.now
    life.policy = replace(life.policy, rules=())
    life.ring("hindsight")
    assert marks(life) == ["right"], "for the rule that it was, though it has gone"


@pytest.mark.parametrize(
    ("counts", "advice"),
    [
        ({"right": 9}, ""),
        (
            {"right": 9, "needless": 1},
            "9 of 10 times acting would have been right: it has earned mode approve",
        ),
        ({"right": 8, "needless": 2}, ""),
        ({"right": 1, "needless": 9}, "9 of 10 times it resolved by itself: let it hold for longer"),
        ({"unclear": 20, "held_back": 20, "observed": 40}, ""),
    ],
)
def test_what_hindsight_speaks_for(counts: dict[str, int], advice: str) -> None:
    said = advise(Mode.OBSERVE, Record(rule=RULE, counts=counts))
    assert said.startswith(advice)
    assert bool(said) is bool(advice)
