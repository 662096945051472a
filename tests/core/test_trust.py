"""A rule's record: what is counted, when it is lowered by itself, and what is advised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.alerts import Fingerprint
from remediator.core.decide import decide
from remediator.core.decision import Decision, Facts
from remediator.core.incident import EffectId, Outcome
from remediator.core.journal import ActResult, Kind, Resolved
from remediator.core.policies import BreakerBound, GuardPolicy, Mode, PageNever, PageNow, Policy
from remediator.core.standing import Lowering, Standing
from remediator.core.times import HOUR, MINUTE, Instant
from remediator.core.trust import Mark, Record, advise
from remediator.core.verdicts import ChangeRequest
from remediator.guards.mode import ModeGuard
from remediator.policy.opinions import Offline
from tests.core.builders import NOW, fired, policy
from tests.core.test_decide import Life, opened

RULE = "service-down"
BREAKER = BreakerBound(failures=3, within=HOUR)


def fails(of: Policy | None = None, row: int = 2, *, lowered: bool = False, rule: str = RULE) -> Decision:
    """An attempt fails after ``row`` others did."""
    life = opened(of)
    attempt = life.now.active
    assert attempt is not None
    assert attempt.pending is not None
    from remediator.core.journal import Acted

    facts = Facts(
        firing=1,
        members=frozenset(life.members),
        standing=Standing(rule=rule, in_a_row=row, lowered=lowered),
    )
    event = Acted(effect=EffectId(attempt.pending), result=ActResult.FAILED, reason="no")
    return decide(life.now, [event], facts, life.policy, NOW)


def verified(life: Life) -> None:
    life.acted()
    life.checked(holds=True)
    while life.now.verified_at is None:
        life.ring("poll")
        life.checked(holds=True)


def test_every_end_of_an_attempt_is_counted_for_its_rule() -> None:
    life = opened()
    verified(life)
    assert life.decisions[-1].marks == ((RULE, Outcome.VERIFIED),)
    assert opened().acted(ActResult.BLOCKED).marks == ((RULE, Outcome.BLOCKED),)
    assert opened(policy(mode=Mode.OBSERVE)).acted(ActResult.WITHHELD).marks == ((RULE, Outcome.OBSERVED),)


def test_what_was_verified_and_fires_again_has_recurred() -> None:
    life = opened(policy(PageNever()))
    verified(life)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    again = life.tell(fired(life.policy, "bb"), after=10 * MINUTE)
    assert (RULE, Mark.RECURRED) in again.marks


def test_another_symptom_is_no_proof_against_what_was_verified() -> None:
    """Only alerts of the rule itself count, against the rule and against its runbook's breaker."""
    life = opened(replace(policy(PageNever()), guards=GuardPolicy(breaker=BREAKER)))
    verified(life)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    again = life.tell(fired(life.policy, "bb", alertname="DataLoss"), after=10 * MINUTE)
    assert life.now.reopened == 1
    assert (again.marks, again.failures) == ((), ())


def test_one_that_came_back_counts_in_the_record_and_for_the_breaker() -> None:
    life = opened(replace(policy(PageNever()), guards=GuardPolicy(breaker=BREAKER)))
    verified(life)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    again = life.tell(fired(life.policy, "bb"), after=10 * MINUTE)
    assert again.marks == ((RULE, Mark.RECURRED),)
    assert [each.runbook for each in again.failures] == ["restart"]


def test_what_was_verified_and_fires_on_has_not_lasted() -> None:
    life = opened(policy(PageNever()))
    verified(life)
    assert life.ring("linger").marks == ((RULE, Mark.RECURRED),)


def test_what_was_never_verified_does_not_recur() -> None:
    life = opened(policy(PageNever()))
    life.acted(ActResult.FAILED)
    life.tell(Resolved(fingerprint=Fingerprint("aa")), over=("aa",))
    again = life.tell(fired(life.policy, "bb"), after=10 * MINUTE)
    assert (RULE, Mark.RECURRED) not in again.marks


def test_the_third_failure_in_a_row_lowers_the_rule_and_tells_the_operator() -> None:
    decision = fails()
    incident = decision.incident
    assert incident is not None
    assert decision.lowering == Lowering(
        rule=RULE, why=f"3 attempts in a row failed, the last one in {incident.id}", at=NOW
    )
    [told] = [entry.text for entry in decision.timeline if entry.kind is Kind.TRUST]
    assert told.startswith("rule service-down is held to approve from now on, because 3 attempts in a row")
    assert told.endswith("a person lifts that: remediator trust --restore service-down")
    channels = [page.channel for page in incident.pages]
    assert sorted(channels) == ["oncall", "operator"]
    [own] = [page for page in incident.pages if page.channel == "operator"]
    assert own.dedup_key == f"{incident.id}/lowered1"


def test_the_operator_hears_of_it_under_a_severity_that_is_never_paged() -> None:
    decision = fails(policy(PageNever()))
    assert decision.incident is not None
    assert [page.channel for page in decision.incident.pages] == ["operator"]


@pytest.mark.parametrize(
    ("of", "row", "lowered", "rule"),
    [
        (policy(), 1, False, RULE),
        (policy(), 5, True, RULE),
        (policy(), 2, False, "another"),
        (policy(mode=Mode.APPROVE), 2, False, RULE),
        (policy(PageNow(), mode=Mode.SUGGEST), 2, False, RULE),
    ],
)
def test_it_is_not_lowered_otherwise(of: Policy, row: int, lowered: bool, rule: str) -> None:
    """Fewer failures, lowered already, the record of another rule, or a rule that asks a person anyway."""
    decision = fails(of, row, lowered=lowered, rule=rule)
    assert decision.lowering is None
    assert decision.marks == ((RULE, Outcome.FAILED),)


def test_a_rule_that_has_gone_is_not_lowered() -> None:
    life = opened()
    life.policy = replace(life.policy, rules=())
    assert life.acted(ActResult.FAILED).lowering is None


async def test_a_lowered_rule_waits_for_a_person_and_the_guard_says_why() -> None:
    life = opened()
    attempt = life.now.active
    assert attempt is not None
    why = "3 attempts in a row failed, the last one in x"
    request = ChangeRequest(
        incident=life.now,
        attempt=attempt,
        step=attempt.runbook.steps[0],
        effect=EffectId("e"),
        at=NOW,
        policy=life.policy,
        ceiling=Mode.AUTO,
        lowered=Lowering(rule=RULE, why=why, at=Instant(0)),
    )
    assert (request.mode, request.asks) == (Mode.APPROVE, True)
    verdict = await ModeGuard().judge(request, Offline())
    assert (verdict.allowed, verdict.asks) == (False, True)
    assert verdict.text == (
        "rule service-down is in mode auto, held to approve since 1970-01-01T00:00:00.000Z: "
        f"{why}: waits for approval by anyone who may operate the daemon within 15m"
    )
    below = replace(request, policy=policy(mode=Mode.OBSERVE))
    assert below.mode is Mode.OBSERVE, "it is lowered, never raised"


def record(**counts: int) -> Record:
    return Record(rule=RULE, counts=counts)


@pytest.mark.parametrize(
    ("mode", "known", "advice"),
    [
        (Mode.APPROVE, record(verified=9), ""),
        (
            Mode.APPROVE,
            record(verified=10),
            "10 of 10 attempts were verified, 0 recurred: it has earned mode auto",
        ),
        (Mode.AUTO, record(verified=10), ""),
        (Mode.APPROVE, record(verified=18, failed=2), "18 of 20 attempts were verified, 0 recurred: it has"),
        (Mode.APPROVE, record(verified=17, failed=2, unknown=1), "3 of 20 attempts went wrong: look into"),
        (Mode.AUTO, record(verified=10, recurred=3), "3 of 10 verified fixes did not last"),
        (Mode.AUTO, record(verified=10, recurred=2), ""),
        (Mode.AUTO, record(blocked=50), ""),
    ],
)
def test_what_a_record_speaks_for(mode: Mode, known: Record, advice: str) -> None:
    """Never for more trust than a person gives it step by step."""
    said = advise(mode, known)
    assert said.startswith(advice)
    assert bool(said) is bool(advice)


def test_a_lowered_rule_is_to_be_looked_into() -> None:
    known = replace(record(), lowered=Lowering(rule=RULE, why="x", at=NOW))
    assert advise(Mode.AUTO, known) == (
        "find out why its attempts failed, then lift it: remediator trust --restore service-down"
    )
