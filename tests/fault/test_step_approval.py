"""What is approved is what is done: a plan is shown, and only that very plan is performed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.incident import Outcome, Phase, ShownPlan
from remediator.core.journal import ActResult, Kind, PlanApproved, Resolved
from remediator.core.policies import ApprovalTerms, Mode, Policy, Step
from remediator.core.times import MINUTE, Millis
from tests.fault.step_stage import STEPS, Fuse, StepStage, patch, staged

UP = Step(action="scale", params={"to": 6, "only": "up"})
MORE = Step(action="scale", params={"to": 8, "only": "up"})


def in_mode(of: Policy, mode: Mode) -> Policy:
    return replace(of, rules=tuple(replace(rule, mode=mode) for rule in of.rules))


def asks(stage: StepStage) -> ShownPlan:
    request = stage.attempt.request
    assert request is not None
    return request.plan


async def ask(stage: StepStage) -> ShownPlan:
    """Have the step performed, which must come to nothing but a question."""
    outcome = await stage.perform()
    assert outcome is not None
    assert outcome.result is ActResult.ASKS, outcome
    return asks(stage)


def approve(stage: StepStage) -> None:
    stage.life.tell(PlanApproved(by="ada", digest=asks(stage).digest))


def pin_terms(stage: StepStage, *severities: str) -> None:
    """The runbook wants to be approved for these severities."""
    terms = ApprovalTerms(asked_for=severities, within=Millis(5 * MINUTE), by=("sre",))
    book = replace(stage.attempt.runbook, approval=terms)
    stage.life.incident = stage.life.now.with_attempt(replace(stage.attempt, runbook=book))


async def recreate(stage: StepStage) -> None:
    """The workload is deleted and made anew under its name."""
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    await stage.cluster.api.call(Call(method="DELETE", path=path, doing="delete it"))
    await stage.server.settled()
    stage.server.deployment("shop", "web", replicas=4)
    await stage.server.settled()


@pytest.mark.parametrize("action", STEPS)
async def test_nothing_is_changed_before_a_person_agrees_and_then_exactly_what_was_shown(
    tmp_path: Path, action: str
) -> None:
    async with staged(tmp_path, STEPS[action]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        plan = await ask(stage)
        assert stage.effects == 0
        assert list(stage.server.ledger) == []
        assert plan.lines
        approve(stage)
        outcome = await stage.finish()
        assert outcome.result is ActResult.DONE
        shown = [line.removeprefix("1. ") for line in plan.lines]
        assert list(outcome.changes) == shown
        assert stage.effects == len(stage.removed) or stage.effects == 1
        [mode] = [verdict for verdict in outcome.verdicts if verdict.guard == "mode"]
        assert mode.text == "rule service-down is in mode approve; approved by ada"


async def test_the_guards_are_asked_before_people_are(tmp_path: Path) -> None:
    """Nobody is woken to agree to what is forbidden anyway; what the server would refuse is known, too."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        await stage.store.pause("deploying", "ada", None)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert stage.attempt.outcome is Outcome.BLOCKED

    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        stage.server.requests.clear()
        await ask(stage)
        dry = [one for one in stage.server.requests if "dryRun" in str(one)]
        assert dry, "the server was asked whether it would accept it"


async def test_P13_the_guards_are_asked_again_after_the_approval(tmp_path: Path) -> None:
    """It replaces the mode's no, and no other."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        await ask(stage)
        approve(stage)
        await stage.store.pause("deploying", "ada", None)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason == "kill_switch: paused by ada: deploying"
        assert stage.effects == 0


async def test_a_plan_that_is_another_one_by_then_is_asked_anew_and_not_performed(tmp_path: Path) -> None:
    """Somebody scaled it meanwhile: from 4 to 6 was agreed to, and not from 5."""
    async with staged(tmp_path, UP) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        first = await ask(stage)
        assert first.lines == ("1. scale deployment/web from 4 to 6",)
        approve(stage)
        await patch(stage.cluster, {"spec": {"replicas": 5}})
        await stage.server.settled()
        second = await ask(stage)
        assert second.lines == ("1. scale deployment/web from 5 to 6",)
        assert second.digest != first.digest
        assert stage.effects == 0
        stage.life.tell(PlanApproved(by="ada", digest=first.digest))
        assert stage.attempt.phase is Phase.APPROVING, "the first plan's approval is worth nothing"
        approve(stage)
        assert (await stage.finish()).changes == ("scale deployment/web from 5 to 6",)
        leases = await stage.store.acquire("shop/deployment/web", "somebody", Millis(1000))
        assert not isinstance(leases, str), "the lease was given back"


async def test_the_same_pods_of_another_identity_are_another_plan(tmp_path: Path) -> None:
    """The digest holds the UIDs: the workload was made anew under its old name."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        first = await ask(stage)
        approve(stage)
        await recreate(stage)
        second = await ask(stage)
        assert second.lines == first.lines
        assert second.digest != first.digest


async def test_every_step_is_shown_and_one_that_turns_out_otherwise_is_asked_about(tmp_path: Path) -> None:
    """The second step would scale from what the first one made of it: that was not shown."""
    async with staged(tmp_path, UP, MORE) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        plan = await ask(stage)
        assert plan.lines == ("1. scale deployment/web from 4 to 6", "2. scale deployment/web from 4 to 8")
        approve(stage)
        assert (await stage.finish()).result is ActResult.DONE
        assert stage.attempt.step == 1
        again = await ask(stage)
        assert again.lines == ("2. scale deployment/web from 6 to 8",)
        approve(stage)
        assert (await stage.finish()).result is ActResult.DONE
        assert stage.effects == 2


async def test_steps_that_turn_out_as_shown_need_one_approval(tmp_path: Path) -> None:
    async with staged(tmp_path, UP, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        plan = await ask(stage)
        assert plan.lines == ("1. scale deployment/web from 4 to 6", "2. restart deployment/web")
        approve(stage)
        assert (await stage.finish()).result is ActResult.DONE
        assert (await stage.finish()).result is ActResult.DONE
        assert stage.attempt.phase is Phase.VERIFYING
        questions = [
            entry
            for decision in stage.life.decisions
            for entry in decision.timeline
            if entry.kind is Kind.APPROVAL and entry.data.get("outcome") in ("asked", "changed")
        ]
        assert len(questions) == 1


async def test_a_runbook_asks_for_its_severities_though_its_rule_acts_by_itself(tmp_path: Path) -> None:
    async with staged(tmp_path, STEPS["restart"]) as stage:
        pin_terms(stage, "SEV-1", "SEV-2")
        await ask(stage)
        assert stage.life.timers["approval"] == stage.life.at + 5 * MINUTE
        [asks] = [v.text for v in stage.outcomes[-1].verdicts if v.guard == "mode"]
        assert asks == (
            "rule service-down is in mode auto: waits for approval by sre within 5m, "
            "SEV-2 of restart needs it"
        )
    async with staged(tmp_path, STEPS["restart"]) as stage:
        pin_terms(stage, "SEV-1", "SEV-3")
        assert (await stage.finish()).result is ActResult.DONE


async def test_a_rule_that_only_observes_by_then_changes_nothing(
    tmp_path: Path,
) -> None:
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        await ask(stage)
        approve(stage)
        stage.life.policy = in_mode(stage.life.policy, Mode.OBSERVE)
        await stage.perform()
        assert stage.attempt.outcome is Outcome.OBSERVED
        assert stage.effects == 0


@pytest.mark.parametrize("action", ["delete_pod", "evict_pod", "restart", "scale"])
@pytest.mark.parametrize("where", ["acquire", "intend", "claim", "apply"])
async def test_P7_killed_after_the_approval_it_goes_on_without_asking_again(
    tmp_path: Path, action: str, where: str
) -> None:
    """And takes effect once: an agreement outlives the replica that was about to act on it."""
    async with staged(tmp_path, STEPS[action]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        await ask(stage)
        approve(stage)
        assert await stage.perform(Fuse(after=(where, 1))) is None, "it was killed"
        outcome = await stage.finish()
        assert outcome.result in (ActResult.DONE, ActResult.UNKNOWN)
        assert len(set(stage.removed)) == len(stage.removed)
        if not stage.removed:
            assert stage.effects <= 1


async def test_its_alert_resolves_between_approval_and_change(tmp_path: Path) -> None:
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.policy = in_mode(stage.life.policy, Mode.APPROVE)
        await ask(stage)
        approve(stage)
        (fingerprint,) = stage.life.members
        stage.life.tell(Resolved(fingerprint=fingerprint), over=(str(fingerprint),))
        await stage.perform()
        assert stage.attempt.outcome is Outcome.ABANDONED
        assert stage.effects == 0
