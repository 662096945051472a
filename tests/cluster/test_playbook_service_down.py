"""A single service that is down, from Alertmanager on: restarted, or taken back to where it was well."""

from __future__ import annotations

import pytest

from tests.cluster.doctor import STRATEGIC
from tests.cluster.scene import BRIEFLY, Scene, Stage, in_order
from tests.cluster.staging import deploy, fail, uids
from tests.cluster.world import World, until

pytestmark = pytest.mark.cluster
BAD = "remediator.example/bad"
"""An annotation of templates whose pods are ill."""


async def test_a_service_that_is_down_is_restarted_and_nobody_is_woken(world: World, stage: Stage) -> None:
    """Its first revision: there is nothing to go back to."""
    name = "notification-service"
    async with stage() as scene:
        await deploy(world, name)
        before = await uids(world, name)
        await fail(scene, name)
        scene.alertmanager.fire("ServiceDown", service=name)
        await scene.verifying(name)
        await world.rolled_out(world.ref(name))
        scene.alertmanager.end("ServiceDown", service=name)
        found = await scene.resolved(name)
        assert (found["severity"], found["rule"]) == ("SEV-2", "service-down")
        assert not before & await uids(world, name)
        in_order(
            await scene.timeline(found),
            ("opened", "SEV-2"),
            ("attempt_started", "restart-service"),
            ("diagnosed", "evidence kept"),
            ("guard", "is its first"),
            ("guard", "dry_run"),
            ("step", "restart: done"),
            ("step", "rollback: skipped"),
            ("attempt_ended", "verified"),
            ("resolved", ""),
        )
        assert {"workload", "pods", "events", "rollout_history"} <= await scene.evidence(found)
        assert scene.pager.events == []


async def rolled_out_badly(world: World, scene: Scene, name: str) -> None:
    """A new template whose pods never become ready, so that the rollout stands still."""
    scene.doctor.ill_with(name, BAD)
    annotated = {"spec": {"template": {"metadata": {"annotations": {BAD: "yes"}}}}}
    await world.send("PATCH", world.path(world.ref(name)), annotated, STRATEGIC)

    async def look() -> bool | None:
        seen = await world.cluster.reader.workload(world.ref(name))
        return True if len(await world.cluster.reader.revisions(seen)) == 2 and not seen.rolled_out else None

    await until(look, "the bad rollout has begun")


async def noted_on(world: World, name: str) -> dict[str, str]:
    """Of the template that is to run."""
    found: dict[str, str] = (await world.raw(world.ref(name)))["spec"]["template"]["metadata"].get(
        "annotations", {}
    )
    return found


async def test_a_service_that_went_down_after_a_rollout_goes_back(world: World, stage: Stage) -> None:
    """It is not restarted as well: that would run the same mistake again."""
    name = "notification-service"
    async with stage() as scene:
        await deploy(world, name)
        await rolled_out_badly(world, scene, name)
        scene.alertmanager.fire("ServiceDown", service=name)
        await scene.verifying(name)
        await world.rolled_out(world.ref(name))
        scene.alertmanager.end("ServiceDown", service=name)
        found = await scene.resolved(name)
        assert BAD not in await noted_on(world, name)
        in_order(
            await scene.timeline(found),
            ("diagnosed", "it may be the cause"),
            ("step", "restart: skipped"),
            ("step", "rollback: done"),
            ("attempt_ended", "verified"),
        )
        assert scene.pager.events == []


async def test_a_way_back_that_does_not_help_is_taken_back_and_people_hear_why(
    world: World, stage: Stage
) -> None:
    """The old template fails as well, so the rollout was not the cause: it runs again, and people look."""
    name = "notification-service"
    async with stage(times=BRIEFLY) as scene:
        await deploy(world, name)
        await rolled_out_badly(world, scene, name)
        scene.doctor.all_ill(name)
        scene.alertmanager.fire("ServiceDown", service=name)
        found = await scene.ended(name, "failed")
        assert BAD in await noted_on(world, name)
        in_order(
            await scene.timeline(found),
            ("step", "rollback: done"),
            ("verification", "ready"),
            ("step", "undo"),
            ("attempt_ended", "failed"),
            ("page", "oncall"),
        )
        [said] = await scene.paged("oncall")
        assert "not verified in 3s" in said
