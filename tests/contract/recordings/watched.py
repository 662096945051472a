"""What watches saw, as sequences of states of single objects.

Names that are hashes, times and addresses differ between two clusters; so objects are not matched by their
name, but compared as what they went through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
State: TypeAlias = tuple[Any, ...]

WATCHES = Path(__file__).parent / "watches"
PATHS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "controllerrevisions": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "poddisruptionbudgets": "/apis/policy/v1",
    "pods": "/api/v1",
    "nodes": "/api/v1",
    "events": "/api/v1",
}
_COUNTS = (
    *("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"),
    *("currentReplicas", "currentNumberScheduled", "desiredNumberScheduled", "updatedNumberScheduled"),
    *("numberReady", "numberAvailable", "numberUnavailable", "fullyLabeledReplicas"),
    *("active", "ready", "succeeded", "failed", "terminating"),
    *("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"),
)


def load_watch(name: str) -> list[Json]:
    """The lists, requests and events of one recording."""
    return [json.loads(line) for line in (WATCHES / f"{name}.jsonl").read_text().splitlines()]


def _conditions(status: Json, *, ordered: bool = False) -> State:
    found = [(one["type"], one["status"], one.get("reason", "")) for one in status.get("conditions", ())]
    return tuple(found if ordered else sorted(found))


def _container(status: Json) -> State:
    def shown(state: Json) -> State:
        return tuple(
            (name, inner.get("reason", ""), inner.get("exitCode", ""), _plain(inner.get("message", "")))
            for name, inner in state.items()
        )

    last = shown(status.get("lastState", {}))
    return (
        status["name"],
        shown(status["state"]),
        last,
        status["ready"],
        status["restartCount"],
        status["started"],
    )


def _plain(message: str) -> str:
    """A message without the name and uid of a pod."""
    return re.sub(r"(pod=)[^ ]*", r"\1<pod>", message)


def _pod(obj: Json, status: Json) -> State:
    meta = obj["metadata"]
    return (
        meta.get("deletionGracePeriodSeconds"),
        tuple(meta.get("finalizers", ())),
        "nodeName" in obj.get("spec", {}),
        status.get("phase"),
        "startTime" in status,
        "podIP" in status,
        _conditions(status, ordered=True),
        tuple(_container(one) for one in status.get("containerStatuses", ())),
    )


def state(watch: str, obj: Json, base: int) -> State:
    """What an object is judged by; generations count from ``base``."""
    status = obj.get("status", {})
    if watch == "pods":
        return _pod(obj, status)
    spec = obj.get("spec", {})
    taints = tuple((one["key"], one["effect"]) for one in spec.get("taints", ()))
    if watch == "nodes":
        return (taints, _conditions(status))
    return (
        obj["metadata"].get("generation", base) - base,
        spec.get("replicas"),
        status.get("observedGeneration", base) - base,
        tuple(status.get(name, 0) for name in _COUNTS),
        _conditions(status),
        status.get("currentRevision") == status.get("updateRevision"),
        len(status.get("disruptedPods", ())),
        sorted((name, len(uids)) for name, uids in status.get("uncountedTerminatedPods", {}).items()),
        "completionTime" in status,
    )


@dataclass(kw_only=True)
class Seen:
    """The states of every object of one watch, in the order in which the objects appeared."""

    watch: str
    bases: dict[str, int] = field(default_factory=dict)
    states: dict[str, list[State]] = field(default_factory=dict)

    def note(self, event_type: str, obj: Json) -> None:
        """One event; a state equal to the one before is not noted again."""
        uid, generation = obj["metadata"]["uid"], obj["metadata"].get("generation", 0)
        base = self.bases.setdefault(uid, generation - 1)
        found = self.states.setdefault(uid, [])
        now = (event_type == "DELETED", *state(self.watch, obj, base))
        if not found or found[-1] != now:
            found.append(now)

    @property
    def sequences(self) -> list[list[State]]:
        """Sorted, for comparison with those of other names."""
        return sorted((states for states in self.states.values() if states), key=repr)


def recorded(recording: Iterable[Json], watch: str) -> Seen:
    """What one watch of a recording saw after the list."""
    found = Seen(watch=watch)
    for entry in recording:
        if entry.get("watch") != watch:
            continue
        if entry["kind"] == "list":
            found.bases = {
                one["metadata"]["uid"]: one["metadata"].get("generation", 0) for one in entry["items"]
            }
        elif entry["kind"] == "event":
            found.note(entry["type"], entry["object"])
    return found


def told(events: Iterable[Json]) -> set[tuple[str, str, str, str]]:
    """What Events say: kind, component, type and reason."""
    return {
        (
            one["involvedObject"]["kind"],
            one["source"].get("component") or one.get("reportingComponent", ""),
            one["type"],
            one["reason"],
        )
        for one in events
    }
