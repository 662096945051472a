"""The status of a pod as its kubelet writes it: containers, and the conditions and phase they lead to."""

from __future__ import annotations

from remediator.testing.apiserver.controllers.pods import FINISHED
from remediator.testing.apiserver.objects import Json, clone, deleting, digest

OWN = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
"""The conditions a kubelet writes, in its order; those of others come before them."""
UNKNOWN = "ContainerStatusUnknown"


def waiting(reason: str, message: str = "") -> Json:
    """The state of a container that does not run yet, or not now."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def running(now: str) -> Json:
    """The state of a container that runs."""
    return {"running": {"startedAt": now}}


def terminated(
    exit_code: int, reason: str, *, started: str | None, finished: str | None, message: str = ""
) -> Json:
    """The state of a container that has ended."""
    said = {"message": message} if message else {}
    times = {"startedAt": started, "finishedAt": finished}
    return {"terminated": {"exitCode": exit_code, "reason": reason, **said, **times}}


def new_status(container: Json) -> Json:
    """A container that is about to be created."""
    return {
        "name": container["name"],
        "state": waiting("ContainerCreating"),
        "lastState": {},
        "ready": False,
        "restartCount": 0,
        "image": container.get("image", ""),
        "imageID": "",
        "started": False,
    }


def status_of(pod: Json, container: str) -> Json:
    """The status of one container, to be changed in place; ``pod`` must be the caller's own copy."""
    found: Json = next(one for one in pod["status"]["containerStatuses"] if one["name"] == container)
    return found


def identity(pod: Json, container: str, restarts: int) -> str:
    """The ID of one run of a container."""
    parts = [digest([pod["metadata"]["uid"], container, restarts, number]) for number in range(7)]
    return "containerd://" + "".join(f"{ord(letter) % 16:x}" for letter in "".join(parts))[:64]


def restarts_after(pod: Json, state: Json) -> bool:
    """Whether the kubelet starts a container again that has ended so."""
    policy, failed = pod["spec"]["restartPolicy"], bool(state["terminated"]["exitCode"])
    return policy == "Always" or (policy == "OnFailure" and failed)


def ended(pod: Json) -> bool:
    """Whether every container has ended for good."""
    states = [one["state"] for one in pod["status"].get("containerStatuses", ())]
    return bool(states) and all(
        "terminated" in state and (deleting(pod) or not restarts_after(pod, state)) for state in states
    )


def final_phase(pod: Json) -> str:
    """What a pod ends as whose containers have ended."""
    codes = [one["state"]["terminated"]["exitCode"] for one in pod["status"]["containerStatuses"]]
    return "Failed" if any(codes) else "Succeeded"


def refresh(pod: Json, now: str, *, sandbox: bool = True) -> Json:
    """The pod with phase and conditions that follow from its containers (changed in place, and returned).

    ``sandbox``: whether its containers could start. A pod whose containers have all ended keeps its phase
    until the sandbox is gone.
    """
    status = pod["status"]
    if not ended(pod):
        begun = any(_has_run(one) for one in status["containerStatuses"])
        status["phase"] = "Running" if begun else "Pending"
    elif not sandbox:
        status["phase"] = final_phase(pod)
    status["conditions"] = _conditions(pod, now, sandbox=sandbox)
    return pod


def _has_run(container: Json) -> bool:
    return (
        "running" in container["state"] or "terminated" in container["state"] or bool(container["lastState"])
    )


def _conditions(pod: Json, now: str, *, sandbox: bool) -> list[Json]:
    before = {one["type"]: one for one in pod["status"].get("conditions", ())}
    unready = [one["name"] for one in pod["status"]["containerStatuses"] if not one["ready"]]
    why = _why_unready(pod, unready)
    completed = {"reason": "PodCompleted"} if why.get("reason") == "PodCompleted" else {}
    gated = why or _why_gated(pod)
    wanted: dict[str, tuple[bool, Json]] = {
        "PodReadyToStartContainers": (sandbox, {}),
        "Initialized": (True, completed),
        "Ready": (not unready and not gated, gated),
        "ContainersReady": (not unready, why),
        "PodScheduled": (True, {}),
    }
    others = [one for one in pod["status"].get("conditions", ()) if one["type"] not in OWN]
    return others + [_condition(of, *wanted[of], before.get(of), now) for of in OWN]


def _why_unready(pod: Json, unready: list[str]) -> Json:
    if not unready:
        return {}
    states = [one["state"].get("terminated", {}) for one in pod["status"]["containerStatuses"]]
    known = all(state.get("reason") != UNKNOWN for state in states)
    if known and (ended(pod) or pod["status"].get("phase") in FINISHED):
        return {"reason": "PodCompleted" if final_phase(pod) == "Succeeded" else "PodFailed"}
    message = f"containers with unready status: [{' '.join(unready)}]"
    return {"reason": "ContainersNotReady", "message": message}


def _why_gated(pod: Json) -> Json:
    """Which readiness gates of the pod are shut: conditions that somebody else must set to True.

    Source of the texts: ``GeneratePodReadyCondition`` in Kubernetes' ``pkg/kubelet/status/generate.go``.
    """
    seen = {one["type"]: one["status"] for one in pod["status"].get("conditions", ())}
    shut = []
    for gate in (one["conditionType"] for one in pod["spec"].get("readinessGates") or ()):
        if gate not in seen:
            shut.append(f'corresponding condition of pod readiness gate "{gate}" does not exist.')
        elif seen[gate] != "True":
            shut.append(f'the status of pod readiness gate "{gate}" is not "True", but {seen[gate]}')
    return {"reason": "ReadinessGatesNotReady", "message": ", ".join(shut)} if shut else {}


def _condition(of: str, holds: bool, why: Json, before: Json | None, now: str) -> Json:
    since = before["lastTransitionTime"] if before and before["status"] == str(holds) else now
    return {"type": of, "status": str(holds), "lastProbeTime": None, "lastTransitionTime": since, **why}


def accepted(pod: Json, host: str, now: str) -> Json:
    """A copy of a scheduled pod as its kubelet takes it in."""
    taken = clone(pod)
    status = taken["status"]
    status |= {"hostIP": host, "hostIPs": [{"ip": host}], "startTime": now}
    status["containerStatuses"] = [new_status(one) for one in taken["spec"]["containers"]]
    return refresh(taken, now, sandbox=False)


def in_order(pod: Json) -> Json:
    """The pod with its conditions as a kubelet sorts them (changed in place, and returned)."""
    found = pod["status"].get("conditions", [])
    others = [one for one in found if one["type"] not in OWN]
    pod["status"]["conditions"] = others + [one for one in found if one["type"] in OWN]
    return pod
