"""What a step would change, as a diff: from what its action plans, or as far as the policy says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import assert_never

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
from remediator.core.cluster import Revision, Snapshot
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, say_until
from remediator.core.nodes import CORDONED_AT
from remediator.core.policies import Step
from remediator.core.programs import say_command
from remediator.core.redact import redact
from remediator.core.text import plain
from remediator.core.times import format_duration, format_instant

RESTARTED_AT = "spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt"
CONTAINERS = "spec.template.spec.containers"
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
        case SetContainerImage():
            return (f"{CONTAINERS}[{change.index}].image: {change.seen or 'none'} -> {change.image}",)
        case SetContainerResources():
            place = f"{CONTAINERS}[{change.index}].resources"
            return tuple(f"{place}.{line}" for line in change.told)
        case IsolateWorkload():
            return (
                f"spec.replicas: {change.seen} -> 0",
                _annotation(ISOLATED_REPLICAS, change.memory, str(change.seen)),
                f"metadata.annotations.{ISOLATED_UNTIL}: + {say_until(change.until)}",
            )
        case RestoreWorkload():
            kept = {ISOLATED_REPLICAS: change.memory, ISOLATED_UNTIL: change.until}
            forgotten = tuple(
                f"metadata.annotations.{key}: - {value}" for key, value in kept.items() if value
            )
            if change.seen == change.replicas:
                return forgotten
            return (f"spec.replicas: {change.seen} -> {change.replicas}", *forgotten)
        case SetAutoscalerBounds():
            return _bounds(change)
        case CordonNode():
            return (
                "spec.unschedulable: + true",
                _annotation(CORDONED_AT, change.memory, change.mark),
            )
        case UncordonNode():
            return ("spec.unschedulable: - true", f"metadata.annotations.{CORDONED_AT}: - {change.memory}")
        case RunJob():
            source, span = f"cronjob/{change.source}", format_duration(change.timeout)
            return (f"+ a job from {source} (its generation {change.generation}), for {span} at most",)
        case DeletePod() | EvictPod():
            how = "evicted" if isinstance(change, EvictPod) else "deleted"
            name = f"{change.namespace}/{change.pod}" if change.namespace else change.pod
            return (f"- pod {name} ({'ready' if change.ready else 'not ready'}, {how})",)
        case RunProgram(program=program):
            return (f"+ {program}",)
        case SendRequest(request=request):
            return _sent(str(request), request.body)
        case CreateSilence(silence=silence):
            return (f"+ silence {silence.told} until {format_instant(silence.ends_at)}",)
        case EndSilence(silence=silence):
            return (f"- silence {silence.told}",)
        case _:
            assert_never(change)


def _annotation(key: str, before: str | None, after: str) -> str:
    return f"metadata.annotations.{key}: " + (f"+ {after}" if before is None else f"{before} -> {after}")


def _bounds(change: SetAutoscalerBounds) -> tuple[str, ...]:
    pairs = {
        "minReplicas": (change.seen_least, change.least),
        "maxReplicas": (change.seen_most, change.most),
    }
    return tuple(
        f"hpa/{change.name} spec.{key}: {before} -> {after}"
        for key, (before, after) in pairs.items()
        if before != after
    )


def _rollback(change: RollBackWorkload, revisions: Sequence[Revision]) -> tuple[str, ...]:
    by_number = {revision.number: revision.images for revision in revisions}
    now, then = by_number.get(change.seen, ()), by_number.get(change.revision, ())
    lines = [f"spec.template: revision {change.seen} -> {change.revision}"]
    for number, (old, new) in enumerate(zip_longest(now, then, fillvalue="none")):
        if old != new:
            lines.append(f"{CONTAINERS}[{number}].image: {old} -> {new}")
    return tuple(lines)


def diff_step(step: Step) -> tuple[str, ...]:
    """What the policy alone says of a step's change. Empty where it says nothing of the kind."""
    params = step.params
    match step.action:
        case "scale":
            only = params.get("only")
            limit = f" (only {only}: a target that is there already is left alone)" if only else ""
            return (f"spec.replicas: {LATER} -> {params.get('to')}{limit}",)
        case "set_image":
            return (f"{_container(params)}.image: {LATER} -> {params.get('image')}",)
        case "set_resources":
            return _resources(params)
        case "isolate":
            return (
                f"spec.replicas: {LATER} -> 0",
                f"metadata.annotations.{ISOLATED_UNTIL}: + ({params.get('for')} after the step)",
            )
        case "restore":
            return (f"spec.replicas: {LATER} -> (what {ISOLATED_REPLICAS} says)",)
        case "hpa":
            keys = {"min": "minReplicas", "max": "maxReplicas"}
            told = {key: params[short] for short, key in keys.items() if params.get(short) is not None}
            return tuple(f"its hpa, spec.{key}: {LATER} -> {value}" for key, value in told.items())
        case "job":
            return (f"+ a job from cronjob/{params.get('from')}, for {params.get('timeout')} at most",)
        case "cordon":
            return ("spec.unschedulable: + true",)
        case "drain":
            return ("spec.unschedulable: + true", "- its pods, but those of DaemonSets (evicted one by one)")
        case "uncordon":
            return ("spec.unschedulable: - true (if it is we who set it)",)
        case "restart":
            return (f"{RESTARTED_AT}: + (the time of the step)",)
        case "rollback":
            wanted = params.get("revision")
            to = "the one before" if wanted is None else wanted
            return (f"spec.template: revision {LATER} -> {to}",)
        case "delete_pod" | "evict_pod":
            return (_pods(step.action, params),)
        case "http":
            url = params.get("url") or params.get("path") or "(the health URL)"
            return _sent(redact(f"{params.get('method', 'POST')} {url}"), str(params.get("body") or ""))
        case "silence":
            return (f"+ silence {_silenced(params)}, until {params.get('for')} after the step",)
        case "exec":
            return (f"+ run {_command(params)} in a ready pod/{params.get('container') or 'its first'}",)
        case _:
            return ()


def _container(params: Mapping[str, object]) -> str:
    """The container that is meant, by its name; the only one where none is named."""
    return f"{CONTAINERS}[{params.get('container') or 'the only one'}]"


def _resources(params: Mapping[str, object]) -> tuple[str, ...]:
    found: list[str] = []
    for bound in ("requests", "limits"):
        asked = params.get(bound)
        if isinstance(asked, Mapping):
            place = f"{_container(params)}.resources.{bound}"
            found += [f"{place}.{name}: {LATER} -> {value}" for name, value in asked.items()]
    return tuple(found)


def _sent(request: str, body: str) -> tuple[str, ...]:
    """What is sent; of its token is told where it is read, by the step itself."""
    return (f"+ {request}", *([f"+ {redact(body)}"] if body else []))


def _silenced(params: Mapping[str, object]) -> str:
    matchers = params.get("match")
    if isinstance(matchers, list) and matchers:
        return f"{{{', '.join(map(str, matchers))}}}"
    return "each alert of the incident, by all its labels"


def _command(params: Mapping[str, object]) -> str:
    words = params.get("command")
    return say_command([str(word) for word in words]) if isinstance(words, list) else LATER


def _pods(action: str, params: Mapping[str, object]) -> str:
    most = params.get("at_most", 1)
    which = str(params.get("which", "not_ready")).replace("_", " ")
    how = "evicted" if action == "evict_pod" else "deleted"
    return f"- pods that are {which}, at most {most} ({how})"
