"""What else the fake API server promises: discovery that is true, roles that grant, bounds that hold."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from remediator.testing.apiserver import TOKEN, Behaviour, FakeApiServer, Pace, Program, User
from remediator.testing.apiserver.kinds import CLAIMS, EVENTS, PODS, REPLICA_SETS, VOLUMES
from remediator.testing.apiserver.objects import condition
from tests.contract.recordings.calls import call, until
from tests.contract.recordings.replay import Json, load

RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """An empty cluster with one namespace."""
    async with FakeApiServer(pace=Pace(second=0.02)) as running:
        running.namespace("shop")
        yield running


async def ask(server: FakeApiServer, path: str, **headers: str) -> tuple[int, Any]:
    """One read with other headers."""
    sent = {"Authorization": f"Bearer {TOKEN}"} | headers
    async with aiohttp.ClientSession(headers=sent) as session, session.get(server.url + path) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_what_discovery_names_is_served_or_501(server: FakeApiServer) -> None:
    """Never 404: every listable resource of every group is there, or is said not to be supported."""
    _, legacy = await call(server, "GET", "/apis")
    groups = [one["preferredVersion"]["groupVersion"] for one in legacy["groups"]]
    statuses: dict[str, int] = {}
    for prefix in ("/api/v1", *(f"/apis/{group}" for group in groups)):
        _, found = await call(server, "GET", prefix)
        for resource in found["resources"]:
            if "list" in resource["verbs"] and resource["name"] != "secrets":
                path = f"{prefix}/{resource['name']}"
                statuses[path], _ = await call(server, "GET", path)
    assert set(statuses.values()) == {200, 501}
    assert statuses["/apis/batch/v1/cronjobs"] == 200
    assert statuses["/apis/networking.k8s.io/v1/ingresses"] == 501


async def test_nobody_reads_secrets(server: FakeApiServer) -> None:
    """Not even the administrator, though discovery knows of them."""
    _, found = await call(server, "GET", "/api/v1")
    assert "secrets" in {one["name"] for one in found["resources"]}
    assert (await call(server, "GET", "/api/v1/namespaces/shop/secrets"))[0] == 403


async def test_kubectl_gets_a_table(server: FakeApiServer) -> None:
    """The first form it names; a kind without columns of its own has name and age."""
    server.deployment("shop", "web", replicas=1)
    await server.settled()
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    _, pods = await ask(server, "/api/v1/namespaces/shop/pods", Accept=accept)
    assert [one["name"] for one in pods["columnDefinitions"]] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert pods["rows"][0]["cells"][1:4] == ["1/1", "Running", "0"]
    _, maps = await ask(server, "/api/v1/namespaces", Accept=accept)
    assert {len(row["cells"]) for row in maps["rows"]} == {2}


async def test_a_role_grants_while_it_is_bound(server: FakeApiServer) -> None:
    """A ClusterRole bound in a namespace holds there and nowhere else, for a group as for a user."""
    server.users["bob-token"] = User(name="bob", groups=("ops",), rules=())
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    meta = {"name": "reader"}
    await call(server, "POST", f"{RBAC}/clusterroles", {"metadata": meta, "rules": rules})
    binding = {
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"kind": "Group", "name": "ops"}],
    }
    await call(server, "POST", f"{RBAC}/namespaces/shop/rolebindings", binding)
    bob = {"Authorization": "Bearer bob-token"}
    assert (await ask(server, "/api/v1/namespaces/shop/pods", **bob))[0] == 200
    assert (await ask(server, "/api/v1/namespaces/default/pods", **bob))[0] == 403
    assert (await ask(server, "/api/v1/pods", **bob))[0] == 403
    await call(server, "DELETE", f"{RBAC}/namespaces/shop/rolebindings/reader")
    assert (await ask(server, "/api/v1/namespaces/shop/pods", **bob))[0] == 403


async def test_a_quota_holds_for_controllers_until_it_is_raised(server: FakeApiServer) -> None:
    """The ReplicaSet says that it cannot make pods, and makes them when there is room."""
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
    path = "/api/v1/namespaces/shop/resourcequotas"
    assert (await call(server, "POST", path, quota))[0] == 201
    server.deployment("shop", "web", replicas=3)
    await server.settled()
    (owner,) = server.cluster.store.list(REPLICA_SETS, "shop")
    failed = condition(owner, "ReplicaFailure")
    assert failed is not None
    assert "exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2" in failed["message"]
    await call(server, "PATCH", f"{path}/few", {"spec": {"hard": {"pods": "3"}}})
    await until(lambda: len(server.cluster.store.list(PODS, "shop")) == 3)
    await until(
        lambda: condition(server.cluster.store.list(REPLICA_SETS, "shop")[0], "ReplicaFailure") is None
    )


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet", "Job"])
async def test_a_quota_holds_for_every_controller(server: FakeApiServer, kind: str) -> None:
    """One pod where two are wanted, and an event that says why; the other when there is room."""
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    path = "/api/v1/namespaces/shop/resourcequotas"
    assert (await call(server, "POST", path, quota))[0] == 201
    labels = {"app": "w"}
    pod = {"containers": [{"name": "c", "image": "registry.local/w:v1"}]}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec: Json = {"template": template, "selector": {"matchLabels": labels}}
    if kind == "StatefulSet":
        spec |= {"replicas": 2, "serviceName": "w", "podManagementPolicy": "Parallel"}
    if kind == "Job":
        never = {**template, "spec": pod | {"restartPolicy": "Never"}}
        spec = {"template": never, "parallelism": 2, "completions": 2}
    version = "batch/v1" if kind == "Job" else "apps/v1"
    meta = {"name": "w", "namespace": "shop"}
    server.behave("shop", "w", Behaviour.runs(Program()))
    server.create({"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec})
    await server.settled()
    assert len(server.cluster.store.list(PODS, "shop")) == 1
    reasons = {one["reason"] for one in server.cluster.store.list(EVENTS, "shop")}
    assert "FailedCreate" in reasons
    await call(server, "PATCH", f"{path}/few", {"spec": {"hard": {"pods": "2"}}})
    await until(lambda: len(server.cluster.store.list(PODS, "shop")) == 2)


async def test_a_limit_range_fills_in_what_a_pod_leaves_out(server: FakeApiServer) -> None:
    """Requests and limits, and a note that they were not the author's."""
    limits = {"type": "Container", "default": {"memory": "64Mi"}, "defaultRequest": {"memory": "32Mi"}}
    body = {"metadata": {"name": "l"}, "spec": {"limits": [limits]}}
    await call(server, "POST", "/api/v1/namespaces/shop/limitranges", body)
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    status, made = await call(server, "POST", "/api/v1/namespaces/shop/pods", pod)
    assert status == 201
    resources = made["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "64Mi"}, "requests": {"memory": "32Mi"}}
    assert "memory limit for container c" in made["metadata"]["annotations"]["kubernetes.io/limit-ranger"]


async def test_a_claim_in_use_outlives_its_deletion(server: FakeApiServer) -> None:
    """It goes with the last pod that uses it; its volume is then released, not free."""
    bodies = {entry["name"]: entry["request"].get("body") for entry in load("policy")}
    claim, volume = bodies["pvc-create"], bodies["pv-create"]
    server.create(volume)
    server.create(claim)
    source = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [source]}
    meta = {"name": "user", "namespace": "policylab"}
    server.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    await server.settled()
    await call(server, "DELETE", "/api/v1/namespaces/policylab/persistentvolumeclaims/data")
    await server.settled()
    assert server.get(CLAIMS, "policylab", "data") is not None
    await call(server, "DELETE", "/api/v1/namespaces/policylab/pods/user")
    await until(lambda: server.get(CLAIMS, "policylab", "data") is None)
    await until(lambda: _phase(server.get(VOLUMES, "", "pv-small")) == "Released")


def _phase(obj: Json | None) -> str:
    return "" if obj is None else str(obj["status"]["phase"])


async def test_a_second_version_is_the_same_object(server: FakeApiServer) -> None:
    """Written in one version, read in the other; a watch of events.k8s.io sees an event of the core."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 4, "targetCPUUtilizationPercentage": 70}
    old, new = "/apis/autoscaling/v1", "/apis/autoscaling/v2"
    place = "/namespaces/shop/horizontalpodautoscalers"
    status, made = await call(server, "POST", old + place, {"metadata": {"name": "web"}, "spec": spec})
    assert (status, made["spec"]["targetCPUUtilizationPercentage"]) == (201, 70)
    _, read = await call(server, "GET", f"{new}{place}/web")
    assert read["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    seen = asyncio.create_task(_first_event(server, "/apis/events.k8s.io/v1/namespaces/shop/events"))
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"namespace": "shop", "name": "web"},
        "message": "m",
    }
    assert (await call(server, "POST", "/api/v1/namespaces/shop/events", event))[0] == 201
    found = await asyncio.wait_for(seen, 5)
    assert (found["note"], found["regarding"]["name"]) == ("m", "web")


async def _first_event(server: FakeApiServer, path: str) -> Json:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(server.url + path, params={"watch": "true"}) as answer,
    ):
        line: Json = json.loads(await answer.content.readline())
        found: Json = line["object"]
        return found


async def test_pages_show_one_moment(server: FakeApiServer) -> None:
    """What is deleted or made between two pages is on none and on all of them, as when the list began."""
    place = "/api/v1/namespaces/shop/configmaps"
    for name in ("a", "b", "c"):
        await call(server, "POST", place, {"metadata": {"name": name}})
    _, first = await call(server, "GET", place, limit="1")
    await call(server, "DELETE", f"{place}/b")
    await call(server, "POST", place, {"metadata": {"name": "bb"}})
    _, rest = await call(server, "GET", place, **{"continue": first["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]
