"""A cascade, from Alertmanager on: healed at its root, and then what depends on it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.scene import BRIEFLY, Scene, Stage, in_order
from tests.cluster.staging import deploy, fail, uids
from tests.cluster.world import World

pytestmark = pytest.mark.cluster


CASCADE: dict[str, Any] = {"service": "account-service", "dependency": "auth-service"}


async def cascading(world: World, scene: Scene) -> None:
    """The service that everybody calls is down, and account-service that calls it is, too."""
    for name in CASCADE.values():
        await deploy(world, name)
    await fail(scene, *CASCADE.values())


async def test_a_cascade_is_healed_at_its_root_and_then_what_depends_on_it(
    world: World, stage: Stage
) -> None:
    """account-service waits until auth-service is back, wakes nobody by itself, and is restarted then."""
    async with stage() as scene:
        await cascading(world, scene)
        before = await uids(world, "account-service")
        scene.alertmanager.fire("CircuitBreakersOpen", **CASCADE)
        await scene.paged("oncall", "manager")
        scene.alertmanager.fire("ServiceDown", service="account-service")
        root = await scene.verifying("auth-service")
        waiting = await scene.incident("account-service", lambda one: bool(one["attached_to"]), "it waits")
        assert (waiting["attached_to"], waiting["attempts"]) == (root["id"], [])
        assert scene.town.posted == [("account-service", "/circuit-breakers/reset")]
        assert await uids(world, "account-service") == before
        await world.rolled_out(world.ref("auth-service"))
        scene.alertmanager.end("CircuitBreakersOpen", **CASCADE)
        root = await scene.resolved("auth-service")
        in_order(
            await scene.timeline(root),
            ("opened", "SEV-1"),
            ("diagnosed", "pods"),
            ("step", "isolate: done"),
            ("step", "http: done"),
            ("step", "restore: done"),
            ("attempt_ended", "verified"),
        )
        scene.alertmanager.fire(
            "ServiceDown", service="account-service", instance="2"
        )  # it decides again at once
        await scene.verifying("account-service")
        await world.rolled_out(world.ref("account-service"))
        scene.alertmanager.end("ServiceDown", service="account-service")
        scene.alertmanager.end("ServiceDown", service="account-service", instance="2")
        healed = await scene.resolved("account-service")
        assert [one["runbook"] for one in healed["attempts"]] == ["restart-service"]
        assert not before & await uids(world, "account-service")
        assert len(await scene.paged("oncall", "manager")) == 2


async def test_where_breakers_cannot_be_reset_the_isolation_ends_by_itself(
    world: World, stage: Stage
) -> None:
    """The attempt has failed and people know; nothing stays isolated for want of a step."""
    async with stage(times=BRIEFLY) as scene:
        await cascading(world, scene)
        scene.town.refuses.add("/circuit-breakers/reset")
        scene.alertmanager.fire("CircuitBreakersOpen", **CASCADE)
        found = await scene.ended("auth-service", "failed")
        assert "answered 500" in found["attempts"][0]["reason"]
        await scene.paged("oncall", "manager")
        back = await world.rolled_out(world.ref("auth-service"))
        assert back.desired == 2
        in_order(
            await scene.timeline(found),
            ("step", "isolate: done"),
            ("step", "http: failed"),
            ("attempt_ended", "failed"),
            ("escalation", "people have been asked"),
        )
