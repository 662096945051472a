"""Changing a cluster: claims, restarts, and what must not happen (P7, P8)."""

from __future__ import annotations

import asyncio

import pytest

from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION
from remediator.core.errors import Fenced, NotFound, Refused, Retryable
from tests.cluster.world import AT, KINDS, World, fence, restart, template

pytestmark = pytest.mark.cluster
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


async def test_a_claim_puts_the_epoch_on_the_object(world: World) -> None:
    """P8: the epoch is on the target, and what it answers is the object after that."""
    seen = await world.create(world.ref())
    claimed = await world.cluster.executor.claim(seen.ref, seen.uid, fence(7))
    assert claimed.epoch == 7
    assert (await world.cluster.reader.workload(seen.ref)).epoch == 7


async def test_claiming_twice_under_one_epoch_changes_nothing_more(world: World) -> None:
    """A claim after a crash finds its own epoch and writes nothing."""
    seen = await world.create(world.ref())
    first = await world.cluster.executor.claim(seen.ref, seen.uid, fence(7))
    again = await world.cluster.executor.claim(seen.ref, seen.uid, fence(7))
    assert again.generation == first.generation


async def test_an_older_epoch_cannot_claim(world: World) -> None:
    """P8: who was overtaken is told so, and the newer epoch stays."""
    seen = await world.create(world.ref())
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(7))
    with pytest.raises(Fenced, match="epoch 7, newer than our 6"):
        await world.cluster.executor.claim(seen.ref, seen.uid, fence(6))
    assert (await world.cluster.reader.workload(seen.ref)).epoch == 7


async def test_of_many_claims_at_once_the_newest_wins(world: World) -> None:
    """P8: however they interleave, no older epoch ever replaces a newer one."""
    seen = await world.create(world.ref())
    claims = [world.cluster.executor.claim(seen.ref, seen.uid, fence(epoch)) for epoch in range(1, 9)]
    results = await asyncio.gather(*claims, return_exceptions=True)
    assert (await world.cluster.reader.workload(seen.ref)).epoch == 8
    assert all(not isinstance(result, BaseException) or isinstance(result, Fenced) for result in results)


async def test_nonsense_in_the_epoch_annotation_is_replaced(world: World) -> None:
    """What somebody wrote by hand does not keep us out for ever."""
    seen = await world.create(world.ref())
    await world.annotate(seen.ref, {EPOCH_ANNOTATION: "not a number"})
    assert (await world.cluster.executor.claim(seen.ref, seen.uid, fence(3))).epoch == 3


async def test_an_object_of_the_same_name_is_not_the_same(world: World) -> None:
    """P7: a target that was deleted and made again is neither claimed, tried nor changed."""
    first = await world.create(world.ref())
    await world.gone(first.ref)
    second = await world.create(first.ref)
    executor = world.cluster.executor
    with pytest.raises(NotFound):
        await executor.claim(first.ref, first.uid, fence(1))
    await executor.claim(first.ref, second.uid, fence(1))
    with pytest.raises(NotFound):
        await executor.apply(restart(first), fence(1))
    with pytest.raises(NotFound):
        await executor.dry_run(restart(first))
    assert RESTARTED_AT not in template(await world.raw(second.ref))["metadata"].get("annotations", {})


@pytest.mark.parametrize("kind", KINDS)
async def test_a_restart_replaces_every_pod_once(world: World, kind: str) -> None:
    """P7: one new template, every pod replaced; the same effect again changes nothing."""
    seen = await world.create(world.ref(kind=kind))
    before = {pod.name: pod for pod in await world.cluster.reader.pods(seen)}
    uids = await _pod_uids(world)
    claimed = await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    await world.cluster.executor.apply(restart(seen), fence(1))
    changed = await world.cluster.reader.workload(seen.ref)
    assert changed.generation == claimed.generation + 1
    assert changed.annotations[EFFECT_ANNOTATION] == "inc-1/step-1"
    assert (
        template(await world.raw(seen.ref))["metadata"]["annotations"][RESTARTED_AT] == "2026-09-21T14:13:20Z"
    )

    done = await world.rolled_out(seen.ref)
    assert not uids & await _pod_uids(world, alive=True)
    assert len(await world.cluster.reader.pods(done)) >= len(before)

    await world.cluster.executor.apply(restart(seen), fence(1))
    assert (await world.cluster.reader.workload(seen.ref)).generation == done.generation


async def _pod_uids(world: World, *, alive: bool = False) -> set[str]:
    pods = (await world.send("GET", f"/api/v1/namespaces/{world.namespace}/pods"))["items"]
    return {pod["metadata"]["uid"] for pod in pods if not (alive and "deletionTimestamp" in pod["metadata"])}


@pytest.mark.parametrize("epoch", [1, 2], ids=["overtaken", "never claimed"])
async def test_a_paused_owner_cannot_change(world: World, epoch: int) -> None:
    """P8: once a newer owner has claimed the target, a change under another epoch is refused."""
    seen = await world.create(world.ref())
    executor = world.cluster.executor
    if epoch == 1:
        await executor.claim(seen.ref, seen.uid, fence(1))
    await executor.claim(seen.ref, seen.uid, fence(5))
    before = template(await world.raw(seen.ref))
    with pytest.raises(Fenced, match="epoch 5, newer than our"):
        await executor.apply(restart(seen), fence(epoch))
    assert template(await world.raw(seen.ref)) == before


async def test_a_change_without_our_epoch_on_the_target_is_refused(world: World) -> None:
    """When somebody took the annotation off, nothing changes, and claiming again helps."""
    seen = await world.create(world.ref())
    executor = world.cluster.executor
    await executor.claim(seen.ref, seen.uid, fence(4))
    await world.annotate(seen.ref, {EPOCH_ANNOTATION: None})
    before = template(await world.raw(seen.ref))
    with pytest.raises(Retryable, match="claimed again"):
        await executor.apply(restart(seen), fence(4))
    assert template(await world.raw(seen.ref)) == before
    await executor.claim(seen.ref, seen.uid, fence(4))
    await executor.apply(restart(seen), fence(4))
    assert template(await world.raw(seen.ref)) != before


@pytest.mark.parametrize("theirs", [{}, {"example.com/theirs": "kept"}], ids=["bare", "annotated"])
async def test_what_others_wrote_stays(world: World, theirs: dict[str, str]) -> None:
    """A restart touches its own annotations, on the object and on the template, and no others."""
    seen = await world.create(world.ref(), template_annotations=theirs)
    await world.annotate(seen.ref, {"example.com/note": "kept"})
    await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    await world.cluster.executor.apply(restart(seen), fence(1))
    raw = await world.raw(seen.ref)
    assert raw["metadata"]["annotations"]["example.com/note"] == "kept"
    annotations = template(raw)["metadata"]["annotations"]
    assert {key: value for key, value in annotations.items() if key != RESTARTED_AT} == theirs


async def test_annotations_that_came_between_are_not_overwritten(world: World) -> None:
    """A template that was bare when claimed and is annotated now is left alone; the next try succeeds."""
    seen = await world.create(world.ref())
    executor = world.cluster.executor
    await executor.claim(seen.ref, seen.uid, fence(1))
    added = {"spec": {"template": {"metadata": {"annotations": {"example.com/late": "kept"}}}}}
    await world.send("PATCH", world.path(seen.ref), added, "application/merge-patch+json")
    with pytest.raises(Retryable, match="changed meanwhile"):
        await executor.apply(restart(seen), fence(1))
    assert template(await world.raw(seen.ref))["metadata"]["annotations"] == {"example.com/late": "kept"}
    await executor.apply(restart(seen), fence(1))
    annotations = template(await world.raw(seen.ref))["metadata"]["annotations"]
    assert annotations["example.com/late"] == "kept"
    assert RESTARTED_AT in annotations


async def test_a_claim_holds_through_a_rollout(world: World) -> None:
    """P7: status updates do not get in the way, although they change the resourceVersion all the time."""
    seen = await world.create(world.ref(), replicas=4)
    executor = world.cluster.executor
    for epoch in range(1, 6):
        await executor.claim(seen.ref, seen.uid, fence(epoch))
        await executor.apply(restart(seen, AT + epoch * 1000), fence(epoch, f"inc-1/step-{epoch}"))
    done = await world.rolled_out(seen.ref)
    assert (done.epoch, done.annotations[EFFECT_ANNOTATION]) == (5, "inc-1/step-5")


@pytest.mark.parametrize("claimed", [False, True], ids=["bare", "claimed"])
async def test_a_dry_run_changes_nothing(world: World, claimed: bool) -> None:
    """The server checks the very patch, and neither template nor annotations change."""
    seen = await world.create(world.ref())
    if claimed:
        await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    before = await world.raw(seen.ref)
    await world.cluster.executor.dry_run(restart(seen))
    after = await world.raw(seen.ref)
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")


async def test_a_restart_that_would_replace_no_pod_is_refused_by_the_dry_run(world: World) -> None:
    """updateStrategy OnDelete: the template changes and no pod does."""
    seen = await world.create(world.ref(kind="daemonset"), updateStrategy={"type": "OnDelete"})
    with pytest.raises(Refused, match="OnDelete"):
        await world.cluster.executor.dry_run(restart(seen))


async def test_what_is_being_deleted_is_not_claimed(world: World) -> None:
    """An object that only its finalizer keeps is as good as gone."""
    seen = await world.create(world.ref())
    merge = "application/merge-patch+json"
    held = {"metadata": {"finalizers": ["example.com/hold"]}}
    await world.send("PATCH", world.path(seen.ref), held, merge)
    await world.send("DELETE", world.path(seen.ref))
    try:
        with pytest.raises(NotFound, match="being deleted"):
            await world.cluster.executor.claim(seen.ref, seen.uid, fence(1))
    finally:
        await world.send("PATCH", world.path(seen.ref), {"metadata": {"finalizers": None}}, merge)
