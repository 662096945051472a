"""The Jobs of a rehearsal: made asleep, woken, and over when it was said, within the time that they have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from remediator.core.changes import Fence, RunJob
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, epoch_of
from remediator.core.errors import Fenced, NotFound
from remediator.core.jobs import JOB, CronJob, Job, JobEnd, job_name
from remediator.core.objects import ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.rehearsal.script import Result, StepOutcome


class Clockwork(Protocol):
    """What jobs must know of the rehearsal around them."""

    @property
    def now(self) -> Callable[[], Instant]:
        """The virtual clock."""

    def changes_at(self, at: Instant) -> None:
        """What is seen of a job changes by itself then."""


@dataclass(frozen=True, kw_only=True)
class _Staged:
    """One Job. ``core.cluster.Marked`` too."""

    target: WorkloadRef
    ref: ObjectRef
    annotations: Mapping[str, str] = field(default_factory=dict)
    ends_at: Instant | None = None
    end: JobEnd = JobEnd.COMPLETE
    reason: str = ""
    message: str = ""
    generation: int = 1

    @property
    def epoch(self) -> int:
        return epoch_of(self.annotations)

    def seen(self, at: Instant) -> Job:
        """As it is then."""
        begun = self.ends_at is not None
        if self.ends_at is None or at < self.ends_at:
            return Job(ref=self.ref, uid=self.ref.path, begun=begun, asleep=not begun, active=int(begun))
        done = self.end is JobEnd.COMPLETE
        return Job(
            ref=self.ref,
            uid=self.ref.path,
            begun=True,
            succeeded=int(done),
            failed=int(not done),
            ended=self.end,
            reason=self.reason,
            message=self.message,
        )


class StagedJobs:
    """Every CronJob that is asked for is there; a job completes at once unless something else was said."""

    def __init__(self, world: Clockwork) -> None:
        self._world = world
        self._known: dict[str, _Staged] = {}

    def cron_job(self, name: str) -> CronJob:
        """The CronJob of that name."""
        return CronJob(name=name, uid=f"uid-{name}", generation=1)

    def _find(self, ref: ObjectRef) -> _Staged:
        if ref.path not in self._known:
            raise NotFound(f"{ref} does not exist")
        return self._known[ref.path]

    def job(self, ref: ObjectRef) -> Job:
        """As it is now. Raises NotFound."""
        return self._find(ref).seen(self._world.now())

    def made_for(self, ref: ObjectRef) -> WorkloadRef:
        """The workload that it was made for. Raises NotFound."""
        return self._find(ref).target

    def prepare(self, change: RunJob, fence: Fence) -> Job:
        """The step's job: there, asleep and under that epoch, or as it is. Raises Fenced."""
        name = job_name(change.source, fence.effect)
        ref = ObjectRef(kind=JOB, namespace=change.target.namespace, name=name)
        self._known.setdefault(ref.path, _Staged(target=change.target, ref=ref))
        if not (found := self.job(ref)).begun:
            self.claim(ref, fence)
        return found

    def claim(self, ref: ObjectRef, fence: Fence) -> _Staged:
        """Its annotations after the epoch was written there. Raises NotFound, Fenced."""
        found = self._find(ref)
        if found.epoch > fence.epoch:
            raise Fenced(f"{ref} is owned under epoch {found.epoch}, newer than {fence.epoch}")
        claimed = replace(found, annotations={**found.annotations, EPOCH_ANNOTATION: str(fence.epoch)})
        self._known[ref.path] = claimed
        return claimed

    def wake(self, change: RunJob, fence: Fence, said: StepOutcome | None) -> None:
        """It runs from now on, and ends as it was said to. Raises NotFound."""
        name = job_name(change.source, fence.effect)
        found = self._find(ObjectRef(kind=JOB, namespace=change.target.namespace, name=name))
        takes = said.takes if said is not None else 0
        end, why = JobEnd.COMPLETE, ("", "")
        if takes > change.timeout:
            end, why = JobEnd.FAILED, ("DeadlineExceeded", "Job was active longer than specified deadline")
        elif said is not None and said.result is Result.FAILED:
            end, why = JobEnd.FAILED, ("BackoffLimitExceeded", "the rehearsal lets it fail")
        ends_at = Instant(self._world.now() + min(takes, change.timeout))
        marked = {**found.annotations, EFFECT_ANNOTATION: fence.effect}
        self._known[found.ref.path] = replace(
            found, annotations=marked, ends_at=ends_at, end=end, reason=why[0], message=why[1]
        )
        self._world.changes_at(ends_at)
