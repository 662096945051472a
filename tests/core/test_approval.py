"""A person's agreement: a phase of the attempt in which nothing happens, ended by an answer or by a timer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core import codec
from remediator.core.alerts import Fingerprint
from remediator.core.approval import APPROVE_WITHIN
from remediator.core.decision import Decision
from remediator.core.incident import Outcome, Phase, Request, ShownPlan, Status
from remediator.core.journal import (
    Act,
    ActResult,
    Kind,
    Page,
    Paged,
    PageKind,
    PageResult,
    PlanApproved,
    PlanRejected,
    Resolved,
)
from remediator.core.policies import ApprovalTerms, Mode, PageNever, PageNow, Policy
from remediator.core.times import MINUTE, Millis
from remediator.workers.courier import write_message
from tests.core.builders import NOW, policy
from tests.core.test_decide import Life, opened

PLAN = ShownPlan(digest="d1", lines=("1. restart deployment/web",), steps=("s1",))
OTHER = ShownPlan(digest="d2", lines=("1. restart deployment/web, another one",), steps=("s2",))


def asking(of: Policy | None = None) -> Life:
    """An incident whose attempt waits for approval of PLAN."""
    life = opened(of if of is not None else policy(mode=Mode.APPROVE))
    life.acted(ActResult.ASKS, plan=PLAN)
    return life


def with_terms(within: int = 10 * MINUTE, by: tuple[str, ...] = (), *runbooks: str) -> Policy:
    of = policy(mode=Mode.APPROVE, runbooks=runbooks or ("restart",))
    terms = ApprovalTerms(asked_for=("SEV-2",), within=Millis(within), by=by)
    return replace(of, runbooks={n: replace(b, approval=terms) for n, b in of.runbooks.items()})


def request(life: Life) -> Request | None:
    attempt = life.now.active
    return attempt.request if attempt is not None else None


def said(life: Life, outcome: str) -> list[str]:
    return [
        entry.text
        for decision in life.decisions
        for entry in decision.timeline
        if entry.kind is Kind.APPROVAL and entry.data.get("outcome") == outcome
    ]


def approve(life: Life, digest: str = "d1", by: str = "ada", *roles: str, after: int = 0) -> Decision:
    return life.tell(PlanApproved(by=by, digest=digest, roles=roles), after=after)


def test_an_attempt_that_waits_for_approval_does_nothing_and_says_what_it_asks() -> None:
    life = asking()
    attempt = life.now.active
    assert attempt is not None
    assert (attempt.phase, attempt.pending) == (Phase.APPROVING, None)
    assert life.decisions[-1].effects == ()
    assert life.timers["approval"] == NOW + APPROVE_WITHIN
    assert said(life, "asked") == [
        "attempt 1: asks: approval by anyone who may operate the daemon within 15m of plan d1: "
        "1. restart deployment/web"
    ]


def test_the_question_reaches_who_would_be_paged_first_and_is_no_page() -> None:
    """No level is asked, the deadline of the page runs on (P18), and the question has a key of its own."""
    life = asking()
    [question] = life.pages
    assert (question.channel, question.dedup_key) == ("oncall", f"{life.now.id}/asks/1.1")
    assert (life.now.level, life.timers["deadline"]) == (0, NOW + 15 * MINUTE)
    life.accept(question)
    assert "escalate" not in life.timers
    life.ring("deadline")
    page = life.pages[-1]
    assert (page.channel, page.dedup_key, life.now.level) == ("oncall", f"{life.now.id}/1", 1)
    assert request(life) is not None, "it waits on: an answer may still come"


def test_where_people_were_paged_already_the_level_that_was_asked_hears_the_question() -> None:
    life = opened(policy(PageNow(), mode=Mode.APPROVE))
    life.accept(life.pages[0])
    life.ring("escalate")
    life.acted(ActResult.ASKS, plan=PLAN)
    assert [page.channel for page in life.pages] == ["oncall", "manager", "manager"]


def test_an_incident_that_is_never_paged_asks_all_the_same_and_pages_nobody_when_nobody_answers() -> None:
    """That a person is to agree was written into the policy: a question that reaches nobody is none."""
    life = asking(policy(PageNever(), mode=Mode.APPROVE))
    assert [page.channel for page in life.pages] == ["oncall"]
    life.ring("approval")
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER]
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED


def test_without_an_escalation_the_operator_is_asked() -> None:
    of = policy(PageNever(), mode=Mode.APPROVE)
    life = asking(replace(of, severities={n: replace(s, escalation=None) for n, s in of.severities.items()}))
    assert [page.channel for page in life.pages] == ["operator"]


def test_an_approval_goes_on_with_the_step_as_a_new_effect() -> None:
    life = asking()
    life.accept(life.pages[0])
    decision = approve(life)
    [effect] = decision.effects
    assert isinstance(effect, Act)
    first = life.decisions[0].effects[0]
    assert isinstance(first, Act)
    assert (effect.step_id, effect.id != first.id) == (first.step_id, True)
    assert "approval" not in life.timers
    attempt = life.now.active
    assert attempt is not None
    assert attempt.approved is not None
    assert (attempt.approved.by, attempt.approved.digest) == ("ada", "d1")
    assert life.pages[-1].kind is PageKind.RESOLVE, "the question is taken back"


def test_a_question_still_on_its_way_is_taken_back_when_it_arrives() -> None:
    life = asking()
    approve(life)
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER]
    life.accept(life.pages[0])
    assert [page.kind for page in life.pages] == [PageKind.TRIGGER, PageKind.RESOLVE]


@pytest.mark.parametrize(
    ("digest", "by", "roles", "after", "why"),
    [
        ("d2", "ada", (), 0, "another plan, d1, waits by now"),
        ("d1", "eve", ("viewer", "operator"), 0, "only ada or admin may answer"),
        ("d1", "ada", (), 10 * MINUTE, "the time to answer is over"),
    ],
)
def test_an_answer_that_does_not_count_changes_nothing(
    digest: str, by: str, roles: tuple[str, ...], after: int, why: str
) -> None:
    life = asking(with_terms(10 * MINUTE, ("ada", "admin")))
    decision = approve(life, digest, by, *roles, after=after)
    assert decision.effects == ()
    assert request(life) is not None
    assert decision.timeline[-1].text == f"the answer of {by} about plan {digest} changes nothing: {why}"
    life.tell(PlanRejected(by=by, digest=digest, roles=roles))
    assert request(life) is not None


def test_whoever_has_a_role_that_may_answer_may() -> None:
    life = asking(with_terms(10 * MINUTE, ("admin",)))
    assert approve(life, "d1", "zoe", "viewer", "operator", "admin").effects


def test_a_second_approval_changes_nothing() -> None:
    life = asking()
    approve(life)
    decision = approve(life, "d1", "bob")
    assert decision.effects == ()
    attempt = life.now.active
    assert attempt is not None
    assert attempt.approved is not None
    assert attempt.approved.by == "ada"


def test_an_approval_after_a_rejection_changes_nothing() -> None:
    life = asking()
    life.tell(PlanRejected(by="ada", digest="d1", note="not during the sale"))
    assert life.now.attempts[-1].outcome is Outcome.BLOCKED
    assert life.now.attempts[-1].reason == "rejected by ada: not during the sale"
    assert approve(life, "d1", "bob").effects == ()
    assert life.now.attempts[-1].changes == ()
    assert life.now.level == 1, "nothing is left to try, so people are paged"


def test_nobody_answers_and_people_are_paged_though_another_runbook_follows() -> None:
    life = asking(with_terms(10 * MINUTE, (), "restart", "again"))
    life.ring("approval")
    first, second = life.now.attempts
    assert (first.outcome, first.reason) == (Outcome.BLOCKED, "nobody approved plan d1 within 10m")
    assert (second.runbook.name, second.phase) == ("again", Phase.ACTING)
    page = [one for one in life.pages if one.kind is PageKind.TRIGGER][-1]
    assert (page.channel, life.now.level) == ("oncall", 1)
    assert said(life, "expired") == ["attempt 1: nobody approved plan d1 within 10m"]


def test_another_plan_by_then_is_asked_anew_and_the_first_agreement_is_worth_nothing() -> None:
    life = asking()
    life.accept(life.pages[0])
    approve(life)
    decision = life.acted(ActResult.ASKS, plan=OTHER)
    assert decision.effects == ()
    attempt = life.now.active
    assert attempt is not None
    assert attempt.approved is None
    assert attempt.request is not None
    assert attempt.request.plan == OTHER
    assert len(said(life, "changed")) == 1
    [again] = [page for page in life.pages if page.dedup_key.endswith("asks/1.2")]
    assert again.channel == "oncall"
    assert approve(life, "d1").effects == ()
    assert approve(life, "d2").effects != ()


def test_its_alerts_resolve_while_it_waits_and_nobody_is_asked_any_more() -> None:
    life = asking()
    life.accept(life.pages[0])
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    assert (life.now.status, life.now.attempts[-1].outcome) == (Status.RESOLVED, Outcome.ABANDONED)
    assert life.pages[-1].kind is PageKind.RESOLVE
    assert life.timers == {}


def test_P14_what_was_changed_before_it_waited_is_verified_when_its_alerts_resolve() -> None:
    """A rule that is trusted less between two steps asks before the second."""
    of = policy(mode=Mode.AUTO)
    steps = (*of.runbooks["restart"].steps, *of.runbooks["restart"].steps)
    life = opened(replace(of, runbooks={"restart": replace(of.runbooks["restart"], steps=steps)}))
    life.acted()
    life.acted(ActResult.ASKS, plan=PLAN)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    attempt = life.now.active
    assert attempt is not None
    assert attempt.phase is Phase.VERIFYING


def test_it_is_not_asked_where_nothing_fires_any_more() -> None:
    life = opened(policy(mode=Mode.APPROVE))
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    life.acted(ActResult.ASKS, plan=PLAN)
    assert life.now.attempts[-1].outcome is Outcome.ABANDONED
    assert life.pages == []


def test_a_question_that_no_channel_takes_is_a_page() -> None:
    """Nobody would ever answer: whoever can be reached hears of it now and not when the time is over."""
    life = asking()
    [question] = life.pages
    refused = PageResult.REFUSED
    life.tell(Paged(effect=question.id, key=question.key, kind=question.kind, result=refused, detail="no"))
    assert life.now.level == 1
    page = life.pages[-1]
    assert (page.channel, page.dedup_key) == ("oncall", f"{life.now.id}/1")
    assert "no channel took the question for approval" in life.now.pages[-1].reason


def test_people_who_were_asked_were_not_spared() -> None:
    """A page was not avoided where somebody was woken to approve."""
    life = asking()
    approve(life)
    life.acted()
    life.checked(holds=True)
    while life.now.verified_at is None:
        life.ring("poll")
        life.checked(holds=True)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    [ended] = [entry for entry in life.decisions[-1].timeline if entry.kind is Kind.RESOLVED]
    assert ended.data["paged"] is True


def test_what_waits_survives_the_store() -> None:
    """P12: the question, its time and who agreed are part of the incident."""
    life = asking(with_terms(10 * MINUTE, ("ada",)))
    assert codec.incident_from(codec.incident_json(life.now)) == life.now
    approve(life)
    assert codec.incident_from(codec.incident_json(life.now)) == life.now
    for event in (PlanApproved(by="a", digest="d", roles=("admin",)), PlanRejected(by="a", digest="d")):
        assert codec.unpack(*codec.pack(event)) == event
    assert all(isinstance(message, Page) for message in life.pages)


def test_the_message_says_what_is_asked_and_how_to_answer() -> None:
    """Somebody is woken by it: what would be changed, until when, and one line to paste."""
    lines = tuple(f"1. delete pod web-{number} of deployment/web" for number in range(20))
    life = opened(with_terms(10 * MINUTE, ("sre", "admin")))
    life.acted(ActResult.ASKS, plan=replace(PLAN, lines=lines))
    [question] = life.pages
    [state] = life.now.pages
    entries = [entry for decision in life.decisions for entry in decision.timeline]
    message = write_message(question, life.now, state, entries)
    assert message.summary.startswith(
        "SEV-2 ServiceDown on web: asks for approval until 2026-11-23T02:23:20.000Z: 1. "
    )
    told = message.details
    assert told["what is asked"] == state.reason
    assert told["status"] == "waits for approval"
    assert told["waits for approval"].splitlines() == [
        *lines[:12], "and 8 more lines: read them all before you agree"
    ]  # fmt: skip
    assert told["who may approve"] == "sre or admin"
    assert told["until"] == "2026-11-23T02:23:20.000Z; without an answer nothing of it is done"
    assert told["to approve"] == f"remediator approve {life.now.id} --digest d1"
    assert told["to refuse"] == f"remediator reject {life.now.id} --digest d1"
    approve(life, "d1", "sre")
    after = write_message(question, life.now, life.now.pages[0], entries).details
    assert "to approve" not in after, "what is answered is not asked any more"
