"""What a Deployment says about itself: counts, conditions, and whether it still makes progress."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.objects import Json, clone, condition

_NO_DEADLINE = 2**31 - 1


def limits(deployment: Json) -> tuple[int, int]:
    """``maxSurge`` and ``maxUnavailable`` in pods: surge rounds up, unavailable down, never both zero."""
    strategy, replicas = deployment["spec"]["strategy"], deployment["spec"]["replicas"]
    if strategy["type"] == "Recreate":
        return 0, 0
    rolling = strategy["rollingUpdate"]
    surge = portion(rolling["maxSurge"], replicas, up=True)
    unavailable = portion(rolling["maxUnavailable"], replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, replicas)


def portion(value: Any, of: int, *, up: bool) -> int:
    """A number of pods, given as such or as a percentage, rounded up or down."""
    if isinstance(value, int):
        return value
    exact = int(str(value).removesuffix("%")) * of / 100
    return math.ceil(exact) if up else math.floor(exact)


def reason(deployment: Json) -> str:
    """The reason of its Progressing condition, or nothing."""
    found = condition(deployment, "Progressing")
    return str(found["reason"]) if found else ""


def set_progress(cluster: Cluster, deployment: Json, into: Json, said: tuple[str, str, str]) -> None:
    """Set the Progressing condition (status, reason, message) in a status, and remember when that was."""
    if _set_condition(cluster, into, "Progressing", said):
        cluster.moments[deployment["metadata"]["uid"]] = cluster.clock()


def _set_condition(cluster: Cluster, status: Json, of: str, said: tuple[str, str, str]) -> bool:
    """Set a condition in place; one that says the same already stays as it is. Whether it changed."""
    value, why, message = said
    present = condition({"status": status}, of)
    if (
        present is not None
        and (present["status"], present["reason"]) == (value, why)
        and why != "ReplicaSetUpdated"
    ):
        return False
    now = cluster.timestamp()
    since = present["lastTransitionTime"] if present is not None and present["status"] == value else now
    others = [entry for entry in status.get("conditions", ()) if entry["type"] != of]
    entry = {"type": of, "status": value, "lastUpdateTime": now, "lastTransitionTime": since}
    status["conditions"] = [*others, {**entry, "reason": why, "message": message}]
    return True


def status(cluster: Cluster, deployment: Json, new: Json | None, every: Sequence[Json]) -> Json:
    """The status that belongs to these ReplicaSets."""
    found = _counts(deployment, new, every)
    found["conditions"] = clone(deployment["status"]).get("conditions", [])
    _, unavailable = limits(deployment)
    if found.get("availableReplicas", 0) >= deployment["spec"]["replicas"] - unavailable:
        text = "Deployment has minimum availability."
        _set_condition(cluster, found, "Available", ("True", "MinimumReplicasAvailable", text))
    else:
        text = "Deployment does not have minimum availability."
        _set_condition(cluster, found, "Available", ("False", "MinimumReplicasUnavailable", text))
    _failure(cluster, new, found)
    if not deployment["spec"].get("paused"):
        _progress(cluster, deployment, new, found)
    if not found["conditions"]:
        del found["conditions"]
    return found


def _counts(deployment: Json, new: Json | None, every: Sequence[Json]) -> Json:
    def total(name: str) -> int:
        return sum(one["status"].get(name, 0) for one in every)

    available = total("availableReplicas")
    wanted = sum(one["spec"]["replicas"] for one in every)
    counts = {
        "replicas": total("replicas"),
        "updatedReplicas": new["status"].get("replicas", 0) if new else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    generation = {"observedGeneration": deployment["metadata"]["generation"]}
    return generation | {name: count for name, count in counts.items() if count}


def _failure(cluster: Cluster, new: Json | None, into: Json) -> None:
    """What keeps the ReplicaSet from making pods keeps its Deployment, too."""
    failed = condition(new, "ReplicaFailure") if new is not None else None
    into["conditions"] = [
        one for one in into["conditions"] if failed is not None or one["type"] != "ReplicaFailure"
    ]
    if failed is not None:
        _set_condition(cluster, into, "ReplicaFailure", ("True", failed["reason"], failed["message"]))


def _progress(cluster: Cluster, deployment: Json, new: Json | None, found: Json) -> None:
    if deployment["spec"]["progressDeadlineSeconds"] == _NO_DEADLINE:
        found["conditions"] = [entry for entry in found["conditions"] if entry["type"] != "Progressing"]
        return
    now_complete = found.get("replicas", 0) == found.get("updatedReplicas", 0)
    if now_complete and reason(deployment) == "NewReplicaSetAvailable":
        return
    name = (
        f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if _complete(deployment, found):
        text = f"{name} has successfully progressed."
        set_progress(cluster, deployment, found, ("True", "NewReplicaSetAvailable", text))
    elif _progressing(deployment["status"], found):
        set_progress(cluster, deployment, found, ("True", "ReplicaSetUpdated", f"{name} is progressing."))
    elif (left := deadline_in(cluster, deployment, deployment["status"])) is not None and left <= 0:
        text = f"{name} has timed out progressing."
        set_progress(cluster, deployment, found, ("False", "ProgressDeadlineExceeded", text))


def _complete(deployment: Json, found: Json) -> bool:
    wanted = deployment["spec"]["replicas"]
    names = ("updatedReplicas", "replicas", "availableReplicas")
    return all(found.get(name, 0) == wanted for name in names)


def _progressing(before: Json, now: Json) -> bool:
    def old_pods(of: Json) -> int:
        return int(of.get("replicas", 0)) - int(of.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(now) < old_pods(before) or any(now.get(name, 0) > before.get(name, 0) for name in more)


def deadline_in(cluster: Cluster, deployment: Json, status_now: Json) -> float | None:
    """Seconds until its progress deadline, or None when none runs."""
    found = condition({"status": status_now}, "Progressing")
    settled = {"NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused"}
    if found is None or found["reason"] in settled or deployment["spec"].get("paused"):
        return None
    since = cluster.moments.get(deployment["metadata"]["uid"], cluster.clock())
    return float(
        deployment["spec"]["progressDeadlineSeconds"] * cluster.pace.second - (cluster.clock() - since)
    )
