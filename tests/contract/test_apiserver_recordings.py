"""The fake API server answers as a real one did: every exchange it claims, or the test fails."""

from __future__ import annotations

from datetime import datetime, timedelta

from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace
from remediator.testing.apiserver.admission import Policy, Webhook
from remediator.testing.apiserver.kinds import DAEMON_SETS, STATEFUL_SETS
from remediator.testing.apiserver.objects import utc_now
from tests.contract.recordings.replay import (
    GIVEN,
    TOKENS,
    Gate,
    Json,
    Replay,
    Step,
    load,
    replay_file,
    settle,
)
from tests.contract.recordings.steps import (
    USERS,
    at_once,
    deployment,
    hold,
    present,
    until,
    wrote,
)

WEB = {"app": "web"}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "labels": WEB},
    "spec": {"selector": WEB, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}


async def pods_made(replay: Replay, _: Json) -> None:
    """The controllers have made the pods, none of which is ready."""
    await until(replay, "web", lambda status: status.get("updatedReplicas") == 3)


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


async def one_stopping(replay: Replay, _: Json) -> None:
    """The first pod of the StatefulSet is being replaced and still runs."""
    await until(replay, "db", lambda status: status["observedGeneration"] == 4, STATEFUL_SETS)


async def one_replaced(replay: Replay, _: Json) -> None:
    """The first pod of the DaemonSet has a successor that is not ready."""
    await until(replay, "agent", lambda status: status.get("numberUnavailable") == 1, DAEMON_SETS)


async def seen_deleting(replay: Replay, _: Json) -> None:
    """The controller has seen that the Deployment is being deleted."""
    await until(replay, "web", lambda status: status["observedGeneration"] == 18)


async def headless(replay: Replay, recorded: Json) -> None:
    """The Service of the StatefulSet."""
    spec = {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"name": "http", "port": 8080}]}
    meta = {"name": "db", "namespace": "shop", "labels": {"app": "db"}}
    replay.server.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    await settle(replay, recorded)


async def guarded(replay: Replay, _: Json) -> None:
    """A namespace whose policy refuses Deployments of more than five replicas."""
    replay.server.create(deployment("guarded", "web", replicas=1))
    await settle(replay, _)
    refused = Policy(
        name="max-replicas",
        resource="deployments",
        message="at most 5 replicas",
        denies=lambda obj: obj["spec"]["replicas"] > 5,
        namespace="guarded",
    )
    replay.server.admission.policies.append(refused)


async def unguarded(replay: Replay, _: Json) -> None:
    """A webhook that has to be asked about Deployments, on a host that does not exist."""
    webhook = Webhook(name="down.example.com", resource="deployments", host="webhook.invalid")
    replay.server.admission.webhooks.append(webhook)


async def namespace_with_content(replay: Replay, recorded: Json) -> None:
    """A namespace with an empty Deployment, about to be deleted."""
    await settle(replay, recorded)
    replay.server.create(deployment("ending", "web", replicas=0))
    await hold(replay, recorded)


async def test_workloads() -> None:
    """Deployments and their scale, all patches but apply, rollouts, StatefulSets, DaemonSets, deletes."""
    gate = Gate()
    server = FakeApiServer(users=USERS, pace=Pace(second=0.01), sleep=gate.sleep)
    server.create(SERVICE)
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
            "patch-denied-by-admission-policy-422": guarded,
            "patch-webhook-unreachable-500": unguarded,
            "delete-foreground": hold,
            "deployment-get-foreground-deleting": seen_deleting,
        },
        instead={},
    )


async def test_meta() -> None:
    """Version, health, discovery, and what the API machinery refuses before it looks at an object."""
    server = FakeApiServer(users=USERS)
    meta = {"name": "openshift-service-ca.crt", "namespace": "default"}
    noted = {"annotations": {"service.beta.openshift.io/inject-cabundle": "true"}}
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta | noted}
    server.create(body | {"data": {"service-ca.crt": ""}})
    await replay_file("meta", server, before={}, instead={})


async def scaled_twice(replay: Replay, recorded: Json) -> None:
    """The Deployment has been scaled up and down since it was made."""
    for replicas in (6, 3):
        request = {
            "method": "PATCH",
            "path": "/apis/apps/v1/namespaces/policylab/deployments/web",
            "content_type": "application/merge-patch+json",
            "body": {"spec": {"replicas": replicas}},
        }
        assert (await replay.send(request))[0] == 200
        await settle(replay, recorded)


async def token_of_alice(replay: Replay, _: Json) -> None:
    """The token in the recording, which shows none, is hers."""
    replay.names["<token>"] = TOKENS["alice"]


async def token_of_nobody(replay: Replay, _: Json) -> None:
    """The token in the recording is nobody's."""
    replay.names["<token>"] = TOKENS["bad-token"]


async def test_access() -> None:
    """Access reviews, and what a user with few rights is refused; rights come from a role that is bound."""
    server = FakeApiServer(users=USERS)
    server.create(deployment("policylab", "web", replicas=3))
    before = {
        "ssar-admin-allowed": scaled_twice,
        "tokenreview-ok": token_of_alice,
        "tokenreview-bad": token_of_nobody,
    }
    await replay_file("access", server, before=before, instead={})


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


class Clock:
    """The wall clock of a server, which a test can put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time."""
        return utc_now() + self.ahead

    async def put_forward(self, _: Replay, __: Json) -> None:
        """A minute later."""
        self.ahead += timedelta(minutes=1)


async def two_containers(replay: Replay, _: Json) -> None:
    """A pod of which nobody says which container is meant."""
    containers = [{"name": name, "image": "registry.local/web:v1"} for name in ("a", "b")]
    meta = {"name": "multi", "namespace": "policylab"}
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"containers": containers}}
    replay.server.create(pod)


async def compacted(replay: Replay, _: Json) -> None:
    """The history is forgotten."""
    replay.server.cluster.store.compact()


async def test_pods() -> None:
    """Lists, selectors, pages, logs and deletes of pods in every state, as they were recorded."""
    clock = Clock()
    server = FakeApiServer(users=USERS, pace=Pace(ready_after=3600, stop_after=3600), wall=clock.now)
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
            **dict.fromkeys(GIVEN["pods"], present),
            **dict.fromkeys(("log-accept-any", "log-unknown-query-parameter"), wrote),
            "log-since-seconds": clock.put_forward,
            "log-all-default-container-annotation-missing-400": two_containers,
            "list-continue-expired-410": compacted,
            "get-crash-once-restarted": appearing(("first run\nfatal\n", True)),
            "get-crash-for-previous-log": appearing(("starting\n", True), ("starting\n", False)),
        },
        instead={},
        only=lambda name: not name.startswith(("evict", "get-evicted", "get-pod-", "exec", "pdb")),
    )
