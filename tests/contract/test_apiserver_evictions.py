"""Evictions, and the budgets that refuse them: the fake answers as a real API server did."""

from __future__ import annotations

from typing import Any

from remediator.testing.apiserver import FakeApiServer, Pace
from remediator.testing.apiserver.kinds import POD_DISRUPTION_BUDGETS, PODS
from tests.contract.recordings.replay import Gate, Json, Replay, Step, load, replay_file, settle
from tests.contract.recordings.steps import USERS, at_once, deployment, hold, put, until

LAB = "policylab"
BUDGETS = "/apis/policy/v1/namespaces/{}/poddisruptionbudgets"
FIRST = ("6mbdl", "gmkvp", "lgt5t")
UIDS = {
    "6mbdl": "12980bec-afcf-4d09-a21e-5ec165a06fe2",
    "gmkvp": "c6438715-e492-4cb3-8f76-2db61c2841c3",
}


def budget(namespace: str, name: str, app: str, **spec: Any) -> Json:
    """A budget for the pods of one app."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
    }


def making(*budgets: Json, seen: bool) -> Step:
    """Budgets are made; ``seen``: their controller has looked at them."""

    async def step(replay: Replay, recorded: Json) -> None:
        await (settle if seen else hold)(replay, recorded)
        for body in budgets:
            replay.server.create(body)
        if seen:
            await settle(replay, recorded)

    return step


def changing(namespace: str, name: str, spec: Json, *, seen: bool) -> Step:
    """A budget is changed; ``seen``: its controller has looked at it."""

    async def step(replay: Replay, recorded: Json) -> None:
        await (settle if seen else hold)(replay, recorded)
        path = f"{BUDGETS.format(namespace)}/{name}"
        media = "application/merge-patch+json"
        request = {"method": "PATCH", "path": path, "content_type": media, "body": {"spec": spec}}
        assert (await replay.send(request))[0] == 200
        if seen:
            await settle(replay, recorded)

    return step


def _name_pods(replay: Replay, app: str, names: tuple[str, ...]) -> None:
    """The pods of an app that have no recorded name yet get these."""
    pods = replay.server.cluster.store.list(PODS, LAB)
    mine = [pod for pod in pods if pod["metadata"].get("labels", {}).get("app") == app]
    free = [pod for pod in mine if pod["metadata"]["name"] not in replay.names.values()]
    for pod, name in zip(free, names, strict=True):
        prefix = "web-8b7488f87" if app == "web" else "solo-5c6d854d56"
        replay.names[f"{prefix}-{name}"] = pod["metadata"]["name"]
        replay.names[prefix.partition("-")[2]] = pod["metadata"]["labels"]["pod-template-hash"]
        if name in UIDS:
            replay.names[UIDS[name]] = pod["metadata"]["uid"]


async def budget_of_third_generation(replay: Replay, recorded: Json) -> None:
    """Two Deployments run; the budget of one has been changed and changed back."""
    server = replay.server
    for name, replicas in (("web", 3), ("solo", 1)):
        server.create(deployment(LAB, name, replicas=replicas))
    server.create(budget(LAB, "web", "web", maxUnavailable=1))
    server.create(budget(LAB, "solo", "solo", minAvailable=1))
    await settle(replay, recorded)
    for most in ("34%", 1):
        await changing(LAB, "web", {"maxUnavailable": most}, seen=True)(replay, recorded)
    _name_pods(replay, "web", FIRST)
    _name_pods(replay, "solo", ("9vmsv",))


async def one_going(replay: Replay, _: Json) -> None:
    """The budget has seen that one pod is being deleted, which still runs."""
    await until(replay, "web", lambda status: status["currentHealthy"] == 2, POD_DISRUPTION_BUDGETS, LAB)


async def recovered(replay: Replay, recorded: Json) -> None:
    """The evicted pod has a successor, which is ready."""
    await settle(replay, recorded)
    _name_pods(replay, "web", ("6z9hl",))


async def ended_and_waiting(replay: Replay, recorded: Json) -> None:
    """A pod that has ended and one that has no node, each under a budget that lets nothing go."""
    await settle(replay, recorded)
    for name, phase in (("done", "Succeeded"), ("pend", "Pending")):
        replay.server.create(budget("podlab", name, name, minAvailable=1))
        body = next(one for one in load("pods") if one["name"] == "get-failed")["response"]["body"]
        meta = {"name": name, "namespace": "podlab", "labels": {"app": name}, "uid": f"uid-{name}"}
        meta["creationTimestamp"] = body["metadata"]["creationTimestamp"]
        spec = {key: value for key, value in body["spec"].items() if key != "nodeName"}
        nowhere = {"kubernetes.io/hostname": "nowhere"}
        whole = {"metadata": meta, "spec": spec | {"nodeSelector": nowhere}, "status": {"phase": phase}}
        put(replay.server, body | whole)
    await settle(replay, recorded)


STEPS: dict[str, Step] = {
    "evict-dry-run": hold,
    "evict-no-pdb": at_once,
    "get-evicted-terminating": at_once,
    "evict-terminating-again": at_once,
    "evict-right-after-pdb-create-429": making(budget("podlab", "web", "web", minAvailable=3), seen=False),
    **dict.fromkeys(("evict-name-mismatch-400", "evict-404", "evict-403"), at_once),
    "evict-pdb-not-yet-observed-429": changing("podlab", "web", {"minAvailable": 2}, seen=False),
    "evict-two-pdbs-500": making(budget("podlab", "web2", "web", minAvailable=1), seen=False),
    "evict-completed-ignores-pdb": ended_and_waiting,
    "evict-unready-if-healthy-budget-429": making(
        budget("podlab", "nr", "not-ready", minAvailable=1), seen=True
    ),
    "evict-unready-always-allow": changing(
        "podlab", "nr", {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, seen=True
    ),
    "pdb-before-evict": budget_of_third_generation,
    "evict-allowed-uid-ok": hold,
    "pdb-right-after-evict": one_going,
    "get-pod-right-after-evict": at_once,
    "evict-second-blocked-429": at_once,
    "evict-second-blocked-dry-run-429": at_once,
    "pdb-recovered": recovered,
    "evict-wrong-uid-409": hold,
    "pdb-after-evict-wrong-uid": at_once,
    "evict-other-pod-after-wrong-uid-blocked-429": at_once,
}


async def test_evictions() -> None:
    """Allowed, refused, charged although refused; what no budget protects goes."""
    gate = Gate()
    server = FakeApiServer(users=USERS, pace=Pace(), sleep=gate.sleep)
    listed = next(entry for entry in load("pods") if entry["name"] == "list")["response"]["body"]
    for pod in listed["items"]:
        name = pod["metadata"]["name"]
        if not name.startswith(("web-", "not-ready", "ready")):
            continue
        if name != "web-8b7488f87-25bg2":
            # Its owner is not in this cluster: what is left of it would be collected with the evicted pod.
            pod["metadata"].pop("ownerReferences", None)
        put(server, pod | {"kind": "Pod", "apiVersion": "v1"})
    await replay_file(
        "pods",
        server,
        before=STEPS,
        instead={},
        gate=gate,
        only=lambda name: name.startswith(("evict", "get-evicted", "get-pod-", "pdb")),
    )
