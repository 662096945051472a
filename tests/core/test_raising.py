"""``raise``: an open incident becomes more severe by itself, and never less (P12, P18)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.incident import EffectId, Status
from remediator.core.journal import (
    Acknowledged,
    ActResult,
    EffectLost,
    Event,
    Kind,
    Resolved,
    TimerDue,
    Weigh,
    Weighed,
    Weighing,
)
from remediator.core.policies import (
    Escalation,
    Level,
    PageNever,
    PageNow,
    PagePolicy,
    Policy,
    QueryBound,
    Raise,
    ServicesAffected,
    Severity,
    StillOpen,
    severity_rank,
)
from remediator.core.raising import KEPT_RULES, WEIGH_AFTER_LOSS, WEIGH_EVERY, describe_condition, watched
from remediator.core.times import HOUR, MINUTE, Instant, Millis
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life, opened

HOURLY = Raise(to="SEV-1", when=StillOpen(after=Millis(HOUR)))
USERS = Raise(to="SEV-1", when=QueryBound(promql='affected_users_ratio{service="web"}', above=0.25))
CROWD = Raise(to="SEV-1", when=ServicesAffected(at_least=3))
FOUND = Weighing(
    to="SEV-1",
    condition="affected_users_ratio above 0.25",
    holds=True,
    observed="affected_users_ratio is 0.31, above 0.25",
)


def raising(*raises: Raise, page: PagePolicy | None = None, rule: tuple[Raise, ...] = ()) -> Policy:
    """SEV-2 with these conditions, and its rule with those."""
    of = policy(page)
    severities = {**of.severities, "SEV-2": replace(of.severities["SEV-2"], raises=raises)}
    rules = tuple(replace(one, raises=rule) if one.name == "service-down" else one for one in of.rules)
    return replace(of, severities=severities, rules=rules)


def told(life: Life, kind: Kind) -> list[str]:
    return [entry.text for d in life.decisions for entry in d.timeline if entry.kind is kind]


def asked(life: Life) -> list[Weigh]:
    return [effect for d in life.decisions for effect in d.effects if isinstance(effect, Weigh)]


def answer(life: Life, *found: Weighing) -> None:
    life.tell(Weighed(effect=asked(life)[-1].id, found=found))


# --- time ---


def test_what_is_still_open_after_its_time_is_raised_and_paged_by_the_new_severity() -> None:
    life = opened(raising(HOURLY, page=PageNever()))
    assert life.timers["raise"] == NOW + HOUR
    assert life.pages == []
    life.ring("raise")
    assert life.now.severity == "SEV-1"
    assert told(life, Kind.SEVERITY_RAISED) == ["raised from SEV-2 to SEV-1: still open after 1h"]
    assert [page.channel for page in life.pages] == ["oncall"]
    assert "raise" not in life.timers


def test_what_is_resolved_is_not_raised() -> None:
    life = opened(raising(HOURLY, CROWD))
    life.acted(ActResult.BLOCKED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert life.now.resolved
    assert life.timers == {}
    assert (life.now.raise_at, life.now.weighing) == (None, None)


def test_a_reopened_incident_counts_from_its_reopening() -> None:
    life = opened(raising(HOURLY))
    life.acted(ActResult.BLOCKED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.tell(fired(life.policy), after=50 * MINUTE)
    assert life.now.reopened == 1
    assert life.timers["raise"] == life.at + HOUR


def test_a_held_incident_waits() -> None:
    of = raising(HOURLY, CROWD)
    held = replace(of, rules=tuple(replace(rule, hold=Millis(30_000)) for rule in of.rules))
    life = Life(held)
    life.tell(fired(held))
    assert life.now.status is Status.HELD
    assert set(life.timers) == {"hold"}
    assert asked(life) == []
    life.ring("hold")
    assert life.timers["raise"] == NOW + 30_000 + HOUR
    assert len(asked(life)) == 1


def test_the_newest_policy_says_how_long_and_whether() -> None:
    life = opened(raising(HOURLY))
    sooner = replace(HOURLY, when=StillOpen(after=Millis(10 * MINUTE)))
    life.policy = raising(sooner)
    life.tell(Acknowledged(by="kim"), after=MINUTE)
    assert life.timers["raise"] == NOW + 10 * MINUTE
    life.policy = raising()
    life.ring("raise")
    assert life.now.severity == "SEV-2"
    assert "raise" not in life.timers


def test_P12_a_clock_that_is_set_back_puts_no_raise_off() -> None:
    """The store moves its timers with its clock; what rings then is due, whatever the clock says."""
    life = opened(raising(HOURLY))
    [stored] = [name for name in life.stored if name.startswith("raise#")]
    life.stored.pop(stored)
    life.at = Instant(NOW - 20 * MINUTE)
    life.tell(TimerDue(name=stored, due=life.at))
    assert life.now.severity == "SEV-1"


def test_a_severity_that_a_raise_reaches_has_raises_of_its_own() -> None:
    """They count from the opening, too: an hour for SEV-2, three for SEV-1."""
    of = policy(PageNever(), severity="SEV-3")
    third = replace(of.severities["SEV-3"], raises=(Raise(to="SEV-2", when=StillOpen(after=Millis(HOUR))),))
    second = Severity(
        name="SEV-2",
        page=PageNever(),
        raises=(Raise(to="SEV-1", when=StillOpen(after=Millis(3 * HOUR))),),
    )
    life = opened(replace(of, severities={**of.severities, "SEV-3": third, "SEV-2": second}))
    life.ring("raise")
    assert (life.now.severity, life.pages) == ("SEV-2", [])
    assert life.timers["raise"] == NOW + 3 * HOUR
    life.ring("raise")
    assert life.now.severity == "SEV-1"
    assert len(life.pages) == 1


def test_when_no_runbook_is_left_a_raise_to_a_patient_severity_pages_at_once() -> None:
    """SEV-3 pages nobody when its runbook failed; as SEV-2 there is nothing to wait for."""
    of = policy(severity="SEV-2")
    quiet = Severity(
        name="SEV-3", page=PageNever(), raises=(Raise(to="SEV-2", when=StillOpen(after=Millis(MINUTE))),)
    )
    rules = tuple(replace(rule, severity="SEV-3") for rule in of.rules if rule.name == "service-down")
    life = opened(replace(of, severities={**of.severities, "SEV-3": quiet}, rules=rules))
    life.acted(ActResult.BLOCKED)
    assert life.pages == []
    life.ring("raise")
    assert [page.channel for page in life.pages] == ["oncall"]
    assert "no runbook left to try" in life.now.pages[0].reason


def test_a_raise_widens_who_is_asked() -> None:
    of = raising(HOURLY, page=PageNow())
    wide = Escalation(name="wide", levels=(Level(level=1, channels=("oncall", "manager")),))
    worst = replace(of.severities["SEV-1"], escalation="wide")
    life = opened(
        replace(
            of, severities={**of.severities, "SEV-1": worst}, escalations={**of.escalations, "wide": wide}
        )
    )
    assert [page.channel for page in life.pages] == ["oncall"]
    life.ring("raise")
    assert [page.channel for page in life.pages] == ["oncall", "manager"]
    assert "raised to SEV-1" in life.now.pages[-1].reason


def level(number: int, *channels: str, acknowledge: int | None = None, progress: int | None = None) -> Level:
    """Times in minutes."""
    return Level(
        level=number,
        channels=channels,
        acknowledge_within=None if acknowledge is None else Millis(acknowledge * MINUTE),
        progress_within=None if progress is None else Millis(progress * MINUTE),
    )


def asked_first(patient: Level, *hasty: Level) -> Life:
    """Level 1 of SEV-2 was asked, ``patient``, and took the page; after ten minutes SEV-1 has ``hasty``."""
    of = raising(replace(HOURLY, when=StillOpen(after=Millis(10 * MINUTE))), page=PageNow())
    severities = {
        "SEV-1": replace(of.severities["SEV-1"], escalation="hasty"),
        "SEV-2": replace(of.severities["SEV-2"], escalation="patient"),
    }
    escalations = {
        "patient": Escalation(name="patient", levels=(patient,)),
        "hasty": Escalation(name="hasty", levels=hasty),
    }
    life = opened(replace(of, severities=severities, escalations=escalations))
    life.accept(life.pages[0])
    return life


@pytest.mark.parametrize(("patience", "due"), [(None, 15), (60, 15), (15, 15), (12, 12)])
def test_a_raise_brings_its_own_time_to_acknowledge(patience: int | None, due: int) -> None:
    """Five minutes from the raise, whoever was asked already; but nothing is put off that ends sooner."""
    life = asked_first(
        level(1, "oncall", acknowledge=patience),
        level(1, "oncall", acknowledge=5),
        level(2, "manager"),
    )
    life.ring("raise")
    assert life.timers["escalate"] == NOW + due * MINUTE
    life.ring("escalate")
    assert [page.channel for page in life.pages] == ["oncall", "manager"]


def test_who_was_asked_by_the_raise_does_not_put_off_the_next_level() -> None:
    life = asked_first(
        level(1, "oncall"), level(1, "oncall", "lead", acknowledge=5), level(2, "manager", acknowledge=5)
    )
    life.ring("raise")
    life.at = Instant(life.at + MINUTE)
    life.accept(life.pages[1])
    assert life.timers["escalate"] == NOW + 15 * MINUTE


def test_a_page_that_no_channel_has_taken_yet_starts_the_time_of_the_new_severity() -> None:
    """As ever: a level has its time from when a channel took its page."""
    life = asked_first(level(1, "oncall", acknowledge=60), level(1, "oncall", acknowledge=5))
    life = Life(life.policy)
    life.tell(fired(life.policy))
    life.ring("raise")
    assert "escalate" not in life.timers
    life.accept(life.pages[0])
    assert life.timers["escalate"] == life.at + 5 * MINUTE


@pytest.mark.parametrize(("patience", "due"), [(None, 40), (240, 40), (20, 20)])
def test_an_acknowledgement_is_held_to_the_progress_of_the_new_severity(
    patience: int | None, due: int
) -> None:
    """Half an hour from the raise, unless less was promised; and nobody is asked to acknowledge again."""
    life = asked_first(
        level(1, "oncall", acknowledge=60, progress=patience), level(1, "oncall", acknowledge=5, progress=30)
    )
    life.tell(Acknowledged(by="kim"))
    life.ring("raise")
    assert life.timers["progress"] == NOW + due * MINUTE
    assert "escalate" not in life.timers


# --- what has to be looked at ---


def test_conditions_are_asked_at_once_and_then_every_half_minute() -> None:
    life = opened(raising(USERS))
    assert len(asked(life)) == 1
    answer(life)
    assert life.timers["weigh"] == NOW + WEIGH_EVERY
    life.ring("weigh")
    assert len({effect.id for effect in asked(life)}) == 2
    assert life.now.severity == "SEV-2"


def test_a_condition_that_holds_raises_and_says_what_was_observed() -> None:
    life = opened(raising(USERS, page=PageNever()))
    answer(life, FOUND)
    assert life.now.severity == "SEV-1"
    [text] = told(life, Kind.SEVERITY_RAISED)
    assert text == "raised from SEV-2 to SEV-1: affected_users_ratio is 0.31, above 0.25"
    [entry] = [e for d in life.decisions for e in d.timeline if e.kind is Kind.SEVERITY_RAISED]
    assert entry.data["condition"] == "affected_users_ratio above 0.25"
    assert len(life.pages) == 1
    assert "weigh" not in life.timers, "nothing is left that could raise it"
    assert life.now.weighing is None


def test_a_rule_that_fed_it_has_conditions_of_its_own() -> None:
    life = opened(raising(rule=(CROWD,)))
    assert len(asked(life)) == 1
    answer(life, replace(FOUND, observed="3 services have an open incident (a, b, web), at least 3"))
    assert "3 services" in told(life, Kind.SEVERITY_RAISED)[0]


def test_the_conditions_of_a_rule_count_though_its_alert_is_over() -> None:
    """It fed the incident since it opened; another's alert keeps it open."""
    life = opened(raising(rule=(CROWD,)))
    life.tell(fired(life.policy, "bb", alertname="DataLoss"))
    life = opened(raising(rule=(HOURLY,)))
    life.tell(fired(life.policy, "bb"))
    life.tell(Resolved(fingerprint=Fingerprint("aa"), rule="service-down"), over=("aa",))
    assert "raise" in life.timers


def test_what_cannot_be_found_out_raises_nothing_and_is_told_once() -> None:
    life = opened(raising(USERS))
    unknown = replace(FOUND, holds=None, observed="Prometheus did not answer within 8s")
    for _ in range(4):
        answer(life, unknown)
        life.ring("weigh")
    assert life.now.severity == "SEV-2"
    [text] = told(life, Kind.RAISE_UNKNOWN)
    assert "Prometheus did not answer" in text


@pytest.mark.parametrize(
    "event", [Weighed(effect=EffectId("old"), found=(FOUND,)), EffectLost(effect=EffectId("old"), reason="x")]
)
def test_an_answer_nobody_waits_for_changes_nothing(event: Event) -> None:
    life = opened(raising(USERS))
    before = life.now
    life.tell(event)
    assert life.now == before


def test_a_repeated_answer_changes_nothing() -> None:
    life = opened(raising(USERS))
    answer(life)
    before = life.now
    answer(life, FOUND)
    assert life.now == before


def test_a_lost_question_is_asked_again_later_and_told_once() -> None:
    life = opened(raising(USERS))
    for _ in range(3):
        life.tell(EffectLost(effect=asked(life)[-1].id, reason="five deliveries"))
        assert life.timers["weigh"] == life.at + WEIGH_AFTER_LOSS
        life.ring("weigh")
    assert len({effect.id for effect in asked(life)}) == 4
    assert len(told(life, Kind.RAISE_UNKNOWN)) == 1


def test_a_question_that_vanished_is_asked_anew() -> None:
    """Nobody ever tells what became of it: the asking must not stop for ever."""
    life = opened(raising(USERS))
    life.ring("weigh")
    first, second = asked(life)
    assert first.id != second.id
    assert life.now.weighing == second.id
    answer(life, FOUND)
    assert life.now.severity == "SEV-1"


def test_a_policy_without_conditions_asks_no_more() -> None:
    life = opened(raising(USERS))
    life.policy = raising()
    answer(life, FOUND)
    assert "weigh" not in life.timers
    life = opened(raising(USERS))
    life.policy = raising()
    life.tell(fired(life.policy, "bb"))
    assert life.now.weighing is None


def test_a_severity_that_is_gone_from_the_policy_is_not_raised_to() -> None:
    of = raising(HOURLY, USERS)
    life = opened(replace(of, severities={"SEV-2": of.severities["SEV-2"]}))
    assert "raise" not in life.timers
    assert asked(life) == []


def test_the_most_severe_of_what_holds_wins() -> None:
    of = policy(PageNever(), severity="SEV-3")
    conditions = (replace(CROWD, to="SEV-2"), USERS)
    severities = {**of.severities, "SEV-2": Severity(name="SEV-2")}
    severities["SEV-3"] = replace(of.severities["SEV-3"], raises=conditions)
    life = opened(replace(of, severities=severities))
    answer(life, replace(FOUND, to="SEV-2", observed="3 services"), FOUND)
    assert told(life, Kind.SEVERITY_RAISED) == [
        "raised from SEV-3 to SEV-1: affected_users_ratio is 0.31, above 0.25"
    ]


def test_conditions_are_told_in_words() -> None:
    assert [describe_condition(each.when) for each in (HOURLY, USERS, CROWD)] == [
        "still open after 1h",
        'affected_users_ratio{service="web"} above 0.25',
        "at least 3 services have an open incident",
    ]
    assert describe_condition(QueryBound(promql="up\n", below=1.0)) == "up below 1"


def test_what_is_watched_is_more_severe_and_known() -> None:
    of = raising(HOURLY, replace(HOURLY, to="SEV-3"), replace(HOURLY, to="SEV-2"), rule=(CROWD,))
    found = watched(of, "SEV-2", ("service-down", "gone"))
    assert [(each.to, each.by) for each in found] == [("SEV-1", "SEV-2"), ("SEV-1", "rule service-down")]


def test_the_incident_stays_small_however_many_rules_feed_it() -> None:
    of = policy()
    life = opened(of)
    for number in range(300):
        one = fired(of, f"{number:04x}")
        rule = replace(one.match.rule, name=f"rule-{number}" + "x" * 50, runbooks=())
        life.tell(replace(one, match=replace(one.match, rule=rule)))
    assert len(life.now.fed_by) == KEPT_RULES
    assert len(codec.incident_json(life.now).encode()) < 64 * 1024


def test_questions_and_answers_travel() -> None:
    question = Weigh(id=EffectId("i/weigh/0"), incident=opened().now.id)
    for value in (question, Weighed(effect=question.id, found=(FOUND, replace(FOUND, holds=None)))):
        assert codec.unpack(*codec.pack(value)) == value


# --- whatever the order ---

STEPS = st.sampled_from(
    ["fire", "worse", "resolve", "hold?", "raise", "weigh", "answer", "unknown", "lost", "ack"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=25), st.sampled_from([0, 30_000]))
def test_a_severity_never_falls_whatever_the_order_of_events(steps: list[str], hold: int) -> None:
    """It rises only while the incident is open, and nothing is armed or asked of one that is over."""
    of = raising(HOURLY, USERS, page=PageNever(), rule=(CROWD,))
    of = replace(of, rules=tuple(replace(rule, hold=Millis(hold)) for rule in of.rules))
    life = Life(of)
    for number, step in enumerate(steps):
        before = life.incident
        _take(life, step, number)
        now = life.incident
        if now is None:
            continue
        if before is not None and before.id == now.id:
            assert severity_rank(now.severity) <= severity_rank(before.severity)
        if now.status in (Status.HELD, Status.RESOLVED):
            assert not {"raise", "weigh", "progress"} & set(life.timers)
            assert now.weighing is None
        elif now.severity == "SEV-2":
            assert life.timers["raise"] == now.open_since + HOUR
            assert "weigh" in life.timers, "it is asked, or will be, for ever"


def _take(life: Life, step: str, number: int) -> None:
    questions = asked(life)
    timer = {"raise": "raise", "weigh": "weigh", "hold?": "hold"}.get(step)
    if timer is not None:
        if timer in life.timers:
            life.ring(timer)
        return
    match step:
        case "fire":
            life.tell(fired(life.policy, f"{number:02x}"), after=1000)
        case "worse":
            life.tell(fired(life.policy, f"{number:02x}", alertname="DataLoss"), after=1000)
        case "resolve":
            every = tuple(life.members)
            life.tell(
                *(Resolved(fingerprint=one, rule="service-down") for one in every), over=every, after=1000
            )
        case "ack":
            life.tell(Acknowledged(by="kim"))
        case "lost" if questions:
            life.tell(EffectLost(effect=questions[-1].id, reason="so"))
        case "answer" | "unknown" if questions:
            holds = True if step == "answer" else None
            life.tell(Weighed(effect=questions[-1].id, found=(replace(FOUND, holds=holds),)))
        case _:
            pass
