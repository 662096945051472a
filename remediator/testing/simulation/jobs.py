"""CronJobs and Jobs of the simulated cluster."""

from __future__ import annotations

from dataclasses import dataclass, field

from remediator.core.changes import Fence, RunJob
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, epoch_of
from remediator.core.errors import Fenced, NotFound
from remediator.core.jobs import JOB, CronJob, Job, JobEnd, job_name
from remediator.core.objects import ObjectRef

SOURCE = "reset"
"""The name of the CronJob that every namespace has."""
TAKES = 6.0
"""Virtual seconds from the waking of a job to its end."""


@dataclass(kw_only=True)
class SimJob:
    """A Job. ``began``: when it was woken; None: it is asleep."""

    ref: ObjectRef
    uid: str
    fails: bool
    generation: int = 1
    began: float | None = None
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The epoch it was last claimed under."""
        return epoch_of(self.annotations)

    def over(self, now: float) -> bool:
        """Whether it has ended."""
        return self.began is not None and now - self.began >= TAKES

    def seen(self, now: float) -> Job:
        """As the API server would answer."""
        ended = None if not self.over(now) else JobEnd.FAILED if self.fails else JobEnd.COMPLETE
        return Job(
            ref=self.ref,
            uid=self.uid,
            begun=self.began is not None,
            asleep=self.began is None,
            active=int(self.began is not None and ended is None),
            succeeded=int(ended is JobEnd.COMPLETE),
            failed=int(ended is JobEnd.FAILED),
            ended=ended,
            reason="BackoffLimitExceeded" if ended is JobEnd.FAILED else "",
        )


class SimJobs:
    """All of them. ``fences``: whether epochs are tested (they must be)."""

    def __init__(self, *, fences: bool = True) -> None:
        self._jobs: dict[str, SimJob] = {}
        self._fences = fences

    def source(self, name: str) -> CronJob:
        """The CronJob of that name. Raises NotFound."""
        if name != SOURCE:
            raise NotFound(f"cronjob/{name} does not exist")
        return CronJob(name=SOURCE, uid="uid-cronjob", generation=1)

    def get(self, ref: ObjectRef) -> SimJob:
        """The one of that name. Raises NotFound."""
        if ref.path not in self._jobs:
            raise NotFound(f"{ref} does not exist")
        return self._jobs[ref.path]

    def prepare(self, change: RunJob, fence: Fence, *, fails: bool) -> SimJob:
        """The step's Job, asleep if it was not there."""
        ref = ref_of(change, fence)
        return self._jobs.setdefault(ref.path, SimJob(ref=ref, uid=f"uid-{ref.name}", fails=fails))

    def wake(self, change: RunJob, fence: Fence, at: float) -> bool:
        """Whether it was asleep. Raises NotFound, Fenced."""
        job = self.get(ref_of(change, fence))
        if job.uid != change.job_uid:
            raise NotFound(f"{job.ref} is another by now")
        if self._fences and job.epoch != fence.epoch:
            raise Fenced(f"{job.ref} carries epoch {job.epoch}, ours is {fence.epoch}")
        if job.began is not None:
            return False
        job.began = at
        job.annotations[EFFECT_ANNOTATION] = fence.effect
        return True

    def claim(self, ref: ObjectRef, fence: Fence) -> SimJob:
        """It is under that epoch from now on. Raises NotFound, Fenced."""
        job = self.get(ref)
        if self._fences and job.epoch > fence.epoch:
            raise Fenced(f"{ref} carries epoch {job.epoch}, ours is {fence.epoch}")
        job.annotations[EPOCH_ANNOTATION] = str(fence.epoch)
        return job


def ref_of(change: RunJob, fence: Fence) -> ObjectRef:
    """The Job that the step makes."""
    name = job_name(change.source, fence.effect)
    return ObjectRef(kind=JOB, namespace=change.target.namespace, name=name)
