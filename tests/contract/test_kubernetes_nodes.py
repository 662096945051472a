"""What the adapter makes of nodes: how they are seen, whose cordon it is, and what the fence refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from remediator.actions import ACTIONS
from remediator.adapters.kubernetes import Call, Kubernetes, connect
from remediator.adapters.kubernetes.snapshots import pod_of
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import ClusterChange, CordonNode, EvictPod, Fence, UncordonNode
from remediator.core.cluster import EFFECT_ANNOTATION, Snapshot, Workload
from remediator.core.errors import Fenced, NotFound, Refused, Retryable
from remediator.core.evicting import stays
from remediator.core.incident import EffectId
from remediator.core.nodes import CORDONED_AT, ours
from remediator.core.objects import NODE, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.times import SECOND, Instant, Millis
from remediator.testing.apiserver import FakeApiServer, Pace
from remediator.testing.apiserver.machines import register
from tests.core.builders import of_cluster

WORKER = WorkloadRef(kind=NODE, namespace="", name="worker-1")
PATH = "/api/v1/nodes/worker-1"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A server with a node of its own, some pods on it, and the adapter."""

    server: FakeApiServer
    cluster: Kubernetes

    async def seen(self) -> Workload:
        await self.server.settled()
        return await self.cluster.reader.workload(WORKER)

    async def planned(self, action: str) -> ClusterChange:
        """The one change that the action asks for now."""
        known = ACTIONS[action]
        seen = Snapshot(workload=await self.seen())
        [change] = of_cluster(known.plan(known.params.model_validate({}), seen, at=Instant(0)))
        return change

    async def make(self, change: ClusterChange, epoch: int, effect: str = "inc/1/0") -> None:
        fence = Fence(epoch=epoch, effect=EffectId(effect))
        await self.cluster.executor.claim(change.fenced_on, change.uid, fence)
        await self.cluster.executor.apply(change, fence)

    async def by_hand(self, body: dict[str, Any], manager: str = "kubectl-cordon") -> None:
        """Somebody else changes it."""
        query = (("fieldManager", manager),)
        call = Call(method="PATCH", path=PATH, doing="change it", body=body, media=MERGE, query=query)
        await self.cluster.api.call(call)

    async def raw(self) -> Any:
        return await self.cluster.api.call(Call(method="GET", path=PATH, doing="read it"))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    runtime = AsyncioRuntime()
    async with FakeApiServer(pace=Pace(ready_after=0.002, stop_after=0.002, lag=0.001)) as server:
        register(server.cluster, "worker-1", 11)
        server.deployment("shop", "web", replicas=6)
        await server.settled()
        cluster = await connect(str(server.kubeconfig(tmp_path / "kubeconfig")), runtime=runtime)
        try:
            yield Scene(server=server, cluster=cluster)
        finally:
            await cluster.close()
            runtime.close()


async def test_a_node_is_seen_as_one_pod_that_is_ready_while_it_is(scene: Scene) -> None:
    seen = await scene.seen()
    assert (seen.ref, seen.desired, seen.ready) == (WORKER, 1, 1)
    assert seen.node is not None
    assert (seen.node.cordoned, seen.node.control_plane, seen.node.taints) == (False, False, ())
    by_name = {each.ref.name: each for each in await scene.cluster.reader.nodes()}
    assert by_name["worker-1"] == seen
    assert len(by_name) > 1
    named = await scene.cluster.reader.named(ObjectRef(kind=NODE, namespace="", name="worker-1"))
    assert (named.uid, named.controller, named.ignored) == (seen.uid, None, False)


async def test_taints_and_labels_that_keep_pods_away_are_seen(scene: Scene) -> None:
    taints = [{"key": "gpu", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]
    labels = {"node-role.kubernetes.io/control-plane": ""}
    await scene.by_hand({"metadata": {"labels": labels}, "spec": {"taints": taints}})
    node = (await scene.seen()).node
    assert node is not None
    assert (node.taints, node.control_plane) == (("gpu",), True)


async def test_the_pods_of_a_node_are_those_of_every_namespace(scene: Scene) -> None:
    scene.server.deployment("bank", "vault", replicas=6)
    seen = await scene.seen()
    pods = await scene.cluster.reader.pods(seen)
    assert {pod.namespace for pod in pods} == {"shop", "bank"}
    assert all(pod.node == "worker-1" for pod in pods)
    with pytest.raises(Refused, match="is no workload"):
        await scene.cluster.reader.budgets(seen)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"annotations": {"kubernetes.io/config.mirror": "x"}}, "its kubelet runs it"),
        ({"annotations": {"remediator/ignore": "true"}}, "it has opted out by annotation"),
        ({"owner": ("apps/v1", "DaemonSet")}, "a DaemonSet keeps it there"),
        ({"owner": ("apps.kruise.io/v1alpha1", "DaemonSet")}, ""),
        ({"phase": "Succeeded"}, "it has finished"),
    ],
)
def test_what_stays_on_a_node_that_is_drained(more: dict[str, Any], why: str) -> None:
    owner = more.get("owner")
    owners = [] if owner is None else [{"apiVersion": owner[0], "kind": owner[1], "name": "x", "uid": "u",
                                        "controller": True}]  # fmt: skip
    meta = {"name": "p", "namespace": "shop", "uid": "u", "annotations": more.get("annotations"),
            "ownerReferences": owners}  # fmt: skip
    pod = pod_of({"metadata": meta, "spec": {"volumes": [{"name": "tmp", "emptyDir": {}}]},
                  "status": {"phase": more.get("phase", "Running")}})  # fmt: skip
    assert stays(pod) == why
    assert (pod.scratch, pod.namespace) == (True, "shop")


async def test_a_cordon_is_ours_until_somebody_else_writes_it(scene: Scene) -> None:
    """Whoever uncordons and cordons it again leaves our annotation there: the record of the server tells."""
    await scene.make(await scene.planned("cordon"), 1)
    seen = await scene.seen()
    assert seen.node is not None
    assert ours(seen.node, seen.annotations)
    assert seen.annotations[EFFECT_ANNOTATION] == "inc/1/0"
    assert seen.node.taints == (), "its own taint is no further one"
    await scene.by_hand({"spec": {"unschedulable": None}}, "kubectl-uncordon")
    await scene.by_hand({"spec": {"unschedulable": True}})
    seen = await scene.seen()
    assert seen.node is not None
    assert CORDONED_AT in seen.annotations
    assert not ours(seen.node, seen.annotations)
    with pytest.raises(Refused, match="cordoned by kubectl-cordon, not by us"):
        await scene.planned("uncordon")


async def test_cordon_and_uncordon_leave_the_node_as_it_was(scene: Scene) -> None:
    before = await scene.raw()
    await scene.make(await scene.planned("cordon"), 1)
    await scene.make(await scene.planned("uncordon"), 2)
    await scene.server.settled()
    after = await scene.raw()
    assert after["spec"] == before["spec"]
    assert CORDONED_AT not in after["metadata"]["annotations"]


@pytest.mark.parametrize("action", ["cordon", "uncordon"])
async def test_what_changed_since_it_was_planned_is_read_again(scene: Scene, action: str) -> None:
    if action == "uncordon":
        await scene.make(await scene.planned("cordon"), 1)
    change = await scene.planned(action)
    await scene.by_hand({"spec": {"unschedulable": True if action == "cordon" else None}})
    with pytest.raises(Retryable, match="changed meanwhile: read it again"):
        await scene.make(change, 2)


async def test_P8_an_older_owner_cannot_cordon(scene: Scene) -> None:
    change = await scene.planned("cordon")
    old = Fence(epoch=1, effect=EffectId("inc/1/0"))
    await scene.cluster.executor.claim(WORKER, change.uid, old)
    await scene.cluster.executor.claim(WORKER, change.uid, Fence(epoch=2, effect=EffectId("inc/2/0")))
    with pytest.raises(Fenced, match="claimed under epoch 2"):
        await scene.cluster.executor.apply(change, old)
    assert "unschedulable" not in (await scene.raw())["spec"]


async def test_another_node_of_that_name_is_left_alone(scene: Scene) -> None:
    change = CordonNode(target=WORKER, uid="another", mark="now")
    with pytest.raises(NotFound, match="another of the same name took its place"):
        await scene.make(change, 1)


async def test_a_dry_run_changes_nothing(scene: Scene) -> None:
    change = await scene.planned("cordon")
    await scene.cluster.executor.dry_run(change)
    assert "unschedulable" not in (await scene.raw())["spec"]
    with pytest.raises(Retryable):
        await scene.cluster.executor.dry_run(UncordonNode(target=WORKER, uid=change.uid, memory="then"))


async def test_a_pod_is_evicted_in_its_own_namespace_and_with_the_grace_that_was_asked(
    scene: Scene,
) -> None:
    seen = await scene.seen()
    [pod, *_] = await scene.cluster.reader.pods(seen)
    change = EvictPod(
        target=WORKER, uid=seen.uid, pod=pod.name, pod_uid=pod.uid, namespace=pod.namespace,
        grace=Millis(3 * SECOND),
    )  # fmt: skip
    assert str(change) == f"evict pod shop/{pod.name} from node/worker-1"
    await scene.make(change, 1)
    [asked] = [one for one in scene.server.requests if one.path.endswith("/eviction")]
    assert asked.path == f"/api/v1/namespaces/shop/pods/{pod.name}/eviction"
    assert '"gracePeriodSeconds": 3' in asked.body.replace('":3', '": 3')
