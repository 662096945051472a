"""Nodes of a cluster: seen, and one of them drained where nothing of anybody else runs there."""

from __future__ import annotations

import pytest

from remediator.actions import ACTIONS
from remediator.checks.drained import Drained
from remediator.core.changes import CordonNode, EvictPod
from remediator.core.cluster import Snapshot, Workload
from remediator.core.errors import Refused
from remediator.core.evicting import look_at, stays
from remediator.core.nodes import ours
from remediator.core.plugins import NoParams, Sight
from remediator.core.times import Instant
from remediator.guards.node_population import takes_pods
from tests.cluster.world import World, fence, until

pytestmark = pytest.mark.cluster


async def ready_nodes(world: World) -> list[Workload]:
    """Workers that take pods; none of the control plane."""
    found = await world.cluster.reader.nodes()
    return [one for one in found if takes_pods(one) and one.node is not None and not one.node.control_plane]


async def strangers(world: World, node: Workload) -> list[str]:
    """Pods that a drain would take and that are not ours."""
    pods = await world.cluster.reader.pods(node)
    return [
        f"{pod.namespace}/{pod.name}"
        for pod in pods
        if pod.namespace != world.namespace and not stays(pod) and not pod.terminating
    ]


async def test_nodes_are_seen_and_one_of_them_alone(world: World) -> None:
    every = await world.cluster.reader.nodes()
    assert any(one.ready for one in every)
    for one in every:
        again = await world.cluster.reader.workload(one.ref)
        assert (again.uid, again.ref) == (one.uid, one.ref)
        assert again.node is not None


async def test_a_dry_run_of_a_cordon_changes_nothing(world: World) -> None:
    """The server checks it, whoever's the node is."""
    for node in (await ready_nodes(world))[:1]:
        [change] = ACTIONS["cordon"].plan(NoParams(), Snapshot(workload=node), at=Instant(0))
        assert isinstance(change, CordonNode)
        await world.cluster.executor.dry_run(change)
        again = await world.cluster.reader.workload(node.ref)
        assert again.node is not None
        assert not again.node.cordoned


async def drainable(world: World) -> Workload:
    """A worker on which nothing runs but what is ours. Skips where there is none: no other is touched."""
    workers = await ready_nodes(world)
    if len(workers) < 2:
        pytest.skip(f"draining needs two workers that take pods, and this cluster has {len(workers)}")
    for node in workers:
        pods = await world.cluster.reader.pods(node)
        if not await strangers(world, node) and any(pod.namespace == world.namespace for pod in pods):
            return node
    pytest.skip("every worker runs pods of somebody else: none of them is drained")


async def test_a_node_is_drained_and_uncordoned_again(world: World) -> None:
    """Cordoned, emptied by evictions, and then as it was; an older cordon of somebody is never taken over."""
    web = await world.create(world.ref(), replicas=4)
    node = await drainable(world)
    drain, reader = ACTIONS["drain"], world.cluster.reader
    seen = Snapshot(workload=node, pods=await reader.pods(node))
    changes = drain.plan(drain.params.model_validate({"grace": "1s"}), seen, at=Instant(0))
    cordon, *evictions = changes
    assert isinstance(cordon, CordonNode)
    try:
        await world.cluster.executor.claim(node.ref, node.uid, fence(1))
        await world.cluster.executor.apply(cordon, fence(1))
        for change in evictions:
            assert isinstance(change, EvictPod)
            evicted = await look_at(reader, change)
            assert evicted.owner is not None
            assert evicted.owner.ref.path == web.ref.path
            await world.cluster.executor.apply(change, fence(1))
        await world.rolled_out(web.ref)

        async def gone() -> bool | None:
            sight = Sight(cluster=reader, target=node.ref, firing=1)
            return (await Drained().ask(NoParams(), sight)).holds or None

        await until(gone, f"{node.ref} is drained")
        assert not [pod for pod in await reader.pods(node) if pod.namespace == world.namespace]
    finally:
        now = await reader.workload(node.ref)
        assert now.node is not None
        assert ours(now.node, now.annotations)
        [back] = ACTIONS["uncordon"].plan(NoParams(), Snapshot(workload=now), at=Instant(0))
        await world.cluster.executor.claim(node.ref, node.uid, fence(2))
        await world.cluster.executor.apply(back, fence(2))  # type: ignore[arg-type]  # of the node
    after = await reader.workload(node.ref)
    assert after.node is not None
    assert not after.node.cordoned
    with pytest.raises(Refused, match="is no node"):
        ACTIONS["cordon"].plan(NoParams(), Snapshot(workload=await reader.workload(web.ref)), at=Instant(0))
