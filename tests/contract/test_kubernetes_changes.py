"""What the executor asks of an API server to scale a workload or to roll it back, and when it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remediator.actions.rollback import Rollback, RollbackParams
from remediator.actions.scale import Scale, ScaleParams
from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.kubernetes.templates import template_of
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import ClusterChange, Fence, RollBackWorkload, ScaleWorkload
from remediator.core.cluster import EFFECT_ANNOTATION, Snapshot, Workload
from remediator.core.errors import Fenced, NotFound, Refused, Retryable
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.testing.apiserver import FakeApiServer, Pace
from tests.cluster.world import KINDS, Json, World, manifest
from tests.core.builders import of_cluster

EFFECT = EffectId("inc-1/1/0")
BRISK = Pace(ready_after=0.002, stop_after=0.002, lag=0.001)


def fence(epoch: int = 1, effect: str = EFFECT) -> Fence:
    return Fence(epoch=epoch, effect=EffectId(effect))


class Calendar:
    """The cluster's date: a minute between one release and the next."""

    ahead = 0

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(minutes=self.ahead)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A server, the adapter, and the workload ``web`` of some kind, rolled out."""

    calendar: Calendar
    server: FakeApiServer
    cluster: Kubernetes
    world: World
    ref: WorkloadRef

    async def seen(self) -> Workload:
        """As it is now, once its controllers have nothing left to do."""
        await self.server.settled()
        return await self.cluster.reader.workload(self.ref)

    async def raw(self) -> Json:
        return await self.world.raw(self.ref)

    async def patch(self, body: Json) -> None:
        """What somebody else does with it."""
        media = "application/strategic-merge-patch+json"
        await self.world.send("PATCH", self.world.path(self.ref), body, media)
        await self.server.settled()

    async def set_image(self, image: str) -> None:
        """A release."""
        self.calendar.ahead += 1
        await self.patch({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}}})

    async def back(self, revision: int | None = None) -> RollBackWorkload:
        """The rollback as the action plans it now."""
        seen = await self.seen()
        revisions = await self.cluster.reader.revisions(seen)
        snapshot = Snapshot(workload=seen, revisions=revisions)
        [change] = of_cluster(Rollback().plan(RollbackParams(revision=revision), snapshot, at=Instant(0)))
        assert isinstance(change, RollBackWorkload)
        return change

    async def scaled(self, to: int) -> ScaleWorkload:
        """The scaling as the action plans it now."""
        [change] = of_cluster(
            Scale().plan(ScaleParams(to=to), Snapshot(workload=await self.seen()), at=Instant(0))
        )
        assert isinstance(change, ScaleWorkload)
        return change

    async def make(self, change: ClusterChange, epoch: int = 1) -> None:
        """As a step does: claim, then change."""
        await self.cluster.executor.claim(self.ref, change.uid, fence(epoch))
        await self.cluster.executor.apply(change, fence(epoch))

    def image(self, obj: Json) -> str:
        found: str = obj["spec"]["template"]["spec"]["containers"][0]["image"]
        return found


@asynccontextmanager
async def opened(directory: Path, kind: str, **spec: Any) -> AsyncIterator[Scene]:
    runtime, calendar = AsyncioRuntime(), Calendar()
    async with FakeApiServer(pace=BRISK, wall=calendar) as server:
        cluster = await connect(str(server.kubeconfig(directory / "kubeconfig")), runtime=runtime)
        world = World(cluster=cluster, namespace="shop")
        ref = world.ref(kind=kind)
        server.create(manifest(ref, {"example.com/team": "shop"}, **spec))
        await server.settled()
        try:
            yield Scene(calendar=calendar, server=server, cluster=cluster, world=world, ref=ref)
        finally:
            await cluster.close()
            runtime.close()


@pytest.fixture(params=KINDS)
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The scene with a workload of each kind."""
    async with opened(tmp_path, request.param) as found:
        yield found


@pytest.fixture(params=["deployment", "statefulset"])
async def scalable(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The scene with a workload of each kind that has replicas."""
    async with opened(tmp_path, request.param) as found:
        yield found


# --- scale ---


@pytest.mark.parametrize("to", [0, 1, 5])
async def test_P7_scaling_is_one_patch_of_the_number(scalable: Scene, to: int) -> None:
    """Up, down and to nothing; the mark says who did it, and nothing else of the object changes."""
    before = await scalable.raw()
    await scalable.make(await scalable.scaled(to))
    after = await scalable.raw()
    assert after["spec"] == before["spec"] | {"replicas": to}
    assert after["metadata"]["annotations"][EFFECT_ANNOTATION] == EFFECT
    assert (await scalable.seen()).total == to


async def test_P7_scaling_needs_the_number_that_was_seen(scalable: Scene) -> None:
    """Whoever scaled in between is not overruled: read again, ask the guards again."""
    change = await scalable.scaled(5)
    await scalable.patch({"spec": {"replicas": 3}})
    with pytest.raises(Retryable, match="changed meanwhile"):
        await scalable.make(change)
    assert (await scalable.raw())["spec"]["replicas"] == 3
    assert EFFECT_ANNOTATION not in (await scalable.raw())["metadata"]["annotations"]
    await scalable.make(await scalable.scaled(5))
    assert (await scalable.raw())["spec"]["replicas"] == 5


async def test_P7_scaling_twice_is_scaling_once(scalable: Scene) -> None:
    """The same change again finds another number than it saw."""
    change = await scalable.scaled(3)
    await scalable.make(change)
    generation = (await scalable.seen()).generation
    with pytest.raises(Retryable):
        await scalable.make(change)
    assert (await scalable.seen()).generation == generation


@pytest.mark.parametrize("epoch", [1, 5])
async def test_P8_an_overtaken_owner_does_not_scale(scalable: Scene, epoch: int) -> None:
    """Whether it ever claimed or not."""
    change = await scalable.scaled(0)
    await scalable.cluster.executor.claim(scalable.ref, change.uid, fence(1))
    await scalable.cluster.executor.claim(scalable.ref, change.uid, fence(7))
    with pytest.raises(Fenced):
        await scalable.cluster.executor.apply(change, fence(epoch))
    assert (await scalable.raw())["spec"]["replicas"] == 2


async def test_a_dry_run_of_scaling_changes_nothing(scalable: Scene) -> None:
    """It is checked, and refused once the number is another."""
    change, before = await scalable.scaled(1), await scalable.raw()
    await scalable.cluster.executor.dry_run(change)
    assert await scalable.raw() == before
    with pytest.raises(Retryable, match="changed while it was looked at"):
        await scalable.cluster.executor.dry_run(replace(change, seen=4))


async def test_a_daemon_set_has_no_number(tmp_path: Path) -> None:
    """Planned by nobody; and if it were, the server has nothing to test."""
    async with opened(tmp_path, "daemonset") as scene:
        seen = await scene.seen()
        with pytest.raises(Refused, match="cannot be scaled"):
            await scene.scaled(3)
        change = ScaleWorkload(target=scene.ref, uid=seen.uid, seen=2, replicas=3)
        with pytest.raises(Retryable):
            await scene.cluster.executor.dry_run(change)
        with pytest.raises(Retryable):
            await scene.make(change)
        assert "replicas" not in (await scene.raw())["spec"]


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
async def test_on_delete_keeps_a_rollback_from_working_and_not_scaling(tmp_path: Path, kind: str) -> None:
    """The template would change and no pod."""
    async with opened(tmp_path, kind, updateStrategy={"type": "OnDelete"}) as scene:
        await scene.set_image("shop/web:2")
        with pytest.raises(Refused, match="OnDelete"):
            await scene.cluster.executor.dry_run(await scene.back())
        if kind == "statefulset":
            await scene.cluster.executor.dry_run(await scene.scaled(1))


# --- rollback ---


async def test_P7_a_rollback_makes_the_earlier_template_the_present_one(scene: Scene) -> None:
    """To the letter: neither the hash of a ReplicaSet nor the directive of a ControllerRevision is in it."""
    first = await scene.raw()
    await scene.set_image("shop/web:2")
    change = await scene.back()
    await scene.cluster.executor.dry_run(change)
    assert scene.image(await scene.raw()) == "shop/web:2"
    await scene.make(change)
    after = await scene.raw()
    assert after["spec"] == first["spec"]
    assert after["metadata"]["annotations"][EFFECT_ANNOTATION] == EFFECT
    await scene.server.settled()
    [current] = [one for one in await scene.cluster.reader.revisions(await scene.seen()) if one.current]
    assert (current.name, current.uid) == (change.source, change.source_uid)
    assert current.number > change.seen


async def test_P7_a_rollback_takes_one_try(scene: Scene) -> None:
    """Our own claim raises a Deployment's generation; that is no reason to think that somebody else did."""
    await scene.set_image("shop/web:2")
    change = await scene.back()
    claimed = await scene.cluster.executor.claim(scene.ref, change.uid, fence())
    assert claimed.generation - change.generation == (scene.ref.kind == "deployment")
    await scene.cluster.executor.apply(change, fence())


@pytest.mark.parametrize("claimed_first", [False, True])
async def test_P7_a_rollback_needs_the_specification_that_was_seen(scene: Scene, claimed_first: bool) -> None:
    """A release that came in between is not thrown away, whether before our claim or after it."""
    await scene.set_image("shop/web:2")
    change = await scene.back()
    if claimed_first:
        await scene.cluster.executor.claim(scene.ref, change.uid, fence())
    await scene.set_image("shop/web:3")
    with pytest.raises(Retryable, match="changed meanwhile"):
        await scene.make(change)
    assert scene.image(await scene.raw()) == "shop/web:3"


async def test_P7_rolling_back_twice_is_rolling_back_once(scene: Scene) -> None:
    """The same change again is refused; planned anew, there is nothing older to go to."""
    await scene.set_image("shop/web:2")
    change = await scene.back()
    await scene.make(change)
    done = await scene.seen()
    with pytest.raises(Retryable):
        await scene.make(change)
    with pytest.raises(Refused, match="keeps no revision older"):
        await scene.back()
    assert (await scene.seen()).generation == done.generation


async def test_a_rollback_by_number_goes_where_it_is_told(scene: Scene) -> None:
    """Past the one before."""
    first = await scene.raw()
    for image in ("shop/web:2", "shop/web:3"):
        await scene.set_image(image)
    await scene.make(await scene.back(revision=1))
    assert (await scene.raw())["spec"]["template"] == first["spec"]["template"]


@pytest.mark.parametrize("again", [False, True], ids=["gone", "replaced"])
async def test_a_revision_that_is_gone_is_not_guessed(scene: Scene, again: bool) -> None:
    """Neither when its keeper is gone nor when another has its name. The workload stays as it is."""
    await scene.set_image("shop/web:2")
    change = await scene.back()
    resource = "replicasets" if scene.ref.kind == "deployment" else "controllerrevisions"
    path = f"/apis/apps/v1/namespaces/shop/{resource}/{change.source}"
    kept = await scene.world.send("GET", path)
    await scene.world.send("DELETE", path)
    await scene.server.settled()
    if again:
        kept["metadata"] = {key: kept["metadata"][key] for key in ("name", "namespace", "labels")}
        await scene.world.send("POST", path.rpartition("/")[0], kept)
    await scene.cluster.executor.claim(scene.ref, change.uid, fence())
    with pytest.raises(NotFound):
        await scene.cluster.executor.dry_run(change)
    with pytest.raises(NotFound):
        await scene.cluster.executor.apply(change, fence())
    assert scene.image(await scene.raw()) == "shop/web:2"
    assert EFFECT_ANNOTATION not in (await scene.raw())["metadata"]["annotations"]


@pytest.mark.parametrize("epoch", [1, 5])
async def test_P8_an_overtaken_owner_does_not_roll_back(scene: Scene, epoch: int) -> None:
    """Whether it ever claimed or not."""
    await scene.set_image("shop/web:2")
    change = await scene.back()
    await scene.cluster.executor.claim(scene.ref, change.uid, fence(1))
    await scene.cluster.executor.claim(scene.ref, change.uid, fence(7))
    with pytest.raises(Fenced):
        await scene.cluster.executor.apply(change, fence(epoch))
    assert scene.image(await scene.raw()) == "shop/web:2"


def test_a_template_is_what_stood_in_the_workload() -> None:
    """What the keepers add goes, what the template held stays; without a template there is nothing."""
    spec = {"containers": [{"name": "web"}]}
    labels = {"app": "web", "pod-template-hash": "5d9c"}
    meta = {"labels": labels, "annotations": {"a": "b"}, "creationTimestamp": None}
    kept = {"metadata": {"name": "r"}, "spec": {"replicas": 0, "template": {"metadata": meta, "spec": spec}}}
    assert template_of(kept) == {"metadata": meta | {"labels": {"app": "web"}}, "spec": spec}
    patch = {"spec": {"template": {"$patch": "replace", "metadata": {}, "spec": spec}}}
    assert template_of({"metadata": {"name": "r"}, "data": patch}) == {
        "metadata": {"labels": {}},
        "spec": spec,
    }
    empty: tuple[Json | None, ...] = (None, {}, {"spec": None}, {"spec": {"template": {"metadata": {}}}})
    for data in empty:
        with pytest.raises(Refused, match="r keeps no pod template"):
            template_of({"metadata": {"name": "r"}, "data": data})
