"""What the executor asks of an API server to take one pod away, and when it does not (P7)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import DeletePod, EvictPod, Fence, PodChange
from remediator.core.cluster import Pod
from remediator.core.errors import Refused, Retryable
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.testing.apiserver import FakeApiServer, Fault, FaultKind, Pace
from tests.cluster.world import Json, World, manifest

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
FENCE = Fence(epoch=1, effect=EffectId("inc-1/1/0"))
BRISK = Pace(ready_after=0.002, stop_after=0.002, lag=0.001)
REMOVALS = (DeletePod, EvictPod)


class Impatient(AsyncioRuntime):
    """The machine, but nobody waits."""

    async def sleep(self, seconds: float) -> None:
        """Not at all."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A server with ``web``, two pods, and the adapter."""

    server: FakeApiServer
    cluster: Kubernetes
    world: World

    async def pods(self) -> list[Pod]:
        """Those that stay."""
        await self.server.settled()
        found = await self.cluster.reader.pods(await self.cluster.reader.workload(WEB))
        return sorted((pod for pod in found if not pod.terminating), key=lambda pod: pod.name)

    async def change(self, kind: type[PodChange]) -> PodChange:
        """The removal of the first of them."""
        [pod, _] = await self.pods()
        seen = await self.cluster.reader.workload(WEB)
        return kind(target=WEB, uid=seen.uid, pod=pod.name, pod_uid=pod.uid)

    async def apply(self, change: PodChange) -> None:
        await self.cluster.executor.apply(change, FENCE)

    async def budget(self, name: str = "web", least: int = 2) -> None:
        """At least so many pods stay."""
        spec = {"minAvailable": least, "selector": {"matchLabels": {"app": "web"}}}
        meta = {"name": name, "namespace": "shop"}
        made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
        self.server.create(made)
        await self.server.settled()

    @property
    def removals(self) -> list[tuple[str, str]]:
        """Pods that somebody was asked to take away and that went, and how."""
        return [
            (effect.name, f"{effect.verb} {effect.subresource}".strip())
            for effect in self.server.ledger
            if effect.resource == "pods"
        ]

    def sent(self, method: str) -> list[Json]:
        """The bodies of the requests of that method."""
        return [json.loads(one.body) for one in self.server.requests if one.method == method and one.body]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The scene."""
    runtime = Impatient()
    async with FakeApiServer(pace=BRISK) as server:
        cluster = await connect(str(server.kubeconfig(tmp_path / "kubeconfig")), runtime=runtime)
        world = World(cluster=cluster, namespace="shop")
        server.create(manifest(WEB, {}))
        await server.settled()
        yield Scene(server=server, cluster=cluster, world=world)
        await cluster.close()
        runtime.close()


async def test_P7_a_deletion_names_the_pod_as_it_was_just_seen(scene: Scene) -> None:
    """By UID and by version; one request, one pod gone, another made in its place."""
    change = await scene.change(DeletePod)
    path = f"/api/v1/namespaces/shop/pods/{change.pod}"
    version = (await scene.world.send("GET", path))["metadata"]["resourceVersion"]
    await scene.apply(change)
    [body] = scene.sent("DELETE")
    assert body["preconditions"] == {"uid": change.pod_uid, "resourceVersion": version}
    assert scene.removals == [(change.pod, "delete")]
    assert len(await scene.pods()) == 2


async def test_P7_an_eviction_names_the_pod_by_its_uid(scene: Scene) -> None:
    """Not by its version: that changes while an eviction is under way."""
    change = await scene.change(EvictPod)
    await scene.apply(change)
    [body] = scene.sent("POST")
    assert body["deleteOptions"] == {"preconditions": {"uid": change.pod_uid}}
    assert [name for name, _ in scene.removals] == [change.pod]
    assert not scene.sent("DELETE")
    assert len(await scene.pods()) == 2


@pytest.mark.parametrize("kind", REMOVALS)
async def test_a_dry_run_takes_no_pod_away(scene: Scene, kind: type[PodChange]) -> None:
    """The server is asked, and the pods are who they were."""
    await scene.budget(least=1)
    change, before = await scene.change(kind), await scene.pods()
    await scene.cluster.executor.dry_run(change)
    assert await scene.pods() == before
    assert scene.removals == []
    await scene.apply(change)  # nor did it cost the budget anything
    assert [name for name, _ in scene.removals] == [change.pod]


@pytest.mark.parametrize("kind", REMOVALS)
async def test_P7_a_pod_of_the_same_name_is_another(scene: Scene, kind: type[PodChange]) -> None:
    """Whoever was meant is gone already, and nothing is sent that would hit its successor."""
    change = replace(await scene.change(kind), pod_uid="00000000-0000-4000-8000-000000000000")
    await scene.apply(change)
    assert scene.removals == []
    assert not scene.sent("DELETE") + scene.sent("POST")
    with pytest.raises(Retryable, match="no longer what it was"):
        await scene.cluster.executor.dry_run(change)


@pytest.mark.parametrize("kind", REMOVALS)
async def test_P7_a_pod_that_is_gone_is_not_taken_away_again(scene: Scene, kind: type[PodChange]) -> None:
    """Doing it twice is doing it once; no other pod stands in for it."""
    change = await scene.change(kind)
    await scene.apply(change)
    await scene.server.settled()
    await scene.apply(change)
    assert [name for name, _ in scene.removals] == [change.pod]
    with pytest.raises(Retryable, match="no longer what it was"):
        await scene.cluster.executor.dry_run(change)


@pytest.mark.parametrize("kind", REMOVALS)
async def test_P7_a_pod_on_its_way_out_is_left_alone(scene: Scene, kind: type[PodChange]) -> None:
    """Another deletion could cut its time to stop short."""
    change = await scene.change(kind)
    path = f"/api/v1/namespaces/shop/pods/{change.pod}"
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    await scene.world.send("PATCH", path, held, "application/merge-patch+json")
    await scene.world.send("DELETE", path)
    sent = len(scene.server.requests)
    await scene.apply(change)
    assert [one.method for one in scene.server.requests[sent:]] == ["GET"]


@pytest.mark.parametrize(("kind", "method"), [(DeletePod, "DELETE"), (EvictPod, "POST")])
async def test_P7_who_replaces_the_pod_between_look_and_request_loses_nothing(
    scene: Scene, kind: type[PodChange], method: str
) -> None:
    """The server finds another UID: conflict. The pod that was meant is gone, so it is done."""
    change = await scene.change(kind)
    path = f"/api/v1/namespaces/shop/pods/{change.pod}"
    await scene.world.send("DELETE", path)
    await scene.server.settled()
    copy = manifest(WEB, {})["spec"]["template"]
    stranger = {**copy, "metadata": {"name": change.pod, "labels": {"app": "other"}}}
    await scene.world.send("POST", "/api/v1/namespaces/shop/pods", stranger)
    await scene.server.settled()
    before = len(scene.removals)
    body: dict[str, Any] = {"preconditions": {"uid": change.pod_uid}}
    if kind is EvictPod:
        meta = {"name": change.pod, "namespace": "shop"}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta, "deleteOptions": body}
    with pytest.raises(Retryable, match="UID"):  # what the request alone is answered
        await scene.world.send(method, path if kind is DeletePod else f"{path}/eviction", body)
    await scene.apply(change)
    assert len(scene.removals) == before


async def test_a_pod_that_changed_since_it_was_seen_is_looked_at_again(scene: Scene) -> None:
    """Conflict, and the pod is there: somebody is at work on it, so the guards are asked again."""
    change = await scene.change(DeletePod)
    scene.server.faults.add(Fault(kind=FaultKind.STATUS, method="DELETE", status=409))
    with pytest.raises(Retryable):
        await scene.apply(change)
    assert scene.removals == []
    await scene.apply(change)
    assert scene.removals == [(change.pod, "delete")]


@pytest.mark.parametrize("dry", [True, False])
async def test_a_budget_that_lets_nothing_go_is_waited_for(scene: Scene, dry: bool) -> None:
    """Never a deletion instead. When to come again is ours to say, for this refusal names no time."""
    await scene.budget(least=2)
    change, executor = await scene.change(EvictPod), scene.cluster.executor
    with pytest.raises(Retryable, match="disruption budget") as refused:
        await (executor.dry_run(change) if dry else executor.apply(change, FENCE))
    assert refused.value.delay == 10_000
    assert scene.removals == []
    assert not scene.sent("DELETE")


async def test_a_deletion_is_bound_by_no_budget(scene: Scene) -> None:
    """Which is why the guard asks, and not the server."""
    await scene.budget(least=2)
    change = await scene.change(DeletePod)
    await scene.apply(change)
    assert scene.removals == [(change.pod, "delete")]


async def test_the_time_that_a_server_names_is_kept(scene: Scene) -> None:
    """Retry-After, of a budget that is being worked on or of a server that has too much to do."""
    for kind, method in ((EvictPod, "POST"), (DeletePod, "DELETE")):
        change = await scene.change(kind)
        scene.server.faults.add(Fault(kind=FaultKind.STATUS, method=method, status=429, retry_after=3))
        with pytest.raises(Retryable) as refused:
            await scene.apply(change)
        assert refused.value.delay == 3000
    assert scene.removals == []


@pytest.mark.parametrize("dry", [True, False])
async def test_two_budgets_over_a_pod_are_refused_for_good(scene: Scene, dry: bool) -> None:
    """The server answers 500, which is no doubt here: it evicts none of them, however often it is asked."""
    await scene.budget("one", least=0)
    await scene.budget("two", least=0)
    change, executor = await scene.change(EvictPod), scene.cluster.executor
    with pytest.raises(Refused, match="more than one PodDisruptionBudget"):
        await (executor.dry_run(change) if dry else executor.apply(change, FENCE))
    assert scene.removals == []
    assert len(scene.sent("POST")) == 1


@pytest.mark.parametrize("name", ["..", "../../secrets/x", "web?dryRun=All", ""])
@pytest.mark.parametrize("kind", REMOVALS)
async def test_what_is_no_name_never_reaches_the_server(
    scene: Scene, kind: type[PodChange], name: str
) -> None:
    """A path is built from names alone."""
    change = replace(await scene.change(kind), pod=name)
    sent = len(scene.server.requests)
    with pytest.raises(Refused):
        await scene.apply(change)
    with pytest.raises(Refused):
        await scene.cluster.executor.dry_run(change)
    assert len(scene.server.requests) == sent


async def test_pods_tell_who_made_them(scene: Scene) -> None:
    """The ReplicaSet of the Deployment; nobody, when somebody made one by hand under the same label."""
    copy = manifest(WEB, {})["spec"]["template"]
    stranger = {**copy, "metadata": {"name": "by-hand", "labels": {"app": "web"}}}
    await scene.world.send("POST", "/api/v1/namespaces/shop/pods", stranger)
    found = {pod.name: pod.controller for pod in await scene.pods()}
    assert found.pop("by-hand") == ""
    assert len(found) == 2
    for name, controller in found.items():
        assert controller == f"replicaset/{name.rpartition('-')[0]}"
