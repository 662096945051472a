"""Images, resources, isolation and autoscalers' bounds on a cluster: what it makes of them (P7, P8)."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.actions import ACTIONS
from remediator.core.changes import ClusterChange
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, Snapshot, Workload
from remediator.core.errors import Fenced, NotFound, Retryable
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.quantities import same_amount
from tests.cluster.test_scaling_and_rolling_back import BAD_IMAGE, STRATEGIC, pods_left
from tests.cluster.world import AT, KINDS, Json, World, fence, until
from tests.core.builders import of_cluster

pytestmark = pytest.mark.cluster
SCALABLE = ("deployment", "statefulset")
MERGE = "application/merge-patch+json"


async def planned(world: World, seen: Workload, action: str, **params: object) -> ClusterChange:
    """As the action plans it now."""
    plugin, reader = ACTIONS[action], world.cluster.reader
    now = await reader.workload(seen.ref)
    snapshot = Snapshot(workload=now, autoscalers=await reader.autoscalers(now))
    [change] = of_cluster(plugin.plan(plugin.params.model_validate(params), snapshot, at=AT))
    return change


async def make(world: World, change: ClusterChange, epoch: int = 1) -> None:
    """As a step does."""
    await world.cluster.executor.dry_run(change)
    await world.cluster.executor.claim(change.fenced_on, change.uid, fence(epoch))
    await world.cluster.executor.apply(change, fence(epoch))


def containers(obj: Json) -> list[Json]:
    found: list[Json] = obj["spec"]["template"]["spec"]["containers"]
    return found


async def scaler(world: World, target: Workload, name: str = "web") -> str:
    """An autoscaler between two pods and five; its path."""
    path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
    scaled = {"apiVersion": "apps/v1", "kind": KINDS[target.ref.kind], "name": target.ref.name}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": world.namespace},
        "spec": {"scaleTargetRef": scaled, "minReplicas": 2, "maxReplicas": 5},
    }
    await world.send("POST", path, body)
    return f"{path}/{name}"


# --- containers ---


@pytest.mark.parametrize("kind", KINDS)
async def test_P7_an_image_and_nothing_else_is_set(world: World, kind: str) -> None:
    """The mark says who did it; the same change again is refused, and the inverse leads back."""
    seen = await world.create(world.ref(kind=kind))
    before = await world.raw(seen.ref)
    change = await planned(world, seen, "set_image", image=BAD_IMAGE)
    await world.cluster.executor.dry_run(change)
    assert (await world.raw(seen.ref))["spec"] == before["spec"]
    await make(world, change)
    after = await world.raw(seen.ref)
    assert containers(after) == [containers(before)[0] | {"image": BAD_IMAGE}]
    assert after["metadata"]["annotations"][EFFECT_ANNOTATION] == "inc-1/step-1"
    with pytest.raises(Retryable):
        await world.cluster.executor.apply(change, fence(1))
    now = Snapshot(workload=await world.cluster.reader.workload(seen.ref))
    [back] = of_cluster([ACTIONS["set_image"].inverse(change, now)])
    await make(world, back)
    assert containers(await world.raw(seen.ref)) == containers(before)


@pytest.mark.parametrize("kind", KINDS)
async def test_P7_resources_are_set_and_what_was_not_asked_for_is_kept(world: World, kind: str) -> None:
    """However the server writes quantities: what is so is not set again."""
    seen = await world.create(world.ref(kind=kind))
    await make(world, await planned(world, seen, "set_resources", requests={"memory": "16Mi"}))
    limits = {"memory": "1024Mi", "cpu": "0.5"}
    await make(world, await planned(world, seen, "set_resources", limits=limits))
    [made] = containers(await world.raw(seen.ref))
    assert made["resources"]["requests"] == {"memory": "16Mi"}
    assert same_amount(made["resources"]["limits"]["memory"], "1Gi")
    assert same_amount(made["resources"]["limits"]["cpu"], "500m")
    plugin = ACTIONS["set_resources"]
    now = Snapshot(workload=await world.cluster.reader.workload(seen.ref))
    params = plugin.params.model_validate({"limits": {"memory": "1Gi", "cpu": "500m"}})
    assert plugin.plan(params, now, at=AT) == ()


OTHERS: dict[str, Any] = {
    "set_image": {"image": f"{BAD_IMAGE}b"},
    "set_resources": {"resources": {"limits": {"cpu": "2"}}},
}


@pytest.mark.parametrize(
    ("action", "params"), [("set_image", {"image": BAD_IMAGE}), ("set_resources", {"limits": {"cpu": 1}})]
)
async def test_P7_what_others_set_in_between_is_not_overruled(
    world: World, action: str, params: dict[str, object]
) -> None:
    """Neither by the change nor by its dry run; nor where another container stands in its place."""
    seen = await world.create(world.ref())
    change = await planned(world, seen, action, **params)
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", **OTHERS[action]}]}}}}
    await world.send("PATCH", world.path(seen.ref), body, STRATEGIC)
    before = containers(await world.raw(seen.ref))
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(change, fence(1))
    with pytest.raises(Retryable, match="changed while it was looked at"):
        await world.cluster.executor.dry_run(change)
    assert containers(await world.raw(seen.ref)) == before
    again = await planned(world, seen, action, **params)
    body = {"spec": {"template": {"spec": {"containers": [{**before[0], "name": "first"}, before[0]]}}}}
    await world.send("PATCH", world.path(seen.ref), body, MERGE)
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(again, fence(1))


# --- isolation ---


@pytest.mark.parametrize("kind", SCALABLE)
async def test_P7_isolated_it_has_no_pods_and_restored_as_many_as_before(world: World, kind: str) -> None:
    """How many and until when stands on the object, and nothing of it is left afterwards."""
    seen = await world.create(world.ref(kind=kind), replicas=3)
    before = await world.raw(seen.ref)
    isolated = await planned(world, seen, "isolate", **{"for": "30m"})
    await make(world, isolated)
    await pods_left(world, seen, 0)
    between = await world.raw(seen.ref)
    assert between["spec"] == before["spec"] | {"replicas": 0}
    assert between["metadata"]["annotations"][ISOLATED_REPLICAS] == "3"
    with pytest.raises(Retryable):
        await world.cluster.executor.apply(isolated, fence(1))
    restored = await planned(world, seen, "restore")
    await make(world, restored)
    up = await world.rolled_out(seen.ref)
    assert up.ready == 3
    after = await world.raw(seen.ref)
    assert after["spec"] == before["spec"]
    assert not {ISOLATED_REPLICAS, ISOLATED_UNTIL} & after["metadata"]["annotations"].keys()
    with pytest.raises(Retryable):
        await world.cluster.executor.apply(restored, fence(1))


async def test_P7_isolation_needs_the_number_and_the_memory_that_were_seen(world: World) -> None:
    """Whoever scaled it in between, or wrote another number, is not overruled."""
    seen = await world.create(world.ref())
    change = await planned(world, seen, "isolate", **{"for": "30m"})
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    await world.send("PATCH", world.path(seen.ref), {"spec": {"replicas": 1}}, STRATEGIC)
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(change, fence(1))
    await make(world, await planned(world, seen, "isolate", **{"for": "30m"}))
    back = await planned(world, seen, "restore")
    await world.annotate(seen.ref, {ISOLATED_REPLICAS: "7"})
    with pytest.raises(Retryable, match="changed meanwhile"):
        await world.cluster.executor.apply(back, fence(1))
    assert (await world.raw(seen.ref))["spec"]["replicas"] == 0


async def test_what_was_brought_back_by_hand_keeps_its_number_and_loses_the_memory(world: World) -> None:
    """Only what still has the value that we set is taken back."""
    seen = await world.create(world.ref())
    await make(world, await planned(world, seen, "isolate", **{"for": "30m"}))
    await world.send("PATCH", world.path(seen.ref), {"spec": {"replicas": 1}}, STRATEGIC)
    await make(world, await planned(world, seen, "restore"))
    after = await world.raw(seen.ref)
    assert after["spec"]["replicas"] == 1
    assert not {ISOLATED_REPLICAS, ISOLATED_UNTIL} & after["metadata"]["annotations"].keys()


# --- autoscalers ---


async def test_an_autoscaler_is_found_by_what_it_scales(world: World) -> None:
    """By kind and name; all of them, by their names."""
    seen = await world.create(world.ref())
    other = await world.create(world.ref(name="other"))
    same_name = await world.create(world.ref(kind="statefulset"))
    for target, name in ((other, "a"), (same_name, "b"), (seen, "d"), (seen, "c")):
        await scaler(world, target, name)
    found = await world.cluster.reader.autoscalers(seen)
    assert [(each.ref.name, each.least, each.most) for each in found] == [("c", 2, 5), ("d", 2, 5)]


@pytest.mark.parametrize("kind", SCALABLE)
async def test_P8_bounds_are_set_under_an_epoch_of_the_autoscalers_own(world: World, kind: str) -> None:
    """An overtaken owner is refused, and so is the same change again; a dry run changes nothing."""
    seen = await world.create(world.ref(kind=kind))
    path = await scaler(world, seen)
    before = await world.send("GET", path)
    change = await planned(world, seen, "hpa", min=3)
    executor = world.cluster.executor
    await executor.dry_run(change)
    assert (await world.send("GET", path))["spec"] == before["spec"]
    with pytest.raises(Retryable, match="it must be claimed again"):
        await executor.apply(change, fence(1))
    claimed = await executor.claim(change.fenced_on, change.uid, fence(2))
    assert claimed.epoch == 2
    assert (await executor.claim(change.fenced_on, change.uid, fence(2))).annotations == claimed.annotations
    with pytest.raises(Fenced):
        await executor.claim(change.fenced_on, change.uid, fence(1))
    with pytest.raises(Fenced):
        await executor.apply(change, fence(1))
    await executor.apply(change, fence(2))
    after = await world.send("GET", path)
    assert after["spec"] == before["spec"] | {"minReplicas": 3}
    assert after["metadata"]["annotations"][EFFECT_ANNOTATION] == "inc-1/step-1"
    with pytest.raises(Retryable, match="changed meanwhile"):
        await executor.apply(change, fence(2))
    assert EPOCH_ANNOTATION not in (await world.raw(seen.ref))["metadata"].get("annotations", {})


async def test_P7_an_autoscaler_of_the_same_name_is_not_the_same(world: World) -> None:
    """Neither claimed, tried nor changed."""
    seen = await world.create(world.ref())
    path = await scaler(world, seen)
    change = await planned(world, seen, "hpa", max=9)
    await world.send("DELETE", path)

    async def gone() -> bool | None:
        try:
            await world.send("GET", path)
        except NotFound:
            return True
        return None

    await until(gone, "the autoscaler is gone")
    await scaler(world, seen)
    executor = world.cluster.executor
    for attempt in (
        lambda: executor.claim(change.fenced_on, change.uid, fence(1)),
        lambda: executor.dry_run(change),
        lambda: executor.apply(change, fence(1)),
    ):
        with pytest.raises(NotFound, match="another of the same name took its place"):
            await attempt()
    assert (await world.send("GET", path))["spec"]["maxReplicas"] == 5
