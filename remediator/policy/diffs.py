"""What a step would change, as a diff: from what its action plans, or as far as the policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import assert_never

from remediator.core.cluster import (
    Change,
    DeletePod,
    EvictPod,
    RestartWorkload,
    Revision,
    RollBackWorkload,
    ScaleWorkload,
    Snapshot,
)
from remediator.core.policies import Step
from remediator.core.text import plain
from remediator.core.times import format_instant

RESTARTED_AT = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt"
LATER = "(known when it acts)"


def diff_changes(changes: Sequence[Change], seen: Snapshot) -> tuple[str, ...]:
    """A line or more for each change, as the target is now."""
    return tuple(plain(line, 300) for change in changes for line in _lines(change, seen))


def _lines(change: Change, seen: Snapshot) -> tuple[str, ...]:
    match change:
        case ScaleWorkload():
            return (f"spec.replicas: {change.seen} -> {change.replicas}",)
        case RestartWorkload():
            return (f"{RESTARTED_AT}: + {format_instant(change.at)}",)
        case RollBackWorkload():
            return _rollback(change, seen.revisions)
        case DeletePod() | EvictPod():
            how = "evicted" if isinstance(change, EvictPod) else "deleted"
            return (f"- pod {change.pod} ({'ready' if change.ready else 'not ready'}, {how})",)
        case _:
            assert_never(change)


def _rollback(change: RollBackWorkload, revisions: Sequence[Revision]) -> tuple[str, ...]:
    by_number = {revision.number: revision.images for revision in revisions}
    now, then = by_number.get(change.seen, ()), by_number.get(change.revision, ())
    lines = [f"spec.template: revision {change.seen} -> {change.revision}"]
    for number, (old, new) in enumerate(zip_longest(now, then, fillvalue="none")):
        if old != new:
            lines.append(f"spec.template.spec.containers[{number}].image: {old} -> {new}")
    return tuple(lines)


def diff_step(step: Step) -> tuple[str, ...]:
    """What the policy alone says of a step's change. Empty where it says nothing of the kind."""
    params = step.params
    match step.action:
        case "scale":
            only = params.get("only")
            limit = f" (only {only}: a target that is there already is left alone)" if only else ""
            return (f"spec.replicas: {LATER} -> {params.get('to')}{limit}",)
        case "restart":
            return (f"{RESTARTED_AT}: + (the time of the step)",)
        case "rollback":
            wanted = params.get("revision")
            to = "the one before" if wanted is None else wanted
            return (f"spec.template: revision {LATER} -> {to}",)
        case "delete_pod" | "evict_pod":
            return (_pods(step.action, params),)
        case _:
            return ()


def _pods(action: str, params: Mapping[str, object]) -> str:
    most = params.get("at_most", 1)
    which = str(params.get("which", "not_ready")).replace("_", " ")
    how = "evicted" if action == "evict_pod" else "deleted"
    return f"- pods that are {which}, at most {most} ({how})"
