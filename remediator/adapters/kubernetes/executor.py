"""The only thing in the program that can change a cluster.

A change of an object is one patch that tests the object's identity and our epoch; see ``docs/decisions``,
0003. It is sent once. When it is not known whether it happened, that is what is said. Pods are removed by
their identity (``pod_removal``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

from remediator.adapters.kubernetes import patches
from remediator.adapters.kubernetes.api import JSON_PATCH, Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Conflict, Rejected
from remediator.adapters.kubernetes.jobs import JobMaker, job_ref
from remediator.adapters.kubernetes.patches import Patch, Shape
from remediator.adapters.kubernetes.paths import doing, object_path, place_of, read_call, resource_of
from remediator.adapters.kubernetes.pod_removal import PodRemoval
from remediator.adapters.kubernetes.snapshots import Json
from remediator.adapters.kubernetes.templates import revision_call, template_of
from remediator.core.changes import (
    ClusterChange,
    CordonNode,
    DeletePod,
    EvictPod,
    Fence,
    IsolateWorkload,
    MarkedChange,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    RunJob,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
    UncordonNode,
)
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION, Marked, epoch_of
from remediator.core.errors import Fenced, NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.incident import EffectId
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.jobs import Job
from remediator.core.nodes import CORDONED_AT, MANAGER
from remediator.core.objects import ObjectRef

FIELD_MANAGER = MANAGER
OF_NUMBERS = (ScaleWorkload, IsolateWorkload, RestoreWorkload)
"""Changes that leave the template alone: whatever the rollout strategy, they take effect."""
REMEMBERED = 1000
"""Objects whose shape is remembered between claim and change: far more than can be claimed at once."""


class ClusterExecutor:
    """``core.cluster.Executor`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._pods, self._jobs = PodRemoval(api), JobMaker(api, FIELD_MANAGER)
        self._shapes: dict[str, Shape] = {}
        self._moved: dict[str, tuple[int, int]] = {}
        """By UID: from which generation to which our last claim took the object, and nobody else did."""

    async def dry_run(self, change: ClusterChange) -> None:
        """Have the server check the change, permissions included, without making it.

        Raises NotFound, Refused, Retryable.
        """
        match change:
            case DeletePod() | EvictPod():
                await self._pods.dry_run(change)
            case RunJob():
                await self._jobs.dry_run(change)
            case _:
                await self._dry_run(change)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Marked:
        """Write the epoch to the object; its state after that.

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
                answer = await self._api.call(_patch(target, patch, f"claim {target}"), deadline)
                self._note_claim(target, obj, answer)
                return self._present(target, uid, answer)
            except (Conflict, Rejected, Unknown):
                continue  # somebody else wrote first, or the answer is lost: look again
        raise Retryable(f"{target} could not be claimed: others keep writing its {EPOCH_ANNOTATION}")

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        """Have the step's Job there, asleep and under our epoch; or as it is, where it was woken already.

        Raises NotFound, Refused, Fenced, Retryable.
        """
        made = await self._jobs.make(change, fence, self._api.deadline())
        if made.begun:
            return made
        claimed = await self.claim(made.ref, made.uid, fence)
        return replace(made, begun=claimed.annotations.get(EFFECT_ANNOTATION) == fence.effect)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """Make the change if the target is still that object and still carries our epoch.

        Raises NotFound, Refused, Fenced, Retryable (it surely did not happen) and Unknown (it may have).
        """
        match change:
            case DeletePod() | EvictPod():
                await self._pods.remove(change)
            case RunJob():
                await self._wake(change, fence)
            case _:
                await self._apply(change, fence)

    async def _apply(self, change: MarkedChange, fence: Fence) -> None:
        deadline, shape = self._api.deadline(), self._shapes.get(change.uid, Shape())
        operations = await self._operations(change, shape, deadline)
        patch = patches.fenced(change.uid, fence.effect, shape, operations, epoch=fence.epoch)
        try:
            self._remember(await self._api.call(_patch(change.fenced_on, patch, str(change)), deadline))
        except Rejected as error:
            raise await self._why(change, fence, error, deadline) from error

    async def _wake(self, change: RunJob, fence: Fence) -> None:
        """Let the step's Job run, if it is the one that was prepared and still under our epoch."""
        ref, deadline = job_ref(change, fence.effect), self._api.deadline()
        shape = self._shapes.get(change.job_uid, Shape())
        patch = patches.fenced(change.job_uid, fence.effect, shape, patches.wake(), epoch=fence.epoch)
        try:
            await self._api.call(_patch(ref, patch, f"wake {ref}"), deadline)
        except Rejected as error:
            obj = await self._api.call(read_call(ref), deadline)
            seen = self._present(ref, change.job_uid, obj)
            if seen.epoch > fence.epoch:
                raise Fenced(
                    f"{ref} was claimed under epoch {seen.epoch}, newer than our {fence.epoch}"
                ) from error
            if seen.annotations.get(EFFECT_ANNOTATION) != fence.effect:
                raise Retryable(f"{ref} changed meanwhile: read it again") from error

    async def _operations(self, change: MarkedChange, shape: Shape, deadline: Deadline) -> Patch:
        """What the change itself does to the object. Raises NotFound, Refused, Retryable."""
        match change:
            case RestartWorkload(at=at):
                return patches.restart(at, shape)
            case ScaleWorkload(seen=seen, replicas=replicas):
                return patches.scale(seen, replicas)
            case RollBackWorkload():
                return patches.roll_back(await self._template(change, deadline), self._generation(change))
            case SetContainerImage():
                return patches.set_image(change.index, change.container, change.seen, change.image)
            case SetContainerResources():
                return patches.set_resources(change.index, change.container, change.seen, change.resources)
            case IsolateWorkload():
                return patches.isolate(change.seen, change.memory, change.until)
            case RestoreWorkload():
                return patches.restore(change.seen, change.replicas, change.memory, change.until)
            case CordonNode():
                return patches.cordon(change.memory, change.mark)
            case UncordonNode():
                return patches.uncordon(change.memory)
            case SetAutoscalerBounds():
                before, after = (change.seen_least, change.seen_most), (change.least, change.most)
                return patches.set_bounds(before, after)
            case _:
                assert_never(change)

    async def _template(self, change: RollBackWorkload, deadline: Deadline) -> Json:
        """The pod template that an earlier revision kept."""
        kept = await self._api.call(revision_call(change.target, change.source), deadline)
        if kept["metadata"]["uid"] != change.source_uid:
            raise NotFound(f"revision {change.revision} of {change.target} is gone")
        return template_of(kept)

    async def _why(
        self, change: MarkedChange, fence: Fence, error: Rejected, deadline: Deadline
    ) -> RemediatorError:
        """Which test failed. The server does not tell, so look. Raises NotFound, Refused, Retryable."""
        target, shape = change.fenced_on, self._shapes.get(change.uid, Shape())
        obj = await self._api.call(read_call(target), deadline)
        seen = self._present(target, change.uid, obj)
        if seen.epoch > fence.epoch:
            return Fenced(f"{target} was claimed under epoch {seen.epoch}, newer than our {fence.epoch}")
        if seen.epoch != fence.epoch:
            return Retryable(f"somebody took our epoch {fence.epoch} off {target}: it must be claimed again")
        if Shape.of(obj) != shape or not self._as_planned(change, obj):
            return Retryable(f"{target} changed meanwhile: read it again")
        return error

    async def _dry_run(self, change: MarkedChange) -> None:
        target, deadline = change.fenced_on, self._api.deadline()
        obj = await self._api.call(read_call(target), deadline)
        self._present(target, change.uid, obj)
        shape = Shape.of(obj)
        operations = await self._operations(change, shape, deadline)
        patch = patches.fenced(change.uid, EffectId("dry-run"), shape, operations, epoch=None)
        try:
            after = await self._api.call(_patch(target, patch, str(change), dry_run=True), deadline)
        except Rejected as error:
            raise Retryable(f"{target} changed while it was looked at: read it again") from error
        strategy = (after["spec"].get("updateStrategy") or {}).get("type")
        if strategy == "OnDelete" and not isinstance(change, OF_NUMBERS):
            raise Refused(
                f"{target} has updateStrategy OnDelete: this would replace no pod until it is deleted"
            )

    def _present(self, target: ObjectRef, uid: str, obj: Any) -> Marked:
        """The object if it is still that one. Raises NotFound."""
        if obj["metadata"]["uid"] != uid:
            raise NotFound(f"{target} was deleted; another of the same name took its place")
        if obj["metadata"].get("deletionTimestamp"):
            raise NotFound(f"{target} is being deleted")
        self._remember(obj)
        meta = obj["metadata"]
        return _Seen(generation=meta.get("generation", 0), annotations=dict(meta.get("annotations") or {}))

    def _remember(self, obj: Any) -> None:
        """The shape of what was just read or written, so that the change needs no read of its own."""
        uid = obj["metadata"]["uid"]
        self._shapes.pop(uid, None)
        self._shapes[uid] = Shape.of(obj)
        while len(self._shapes) > REMEMBERED:
            forgotten = next(iter(self._shapes))
            del self._shapes[forgotten]
            self._moved.pop(forgotten, None)

    def _note_claim(self, target: ObjectRef, before: Json, after: Json) -> None:
        """What our claim did to the generation, if nobody else wrote the specification in between."""
        was, became = before["metadata"].get("generation", 0), after["metadata"].get("generation", 0)
        if became == was + patches.CLAIM_COUNTS.get(target.kind, 0):
            self._moved[after["metadata"]["uid"]] = (was, became)

    def _generation(self, change: RollBackWorkload) -> int:
        """The generation that the object must have now for the change to be made as planned."""
        was, became = self._moved.get(change.uid, (0, 0))
        return became if was == change.generation else change.generation

    def _as_planned(self, change: MarkedChange, obj: Json) -> bool:
        """Whether what the change was planned from is still so."""
        spec = obj["spec"]
        match change:
            case RestartWorkload():
                return True
            case ScaleWorkload(seen=seen):
                return bool(spec.get("replicas") == seen)
            case RollBackWorkload():
                return bool(obj["metadata"].get("generation") == self._generation(change))
            case SetContainerImage(index=index, container=name, seen=seen):
                return bool(_container(spec, index, name).get("image", "") == seen)
            case SetContainerResources(index=index, container=name, seen=seen):
                return bool(_container(spec, index, name).get("resources") == seen)
            case IsolateWorkload(seen=seen, memory=memory):
                return bool(spec.get("replicas") == seen and _annotation(obj, ISOLATED_REPLICAS) == memory)
            case RestoreWorkload(seen=seen, memory=memory, until=until):
                kept = (_annotation(obj, ISOLATED_REPLICAS), _annotation(obj, ISOLATED_UNTIL))
                return bool(spec.get("replicas") == seen and kept == (memory, until))
            case CordonNode(memory=memory):
                return not spec.get("unschedulable") and _annotation(obj, CORDONED_AT) == memory
            case UncordonNode(memory=memory):
                return bool(spec.get("unschedulable")) and _annotation(obj, CORDONED_AT) == memory
            case SetAutoscalerBounds(seen_least=least, seen_most=most):
                return (spec.get("minReplicas"), spec.get("maxReplicas")) == (least, most)
            case _:
                assert_never(change)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Seen:
    """``core.cluster.Marked``."""

    generation: int
    annotations: Mapping[str, str]

    @property
    def epoch(self) -> int:
        return epoch_of(self.annotations)


def _container(spec: Json, index: int, name: str) -> Json:
    """The container of that name at that place; nothing where another is, or none."""
    there: Sequence[Json] = spec["template"]["spec"]["containers"][index : index + 1]
    return next((one for one in there if one["name"] == name), {})


def _annotation(obj: Json, key: str) -> str | None:
    found: Mapping[str, str] = obj["metadata"].get("annotations") or {}
    return found.get(key)


def _patch(target: ObjectRef, patch: Patch, what: str, *, dry_run: bool = False) -> Call:
    dry = (("dryRun", "All"),) if dry_run else ()
    return Call(
        method="PATCH",
        path=object_path(target),
        doing=doing(what, target) + (" (dry run)" if dry_run else ""),
        needs=f"patch {resource_of(target)} {place_of(target)}",
        query=(("fieldManager", FIELD_MANAGER), *dry),
        body=patch,
        media=JSON_PATCH,
        repeatable=dry_run,
    )
