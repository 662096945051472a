"""Scaling and rolling back on a cluster: what its controllers make of it (P7, P8)."""

from __future__ import annotations

import pytest

from remediator.actions.rollback import Rollback, RollbackParams
from remediator.actions.scale import Scale, ScaleParams
from remediator.checks.ready import Ready
from remediator.core.changes import ClusterChange
from remediator.core.cluster import EFFECT_ANNOTATION, Revision, Snapshot, Workload
from remediator.core.errors import Fenced, Refused, Retryable
from remediator.core.plugins import NoParams, Sight
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from tests.cluster.world import KINDS, World, fence, template, until
from tests.core.builders import of_cluster

pytestmark = pytest.mark.cluster
SCALABLE = ("deployment", "statefulset")
BAD_IMAGE = "registry.invalid/remediator/none:v9"
STRATEGIC = "application/strategic-merge-patch+json"


def scaled(seen: Workload, to: int) -> ClusterChange:
    [change] = of_cluster(Scale().plan(ScaleParams(to=to), Snapshot(workload=seen), at=Instant(0)))
    return change


async def make(world: World, seen: Workload, change: ClusterChange) -> None:
    """As a step does."""
    await world.cluster.executor.dry_run(change)
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    await world.cluster.executor.apply(change, fence(1))


async def ready(world: World, ref: WorkloadRef) -> None:
    """Wait for it, as ``wait: {for: ready}`` does."""
    sight = Sight(cluster=world.cluster.reader, target=ref, firing=0)

    async def look() -> bool | None:
        return (await Ready().ask(NoParams(), sight)).holds or None

    await until(look, f"{ref} is ready")


async def pods_left(world: World, seen: Workload, count: int) -> None:
    async def look() -> bool | None:
        return len(await world.cluster.reader.pods(seen)) == count or None

    await until(look, f"{count} pods are left")


@pytest.mark.parametrize("kind", SCALABLE)
async def test_P7_scaling_up_and_down(world: World, kind: str) -> None:
    """The number, the mark and nothing else; the pods follow."""
    seen = await world.create(world.ref(kind=kind))
    before = await world.raw(seen.ref)
    await make(world, seen, scaled(seen, 3))
    after = await world.raw(seen.ref)
    assert after["spec"] == before["spec"] | {"replicas": 3}
    assert after["metadata"]["annotations"][EFFECT_ANNOTATION] == "inc-1/step-1"
    await ready(world, seen.ref)
    up = await world.rolled_out(seen.ref)
    assert (up.desired, up.ready) == (3, 3)
    await make(world, up, scaled(up, 1))
    await pods_left(world, up, 1)
    down = await world.rolled_out(seen.ref)
    assert (down.desired, down.total) == (1, 1)


@pytest.mark.parametrize("kind", SCALABLE)
async def test_a_workload_without_pods_comes_back(world: World, kind: str) -> None:
    """Somebody scaled it to zero."""
    seen = await world.create(world.ref(kind=kind))
    await make(world, seen, scaled(seen, 0))
    await pods_left(world, seen, 0)
    nothing = await world.cluster.reader.workload(seen.ref)
    await make(world, nothing, scaled(nothing, 2))
    await ready(world, seen.ref)


@pytest.mark.parametrize("kind", SCALABLE)
async def test_P7_scaling_needs_the_number_that_was_seen(world: World, kind: str) -> None:
    """Neither the dry run nor the change overrules who was quicker."""
    seen = await world.create(world.ref(kind=kind))
    change = scaled(seen, 5)
    await world.send("PATCH", world.path(seen.ref), {"spec": {"replicas": 3}}, STRATEGIC)
    with pytest.raises(Retryable):
        await world.cluster.executor.dry_run(change)
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(change, fence(1))
    assert (await world.raw(seen.ref))["spec"]["replicas"] == 3


async def test_a_daemon_set_is_not_scaled(world: World) -> None:
    """It has no number."""
    seen = await world.create(world.ref(kind="daemonset"))
    with pytest.raises(Refused, match="cannot be scaled"):
        scaled(seen, 3)


async def release(world: World, seen: Workload, image: str) -> tuple[Workload, tuple[Revision, ...]]:
    """A new image, and the revision that its controller makes of it."""
    containers = [{"name": "web", "image": image}]
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    await world.send("PATCH", world.path(seen.ref), body, STRATEGIC)

    async def look() -> tuple[Workload, tuple[Revision, ...]] | None:
        now = await world.cluster.reader.workload(seen.ref)
        found = await world.cluster.reader.revisions(now)
        current = [one.images for one in found if one.current]
        known = now.observed_generation >= now.generation and current == [(image,)]
        return (now, found) if known else None

    return await until(look, "the release has a revision")


def back(seen: Workload, revisions: tuple[Revision, ...], number: int | None = None) -> ClusterChange:
    snapshot = Snapshot(workload=seen, revisions=revisions)
    [change] = of_cluster(Rollback().plan(RollbackParams(revision=number), snapshot, at=Instant(0)))
    return change


@pytest.mark.parametrize("kind", KINDS)
async def test_P7_after_a_bad_image_the_earlier_template_runs_again(world: World, kind: str) -> None:
    """To the letter, in one try; the same change again is refused."""
    spec = {"podManagementPolicy": "Parallel"} if kind == "statefulset" else {}
    first = await world.create(world.ref(kind=kind), template_annotations={"example.com/team": "x"}, **spec)
    before = template(await world.raw(first.ref))
    seen, revisions = await release(world, first, BAD_IMAGE)
    change = back(seen, revisions)
    await make(world, seen, change)
    raw = await world.raw(first.ref)
    assert template(raw) == before
    assert raw["metadata"]["annotations"][EFFECT_ANNOTATION] == "inc-1/step-1"
    if kind == "statefulset":  # its controller never gives up a pod that waits for its image
        for pod in await world.cluster.reader.pods(seen):
            if not pod.ready and not pod.terminating:
                await world.send("DELETE", f"/api/v1/namespaces/{world.namespace}/pods/{pod.name}")
    await world.rolled_out(first.ref)
    with pytest.raises(Retryable):
        await world.cluster.executor.apply(change, fence(1))
    assert template(await world.raw(first.ref)) == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_dry_run_of_a_rollback_changes_nothing(world: World, kind: str) -> None:
    """The server checks the very patch."""
    first = await world.create(world.ref(kind=kind))
    seen, revisions = await release(world, first, BAD_IMAGE)
    before = await world.raw(first.ref)
    await world.cluster.executor.dry_run(back(seen, revisions))
    after = await world.raw(first.ref)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


@pytest.mark.parametrize("kind", KINDS)
async def test_P7_a_release_in_between_is_not_thrown_away(world: World, kind: str) -> None:
    """Whatever our own claim does to the generation, what others do to it is noticed."""
    first = await world.create(world.ref(kind=kind))
    seen, revisions = await release(world, first, BAD_IMAGE)
    change = back(seen, revisions)
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    await release(world, first, f"{BAD_IMAGE}b")
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(change, fence(1))
    with pytest.raises(Retryable):
        await world.cluster.executor.dry_run(change)
    assert template(await world.raw(first.ref))["spec"]["containers"][0]["image"] == f"{BAD_IMAGE}b"


async def test_P8_an_overtaken_owner_neither_scales_nor_rolls_back(world: World) -> None:
    """The newer epoch is on the target."""
    first = await world.create(world.ref())
    seen, revisions = await release(world, first, BAD_IMAGE)
    before = (await world.raw(first.ref))["spec"]
    executor = world.cluster.executor
    await executor.claim(seen.ref, seen.uid, fence(1))
    await executor.claim(seen.ref, seen.uid, fence(2))
    for change in (scaled(seen, 0), back(seen, revisions)):
        with pytest.raises(Fenced):
            await executor.apply(change, fence(1))
    assert (await world.raw(first.ref))["spec"] == before
