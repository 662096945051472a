"""Taking pods away on a cluster: one by its identity, as budgets allow, and another comes (P7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.actions import ACTIONS
from remediator.core.changes import DeletePod, EvictPod, PodChange
from remediator.core.cluster import Pod, Snapshot, Workload
from remediator.core.errors import Refused, Retryable
from remediator.core.times import Instant
from tests.cluster.test_scaling_and_rolling_back import ready
from tests.cluster.world import KINDS, Json, World, fence, until

pytestmark = pytest.mark.cluster
ACTING = ("delete_pod", "evict_pod")


async def oldest(world: World, seen: Workload, action: str) -> PodChange:
    """The removal of the oldest pod, as the action plans it."""
    plugin = ACTIONS[action]
    snapshot = Snapshot(workload=seen, pods=await world.cluster.reader.pods(seen))
    params = plugin.params.model_validate({"which": "oldest"})
    [change] = plugin.plan(params, snapshot, at=Instant(0))
    assert isinstance(change, DeletePod | EvictPod)
    return change


async def replaced(world: World, seen: Workload, gone: str) -> list[Pod]:
    """Its pods once that one is gone and as many are ready as before."""

    async def look() -> list[Pod] | None:
        found = [pod for pod in await world.cluster.reader.pods(seen) if not pod.terminating]
        whole = len(found) >= seen.desired and all(pod.ready for pod in found)
        return found if whole and gone not in {pod.uid for pod in found} else None

    return await until(look, "another pod has taken its place")


async def uids(world: World, seen: Workload) -> set[str]:
    return {pod.uid for pod in await world.cluster.reader.pods(seen) if not pod.terminating}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ACTING)
async def test_P7_one_pod_goes_and_another_comes(world: World, kind: str, action: str) -> None:
    """The others stay who they are. Again, it takes nobody: not even one that bears the same name by then."""
    seen = await world.create(world.ref(kind=kind))
    before = await uids(world, seen)
    change = await oldest(world, seen, action)
    await world.cluster.executor.dry_run(change)
    assert await uids(world, seen) == before
    await world.cluster.executor.apply(change, fence(1))
    await ready(world, seen.ref)
    after = {pod.uid for pod in await replaced(world, seen, change.pod_uid)}
    assert before - after == {change.pod_uid}
    await world.cluster.executor.apply(change, fence(1))
    assert await uids(world, seen) == after


@pytest.mark.parametrize("action", ACTING)
async def test_P7_a_pod_of_another_identity_is_left_alone(world: World, action: str) -> None:
    """Whoever was meant is gone; the dry run says so, the change does nothing."""
    seen = await world.create(world.ref())
    before = await uids(world, seen)
    change = replace(await oldest(world, seen, action), pod_uid="00000000-0000-4000-8000-000000000000")
    with pytest.raises(Retryable, match="no longer what it was"):
        await world.cluster.executor.dry_run(change)
    await world.cluster.executor.apply(change, fence(1))
    assert await uids(world, seen) == before


def budget(world: World, name: str, least: int) -> tuple[str, Json]:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
    meta = {"name": name, "namespace": world.namespace}
    body: Json = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
    return f"/apis/policy/v1/namespaces/{world.namespace}/poddisruptionbudgets", body


async def test_an_eviction_waits_for_its_budget_and_never_deletes(world: World) -> None:
    """While it lets nothing go the pods stay; when it is lifted the same eviction succeeds."""
    seen = await world.create(world.ref())
    path, body = budget(world, "web", 2)
    await world.send("POST", path, body)

    async def counted() -> bool | None:
        found = await world.cluster.reader.budgets(seen)
        return [(one.healthy, one.allowed) for one in found] == [(2, 0)] or None

    await until(counted, "the budget is counted")
    before, change = await uids(world, seen), await oldest(world, seen, "evict_pod")
    for ask in (world.cluster.executor.dry_run(change), world.cluster.executor.apply(change, fence(1))):
        with pytest.raises(Retryable, match="disruption budget") as refused:
            await ask
        assert refused.value.delay == 10_000
    assert await uids(world, seen) == before
    await world.send("DELETE", f"{path}/web")

    async def evicted() -> bool | None:
        try:
            await world.cluster.executor.apply(change, fence(1))
        except Retryable:
            return None
        return True

    await until(evicted, "it may go")
    assert change.pod_uid not in await uids(world, seen)


async def test_two_budgets_over_a_pod_are_refused_for_good(world: World) -> None:
    """However much they allow."""
    seen = await world.create(world.ref())
    for name in ("one", "two"):
        path, body = budget(world, name, 0)
        await world.send("POST", path, body)

    async def counted() -> bool | None:
        return len(await world.cluster.reader.budgets(seen)) == 2 or None

    await until(counted, "the budgets are there")
    before, change = await uids(world, seen), await oldest(world, seen, "evict_pod")
    with pytest.raises(Refused, match="more than one PodDisruptionBudget"):
        await world.cluster.executor.apply(change, fence(1))
    assert await uids(world, seen) == before
