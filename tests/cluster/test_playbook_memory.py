"""Memory that is exhausted, from Alertmanager on, with the shipped runbook: the pod that leaks goes."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.cluster import Pod
from remediator.core.errors import NotFound, Retryable
from remediator.testing.apiserver import FakeApiServer
from tests.cluster.scene import BRIEFLY, Stage, in_order
from tests.cluster.staging import deploy, uids
from tests.cluster.world import IMAGE, World, until

pytestmark = pytest.mark.cluster


OOM = "ContainerOOMKilled"


async def hungriest(world: World, name: str) -> Pod | None:
    """The pod that uses the most memory, once all are measured; None where there is no metrics API."""
    reader = world.cluster.reader

    async def look() -> tuple[Pod | None] | None:
        seen = await reader.workload(world.ref(name))
        pods = {pod.name: pod for pod in await reader.pods(seen)}
        try:
            found = await reader.usage(seen)
        except NotFound:
            return (None,)
        except Retryable:
            return None
        if {one.pod for one in found} != set(pods):
            return None
        return (pods[max(found, key=lambda one: one.memory).pod],)

    return (await until(look, "all pods are measured, or nothing is"))[0]


def measure(world: World, fake: FakeApiServer | None, pods: set[str]) -> None:
    """What the fake must be told: that it has a metrics API, and what pods use. Real ones have it or not."""
    if fake is not None:
        for number, pod in enumerate(sorted(pods)):
            fake.set_usage(world.namespace, pod, cpu="100m", memory=f"{64 * (number + 1)}Mi")


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "unmeasured"])
async def test_the_pod_that_leaks_goes_or_it_is_unknown_and_people_are_paged(
    world: World, fake: FakeApiServer | None, stage: Stage, measured: bool
) -> None:
    """Its logs are kept before. A cluster without a metrics API does not know which it is: none is taken."""
    name = "analytics-service"
    labels: dict[str, Any] = {"namespace": world.namespace, "container": name}
    async with stage() as scene:
        await deploy(world, name, replicas=3)
        seen = await world.cluster.reader.workload(world.ref(name))
        pods = {pod.name for pod in await world.cluster.reader.pods(seen)}
        if fake is not None:
            for pod in pods:
                fake.append_log(world.namespace, pod, "serving\n")
        if measured:
            measure(world, fake, pods)
        leaks = await hungriest(world, name)
        before = await uids(world, name)
        scene.alertmanager.fire(OOM, **labels)
        if leaks is None:
            found = await scene.ended(name, "blocked")
            [said] = await scene.paged("oncall")
            assert "no metrics API here (metrics.k8s.io)" in found["attempts"][0]["reason"]
            assert "unknown" in said
            assert await uids(world, name) == before
        else:
            await scene.verifying(name)
            scene.alertmanager.end(OOM, **labels)
            found = await scene.resolved(name)
            assert before - await uids(world, name) == {leaks.uid}
            in_order(
                await scene.timeline(found),
                ("diagnosed", "evidence kept"),
                ("step", f"evict_pod: done: evict pod {leaks.name}"),
                ("attempt_ended", "no alert has fired"),
            )
            assert scene.pager.events == []
            if fake is not None or IMAGE is None:  # what another image writes nobody knows
                assert "logs" in await scene.evidence(found)
        assert {"top", "pods", "events"} <= await scene.evidence(found)


async def test_memory_that_stays_exhausted_is_paged_and_its_pod_has_gone(
    world: World, fake: FakeApiServer | None, stage: Stage
) -> None:
    """A second eviction waits for its cooldown: it would not help."""
    name = "analytics-service"
    labels: dict[str, Any] = {"namespace": world.namespace, "container": name}
    async with stage(times=BRIEFLY) as scene:
        await deploy(world, name, replicas=3)
        before = await uids(world, name)
        seen = await world.cluster.reader.workload(world.ref(name))
        measure(world, fake, {pod.name for pod in await world.cluster.reader.pods(seen)})
        leaks = await hungriest(world, name)
        scene.alertmanager.fire(OOM, **labels)
        found = await scene.ended(name, "failed" if leaks else "blocked")
        [said] = await scene.paged("oncall")
        if leaks is not None:
            assert "not verified in 3s" in said
            assert "no_recurrence: 1 alert fires" in found["attempts"][0]["reason"]
            assert len(before - await uids(world, name)) == 1
