"""The only thing in the program that can change a cluster.

A change is one patch that tests the object's identity and our epoch; see ``docs/decisions``, 0003. It is sent
once. When it is not known whether it happened, that is what is said.
"""

from __future__ import annotations

from typing import Any, assert_never

from remediator.adapters.kubernetes import patches
from remediator.adapters.kubernetes.api import JSON_PATCH, Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Conflict, Rejected
from remediator.adapters.kubernetes.patches import Patch, Shape
from remediator.adapters.kubernetes.reader import read_call, workload_path
from remediator.adapters.kubernetes.snapshots import KINDS, workload_of
from remediator.core.cluster import EPOCH_ANNOTATION, Change, Fence, RestartWorkload, Workload
from remediator.core.errors import Fenced, NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef

FIELD_MANAGER = "remediator"
REMEMBERED = 1000
"""Objects whose shape is remembered between claim and change: far more than can be claimed at once."""


class ClusterExecutor:
    """``core.cluster.Executor`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._shapes: dict[str, Shape] = {}

    async def dry_run(self, change: Change) -> None:
        """Have the server check the change, permissions included, without making it.

        Raises NotFound, Refused, Retryable.
        """
        match change:
            case RestartWorkload():
                await self._dry_restart(change)
            case _:
                assert_never(change)

    async def claim(self, target: WorkloadRef, uid: str, fence: Fence) -> Workload:
        """Write the epoch to the target; its state after that.

        When an answer is lost it looks before it claims again: the patch tests the epoch it replaces, so
        that a claim that arrives late changes nothing. Raises NotFound, Refused, Fenced, Retryable.
        """
        deadline = self._api.deadline()
        for _ in range(self._api.limits.claims):
            obj = await self._api.call(read_call(target), deadline)
            seen = self._present(target, uid, obj)
            if seen.epoch > fence.epoch:
                raise Fenced(f"{target} is owned under epoch {seen.epoch}, newer than our {fence.epoch}")
            if seen.epoch == fence.epoch:
                return seen
            patch = patches.claim(uid, obj["metadata"].get("annotations") or None, fence.epoch)
            try:
                answer = await self._api.call(_patch(target, patch, "claim"), deadline)
                return self._present(target, uid, answer)
            except (Conflict, Rejected, Unknown):
                continue  # somebody else wrote first, or the answer is lost: look again
        raise Retryable(f"{target} could not be claimed: others keep writing its {EPOCH_ANNOTATION}")

    async def apply(self, change: Change, fence: Fence) -> None:
        """Make the change if the target is still that object and still carries our epoch.

        Raises NotFound, Refused, Fenced, Retryable (it surely did not happen) and Unknown (it may have).
        """
        match change:
            case RestartWorkload():
                await self._restart(change, fence)
            case _:
                assert_never(change)

    async def _restart(self, change: RestartWorkload, fence: Fence) -> None:
        target, deadline = change.target, self._api.deadline()
        shape = self._shapes.get(change.uid, Shape())
        patch = patches.restart(change.uid, change.at, fence.effect, shape, epoch=fence.epoch)
        try:
            self._remember(await self._api.call(_patch(target, patch, "restart"), deadline))
        except Rejected as error:
            raise await self._why(change, fence, shape, error, deadline) from error

    async def _why(
        self, change: RestartWorkload, fence: Fence, shape: Shape, error: Rejected, deadline: Deadline
    ) -> RemediatorError:
        """Which test failed. The server does not tell, so look. Raises NotFound, Refused, Retryable."""
        target = change.target
        obj = await self._api.call(read_call(target), deadline)
        seen = self._present(target, change.uid, obj)
        if seen.epoch > fence.epoch:
            return Fenced(f"{target} was claimed under epoch {seen.epoch}, newer than our {fence.epoch}")
        if seen.epoch != fence.epoch:
            return Retryable(f"somebody took our epoch {fence.epoch} off {target}: it must be claimed again")
        if Shape.of(obj) != shape:
            return Retryable(f"the annotations of {target} changed meanwhile: read it again")
        return error

    async def _dry_restart(self, change: RestartWorkload) -> None:
        target, deadline = change.target, self._api.deadline()
        obj = await self._api.call(read_call(target), deadline)
        self._present(target, change.uid, obj)
        effect = EffectId("dry-run")
        patch = patches.restart(change.uid, change.at, effect, Shape.of(obj), epoch=None)
        try:
            after = await self._api.call(_patch(target, patch, "restart", dry_run=True), deadline)
        except Rejected as error:
            raise Retryable(f"{target} changed while it was looked at: read it again") from error
        strategy = (after["spec"].get("updateStrategy") or {}).get("type")
        if strategy == "OnDelete":
            raise Refused(
                f"{target} has updateStrategy OnDelete: a restart would replace no pod until it is deleted"
            )

    def _present(self, target: WorkloadRef, uid: str, obj: Any) -> Workload:
        """The workload if it is still that object. Raises NotFound."""
        if obj["metadata"]["uid"] != uid:
            raise NotFound(f"{target} was deleted; another of the same name took its place")
        if obj["metadata"].get("deletionTimestamp"):
            raise NotFound(f"{target} is being deleted")
        self._remember(obj)
        return workload_of(target, obj)

    def _remember(self, obj: Any) -> None:
        """The shape of what was just read or written, so that the change needs no read of its own."""
        uid = obj["metadata"]["uid"]
        self._shapes.pop(uid, None)
        self._shapes[uid] = Shape.of(obj)
        while len(self._shapes) > REMEMBERED:
            del self._shapes[next(iter(self._shapes))]


def _patch(target: WorkloadRef, patch: Patch, verb: str, *, dry_run: bool = False) -> Call:
    dry = (("dryRun", "All"),) if dry_run else ()
    return Call(
        method="PATCH",
        path=workload_path(target),
        doing=f"{verb} {target} in namespace {target.namespace}" + (" (dry run)" if dry_run else ""),
        needs=f"patch {KINDS[target.kind]}.apps in namespace {target.namespace}",
        query=(("fieldManager", FIELD_MANAGER), *dry),
        body=patch,
        media=JSON_PATCH,
        repeatable=dry_run,
    )
