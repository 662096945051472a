"""``job``: run the template of a CronJob once."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from remediator.core.changes import Change, RunJob
from remediator.core.cluster import IGNORE_ANNOTATION, Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.incident import EffectId
from remediator.core.jobs import JOB, job_name
from remediator.core.plugins import EffectClass, Params, Permission, no_inverse, objection
from remediator.core.policies import Check
from remediator.core.spans import Span
from remediator.core.times import MINUTE, SECOND, Instant, Millis
from remediator.core.values import ObjectName

GRACE = 30 * SECOND
"""After its time is over Kubernetes ends a Job itself: so long it may take until that is seen."""


class JobParams(Params):
    """Parameters of ``job``."""

    source: ObjectName = Field(
        alias="from",
        min_length=1,
        description="The name of the CronJob whose template is run, in the namespace of the workload.",
    )
    timeout: Span = Field(
        default=10 * MINUTE, description="How long it may run before Kubernetes ends it and it has failed."
    )

    @field_validator("timeout")
    @classmethod
    def _in_seconds(cls, span: int) -> int:
        if span < SECOND:
            raise objection("P014", "must be a second at least: Kubernetes counts no less; write 5m")
        return span


class RunCronJob:
    """Run the template of a CronJob once: the way to run anything custom, with permissions of its own.

    As `kubectl create job --from`, whether the CronJob itself is suspended or not. The step is done when the
    job has completed; where it fails, or takes too long, so has the step, and the last lines of its log are
    told. Idempotent: the job's name follows from the step. It is made asleep and woken under the lease's
    epoch, so that an older owner can neither run it again nor make another. It has no inverse. Finished jobs
    are kept for a day, whatever the CronJob's own history keeps.
    """

    name: ClassVar[str] = "job"
    params: ClassVar[type[Params]] = JobParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            group="batch", resource="cronjobs", verbs=("get",), named=("from",), why="read what is to be run"
        ),
        Permission(
            group="batch",
            resource="jobs",
            verbs=("create", "get", "patch"),
            acting=True,
            why="make the job, wake it and see how it ends",
        ),
        Permission(
            group="", resource="pods", verbs=("list",), acting=True, why="find the pods of a job that failed"
        ),
        Permission(
            group="",
            resource="pods/log",
            verbs=("get",),
            acting=True,
            why="read what a job that failed wrote",
        ),
    )
    effect: ClassVar[EffectClass] = EffectClass.IDEMPOTENT
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = JOB
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "job: {from: reset-circuit-breakers, timeout: 5m}"

    def disrupts(self, params: Params) -> bool:
        """It takes no pod of the workload away itself; what it runs has permissions of its own."""
        return False

    def cron_job(self, params: Params) -> str:
        """The one that is named."""
        assert isinstance(params, JobParams)
        return params.source

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One job. Raises Refused where the CronJob has opted out, or its jobs are for others to wake."""
        assert isinstance(params, JobParams)
        found = seen.cron_job
        if found is None:
            raise Refused(f"cronjob/{params.source} was not read")
        if IGNORE_ANNOTATION in found.annotations:
            raise Refused(f"cronjob/{found.name} carries the annotation {IGNORE_ANNOTATION}")
        if found.asleep:
            raise Refused(
                f"cronjob/{found.name} makes its jobs suspended (spec.jobTemplate.spec.suspend), so somebody "
                "else starts them; write a CronJob without that for this step"
            )
        target = seen.workload
        return (
            RunJob(
                target=target.ref,
                uid=target.uid,
                source=found.name,
                source_uid=found.uid,
                generation=found.generation,
                timeout=Millis(params.timeout),
            ),
        )

    def settles(self, params: Params, step: EffectId) -> Check | None:
        """That its job has completed."""
        assert isinstance(params, JobParams)
        name = job_name(params.source, step)
        return Check(check="job", params={"name": name}, within=Millis(params.timeout + GRACE))

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: nobody knows what it did. Raises Refused."""
        raise no_inverse(self.name)
