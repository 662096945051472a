"""A database that failed, from Alertmanager on: it is scaled up, and its data must be there."""

from __future__ import annotations

import pytest

from remediator.testing.apiserver import FakeApiServer
from tests.cluster.scene import BRIEFLY, Stage, in_order
from tests.cluster.staging import COUNTED, DATABASE, database, uids
from tests.cluster.world import World

pytestmark = pytest.mark.cluster


async def test_a_database_is_scaled_up_and_its_data_is_counted(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """People are called at the same moment: data is at stake."""
    async with stage(prometheus=True) as scene:
        await database(world, fake, holds=COUNTED)
        scene.alertmanager.fire("PostgresDown", namespace=world.namespace, app=DATABASE)
        await scene.paged("oncall", "manager")
        await scene.verifying(DATABASE)
        scene.alertmanager.end("PostgresDown", namespace=world.namespace, app=DATABASE)
        found = await scene.resolved(DATABASE)
        assert (found["severity"], found["rule"]) == ("SEV-1", "database-down")
        in_order(
            await scene.timeline(found),
            ("opened", "SEV-1"),
            ("page", "manager"),
            ("step", "scale: done: scale statefulset/postgres from 0 to 1"),
            ("step", "wait"),
            ("attempt_ended", "verified"),
            ("resolved", ""),
        )
        assert len(await uids(world, DATABASE, "statefulset")) == 1


async def test_a_database_that_came_up_without_its_data_is_not_restored(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """It is ready and serves, and its alert is over. What it keeps is not scaled away again."""
    async with stage(prometheus=True, times=BRIEFLY) as scene:
        await database(world, fake, holds="")
        scene.alertmanager.fire("PostgresDown", namespace=world.namespace, app=DATABASE)
        await scene.verifying(DATABASE)
        scene.alertmanager.end("PostgresDown", namespace=world.namespace, app=DATABASE)
        found = await scene.ended(DATABASE, "failed")
        assert "exec" in found["attempts"][0]["reason"]
        in_order(
            await scene.timeline(found), ("attempt_ended", "exec"), ("escalation", "people have been asked")
        )
        assert len(await scene.paged("oncall", "manager")) == 2
        assert (await world.raw(world.ref(DATABASE, "statefulset")))["spec"]["replicas"] == 1
