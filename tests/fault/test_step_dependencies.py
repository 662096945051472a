"""P13: what a service depends on comes first, also where its incident opens while a step is performed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.incident import IncidentId, Outcome
from remediator.core.journal import ActResult
from remediator.core.policies import Service
from remediator.core.roots import Root
from remediator.core.times import Instant
from tests.fault.step_stage import STEPS, Fuse, StepStage, call_of, staged

DB = Root(incident=IncidentId("i-db"), about="db", severity="SEV-2")
COMES_FIRST = "dependency: db has SEV-2 incident i-db open, and it comes first"


def depend_on_db(stage: StepStage) -> None:
    """``web`` depends on ``db`` from now on."""
    of = stage.life.policy
    web = replace(of.services["web"], depends_on=("db",))
    stage.life.policy = replace(of, services={**of.services, "web": web, "db": Service(name="db")})


@pytest.mark.parametrize("action", STEPS)
@pytest.mark.parametrize("where", ["intend", "claim"])
async def test_P13_an_incident_that_opens_just_before_the_change_forbids_it(
    tmp_path: Path, action: str, where: str
) -> None:
    """Whatever the guards said a moment ago: the incident attaches, and its runbook gets another turn."""
    async with staged(tmp_path, STEPS[action]) as stage:
        depend_on_db(stage)

        async def breaks() -> None:
            stage.life.roots = (DB,)

        outcome = await stage.perform(Fuse(before={call_of(action, where): breaks}))
        assert outcome is not None
        assert (outcome.result, outcome.reason) == (
            ActResult.BLOCKED,
            f"stopped at the last look: {COMES_FIRST}",
        )
        assert stage.effects == 0
        assert stage.life.now.attached_to == "i-db"
        assert stage.life.pages == []
        stage.life.roots = ()
        cooldown = stage.life.policy.runbooks["restart"].limits.cooldown  # it was journalled, so it counts
        stage.life.at = Instant(stage.life.at + cooldown)
        stage.life.ring("attach")
        assert stage.attempt.number == 2
        again = await stage.finish()
        assert again.result is ActResult.DONE
        assert stage.effects == len(again.changes) >= 1


async def test_between_two_pods_the_second_is_kept(tmp_path: Path) -> None:
    """What was taken away before is told, and the incident waits all the same."""
    async with staged(tmp_path, STEPS["delete_pod"]) as stage:
        depend_on_db(stage)

        async def breaks() -> None:
            stage.life.roots = (DB,)

        outcome = await stage.perform(Fuse(before={"apply": breaks}))
        assert outcome is not None
        assert (len(outcome.changes), stage.effects) == (1, 1)
        assert stage.attempt.outcome is Outcome.BLOCKED
        assert len(stage.attempt.changes) == 1
        assert stage.life.now.attached_to == "i-db"


async def test_of_something_it_does_not_depend_on_nothing_is_feared(tmp_path: Path) -> None:
    async with staged(tmp_path, STEPS["restart"]) as stage:
        stage.life.roots = (DB,)
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE
