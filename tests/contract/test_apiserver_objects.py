"""Leases, events, jobs, nodes and what bounds pods: the fake answers as a real API server did."""

from __future__ import annotations

from typing import Any

from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace, Program
from remediator.testing.apiserver.kinds import CRON_JOBS, JOBS
from tests.contract.recordings.replay import GIVEN, Gate, Json, Replay, Step, load, replay_file, settle
from tests.contract.recordings.steps import (
    USERS,
    at_once,
    deployment,
    frozen,
    given,
    hold,
    put,
    recorded_body,
    until,
)


def recorded(file: str, name: str) -> Json:
    """The body of a recorded answer."""
    body: Json = next(entry for entry in load(file) if entry["name"] == name)["response"]["body"]
    return body


async def test_leases() -> None:
    """Taken, renewed, lost, released: with every refusal on the way."""
    server = FakeApiServer(users=USERS)
    server.namespace("policylab")
    server.restore(recorded("leases", "node-lease-get"))
    await replay_file("leases", server, before={}, instead={})


def event(number: int) -> Json:
    """One of the events that are in no recorded list."""
    involved = {"kind": "ReplicaSet", "namespace": "podlab", "name": f"other-{number}"}
    meta = {"name": f"zz-{number}", "namespace": "podlab"}
    head: Json = {"kind": "Event", "apiVersion": "v1", "metadata": meta, "type": "Normal"}
    return head | {"involvedObject": involved, "reason": "SuccessfulCreate"}


async def test_events() -> None:
    """Found by what they are about, why and how bad; written in both forms."""
    server = FakeApiServer(users=USERS)
    told: dict[str, Any] = {}
    for entry in load("events"):
        if entry["name"] in GIVEN["events"]:
            put(server, entry["response"]["body"])
            told |= {item["metadata"]["uid"]: item for item in entry["response"]["body"]["items"]}
    in_podlab = sum(item["metadata"]["namespace"] == "podlab" for item in told.values())
    for number in range(181 - in_podlab):
        server.create(event(number))
    await replay_file("events", server, before=dict.fromkeys(GIVEN["events"], given), instead={})


async def test_jobs() -> None:
    """Made from a CronJob's template, refused, deleted with and without their pods."""
    gate = Gate()
    server = FakeApiServer(users=USERS, pace=Pace(second=0.01), sleep=gate.sleep)
    server.namespace("policylab")
    server.behave("policylab", "long", Behaviour.runs(Program()))
    server.behave("policylab", "retries", Behaviour.runs(Program.crashes()))
    before: dict[str, Step] = {
        **dict.fromkeys(GIVEN["jobs"], given),
        "job-delete-foreground": hold,
        "job-get-foreground-deleting": at_once,
        "job-create-from-cronjob": hold,
        "job-create-already-exists-409": at_once,
        "job-get-just-created": at_once,
        "log-of-job-pod": logged,
        "cronjob-patch-suspend": succeeded,
        "job-get-after-suspend": stopping,
    }
    await replay_file("jobs", server, before=before, instead={}, gate=gate)


async def stopping(replay: Replay, _: Json) -> None:
    """The pod of the suspended job is being stopped."""
    await until(replay, "long", lambda status: status.get("terminating") == 1, JOBS, LAB)


async def logged(replay: Replay, recorded: Json) -> None:
    """The failed pod has said why."""
    replay.server.set_log("policylab", recorded["request"]["path"].split("/")[-2], "bad\n")


async def succeeded(replay: Replay, recorded: Json) -> None:
    """The last job of the CronJob has succeeded."""
    status = recorded["response"]["body"]["status"]
    replay.server.cluster.set_status(CRON_JOBS, ("policylab", "cleanup"), status)


LAB = "policylab"


def recorded_list(name: str, server: FakeApiServer) -> None:
    """Put a list of the policy recordings into the cluster."""
    put(server, recorded("policy", name))


async def scaled_to_6(replay: Replay, recorded: Json) -> None:
    """Somebody asks for more pods than the quota has room for."""
    path = f"/apis/apps/v1/namespaces/{LAB}/deployments/web"
    media, body = "application/merge-patch+json", {"spec": {"replicas": 6}}
    request = {"method": "PATCH", "path": path, "content_type": media, "body": body}
    assert (await replay.send(request))[0] == 200
    await settle(replay, recorded)


def claim(name: str, storage_class: str, size: str) -> Json:
    """A claim as the recorded one."""
    body = recorded_body("policy", "pvc-create")
    resources = {"requests": {"storage": size}}
    spec = body["spec"] | {"storageClassName": storage_class, "resources": resources}
    return body | {"metadata": {"name": name, "namespace": LAB}, "spec": spec}


async def more_claims(replay: Replay, recorded: Json) -> None:
    """One too large, one of a class that does not exist, and one that can grow, with its volume."""
    volume = recorded_body("policy", "pv-create")
    spec = volume["spec"] | {"storageClassName": "expandable"}
    replay.server.create(volume | {"metadata": {"name": "pv-exp"}, "spec": spec})
    for name, storage_class, size in (
        ("stuck", "manual", "5Gi"),
        ("noclass", "does-not-exist", "1Gi"),
        ("data-exp", "expandable", "1Gi"),
    ):
        replay.server.create(claim(name, storage_class, size))
    await settle(replay, recorded)


async def test_policy() -> None:
    """Budgets, autoscalers without metrics, quotas and limit ranges that refuse pods, volumes and claims."""
    server = FakeApiServer(users=USERS)
    for name, replicas in (("web", 3), ("solo", 1)):
        server.create(deployment(LAB, name, replicas=replicas))
    for name, app in (("solo", 1), ("nothing", "50%")):
        body = recorded_body("policy", "pdb-create")
        spec = {"minAvailable": app, "selector": {"matchLabels": {"app": name}}}
        server.create(body | {"metadata": {"name": name, "namespace": LAB}, "spec": spec})
    for name in ("kube-root-ca.crt", "openshift-service-ca.crt"):
        meta = {"name": name, "namespace": LAB}
        server.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta})
    recorded_list("storageclass-list", server)
    before: dict[str, Step] = {
        "quota-get-full": scaled_to_6,
        "pvc-get-pending-just-created": more_claims,
        **dict.fromkeys(GIVEN["policy"], given),
    }
    await replay_file("policy", server, before=before, instead={})


async def unheard(replay: Replay, _: Json) -> None:
    """The kubelet of the second node is dead."""
    replay.server.kill_kubelet("node2")


async def test_nodes() -> None:
    """Cordoned, tainted and labelled by every kind of patch; a node whose kubelet is dead, and its pods."""
    gate = Gate()
    server = FakeApiServer(users=USERS, sleep=gate.sleep)
    entries = load("nodes")
    lost = [entry["name"] for entry in entries].index("node-events")
    before: dict[str, Step] = {"node-cordon": hold, "node-uncordon": hold}
    before |= {entry["name"]: at_once for entry in entries[lost:]}
    before |= dict.fromkeys(GIVEN["nodes"], frozen)
    before["log-on-dead-kubelet-500"] = unheard
    await replay_file("nodes", server, before=before, instead={}, gate=gate)
