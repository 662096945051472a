"""``progress_within``: whoever acknowledged brings it to an end in time, or the next level is asked (P12)."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.alerts import Fingerprint
from remediator.core.journal import Acknowledged, Kind, Resolved
from remediator.core.policies import Escalation, Level, PageNow, Policy, Raise, StillOpen
from remediator.core.times import HOUR, MINUTE, Instant, Millis
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life, opened

LEVELS = (
    Level(
        level=1,
        channels=("oncall",),
        acknowledge_within=Millis(15 * MINUTE),
        progress_within=Millis(30 * MINUTE),
    ),
    Level(
        level=2,
        channels=("manager",),
        acknowledge_within=Millis(5 * MINUTE),
        progress_within=Millis(HOUR),
    ),
    Level(level=3, channels=("vp",)),
)


def patient(levels: tuple[Level, ...] = LEVELS) -> Policy:
    of = policy(PageNow(), runbooks=())
    return replace(of, escalations={"all": Escalation(name="all", levels=levels)})


def acknowledged_life(of: Policy | None = None) -> Life:
    life = opened(of or patient())
    life.accept(life.pages[0])
    life.tell(Acknowledged(by="kim"), after=2 * MINUTE)
    return life


def test_without_progress_the_next_level_is_asked() -> None:
    life = acknowledged_life()
    assert life.timers["progress"] == NOW + 32 * MINUTE
    decision = life.ring("progress")
    assert [page.channel for page in life.pages] == ["oncall", "manager"]
    [line] = [entry.text for entry in decision.timeline if entry.kind is Kind.ESCALATION]
    assert line == "acknowledged by kim 30m ago, not over: level 2 is asked"
    assert life.now.acknowledged_at is None, "nobody of level 2 has taken it on"


def test_the_new_level_must_acknowledge_and_then_make_progress_itself() -> None:
    life = acknowledged_life()
    life.ring("progress")
    life.accept(life.pages[1])
    assert "escalate" in life.timers
    decision = life.tell(Acknowledged(by="lee"), after=MINUTE)
    assert "escalate" not in life.timers
    assert life.timers["progress"] == life.at + HOUR
    [line] = [entry for entry in decision.timeline if entry.kind is Kind.ACKNOWLEDGED]
    assert (line.text, "took" in line.data) == ("acknowledged by lee of level 2", False)
    life.ring("progress")
    assert [page.channel for page in life.pages] == ["oncall", "manager", "vp"]


def test_the_new_level_that_does_not_answer_is_climbed_past() -> None:
    life = acknowledged_life()
    life.ring("progress")
    life.accept(life.pages[1])
    life.ring("escalate")
    assert [page.channel for page in life.pages] == ["oncall", "manager", "vp"]


def test_a_second_acknowledgement_of_the_same_level_changes_nothing() -> None:
    life = acknowledged_life()
    before = life.now
    life.tell(Acknowledged(by="lee"), after=MINUTE)
    assert life.now == before


def test_what_is_over_is_not_climbed() -> None:
    life = acknowledged_life()
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.now.resolved
    assert "progress" not in life.timers


def test_P12_one_deadline_climbs_one_level_however_far_the_clock_jumps() -> None:
    life = acknowledged_life()
    life.at = Instant(life.at + 10 * HOUR)
    life.ring("progress")
    assert [page.level for page in life.now.pages] == [1, 2]
    assert "progress" not in life.timers


def test_where_there_is_no_further_level_that_is_told_and_the_acknowledgement_stands() -> None:
    life = acknowledged_life(patient(LEVELS[:1]))
    decision = life.ring("progress")
    assert decision.timeline[0].text == "acknowledged by kim 30m ago, not over; there is no level 2 to ask"
    assert life.now.acknowledged_by == "kim"
    assert len(life.pages) == 1


def test_a_level_that_promises_none_waits_for_ever() -> None:
    of = policy(PageNow())
    life = opened(of)
    life.accept(life.pages[0])
    life.tell(Acknowledged(by="kim"))
    assert set(life.timers) == set()


def test_an_acknowledgement_before_anybody_was_asked_starts_no_time() -> None:
    of = policy()
    life = opened(replace(of, escalations={"all": Escalation(name="all", levels=LEVELS)}))
    life.tell(Acknowledged(by="kim"))
    assert "progress" not in life.timers
    life.ring("deadline")
    assert [page.level for page in life.now.pages] == [1]
    assert life.timers["progress"] == life.at + 30 * MINUTE, "it starts when somebody is asked"


def test_a_raise_brings_its_own_promise_of_progress() -> None:
    """Acknowledged as SEV-2, whose levels promise none; as SEV-1 it does not wait for ever."""
    of = policy(PageNow())
    raised = replace(of.severities["SEV-2"], raises=(Raise(to="SEV-1", when=StillOpen(after=Millis(HOUR))),))
    worst = replace(of.severities["SEV-1"], escalation="patient")
    of = replace(
        of,
        severities={"SEV-1": worst, "SEV-2": raised},
        escalations={**of.escalations, "patient": Escalation(name="patient", levels=LEVELS)},
    )
    life = opened(of)
    life.accept(life.pages[0])
    life.tell(Acknowledged(by="kim"))
    life.ring("raise")
    assert life.timers["progress"] == life.at + 30 * MINUTE


def test_a_reopened_incident_begins_anew() -> None:
    life = acknowledged_life()
    life.ring("progress")
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.tell(fired(life.policy), after=MINUTE)
    assert (life.now.stalled, life.now.level) == (0, 1)
    decision = life.tell(Acknowledged(by="kim"))
    [line] = [entry for entry in decision.timeline if entry.kind is Kind.ACKNOWLEDGED]
    assert "took" in line.data
