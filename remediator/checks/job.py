"""``job``: a Job that a step began has completed. Not for policy files: its name follows from the step."""

from __future__ import annotations

from typing import ClassVar, cast

from remediator.core.cluster import ClusterReader, Pod
from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.jobs import Job, JobEnd
from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.redact import hide_keys, redact
from remediator.core.text import plain
from remediator.core.values import ObjectName

LINES = 5
"""The last lines of a failed job's log that are told."""
TAIL = 40
"""Lines that are read: a key that is to be hidden may begin before those that are told."""
LONGEST_READ = 4_000
LONGEST_LINE = 160


class JobEndedParams(Params):
    """Which Job, in the target's namespace."""

    name: ObjectName


class JobEnded:
    """Holds when the Job has completed; it is final that it has failed, or is gone."""

    name: ClassVar[str] = "job"
    params: ClassVar[type[Params]] = JobEndedParams
    permissions: ClassVar[tuple[Permission, ...]] = ()  # those of the action that began it
    example: ClassVar[str] = "job: {name: reset-circuit-breakers-0123456789}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Reads its conditions; of one that failed also what its last pod wrote."""
        wanted = cast("JobEndedParams", params)
        if sight.cluster is None or sight.target is None:
            return CheckResult(holds=None, observed="no cluster, or no workload in the catalog")
        try:
            seen = await sight.cluster.job(sight.target.namespace, wanted.name)
        except NotFound as error:
            gone = f"job {wanted.name} is gone, and nobody saw how it ended: {error}"
            return CheckResult(holds=None, observed=gone, final=True)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=f"job {wanted.name} could not be read: {error}")
        match seen.ended:
            case JobEnd.COMPLETE:
                return CheckResult(holds=True, observed=f"job {wanted.name} completed, {_pods(seen)}")
            case JobEnd.FAILED:
                why = f"job {wanted.name} failed ({plain(seen.reason, 60)}: {plain(seen.message, 160)})"
                return CheckResult(
                    holds=False, observed=why + await _last_words(sight.cluster, seen), final=True
                )
        state = "suspended by somebody" if seen.asleep else "not over yet"
        return CheckResult(holds=False, observed=f"job {wanted.name} is {state}, {_pods(seen)}")


def _pods(job: Job) -> str:
    return f"{job.active} pods at work, {job.succeeded} succeeded, {job.failed} failed"


async def _last_words(cluster: ClusterReader, job: Job) -> str:
    """What the pod that failed last wrote last, secrets hidden; nothing where that cannot be read."""
    try:
        pods = sorted(await cluster.job_pods(job), key=lambda pod: (pod.phase == "Failed", pod.created_at))
        return f"; {await _log(cluster, job.ref.namespace, pods[-1])}" if pods else "; it left no pod"
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return f"; its log could not be read: {plain(str(error), 200)}"


async def _log(cluster: ClusterReader, namespace: str, pod: Pod) -> str:
    container = pod.suspect or next(iter(pod.containers), "")
    lines = await cluster.logs(namespace, pod.name, container, tail=TAIL)
    told = [line for line in hide_keys([line[:LONGEST_READ] for line in lines]) if line.strip()][-LINES:]
    said = " | ".join(plain(redact(line), LONGEST_LINE) for line in told)
    return f"{pod.name}/{container} wrote last: {said}" if said else f"{pod.name}/{container} wrote nothing"
