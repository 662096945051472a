"""The fake API server answers as a real one did: every exchange it claims, or the test fails."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from remediator.testing.apiserver import ADMIN, Behaviour, FakeApiServer, Pace, Rule, User
from remediator.testing.apiserver.kinds import DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, Kind
from tests.contract.recordings.replay import TOKENS, Gate, Json, Replay, Step, load, replay_file, settle

NO_RIGHTS = User(name="alice", rules=())
USERS = {TOKENS["admin"]: ADMIN, TOKENS["alice"]: NO_RIGHTS}
WEB = {"app": "web"}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "labels": WEB},
    "spec": {"selector": WEB, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}


def recorded_body(file: str, name: str) -> Json:
    """The body of a recorded request."""
    body: Json = next(entry for entry in load(file) if entry["name"] == name)["request"]["body"]
    return body


async def at_once(_: Replay, __: Json) -> None:
    """No time for the controllers."""


async def hold(replay: Replay, recorded: Json) -> None:
    """The controllers finish, and then do not see what comes next."""
    await settle(replay, recorded)
    replay.gate.opened.clear()


async def pods_made(replay: Replay, _: Json) -> None:
    """The controllers have made the pods, none of which is ready."""
    await until(replay, "web", lambda status: status.get("updatedReplicas") == 3)


async def skip(_: Replay, __: Json) -> None:
    """Without effect in the recording."""


def like(path: str, body: Json) -> Step:
    """The same effect as a server-side apply, by a merge patch."""

    async def step(replay: Replay, recorded: Json) -> None:
        media = "application/merge-patch+json"
        request = {"method": "PATCH", "path": path, "content_type": media, "body": body}
        assert (await replay.send(request))[0] == 200

    return step


async def create_applied(replay: Replay, recorded: Json) -> None:
    """What a server-side apply of something new creates."""
    replay.learn(recorded["response"]["body"], replay.server.create(recorded["request"]["body"]))


async def bad_image_next(replay: Replay, recorded: Json) -> None:
    """A second Deployment, whose next template names an image that does not exist."""
    replay.server.create(deployment("shop", "bad", replicas=2, progressDeadlineSeconds=10))
    await settle(replay, recorded)
    replay.server.behave("shop", "bad", Behaviour.bad_rollout())


async def timed_out(replay: Replay, _: Json) -> None:
    """The progress deadline has passed."""
    await until(replay, "bad", lambda status: _reason(status) == "ProgressDeadlineExceeded")


def _reason(status: Json) -> str:
    return next(str(one["reason"]) for one in status["conditions"] if one["type"] == "Progressing")


async def until(replay: Replay, name: str, holds: Callable[[Json], bool], kind: Kind = DEPLOYMENTS) -> None:
    """Let the controllers go on up to a status in namespace shop, and no further."""
    seen = asyncio.Event()

    def look(_: object = None) -> None:
        if holds((replay.server.get(kind, "shop", name) or {})["status"]):
            replay.gate.opened.clear()
            seen.set()

    stop = replay.server.cluster.store.subscribe(look)
    replay.gate.opened.set()
    look()
    await asyncio.wait_for(seen.wait(), 5)
    stop()


async def one_stopping(replay: Replay, _: Json) -> None:
    """The first pod of the StatefulSet is being replaced and still runs."""
    await until(replay, "db", lambda status: status["observedGeneration"] == 4, STATEFUL_SETS)


async def one_replaced(replay: Replay, _: Json) -> None:
    """The first pod of the DaemonSet has a successor that is not ready."""
    await until(replay, "agent", lambda status: status.get("numberUnavailable") == 1, DAEMON_SETS)


async def headless(replay: Replay, recorded: Json) -> None:
    """The Service of the StatefulSet."""
    spec = {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"name": "http", "port": 8080}]}
    meta = {"name": "db", "namespace": "shop", "labels": {"app": "db"}}
    replay.server.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    await settle(replay, recorded)


async def namespace_with_content(replay: Replay, recorded: Json) -> None:
    """A namespace with an empty Deployment, about to be deleted."""
    await settle(replay, recorded)
    replay.server.create(deployment("ending", "web", replicas=0))
    await hold(replay, recorded)


def deployment(namespace: str, name: str, **spec: Any) -> Json:
    """The recorded Deployment under another name."""
    text = json.dumps(recorded_body("workloads", "deployment-create"))
    body: Json = json.loads(text.replace('"app": "web"', f'"app": "{name}"'))
    body["metadata"] |= {"name": name, "namespace": namespace}
    body["spec"] |= spec
    return body


async def test_workloads() -> None:
    """Deployments and their scale, all patches but apply, rollouts, StatefulSets, DaemonSets, deletes."""
    gate = Gate()
    server = FakeApiServer(users=USERS, pace=Pace(second=0.01), sleep=gate.sleep)
    server.create(SERVICE)
    web = "/apis/apps/v1/namespaces/shop/deployments/web"
    seen_late = "patch-strategic-env-by-container-name"
    held = ("deployment-create", seen_late, "rollout-restart", "statefulset-rollout-restart")
    quick = ("deployment-create-already-exists-409", "deployment-create-unknown-namespace-404")
    soon = ("deployment-get-mid-rollout", "daemonset-rollout-restart", "patch-strategic-resources-dry-run")
    ending = (
        "namespace-get-terminating",
        "create-in-terminating-namespace-403",
        "patch-in-terminating-namespace",
    )
    await replay_file(
        "workloads",
        server,
        gate=gate,
        before={
            **dict.fromkeys(held, hold),
            **dict.fromkeys((*quick, *soon, *ending), at_once),
            "deployment-get-progressing": pods_made,
            "set-image-unpullable": bad_image_next,
            "deployment-get-progress-deadline-exceeded": timed_out,
            "statefulset-get-mid-rollout": one_stopping,
            "daemonset-get-mid-rollout": one_replaced,
            "endpoints-list": headless,
            "namespace-delete": namespace_with_content,
        },
        instead={
            "scale-patch-apply": like(f"{web}/scale", {"spec": {"replicas": 3}}),
            "apply-no-field-manager-422": skip,
            "apply-conflict-409": skip,
            "apply-same-value-shared-ownership": skip,
            "apply-force": like(web, {"spec": {"replicas": 2}}),
            "apply-with-managed-fields-400": skip,
            "apply-creates": create_applied,
        },
    )


async def test_meta() -> None:
    """Version, health, discovery, and what the API machinery refuses before it looks at an object."""
    await replay_file("meta", FakeApiServer(users=USERS), before={}, instead={})


async def grant(replay: Replay, recorded: Json) -> None:
    """The recorded role, given to alice."""
    role = recorded_body("access", "role-create")
    rules = [
        Rule(
            verbs=frozenset(rule["verbs"]),
            groups=frozenset(rule["apiGroups"]),
            resources=frozenset(rule["resources"]),
            namespaces=frozenset({"policylab"}),
            names=frozenset(rule.get("resourceNames", ["*"])),
        )
        for rule in role["rules"]
    ]
    replay.server.users[TOKENS["alice"]] = User(name="alice", rules=tuple(rules))


async def test_access() -> None:
    """Access reviews, and what a user with few rights is refused."""
    server = FakeApiServer(users=USERS)
    server.create(deployment("policylab", "web", replicas=3))
    await replay_file("access", server, before={}, instead={"role-create": skip, "rolebinding-create": grant})


def as_recorded(server: FakeApiServer, name: str) -> None:
    """Put the recorded pod of an exchange into the cluster."""
    body = next(entry for entry in load("pods") if entry["name"] == name)["response"]["body"]
    server.restore(body)


def appearing(*logs: tuple[str, bool]) -> Step:
    """The pod that an exchange reads appears, with what it has written (now, or in its previous run)."""

    async def step(replay: Replay, recorded: Json) -> None:
        as_recorded(replay.server, recorded["name"])
        meta = recorded["response"]["body"]["metadata"]
        for text, previous in logs:
            replay.server.set_log(meta["namespace"], meta["name"], text, previous=previous)

    return step


async def compacted(replay: Replay, _: Json) -> None:
    """The history is forgotten."""
    replay.server.cluster.store.compact()


async def test_pods() -> None:
    """Lists, selectors, pages, logs and deletes of pods in every state, as they were recorded."""
    server = FakeApiServer(users=USERS, pace=Pace(ready_after=3600, stop_after=3600))
    listed = next(entry for entry in load("pods") if entry["name"] == "list")["response"]["body"]
    for pod in listed["items"]:
        server.restore(pod | {"apiVersion": "v1", "kind": "Pod"})
    as_recorded(server, "get-slow-stop-before-delete")
    server.set_log("podlab", "logger", "".join(f"line {number}\n" for number in range(1, 51)))
    server.set_log("podlab", "two", "hello from a\n", container="a")
    server.set_log("podlab", "crash", "starting\nboom\n")
    server.set_log("podlab", "completed", "done\n")
    server.set_log("podlab", "init-crash", "init\n", container="init")
    names = [entry["name"] for entry in load("pods")]
    await replay_file(
        "pods",
        server,
        before={
            **dict.fromkeys(names, at_once),
            "list-continue-expired-410": compacted,
            "get-crash-once-restarted": appearing(("first run\nfatal\n", True)),
            "get-crash-for-previous-log": appearing(("starting\n", True), ("starting\n", False)),
            "get-missing-volume": appearing(),
        },
        instead=dict.fromkeys((name for name in names if name.startswith(("exec", "evict", "pdb"))), skip),
    )
