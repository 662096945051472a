"""Jobs from the templates of CronJobs: made asleep, so that making one twice, or too late, runs nothing.

A Job's name follows from its step, so there is one at most. It is woken by a patch that tests its UID and our
epoch, as every other change; see ``docs/decisions``, 0012.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Conflict, understood
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.paths import checked_name, core_path, group_path, read_call
from remediator.adapters.kubernetes.snapshots import Json, pod_of
from remediator.core.changes import Fence, RunJob
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, Pod
from remediator.core.errors import NotFound, Refused, Retryable, Unknown
from remediator.core.incident import EffectId
from remediator.core.jobs import (
    JOB,
    STEP_ANNOTATION,
    TEMPLATE_ANNOTATION,
    CronJob,
    Job,
    JobEnd,
    job_name,
    template_mark,
)
from remediator.core.objects import ObjectRef
from remediator.core.times import DAY, SECOND

GROUP = "batch"
INSTANTIATE = "cronjob.kubernetes.io/instantiate"
"""What ``kubectl create job --from`` writes on a Job."""
OURS = (EPOCH_ANNOTATION, EFFECT_ANNOTATION, STEP_ANNOTATION, TEMPLATE_ANNOTATION)
KEPT = DAY // SECOND
"""Seconds that a finished Job is kept at least: how it ended must be seen, also after the daemon was down."""
_ENDS = {"Complete": JobEnd.COMPLETE, "Failed": JobEnd.FAILED}


class JobMaker:
    """Makes Jobs that are asleep."""

    def __init__(self, api: Api, manager: str) -> None:
        self._api, self._manager = api, manager

    async def dry_run(self, change: RunJob) -> None:
        """Have the server check the Job, permissions included, without making it.

        Raises NotFound, Refused, Retryable.
        """
        deadline = self._api.deadline()
        body = await self._body(change, Fence(epoch=0, effect=EffectId("dry-run")), deadline)
        await self._api.call(self._creation(change, body, dry_run=True), deadline)

    async def make(self, change: RunJob, fence: Fence, deadline: Deadline) -> Job:
        """The step's Job, whoever made it. Raises NotFound, Refused, Retryable.

        Where an answer is lost it looks again: a Job that is made late is asleep, and the very same.
        """
        ref = job_ref(change, fence.effect)
        for _ in range(self._api.limits.claims):
            try:
                return _ours(change, fence, ref, await self._api.call(read_call(ref), deadline))
            except NotFound:
                body = await self._body(change, fence, deadline)
            try:
                made = await self._api.call(self._creation(change, body), deadline)
            except (Conflict, Unknown):
                continue
            return _ours(change, fence, ref, made)
        raise Retryable(f"{ref} could not be made: nobody says whether it is there")

    async def _body(self, change: RunJob, fence: Fence, deadline: Deadline) -> dict[str, Any]:
        """The Job as ``kubectl create job --from`` makes it, but asleep.

        Raises NotFound, Refused, Retryable.
        """
        cron = await self._api.call(_cron_call(change.target.namespace, change.source), deadline)
        with understood(f"cronjob/{change.source}"):
            seen = cron_job_of(cron)
            if seen.template != template_mark(change.source_uid, change.generation):
                raise Retryable(f"cronjob/{change.source} changed while it was looked at: read it again")
            template = cron["spec"]["jobTemplate"]
            meta, spec = template.get("metadata") or {}, template["spec"]
        own = {
            INSTANTIATE: "manual",
            STEP_ANNOTATION: fence.effect,
            TEMPLATE_ANNOTATION: seen.template,
            EPOCH_ANNOTATION: str(fence.epoch),
        }
        kept = {key: value for key, value in (meta.get("annotations") or {}).items() if key not in OURS}
        ends_after = max(change.timeout // SECOND, 1)
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": job_name(change.source, fence.effect),
                "namespace": change.target.namespace,
                "labels": dict(meta.get("labels") or {}),
                "annotations": {**kept, **own},
                # no controller: the CronJob's history would remove it before anybody saw how it ended
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "CronJob", "name": seen.name, "uid": seen.uid}
                ],
            },
            "spec": {
                **spec,
                "suspend": True,
                "activeDeadlineSeconds": min(spec.get("activeDeadlineSeconds") or ends_after, ends_after),
                "ttlSecondsAfterFinished": max(spec.get("ttlSecondsAfterFinished") or 0, KEPT),
            },
        }

    def _creation(self, change: RunJob, body: Mapping[str, Any], *, dry_run: bool = False) -> Call:
        namespace = change.target.namespace
        dry = (("dryRun", "All"),) if dry_run else ()
        return Call(
            method="POST",
            path=group_path(GROUP, namespace, "jobs"),
            doing=f"make a job from cronjob/{change.source} in namespace {namespace}"
            + (" (dry run)" if dry_run else ""),
            needs=f"create jobs.batch in namespace {namespace}",
            query=(("fieldManager", self._manager), *dry),
            body=body,
            repeatable=dry_run,
        )


def job_ref(change: RunJob, step: EffectId) -> ObjectRef:
    """The Job that the step makes."""
    return ObjectRef(kind=JOB, namespace=change.target.namespace, name=job_name(change.source, step))


def _ours(change: RunJob, fence: Fence, ref: ObjectRef, obj: Json) -> Job:
    """The Job, if it was made for this step from what was planned. Raises Refused."""
    with understood(str(ref)):
        annotations, found = obj["metadata"].get("annotations") or {}, job_of(obj)
    if annotations.get(STEP_ANNOTATION) != fence.effect:
        raise Refused(f"{ref} is there already and was not made for this step: nothing is done with it")
    planned = template_mark(change.source_uid, change.generation)
    if not found.begun and annotations.get(TEMPLATE_ANNOTATION) != planned:
        raise Refused(
            f"{ref} was made from an earlier version of cronjob/{change.source} and never ran; delete it"
        )
    return found


def _cron_call(namespace: str, name: str) -> Call:
    return Call(
        method="GET",
        path=group_path(GROUP, namespace, "cronjobs", checked_name(name)),
        doing=f"read cronjob/{name} in namespace {namespace}",
        needs=f"get cronjobs.batch in namespace {namespace}",
        repeatable=True,
    )


async def read_cron_job(api: Api, namespace: str, name: str) -> CronJob:
    """The CronJob of that name. Raises NotFound, Refused, Retryable."""
    obj = await api.call(_cron_call(namespace, name))
    with understood(f"cronjob/{name}"):
        return cron_job_of(obj)


async def read_job(api: Api, namespace: str, name: str) -> Job:
    """The Job of that name. Raises NotFound, Refused, Retryable."""
    obj = await api.call(read_call(ObjectRef(kind=JOB, namespace=namespace, name=name)))
    with understood(f"job/{name}"):
        return job_of(obj)


async def read_job_pods(api: Api, job: Job) -> tuple[Pod, ...]:
    """The pods that it made. Raises NotFound, Refused, Retryable."""
    namespace, owner = job.ref.namespace, str(job.ref)
    listing = Listing(
        resource="pods",
        namespace=namespace,
        path=core_path(namespace, "pods"),
        labels=f"job-name={checked_name(job.ref.name)}",  # the label that every version writes
    )
    with understood(f"the pods of {owner}"):
        found = await collect(api, listing, pod_of, api.deadline())
    return tuple(pod for pod in found if pod.controller == owner)


def cron_job_of(obj: Json) -> CronJob:
    """The CronJob as the API server tells it."""
    meta, spec = obj["metadata"], obj["spec"]
    return CronJob(
        name=meta["name"],
        uid=meta["uid"],
        generation=meta.get("generation", 0),
        suspended=bool(spec.get("suspend")),
        asleep=bool(spec["jobTemplate"]["spec"].get("suspend")),
        annotations=dict(meta.get("annotations") or {}),
    )


def job_of(obj: Json) -> Job:
    """The Job as the API server tells it."""
    meta, status = obj["metadata"], obj.get("status") or {}
    annotations = meta.get("annotations") or {}
    ends = [
        (_ENDS[one["type"]], one)
        for one in status.get("conditions") or ()
        if one.get("type") in _ENDS and one.get("status") == "True"
    ]
    ended, why = ends[0] if ends else (None, {})
    step = annotations.get(STEP_ANNOTATION)
    return Job(
        ref=ObjectRef(kind=JOB, namespace=meta["namespace"], name=meta["name"]),
        uid=meta["uid"],
        begun=step is not None and annotations.get(EFFECT_ANNOTATION) == step,
        asleep=bool(obj["spec"].get("suspend")),
        active=status.get("active", 0),
        succeeded=status.get("succeeded", 0),
        failed=status.get("failed", 0),
        ended=ended,
        reason=why.get("reason", ""),
        message=why.get("message", ""),
    )
