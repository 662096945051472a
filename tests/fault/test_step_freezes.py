"""P13 for time itself: a freeze that begins, or a window that ends, in the middle of a step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.incident import Outcome
from remediator.core.intervals import Interval
from remediator.core.journal import ActResult
from remediator.core.policies import Policy
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, format_instant
from tests.core.builders import NOW
from tests.fault.step_stage import EFFECTS, STEPS, Fuse, StepStage, call_of, staged

SOON = (NOW // MINUTE + 2) * MINUTE
"""The moment at which everything changes."""
MINUTE_OF_DAY = SOON // MINUTE % (24 * 60)
AFTER = (Interval(times=((MINUTE_OF_DAY, MINUTE_OF_DAY + 60),)),)
BEFORE = (Interval(times=((MINUTE_OF_DAY - 60, MINUTE_OF_DAY),)),)


def frozen_from_then(policy: Policy) -> Policy:
    return replace(policy, time_intervals={"x": AFTER}, guards=replace(policy.guards, freeze=("x",)))


def open_until_then(policy: Policy) -> Policy:
    books = {name: replace(book, during=("x",)) for name, book in policy.runbooks.items()}
    return replace(policy, time_intervals={"x": BEFORE}, runbooks=books)


def frozen_until_then(policy: Policy) -> Policy:
    return replace(policy, time_intervals={"x": BEFORE}, guards=replace(policy.guards, freeze=("x",)))


def wait_until_then(stage: StepStage) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        stage.life.at = Instant(SOON)

    return work


def bind(stage: StepStage, change: Callable[[Policy], Policy]) -> None:
    """The policy is this one, the attempt's runbook is pinned from it, and it is ten seconds before."""
    stage.life.policy, stage.life.at = change(stage.life.policy), Instant(SOON - 10 * SECOND)
    attempt = stage.attempt
    during = stage.life.policy.runbooks[attempt.runbook.name].during
    pinned = replace(attempt, runbook=replace(attempt.runbook, during=during))
    stage.life.incident = stage.life.now.with_attempt(pinned)


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", ["intend", "claim"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (frozen_from_then, f"freeze: x: nothing is changed before {format_instant(SOON + HOUR)}"),
        (open_until_then, "window: runbook restart is for x, which begins at "),
    ],
)
async def test_P13_what_is_no_longer_allowed_at_the_last_look_is_not_done(
    tmp_path: Path, action: str, where: str, change: Callable[[Policy], Policy], said: str
) -> None:
    """Whatever the clock said when the guards were asked."""
    async with staged(tmp_path, STEPS[action]) as stage:
        bind(stage, change)
        outcome = await stage.perform(Fuse(before={call_of(action, where): wait_until_then(stage)}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert outcome.reason.startswith(f"stopped at the last look: {said}")
        assert stage.effects == 0
        assert stage.attempt.outcome is Outcome.BLOCKED


async def test_a_step_that_was_decided_before_a_freeze_is_judged_by_the_time_at_which_it_is_performed(
    tmp_path: Path,
) -> None:
    """The daemon was down for a while: the effect carries the time of its decision."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        bind(stage, frozen_from_then)
        assert stage.effect().at < SOON
        await wait_until_then(stage)()
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, stage.effects) == (ActResult.BLOCKED, 0)


async def test_a_step_that_waits_for_the_end_of_a_freeze_is_done_then(tmp_path: Path) -> None:
    async with staged(tmp_path, STEPS["restart"]) as stage:
        bind(stage, frozen_until_then)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert stage.life.timers["act"] == SOON
        await wait_until_then(stage)()
        done = await stage.finish()
        assert (done.result, stage.effects) == (ActResult.DONE, EFFECTS["restart"])


async def test_P1_not_even_an_epoch_is_written_while_a_freeze_holds(tmp_path: Path) -> None:
    """Somebody crashed before the change: whether it happened is found out when it is over."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        bind(stage, frozen_until_then)
        during, stage.life.at = stage.life.at, Instant(SOON)
        await stage.perform(Fuse(after=("intend", 1)))
        stage.life.at = during
        written = len(stage.server.ledger)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert outcome.reason.startswith("it cannot be looked for: x: nothing is changed before")
        assert len(stage.server.ledger) == written
