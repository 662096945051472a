"""Guard 11, ``owner``: nobody would set the change back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, assert_never

from remediator.core.changes import (
    Change,
    CordonNode,
    CreateSilence,
    DeletePod,
    EndSilence,
    EvictPod,
    IsolateWorkload,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    RunJob,
    RunProgram,
    ScaleWorkload,
    SendRequest,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
    UncordonNode,
)
from remediator.core.errors import Refused
from remediator.core.objects import ObjectRef
from remediator.core.ownership import (
    LEAST,
    MOST,
    REPLICAS,
    RESTARTED,
    TEMPLATE,
    UNSCHEDULABLE,
    Keeper,
    Kept,
    container_path,
    keepers_of,
)
from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Owner:
    """Blocks a change of what Flux or Argo CD keep as their source says: they would set it back, or fight it.

    They accept what their source does not name. That a pod is taken away or a workload restarted is such a
    change; so is its scale, where the source names no replicas. Whether Argo CD was told to ignore a
    difference cannot be seen. Where an autoscaler scales the workload, ``scale`` itself refuses.
    """

    name: ClassVar[str] = "owner"
    asks: ClassVar[str] = "that no GitOps controller would set it back"
    again: ClassVar[bool] = False
    # It looks at the target and at what the plan was made from, which have been read by then.
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Says who keeps what, and what to do about it."""
        target = request.target
        if target is None:
            return Verdict(guard=self.name, allowed=False, text="there is no target")
        changes = [change for change in await ports.plan() if fields_of(change)]
        if not changes:
            return Verdict(guard=self.name, allowed=True, text="nothing is changed that anybody keeps")
        accepted = []
        for change in changes:
            ref, kept = change.fenced_on, await _seen(change, ports)
            for keeper in keepers_of(ref, kept):
                if objection := _objection(keeper, ref, kept, fields_of(change)):
                    return Verdict(guard=self.name, allowed=False, text=objection)
                accepted.append(_acceptance(keeper, ref))
        text = "; ".join(dict.fromkeys(accepted)) or f"no GitOps controller keeps {target}"
        return Verdict(guard=self.name, allowed=True, text=text)


async def _seen(change: Change, ports: GuardPorts) -> Kept:
    """The object that is changed, as it was when that was planned. Raises Refused."""
    ref = change.fenced_on
    if ref.path == change.target.path:
        return await ports.workload(change.target)
    found = next((each for each in await ports.autoscalers() if each.ref.path == ref.path), None)
    if found is None:
        raise Refused(f"{ref} was not looked at")
    return found


def fields_of(change: Change) -> tuple[str, ...]:
    """What it changes of an object that a controller may keep.

    A pod is nobody's but its workload's; a job is made anew; a program, a request or a silence
    changes no object.
    """
    match change:
        case ScaleWorkload() | IsolateWorkload() | RestoreWorkload():
            return (REPLICAS,)
        case RollBackWorkload():
            return (TEMPLATE,)
        case RestartWorkload():
            return (RESTARTED,)
        case SetContainerImage():
            return (container_path(change.container, "image"),)
        case SetContainerResources():
            return (container_path(change.container, "resources"),)
        case SetAutoscalerBounds():
            moved = ((LEAST, change.seen_least, change.least), (MOST, change.seen_most, change.most))
            return tuple(path for path, before, after in moved if before != after)
        case CordonNode() | UncordonNode():
            return (UNSCHEDULABLE,)
        case DeletePod() | EvictPod() | RunJob() | RunProgram() | SendRequest():
            return ()
        case CreateSilence() | EndSilence():
            return ()
        case _:
            assert_never(change)


def _objection(keeper: Keeper, ref: ObjectRef, kept: Kept, wanted: Sequence[str]) -> str:
    """Empty: it accepts the change."""
    owned = () if keeper.released else keeper.owned(kept, wanted)
    if not owned:
        return ""
    way = f", or {keeper.release}" if keeper.release else ""
    return (
        f"{keeper.who} keeps {' and '.join(owned)} of {ref} and would set it back; change it in the source, "
        f"take it out of there{way}"
    )


def _acceptance(keeper: Keeper, ref: ObjectRef) -> str:
    if keeper.released:
        return f"{keeper.who} leaves {ref} alone ({keeper.released})"
    return f"{keeper.who} keeps {ref}, and accepts this: its source does not name it"
