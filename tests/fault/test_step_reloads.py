"""P13: the policy that counts is the newest, also when it is loaded in the middle of a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.incident import Outcome, Phase
from remediator.core.journal import ActResult
from remediator.core.policies import Mode, Policy
from tests.fault.step_stage import AFTER, EFFECTS, STEPS, Fuse, StepStage, call_of, staged

BEFORE = ("intend", "claim")
"""Calls after the guards have agreed and before anything is changed."""


def protecting(policy: Policy) -> Policy:
    return replace(policy, guards=replace(policy.guards, protect=("deployment/web",)))


def observing(policy: Policy) -> Policy:
    return replace(policy, rules=tuple(replace(rule, mode=Mode.OBSERVE) for rule in policy.rules))


def without_the_rule(policy: Policy) -> Policy:
    return replace(policy, rules=())


def renewed(policy: Policy) -> Policy:
    return replace(policy, digest="another")


def load(stage: StepStage, change: Callable[[Policy], Policy]) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        stage.life.policy = change(stage.life.policy)

    return work


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", BEFORE)
@pytest.mark.parametrize("change", [protecting, observing, without_the_rule])
async def test_P13_a_policy_loaded_just_before_the_change_forbids_it(
    tmp_path: Path, action: str, where: str, change: Callable[[Policy], Policy]
) -> None:
    """Whatever the guards said a moment ago under the one before."""
    async with staged(tmp_path, STEPS[action]) as stage:
        outcome = await stage.perform(Fuse(before={call_of(action, where): load(stage, change)}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason.startswith("stopped at the last look: ")
        assert stage.effects == 0
        assert stage.attempt.outcome is Outcome.BLOCKED


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", BEFORE)
async def test_P7_a_policy_loaded_in_the_middle_that_still_allows_it_lets_it_happen_once(
    tmp_path: Path, action: str, where: str
) -> None:
    async with staged(tmp_path, STEPS[action]) as stage:
        outcome = await stage.perform(Fuse(before={call_of(action, where): load(stage, renewed)}))
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        assert stage.effects == EFFECTS[action]
        assert stage.attempt.phase is AFTER.get(action, Phase.VERIFYING)


@pytest.mark.parametrize("action", ["delete_pod", "evict_pod"])
async def test_P13_a_policy_loaded_between_two_pods_keeps_the_second(tmp_path: Path, action: str) -> None:
    """What was taken away before is told."""
    async with staged(tmp_path, STEPS[action]) as stage:
        fuse = Fuse(before={"apply": load(stage, protecting)})  # between the last look and the first pod
        outcome = await stage.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert len(outcome.changes) == 1
        assert stage.effects == 1
        assert stage.attempt.changes
