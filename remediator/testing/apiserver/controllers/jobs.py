"""The Job controller: pods until enough have succeeded, or too many have failed.

As in Kubernetes, a finalizer keeps every pod until it is counted: its uid stands among the
``uncountedTerminatedPods`` first, then the finalizer goes, then the count moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.making import make_pod, owners_with_room, tell_refused
from remediator.testing.apiserver.controllers.pods import is_active, is_finished, is_ready
from remediator.testing.apiserver.controllers.revisions import owned_pods, owner_keys, pod_from
from remediator.testing.apiserver.kinds import JOBS, PODS
from remediator.testing.apiserver.objects import Json, Key, clone, condition, deleting, digest, key_of
from remediator.testing.apiserver.store import Event

FINALIZER = "batch.kubernetes.io/job-tracking"
_FIRST_WAIT, _LONGEST_WAIT = 10.0, 600.0
"""The wait before a failed pod is replaced, in seconds: first and longest; it doubles with every failure."""
_WHY = {
    "CompletionsReached": "Reached expected number of succeeded pods",
    "BackoffLimitExceeded": "Job has reached the specified backoff limit",
    "DeadlineExceeded": "Job was active longer than specified deadline",
}


class Jobs:
    """Creates pods and counts how they end."""

    def __init__(self) -> None:
        self._named = 0

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Jobs that change, and owners of pods that do."""
        if event.kind is JOBS and event.type != "DELETED":
            yield event.key
        elif event.kind is PODS:
            yield from owner_keys(JOBS, event.obj)
        else:
            yield from owners_with_room(cluster, JOBS, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Count what has ended, decide whether it is over, then create what is missing."""
        job = cluster.store.get(JOBS, key)
        if job is None or deleting(job) or _settled(job):
            return
        pods = owned_pods(cluster, job)
        status = self._status(cluster, job, pods)
        if verdict := _verdict(cluster, job, status, pods):
            self._conclude(cluster, job, status, pods, verdict)
        elif job["spec"]["suspend"]:
            self._suspend(cluster, job, status, pods)
        else:
            self._run(cluster, job, status, pods)

    def _status(self, cluster: Cluster, job: Json, pods: Sequence[Json]) -> Json:
        """The present status with what can be seen now; the pods whose finalizer is gone are counted."""
        status, uncounted = clone(job["status"]), clone(job["status"].get("uncountedTerminatedPods", {}))
        held = {pod["metadata"]["uid"] for pod in pods if FINALIZER in pod["metadata"].get("finalizers", ())}
        for name in ("succeeded", "failed"):
            waiting = [uid for uid in uncounted.pop(name, ()) if uid in held]
            counted = len(job["status"].get("uncountedTerminatedPods", {}).get(name, ())) - len(waiting)
            if counted:
                status[name] = status.get(name, 0) + counted
            if waiting:
                uncounted[name] = waiting
        active = [pod for pod in pods if is_active(pod)]
        going = [pod for pod in pods if deleting(pod) and not is_finished(pod)]
        status |= {"terminating": len(going), "ready": sum(map(is_ready, active))}
        status["uncountedTerminatedPods"] = uncounted
        _count(status, "active", len(active))
        return status

    def _conclude(self, cluster: Cluster, job: Json, status: Json, pods: Sequence[Json], reason: str) -> None:
        """Say what it comes to, let go of the pods, and when they are counted say that it is over."""
        done = reason == "CompletionsReached"
        for pod in pods:
            if is_active(pod):
                cluster.delete(PODS, key_of(pod))
        status.pop("active", None)
        _add_condition(cluster, status, "SuccessCriteriaMet" if done else "FailureTarget", reason)
        waiting = self._account(cluster, job, status, pods)
        still = any(deleting(pod) and not is_finished(pod) for pod in pods) or any(map(is_active, pods))
        if waiting or still:
            cluster.set_status(JOBS, key_of(job), status)
            self._release(cluster, pods, status)
            return
        _add_condition(cluster, status, "Complete" if done else "Failed", reason)
        status |= {"completionTime": cluster.timestamp()} if done else {}
        cluster.set_status(JOBS, key_of(job), status)
        message = "Job completed" if done else _WHY[reason]
        announce(cluster, job, "job-controller", "Completed" if done else reason, message, warning=not done)
        self._expire(cluster, job)

    def _account(self, cluster: Cluster, job: Json, status: Json, pods: Sequence[Json]) -> bool:
        """Note the pods that have ended and are not counted yet; whether there are any."""
        uncounted = status["uncountedTerminatedPods"]
        for pod in pods:
            meta = pod["metadata"]
            if not is_finished(pod) or FINALIZER not in meta.get("finalizers", ()):
                continue
            name = "succeeded" if pod["status"]["phase"] == "Succeeded" else "failed"
            if meta["uid"] not in uncounted.get(name, ()):
                uncounted[name] = [*uncounted.get(name, ()), meta["uid"]]
        return bool(uncounted)

    def _release(self, cluster: Cluster, pods: Sequence[Json], status: Json) -> None:
        noted = {uid for uids in status["uncountedTerminatedPods"].values() for uid in uids}
        for pod in pods:
            if pod["metadata"]["uid"] in noted and FINALIZER in pod["metadata"].get("finalizers", ()):
                freed = clone(pod)
                freed["metadata"]["finalizers"].remove(FINALIZER)
                if not freed["metadata"]["finalizers"]:
                    del freed["metadata"]["finalizers"]
                cluster.store.put(PODS, freed)

    def _suspend(self, cluster: Cluster, job: Json, status: Json, pods: Sequence[Json]) -> None:
        for pod in pods:
            if is_active(pod):
                cluster.delete(PODS, key_of(pod))
        pods = owned_pods(cluster, job)
        status["terminating"] = sum(deleting(pod) and not is_finished(pod) for pod in pods)
        status["ready"] = 0
        status.pop("active", None)
        if condition({"status": status}, "Suspended") is None:
            _add_condition(cluster, status, "Suspended", "JobSuspended", "Job suspended")
            announce(cluster, job, "job-controller", "Suspended", "Job suspended")
        cluster.set_status(JOBS, key_of(job), status)

    def _run(self, cluster: Cluster, job: Json, status: Json, pods: Sequence[Json]) -> None:
        if "startTime" not in status:
            status["startTime"] = cluster.timestamp()
            cluster.moments[job["metadata"]["uid"]] = cluster.clock()
            self._watch_deadline(cluster, job)
        self._account(cluster, job, status, pods)
        wanted = self._wanted(job, status)
        active = sum(map(is_active, pods))
        if active < wanted and not self._waits(cluster, job, status, pods):
            while active < wanted and self._create(cluster, job):
                active += 1
        _count(status, "active", active)
        cluster.set_status(JOBS, key_of(job), status)
        self._release(cluster, pods, status)

    def _wanted(self, job: Json, status: Json) -> int:
        spec = job["spec"]
        succeeded = status.get("succeeded", 0) + len(status["uncountedTerminatedPods"].get("succeeded", ()))
        left = spec["parallelism"] if "completions" not in spec else spec["completions"] - succeeded
        return int(min(spec["parallelism"], max(0, left)))

    def _waits(self, cluster: Cluster, job: Json, status: Json, pods: Sequence[Json]) -> bool:
        """Whether a failure is too recent for another attempt; looks again when it is not any more."""
        failures = _failures(status)
        if not failures:
            return False
        uid, now = job["metadata"]["uid"], cluster.clock()
        since = cluster.moments.setdefault(f"{uid} failure {failures}", now)
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (failures - 1)) * cluster.pace.second
        if now - since >= wait:
            return False
        key = key_of(job)
        cluster.after(wait - (now - since), lambda: cluster.enqueue(self, key))
        return True

    def _watch_deadline(self, cluster: Cluster, job: Json) -> None:
        if (seconds := job["spec"].get("activeDeadlineSeconds")) is not None:
            key = key_of(job)
            cluster.after(seconds * cluster.pace.second, lambda: cluster.enqueue(self, key), deadline=True)

    def _expire(self, cluster: Cluster, job: Json) -> None:
        if (seconds := job["spec"].get("ttlSecondsAfterFinished")) is not None:
            key = key_of(job)
            cluster.after(seconds * cluster.pace.second, lambda: cluster.delete(JOBS, key), deadline=True)

    def _create(self, cluster: Cluster, job: Json) -> bool:
        """Make a pod; False when it is refused."""
        self._named += 1
        name = f"{job['metadata']['name']}-{digest([job['metadata']['uid'], self._named])[-5:]}"
        pod = pod_from(job, job["spec"]["template"], name, {})
        pod["metadata"] |= {"generateName": f"{job['metadata']['name']}-", "finalizers": [FINALIZER]}
        if refused := make_pod(cluster, pod):
            tell_refused(cluster, job, "job-controller", refused)
            return False
        announce(cluster, job, "job-controller", "SuccessfulCreate", f"Created pod: {name}")
        return True


def _settled(job: Json) -> bool:
    return any(
        one["type"] in {"Complete", "Failed"} and one["status"] == "True"
        for one in job["status"].get("conditions", ())
    )


def _failures(status: Json) -> int:
    return int(status.get("failed", 0)) + len(status["uncountedTerminatedPods"].get("failed", ()))


def _verdict(cluster: Cluster, job: Json, status: Json, pods: Sequence[Json]) -> str:
    """The reason why it is over, or nothing."""
    for of in ("SuccessCriteriaMet", "FailureTarget"):
        if (said := condition(job, of)) is not None:
            return str(said["reason"])
    spec, ended = job["spec"], [pod for pod in pods if is_finished(pod)]
    noted = {uid for uids in status["uncountedTerminatedPods"].values() for uid in uids}
    fresh = [
        pod["status"]["phase"]
        for pod in ended
        if FINALIZER in pod["metadata"].get("finalizers", ()) and pod["metadata"]["uid"] not in noted
    ]
    succeeded = status.get("succeeded", 0) + len(status["uncountedTerminatedPods"].get("succeeded", ()))
    if succeeded + fresh.count("Succeeded") >= spec.get("completions", 1):
        return "CompletionsReached"
    if _failures(status) + fresh.count("Failed") + _restarts(job, pods) > spec["backoffLimit"]:
        return "BackoffLimitExceeded"
    started = cluster.moments.get(job["metadata"]["uid"])
    deadline = spec.get("activeDeadlineSeconds")
    if None not in (started, deadline) and "startTime" in status:
        passed = cluster.clock() - (started or 0.0)
        return "DeadlineExceeded" if passed >= float(deadline) * cluster.pace.second else ""
    return ""


def _restarts(job: Json, pods: Sequence[Json]) -> int:
    """With OnFailure it is the kubelet that tries again."""
    if job["spec"]["template"]["spec"]["restartPolicy"] != "OnFailure":
        return 0
    return sum(one["restartCount"] for pod in pods for one in pod["status"].get("containerStatuses", ()))


def _count(status: Json, name: str, number: int) -> None:
    status.pop(name, None)
    if number:
        status[name] = number


def _add_condition(cluster: Cluster, status: Json, of: str, reason: str, message: str = "") -> None:
    if condition({"status": status}, of) is not None:
        return
    now = cluster.timestamp()
    entry = {"type": of, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
    entry |= {"reason": reason, "message": message or _WHY[reason]}
    status["conditions"] = [*status.get("conditions", ()), entry]
