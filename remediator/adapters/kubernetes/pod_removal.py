"""Taking one pod away: by its UID, so that doing it again, or too late, touches no other.

A pod carries no epoch and leaves no mark. What makes its removal safe to repeat is its identity: once it is
gone, or on its way out, the removal has happened. See ``docs/decisions``, 0008.
"""

from __future__ import annotations

from typing import Any

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Conflict
from remediator.adapters.kubernetes.reader import checked_name
from remediator.adapters.kubernetes.snapshots import Json, pod_of
from remediator.core.changes import DeletePod, EvictPod, PodChange
from remediator.core.errors import NotFound, RemediatorError, Retryable, Unknown
from remediator.core.times import SECOND

ASK_AGAIN = 10 * SECOND
"""When a disruption budget lets nothing go and the server does not say when to come again."""


class PodRemoval:
    """Deletes and evicts pods."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def dry_run(self, change: PodChange) -> None:
        """Have the server check it, budgets and permissions included. Raises Refused, Retryable."""
        try:
            await self._api.call(_removal(change, {"uid": change.pod_uid}, dry_run=True))
        except (NotFound, Conflict) as error:
            raise Retryable(f"pod {change.pod} is no longer what it was: look again") from error
        except Retryable as error:
            raise _patient(error) from error

    async def remove(self, change: PodChange) -> None:
        """Return when the pod is gone or on its way.

        It is asked for once; when somebody else was quicker, or the answer is lost, a look tells. Raises
        Refused, Retryable (also while a budget forbids it, and when the pod has become ready since that was
        planned) and Unknown.
        """
        deadline = self._api.deadline()
        seen = await self._present(change, deadline)
        if seen is None:
            return
        if not change.ready and pod_of(seen).ready:  # the guards agreed to take away what is down
            raise Retryable(f"pod {change.pod} is ready by now: look again")
        wanted = {"uid": change.pod_uid}
        if isinstance(change, DeletePod):
            wanted["resourceVersion"] = str(seen["metadata"]["resourceVersion"])  # exactly as just seen
        try:
            await self._api.call(_removal(change, wanted), deadline)
        except NotFound:
            return
        except (Conflict, Unknown):
            if not await self._gone(change, deadline):
                raise  # the guards are asked again before it is tried again
        except Retryable as error:
            raise _patient(error) from error

    async def _gone(self, change: PodChange, deadline: Deadline) -> bool:
        """Whether that very pod is known to be gone or on its way."""
        try:
            return await self._present(change, deadline) is None
        except RemediatorError:
            return False

    async def _present(self, change: PodChange, deadline: Deadline) -> Json | None:
        """The pod as it is; None when that very pod is gone or on its way."""
        namespace = checked_name(change.space)
        call = Call(
            method="GET",
            path=f"/api/v1/namespaces/{namespace}/pods/{checked_name(change.pod)}",
            doing=f"read pod {change.pod} in namespace {namespace}",
            needs=f"get pods in namespace {namespace}",
            repeatable=True,
        )
        try:
            pod: Json = await self._api.call(call, deadline)
        except NotFound:
            return None
        meta = pod["metadata"]
        return None if meta["uid"] != change.pod_uid or meta.get("deletionTimestamp") else pod


def _patient(error: Retryable) -> Retryable:
    return Retryable(str(error), delay=error.delay if error.delay is not None else ASK_AGAIN)


def _removal(change: PodChange, preconditions: dict[str, str], *, dry_run: bool = False) -> Call:
    namespace, pod = checked_name(change.space), checked_name(change.pod)
    options: dict[str, Any] = {"preconditions": preconditions}
    if dry_run:
        options["dryRun"] = ["All"]
    if isinstance(change, EvictPod) and change.grace is not None:
        options["gracePeriodSeconds"] = change.grace // SECOND
    path, needs = f"/api/v1/namespaces/{namespace}/pods/{pod}", f"delete pods in namespace {namespace}"
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
    if isinstance(change, EvictPod):
        path, needs = f"{path}/eviction", f"create pods/eviction in namespace {namespace}"
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": namespace},
            "deleteOptions": options,
        }
    return Call(
        method="POST" if isinstance(change, EvictPod) else "DELETE",
        path=path,
        doing=f"{change} in namespace {namespace}" + (" (dry run)" if dry_run else ""),
        needs=needs,
        body=body,
        repeatable=dry_run,
    )
