"""P7, P13: what was done to the workload that alerts led to is taken back there, whatever they name now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.incident import Aim, Outcome
from remediator.core.journal import ActResult
from remediator.core.objects import ObjectRef
from remediator.core.policies import WorkloadRef
from tests.core.builders import WEB
from tests.core.test_locating import POD
from tests.fault.step_stage import STEPS, Fuse, StepStage, staged
from tests.fault.test_step_dependencies import COMES_FIRST, DB, depend_on_db
from tests.fault.test_step_isolation import Ending, over
from tests.fault.test_step_undoing import Taking, disprove, failed, spec, wish

OTHER = WorkloadRef(kind="deployment", namespace="shop", name="other")
NAMED = ObjectRef(kind="pod", namespace="shop", name="web-1")
LATER = {
    "nothing": None,
    "two": Aim(ref=NAMED, told="pod web-1", owner=WEB, uid="x", trouble="its alerts name two objects"),
    "another": Aim(ref=NAMED, told="pod web-1", owner=OTHER, uid="y"),
}
"""What the alerts lead to when it is to be taken back."""


async def locate(stage: StepStage) -> None:
    """The rule has a target: the alert named a pod, which belongs to ``web``."""
    seen = await stage.cluster.reader.workload(WEB)
    of, life = stage.life.policy, stage.life
    first, *rest = of.rules
    life.policy = replace(of, rules=(replace(first, target=POD), *rest), services={})
    aim = Aim(ref=NAMED, told="pod web-1", owner=WEB, uid=seen.uid)
    isolations = tuple(replace(one, target_uid=seen.uid) for one in life.now.isolations)
    pinned = replace(stage.attempt, target_uid=seen.uid)
    life.incident = life.now.with_attempt(pinned).evolve(aim=aim, isolations=isolations)


@pytest.mark.parametrize("later", LATER)
async def test_an_undo_is_done_where_the_step_was_done(tmp_path: Path, later: str) -> None:
    async with staged(tmp_path, STEPS["set_image"]) as stage:
        await locate(stage)
        wish(stage)
        before = await spec(stage, "set_image")
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        await stage.server.settled()
        disprove(stage)
        stage.life.incident = stage.life.now.evolve(aim=LATER[later])
        taking = Taking(stage=stage, before=before, action="set_image")
        outcome = await taking.finish()
        assert outcome.result is ActResult.DONE, outcome
        assert outcome.changes
        assert await taking.spec() == before


async def test_where_the_workload_was_made_anew_there_is_nothing_to_take_back(tmp_path: Path) -> None:
    """As where the catalog names it: nobody is paged for what is gone."""
    async with failed(tmp_path, "set_image") as taking:
        await locate(taking.stage)
        life, there = taking.stage.life, await taking.spec()
        life.incident = life.now.with_attempt(replace(taking.stage.attempt, target_uid="before"))
        outcome = await taking.perform()
        assert outcome is not None
        assert (outcome.result, outcome.changes) == (ActResult.DONE, ())
        assert "is another object of that name by now" in outcome.reason
        assert await taking.spec() == there
        assert "left in place" not in taking.stage.attempt.reason


@pytest.mark.parametrize("later", LATER)
async def test_an_isolation_ends_where_it_began(tmp_path: Path, later: str) -> None:
    """Its incident was over and may be about another outage by now."""
    async with over(tmp_path) as ending:
        await locate(ending.stage)
        ending.stage.life.incident = ending.stage.life.now.evolve(aim=LATER[later])
        await ending.finish()
        assert await ending.stands() == (4, {})
        assert ending.stage.life.now.isolations == ()
        assert not ending.stage.life.pages


async def test_another_workload_of_that_name_is_not_brought_back(tmp_path: Path) -> None:
    """Somebody made it anew, from what it was: people are told."""
    async with over(tmp_path) as ending:
        await locate(ending.stage)
        isolations = tuple(replace(one, target_uid="before") for one in ending.stage.life.now.isolations)
        ending.stage.life.incident = ending.stage.life.now.evolve(isolations=isolations)
        outcome = await ending.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert "another of the same name took its place" in outcome.reason
        assert (await ending.stands())[0] == 0
        assert len(ending.stage.life.pages) == 1


@pytest.mark.parametrize("where", ["before", "intend", "claim"])
async def test_the_end_of_an_isolation_does_not_wait_for_what_its_service_depends_on(
    tmp_path: Path, where: str
) -> None:
    """It would stay without pods for as long as the other outage lasts."""
    async with over(tmp_path) as ending:
        await breaks(ending, where)
        assert await ending.stands() == (4, {})
        assert not ending.stage.life.pages


async def breaks(ending: Ending, where: str) -> None:
    """The database fails, at that call of its end."""
    depend_on_db(ending.stage)

    async def fails() -> None:
        ending.stage.life.roots = (DB,)

    outcome = await ending.perform(Fuse(before={"intended" if where == "before" else where: fails}))
    assert outcome is not None
    assert outcome.result is ActResult.DONE, outcome
    await ending.stage.server.settled()


@pytest.mark.parametrize("where", ["intended", "intend", "claim"])
async def test_an_undo_waits_for_what_its_service_depends_on(tmp_path: Path, where: str) -> None:
    """Put off, up to the last look; done when that is over."""
    async with failed(tmp_path, "set_image") as taking:
        life = taking.stage.life
        depend_on_db(taking.stage)

        async def fails() -> None:
            life.roots = (DB,)

        outcome = await taking.perform(Fuse(before={where: fails}))
        assert outcome is not None
        assert (outcome.result, outcome.reason.endswith(COMES_FIRST)) == (ActResult.BLOCKED, True)
        assert taking.stage.effects == 0
        assert (life.now.attached_to, life.pages) == (None, [])
        life.roots = ()
        await taking.finish()
        assert await taking.spec() == taking.before
        assert taking.stage.attempt.outcome is Outcome.FAILED
