"""P13: a pause of any scope that a change meets is in force before that change, whenever it is thrown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from remediator.core.incident import Outcome
from remediator.core.journal import ActResult, Kind
from remediator.core.pauses import EVERYTHING, NAMED_KINDS, PauseScope, ScopeKind, Subject
from remediator.core.times import MINUTE, Instant
from tests.fault.step_stage import EFFECTS, STEPS, Fuse, StepStage, call_of, staged

BEFORE = ("intend", "claim")
"""Calls after the guards have agreed and before anything is changed."""


def subject(stage: StepStage) -> Subject:
    """What the step is about."""
    attempt = stage.attempt
    return Subject(
        namespace="shop", service=stage.life.now.service, rule=attempt.rule, runbook=attempt.runbook.name
    )


def scope_of(stage: StepStage, kind: ScopeKind) -> PauseScope:
    """Of that kind, and met by the step."""
    (found,) = [scope for scope in subject(stage).scopes() if scope.kind is kind]
    return found


def throw(stage: StepStage, scope: PauseScope) -> Callable[[], Awaitable[None]]:
    async def work() -> None:
        await stage.store.pause("deploying", "ada", None, scope)

    return work


@pytest.mark.parametrize("kind", ScopeKind)
@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", BEFORE)
async def test_P13_a_pause_thrown_just_before_the_change_forbids_it(
    tmp_path: Path, action: str, where: str, kind: ScopeKind
) -> None:
    """Whatever the guards said a moment ago; who, what and why stand on the incident's timeline."""
    async with staged(tmp_path, STEPS[action]) as stage:
        scope = scope_of(stage, kind)
        outcome = await stage.perform(Fuse(before={call_of(action, where): throw(stage, scope)}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert stage.effects == 0
        assert stage.attempt.outcome is Outcome.BLOCKED
        what = "" if scope == EVERYTHING else f"{scope} is "
        assert outcome.reason == f"stopped at the last look: kill_switch: {what}paused by ada: deploying"
        timeline = stage.life.decisions[-1].timeline
        told = [entry for entry in timeline if entry.kind is Kind.GUARD]
        assert told[-1].text == f"kill_switch: {what}paused by ada: deploying"
        assert told[-1].data["guard"] == "kill_switch"


@pytest.mark.parametrize("kind", ScopeKind)
@pytest.mark.parametrize("action", ["delete_pod", "evict_pod"])
async def test_P13_a_pause_thrown_between_two_pods_keeps_the_second(
    tmp_path: Path, action: str, kind: ScopeKind
) -> None:
    """What was taken away before is told."""
    async with staged(tmp_path, STEPS[action]) as stage:
        outcome = await stage.perform(Fuse(before={"apply": throw(stage, scope_of(stage, kind))}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert len(outcome.changes) == 1
        assert stage.effects == 1


@pytest.mark.parametrize("kind", NAMED_KINDS)
async def test_a_pause_of_another_changes_nothing(tmp_path: Path, kind: ScopeKind) -> None:
    """Of the same kind under another name, and under the step's own names of every other kind."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        mine = scope_of(stage, kind)
        for name in {scope.name for scope in subject(stage).scopes()} - {"", mine.name} | {"another"}:
            await stage.store.pause("deploying", "ada", None, PauseScope(kind=kind, name=name))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        assert stage.effects == EFFECTS["restart"]


async def test_every_pause_in_the_way_is_told(tmp_path: Path) -> None:
    """So that whoever lifts one knows of the others."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        until = Instant(stage.life.at + 60 * MINUTE)
        await stage.store.pause("deploying", "ada", until, scope_of(stage, ScopeKind.SERVICE))
        await stage.store.pause("it loops", "bob", None, scope_of(stage, ScopeKind.RUNBOOK))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        service, runbook = outcome.reason.removeprefix("kill_switch: ").split("; ")
        assert service.startswith("service web is paused by ada until 20")
        assert service.endswith("Z: deploying")
        assert runbook == f"runbook {stage.attempt.runbook.name} is paused by bob: it loops"


@pytest.mark.parametrize("kind", ScopeKind)
async def test_a_pause_that_has_ended_stops_nothing(tmp_path: Path, kind: ScopeKind) -> None:
    """On a virtual clock: in force until its very millisecond."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        ends = Instant(stage.life.at + 60 * MINUTE)
        await stage.store.pause("deploying", "ada", ends, scope_of(stage, kind))
        stage.life.at = Instant(ends - 1)
        assert len(await stage.store.paused(subject(stage).scopes())) == 1
        stage.life.at = ends
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome


@pytest.mark.parametrize("kind", ScopeKind)
async def test_P13_nothing_is_looked_for_while_it_is_paused(tmp_path: Path, kind: ScopeKind) -> None:
    """A step whose answer got lost: not even an epoch is written to its target; and once it is lifted, it is
    found done."""
    async with staged(tmp_path, STEPS["restart"]) as stage:
        assert await stage.perform(Fuse(after=("apply", 1))) is None
        scope = scope_of(stage, kind)
        await stage.store.pause("deploying", "ada", None, scope)
        stage.server.ledger.clear()
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert outcome.in_doubt
        assert "it cannot be looked for: " in outcome.reason
        assert "paused by ada: deploying" in outcome.reason
        assert list(stage.server.ledger) == []
        await stage.store.resume(scope)
        found = await stage.finish()
        assert found.result is ActResult.DONE
        assert "found done" in found.reason
