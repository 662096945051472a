"""Jobs from a CronJob's template on a cluster: made asleep, woken once, gone with their CronJob (P7, P8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.changes import RunJob
from remediator.core.errors import Fenced, NotFound, Retryable
from remediator.core.jobs import Job, JobEnd
from remediator.core.times import MINUTE, Millis
from tests.cluster.world import IMAGE, Json, World, fence, until

pytestmark = pytest.mark.cluster


def collection(world: World) -> str:
    return f"/apis/batch/v1/namespaces/{world.namespace}/cronjobs"


async def planned(world: World) -> RunJob:
    """A job from a CronJob that never runs by itself, and whose history keeps nothing."""
    container = {"name": "main", "image": IMAGE or "busybox:1.36", "command": ["sh", "-c", "echo tidied"]}
    template: Json = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    spec: Json = {
        "schedule": "0 0 1 1 *",
        "suspend": True,
        "successfulJobsHistoryLimit": 0,
        "jobTemplate": {"spec": {"template": template, "backoffLimit": 0}},
    }
    meta = {"name": "tidy", "namespace": world.namespace}
    body = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": spec}
    await world.send("POST", collection(world), body)
    seen = await world.cluster.reader.cron_job(world.namespace, "tidy")
    assert (seen.suspended, seen.asleep) == (True, False)
    return RunJob(
        target=world.ref(),
        uid="not looked at",
        source="tidy",
        source_uid=seen.uid,
        generation=seen.generation,
        timeout=Millis(10 * MINUTE),
    )


async def ended(world: World, name: str) -> Job:
    async def look() -> Job | None:
        seen = await world.cluster.reader.job(world.namespace, name)
        return seen if seen.ended is not None else None

    return await until(look, f"job {name} is over")


async def test_P7_a_job_is_made_asleep_and_woken_once(world: World) -> None:
    """However often it is prepared it is the same; asleep it has no pods, and woken again it does nothing."""
    change, executor, reader = await planned(world), world.cluster.executor, world.cluster.reader
    await executor.dry_run(change)
    first = await executor.prepare(change, fence(1))
    again = await executor.prepare(change, fence(2))
    assert (first.uid, first.asleep, first.begun) == (again.uid, True, False)
    assert await reader.job_pods(first) == ()
    woken = replace(change, job_uid=first.uid)
    await executor.apply(woken, fence(2))
    done = await ended(world, first.ref.name)
    assert (done.ended, done.succeeded, done.begun) == (JobEnd.COMPLETE, 1, True)
    [pod] = await reader.job_pods(done)
    assert pod.controller == str(first.ref)
    await executor.apply(woken, fence(2))
    assert (await executor.prepare(change, fence(3))).begun
    assert len(await reader.job_pods(done)) == 1


async def test_P8_an_older_owner_cannot_wake_it(world: World) -> None:
    change, executor = await planned(world), world.cluster.executor
    job = await executor.prepare(change, fence(1))
    await executor.prepare(change, fence(2))
    with pytest.raises(Fenced, match="epoch 2, newer than our 1"):
        await executor.apply(replace(change, job_uid=job.uid), fence(1))
    with pytest.raises(Fenced, match="epoch 2, newer than our 1"):
        await executor.prepare(change, fence(1))
    seen = await world.cluster.reader.job(world.namespace, job.ref.name)
    assert (seen.asleep, seen.begun) == (True, False)


async def test_P7_another_job_of_the_same_name_is_not_woken(world: World) -> None:
    """Its UID is tested: one that was removed and made again may have run before."""
    change, executor = await planned(world), world.cluster.executor
    job = await executor.prepare(change, fence(1))
    await world.send("DELETE", f"/apis/batch/v1/namespaces/{world.namespace}/jobs/{job.ref.name}")

    async def gone() -> bool | None:
        try:
            await world.cluster.reader.job(world.namespace, job.ref.name)
        except NotFound:
            return True
        return None

    await until(gone, "it is gone")
    await executor.prepare(change, fence(1))
    with pytest.raises(NotFound, match="another of the same name took its place"):
        await executor.apply(replace(change, job_uid=job.uid), fence(1))


async def test_a_cron_job_that_is_another_by_now_is_read_again(world: World) -> None:
    change = await planned(world)
    for other in (replace(change, generation=change.generation + 1), replace(change, source_uid="another")):
        with pytest.raises(Retryable, match="cronjob/tidy changed while it was looked at"):
            await world.cluster.executor.dry_run(other)
        with pytest.raises(Retryable, match="cronjob/tidy changed while it was looked at"):
            await world.cluster.executor.prepare(other, fence(1))


async def test_a_job_goes_with_the_cron_job_that_it_came_from(world: World) -> None:
    """As those that the CronJob makes itself."""
    change = await planned(world)
    job = await world.cluster.executor.prepare(change, fence(1))
    await world.send("DELETE", f"{collection(world)}/tidy")

    async def gone() -> bool | None:
        try:
            await world.cluster.reader.job(world.namespace, job.ref.name)
        except NotFound:
            return True
        return None

    await until(gone, "it is gone")
