"""Errors of somebody else's API, from a real Prometheus on: the fallback is enabled, and they must end."""

from __future__ import annotations

import pytest

from tests.cluster.scene import BRIEFLY, Stage, in_order
from tests.cluster.staging import deploy, uids
from tests.cluster.world import World

pytestmark = pytest.mark.cluster


async def test_errors_of_somebody_elses_API_end_with_the_fallback(world: World, stage: Stage) -> None:
    """A real Prometheus scrapes them, fires, and sees that they are over."""
    name = "account-service"
    async with stage(prometheus=True) as scene:
        await deploy(world, name)
        before = await uids(world, name)
        scene.town.failing.add(name)
        found = await scene.resolved(name)
        assert (found["severity"], found["rule"]) == ("SEV-2", "error-rate-of-dependency")
        assert scene.town.posted == [(name, "/fallback/enable")]
        in_order(
            await scene.timeline(found),
            ("diagnosed", "/pay"),
            ("guard", "dry_run"),
            ("step", "http: done"),
            ("attempt_ended", "wanted below 0.01"),
            ("resolved", ""),
        )
        assert await uids(world, name) == before
        assert scene.pager.events == []


async def test_errors_that_go_on_in_spite_of_the_fallback_are_paged(world: World, stage: Stage) -> None:
    """With the rate that was seen. It is asked for once, and nothing takes it back."""
    name = "account-service"
    async with stage(prometheus=True, times=BRIEFLY) as scene:
        await deploy(world, name)
        scene.town.fallback_helps = False
        scene.town.failing.add(name)
        found = await scene.ended(name, "failed")
        [said] = await scene.paged("oncall")
        assert "not verified in" in said
        assert "wanted below 0.01" in found["attempts"][0]["reason"]
        assert scene.town.posted == [(name, "/fallback/enable")]
