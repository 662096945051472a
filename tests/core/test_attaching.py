"""Incidents of dependants attach to the incident of what they depend on, and hide no page that matters."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.attaching import ATTACH_EVERY
from remediator.core.incident import IncidentId, Outcome, Status
from remediator.core.journal import ActResult, Kind, Resolved, VerdictNote
from remediator.core.policies import (
    PageNever,
    PageNow,
    PagePolicy,
    Policy,
    Service,
    Severity,
)
from remediator.core.remedy import ACT_AGAIN, ACT_WITHIN
from remediator.core.roots import DEPENDENCY, Root, dependencies, first_cause
from remediator.core.times import MINUTE, SECOND, Millis
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life

DB = Root(incident=IncidentId("i-db"), about="db", severity="SEV-2")
STOPPED = VerdictNote(guard=DEPENDENCY, allowed=False, text="db has SEV-2 incident i-db open")


def catalog(**depends_on: str) -> dict[str, Service]:
    """Services, each with the names it depends on, as ``web="db cache"``."""
    return {name: Service(name=name, depends_on=tuple(on.split())) for name, on in depends_on.items()}


def depending(page: PagePolicy | None = None, *, third: PagePolicy | None = None) -> Policy:
    """Service web, which depends on db. SEV-2 is paged as ``page`` says, SEV-3 as ``third``."""
    of = policy(page)
    services = {
        **of.services,
        "web": replace(of.services["web"], depends_on=("db",)),
        "db": Service(name="db"),
    }
    third_one = Severity(name="SEV-3", page=third or PageNever(), escalation="all")
    return replace(of, services=services, severities={**of.severities, "SEV-3": third_one})


def dependant(*roots: Root, of: Policy | None = None, **labels: str) -> Life:
    """An incident of web that opens while these are open."""
    life = Life(of if of is not None else depending(), roots=roots)
    life.tell(fired(life.policy, **labels))
    return life


def told(life: Life, kind: Kind) -> list[str]:
    return [entry.text for d in life.decisions for entry in d.timeline if entry.kind is kind]


# --- while what it depends on has an open incident ---


def test_a_dependant_attaches_instead_of_starting_a_runbook() -> None:
    life = dependant(DB)
    assert life.now.attached_to == "i-db"
    assert life.now.status is Status.OPEN
    assert [d.effects for d in life.decisions] == [()]
    assert life.pages == []
    assert life.timers == {"attach": NOW + ATTACH_EVERY}
    assert told(life, Kind.ATTACHED) == [
        "attached to i-db: web depends on db, whose incident comes first; "
        "people are asked for that one, which is SEV-2"
    ]
    assert codec.incident_from(codec.incident_json(life.now)) == life.now


def test_what_depends_on_nothing_that_is_open_starts_its_runbook() -> None:
    other = replace(DB, about="elsewhere")
    for roots in ((), (other,)):
        life = dependant(*roots)
        assert life.now.attached_to is None
        assert life.now.active is not None


def test_it_stays_attached_while_the_other_is_open_whatever_else_happens() -> None:
    life = dependant(DB)
    for _ in range(3):
        life.ring("attach")
        assert life.now.attached_to == "i-db"
        assert life.timers == {"attach": life.at + ATTACH_EVERY}
    life.tell(fired(life.policy, "bb"))
    assert life.now.active is None
    assert len(told(life, Kind.ATTACHED)) == 1, "it is told once"


def test_when_the_other_is_over_a_dependant_that_still_fires_decides_again() -> None:
    life = dependant(DB)
    life.roots = ()
    life.ring("attach")
    assert life.now.attached_to is None
    assert life.now.active is not None
    assert life.now.active.runbook.name == "restart"
    assert life.timers == {"deadline": life.at + 15 * MINUTE}, "it has its whole time until people are asked"
    assert told(life, Kind.DETACHED) == ["i-db is over: it is decided again"]


def test_a_dependant_without_a_runbook_is_paged_when_the_other_is_over() -> None:
    of = depending()
    of = replace(of, rules=tuple(replace(rule, runbooks=()) for rule in of.rules))
    life = dependant(DB, of=of)
    assert life.pages == []
    life.roots = ()
    life.ring("attach")
    assert [page.channel for page in life.pages] == ["oncall"]


def test_one_that_resolves_meanwhile_waits_for_nothing_any_more() -> None:
    life = dependant(DB)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=1000, over=("aa",))
    assert life.now.resolved
    assert life.now.attached_to is None
    assert life.timers == {}
    assert life.pages == []


def test_one_that_fires_again_attaches_again() -> None:
    life = dependant(DB)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), after=1000, over=("aa",))
    life.tell(fired(life.policy), after=1000)
    assert life.now.reopened == 1
    assert life.now.attached_to == "i-db"


def test_one_that_is_held_attaches_when_it_opens() -> None:
    of = depending()
    of = replace(of, rules=tuple(replace(rule, hold=Millis(30 * SECOND)) for rule in of.rules))
    life = dependant(DB, of=of)
    assert "attach" not in life.timers, "it is no incident yet"
    life.ring("hold")
    assert life.now.attached_to == "i-db"
    assert life.now.active is None


def test_a_policy_in_which_it_no_longer_depends_lets_it_go() -> None:
    life = dependant(DB)
    life.policy = policy()
    life.ring("attach")
    assert life.now.attached_to is None
    assert life.now.active is not None


# --- pages ---


@pytest.mark.parametrize(
    ("of", "labels", "root", "paged"),
    [
        (depending(PageNow()), {}, DB, False),
        (depending(PageNow()), {}, replace(DB, severity="SEV-1"), False),
        (depending(PageNow(), third=PageNow()), {}, replace(DB, severity="SEV-3"), True),
        (depending(), {"alertname": "DataLoss"}, DB, True),
        (depending(PageNow()), {}, replace(DB, foreign=True), True),
        (depending(PageNow()), {}, replace(DB, severity="SEV-1", attached=True), False),
    ],
    ids=["as severe", "less severe", "more severe", "most severe", "foreign", "attached itself"],
)
def test_attaching_never_hides_a_page_more_severe_than_the_others(
    of: Policy, labels: dict[str, str], root: Root, paged: bool
) -> None:
    life = dependant(root, of=of, **labels)
    assert life.now.attached_to == "i-db"
    assert [page.channel for page in life.pages] == ["oncall"] * paged


def test_a_deadline_that_the_other_does_not_answer_for_stays() -> None:
    """SEV-1 pages nobody here: who waits for it would never be heard of."""
    of = depending()
    never = replace(of.severities["SEV-1"], page=PageNever())
    life = dependant(
        replace(DB, severity="SEV-1"), of=replace(of, severities={**of.severities, "SEV-1": never})
    )
    assert life.timers == {"attach": NOW + ATTACH_EVERY, "deadline": NOW + 15 * MINUTE}
    life.ring("deadline")
    assert [page.channel for page in life.pages] == ["oncall"]
    assert life.now.attached_to == "i-db"
    assert life.now.active is None, "a page is no reason to act"


def test_one_that_becomes_more_severe_than_the_other_is_paged_at_once() -> None:
    life = dependant(DB)
    assert life.pages == []
    life.tell(fired(life.policy, "bb", alertname="DataLoss"))
    assert life.now.severity == "SEV-1"
    assert [page.channel for page in life.pages] == ["oncall"]
    assert life.now.attached_to == "i-db"


def test_a_page_is_owed_when_only_something_less_severe_is_left_to_wait_for() -> None:
    of = depending(PageNow())
    services = {
        **of.services,
        "web": replace(of.services["web"], depends_on=("db", "mail")),
        "mail": Service(name="mail"),
    }
    mail = Root(incident=IncidentId("i-mail"), about="mail", severity="SEV-3")
    life = dependant(DB, mail, of=replace(of, services=services))
    assert (life.now.attached_to, life.pages) == ("i-db", [])
    life.roots = (mail,)
    life.ring("attach")
    assert life.now.attached_to == "i-mail"
    assert [page.channel for page in life.pages] == ["oncall"]


# --- dependants that fired first ---


def test_an_attempt_that_the_guard_stops_gets_its_turn_when_the_other_is_over() -> None:
    life = dependant()
    life.roots = (DB,)
    decision = life.acted(ActResult.BLOCKED, verdicts=(STOPPED,))
    assert life.now.attached_to == "i-db"
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert decision.effects == ()
    assert (life.pages, "deadline" in life.timers) == ([], False)
    life.roots = ()
    life.ring("attach")
    assert life.now.active is not None
    assert (life.now.active.number, life.now.active.runbook.name) == (2, "restart")


def test_what_was_over_before_the_guard_was_heard_is_tried_again_and_not_for_ever() -> None:
    life = dependant()
    life.acted(ActResult.BLOCKED, verdicts=(STOPPED,))
    assert life.timers["act"] == life.at + ACT_AGAIN
    while "act" in life.timers:
        life.ring("act")
        life.acted(ActResult.BLOCKED, verdicts=(STOPPED,))
    assert life.at - NOW <= ACT_WITHIN
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert [page.channel for page in life.pages] == ["oncall"]


def test_a_step_stopped_by_another_guard_attaches_and_pages_nobody_twice() -> None:
    """Its runbook had its turn; the other incident, which opened since, is what people are asked for."""
    life = dependant()
    life.roots = (DB,)
    life.acted(ActResult.BLOCKED)
    assert life.now.attached_to == "i-db"
    assert life.pages == []
    life.roots = ()
    life.ring("attach")
    assert [page.channel for page in life.pages] == ["oncall"], "no runbook is left"


def test_what_is_unknown_is_paged_whatever_else_is_open() -> None:
    life = dependant()
    life.roots = (DB,)
    life.acted(ActResult.UNKNOWN)
    assert [page.channel for page in life.pages] == ["oncall"]


def test_a_failed_fix_whose_alerts_are_silent_waits_for_nothing_and_is_paged() -> None:
    life = dependant()
    life.acted()
    life.roots = (DB,)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    while life.now.active is not None:
        life.checked(False)
        if "poll" in life.timers:
            life.ring("poll")
    assert life.now.attached_to is None
    assert [page.channel for page in life.pages] == ["oncall"]


# --- what comes first ---


def test_dependencies_are_followed_and_circles_left_out() -> None:
    services = catalog(a="b", b="c", c="", x="y", y="x z", z="", me="me")
    assert dependencies("a", services) == {"b", "c"}
    assert dependencies("x", services) == {"z"}
    assert dependencies("me", services) == frozenset()
    assert dependencies("nobody", services) == frozenset()


def test_the_deepest_comes_first_then_the_most_severe() -> None:
    of = replace(policy(), services=catalog(a="b d", b="c", c="", d=""))
    b, c, d = (Root(incident=IncidentId(name), about=name, severity="SEV-3") for name in "bcd")
    assert first_cause([b, c], of) == c
    worse = replace(d, severity="SEV-1")
    assert first_cause([b, c, worse], of) == worse
    assert first_cause([replace(c, attached=True), d], of) == d
    assert first_cause([replace(d, foreign=True), replace(c, attached=True)], of) == replace(c, attached=True)
    assert first_cause([], of) is None


@settings(deadline=None)
@given(
    edges=st.sets(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"))),
    open_ones=st.sets(st.sampled_from("abcde"), min_size=1),
)
def test_whatever_depends_on_whatever_somebody_acts(edges: set[tuple[str, str]], open_ones: set[str]) -> None:
    """Circles included: among incidents that are open there is always one that waits for none of them."""
    services = catalog(**{name: " ".join(to for of, to in edges if of == name) for name in "abcde"})
    assert any(not dependencies(name, services) & open_ones for name in open_ones)
