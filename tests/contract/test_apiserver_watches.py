"""What a watch sees while a workload changes: the same states in the same order as on a real cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any, TypeAlias

import aiohttp
import pytest

from remediator.testing.apiserver import ADMIN, Behaviour, FakeApiServer, Pace
from tests.contract.recordings.replay import TOKENS, Json, Replay, load

State: TypeAlias = tuple[Any, ...]

_COUNTS = (
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
    "currentReplicas",
    "currentNumberScheduled",
    "desiredNumberScheduled",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
    "numberUnavailable",
)


def state(obj: Json, base: int) -> State:
    """What a rollout is judged by; generations count from the start of the recording."""
    status = obj["status"]
    observed = status.get("observedGeneration", base) - base
    counts = tuple(status.get(name, 0) for name in _COUNTS)
    conditions = {one["type"]: (one["status"], one["reason"]) for one in status.get("conditions", ())}
    one_revision = status.get("currentRevision") == status.get("updateRevision")
    return (
        obj["metadata"]["generation"] - base,
        observed,
        *counts,
        *sorted(conditions.items()),
        one_revision,
    )


def distinct(states: Iterator[State]) -> list[State]:
    """Without repeats."""
    found: list[State] = []
    for one in states:
        if not found or found[-1] != one:
            found.append(one)
    return found


def manifest(recorded: Json, kind: str) -> Json:
    """A manifest that makes the object of a recorded list."""
    meta = {name: recorded["metadata"][name] for name in ("name", "namespace", "labels")}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": recorded["spec"]}


async def watch(replay: Replay, path: str, version: str, count: int) -> list[Json]:
    """The first so many objects of a watch that differ in state from the one before."""
    headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
    query = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "8"}
    seen: list[Json] = []
    async with replay.session.get(replay.server.url + path, params=query, headers=headers) as answer:
        assert answer.status == 200
        async for line in answer.content:
            seen.append(json.loads(line)["object"])
            if len(distinct(state(one, 0) for one in seen)) == count:
                return seen
    return seen


@pytest.mark.parametrize(
    ("name", "kind", "behaviour"),
    [
        ("deployment-rollout-restart", "Deployment", None),
        ("deployment-rollout-image-pull-failure", "Deployment", Behaviour.bad_rollout()),
        ("deployment-rollout-never-ready", "Deployment", Behaviour.bad_rollout()),
        ("deployment-scale-3-to-0", "Deployment", None),
        ("deployment-delete-one-pod", "Deployment", None),
        ("statefulset-rollout-restart", "StatefulSet", None),
        ("daemonset-rollout-restart", "DaemonSet", None),
    ],
)
async def test_the_states_of_a_workload(name: str, kind: str, behaviour: Behaviour | None) -> None:
    recording = load(f"watch-{name}")
    start = next(entry for entry in recording if entry["kind"] == "list")["body"]["items"][0]
    request = next(entry for entry in recording if entry["kind"] == "request")["request"]
    objects = [entry["object"] for entry in recording if entry["kind"] == "event"]
    wanted = distinct(state(one, start["metadata"]["generation"]) for one in objects)
    server = FakeApiServer(users={TOKENS["admin"]: ADMIN}, pace=Pace(stop_after=0.1, second=0.02))
    async with server, aiohttp.ClientSession() as session:
        replay = Replay(server=server, session=session)
        server.create(manifest(start, kind))
        await server.settled()
        path = f"/apis/apps/v1/namespaces/{start['metadata']['namespace']}/{kind.lower()}s"
        _, live, _ = await replay.send({"method": "GET", "path": path})
        if behaviour is not None:
            server.behave(start["metadata"]["namespace"], start["metadata"]["name"], behaviour)
        watching = asyncio.create_task(watch(replay, path, live["metadata"]["resourceVersion"], len(wanted)))
        await send(replay, request)
        seen = await asyncio.wait_for(watching, 15)
    base = live["items"][0]["metadata"]["generation"]
    assert distinct(state(one, base) for one in seen) == wanted


async def send(replay: Replay, request: Json) -> None:
    """The recorded request; where it names a pod, one of the fake's."""
    if request["method"] == "DELETE":
        parent = request["path"].rpartition("/")[0]
        _, pods, _ = await replay.send({"method": "GET", "path": parent})
        path = f"{parent}/{pods['items'][0]['metadata']['name']}"
        request = {"method": "DELETE", "path": path}
    status, body, _ = await replay.send(request)
    assert status == 200, body


async def lines(server: FakeApiServer, path: str, **query: str) -> list[Json]:
    """Every line of a watch until the server ends it."""
    headers = {"Authorization": f"Bearer {TOKENS['admin']}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(server.url + path, params={"watch": "true", "timeoutSeconds": "1", **query}) as answer,
    ):
        return [json.loads(line) async for line in answer.content]


@pytest.fixture
def server() -> FakeApiServer:
    made = FakeApiServer(users={TOKENS["admin"]: ADMIN})
    for name in ("a", "b"):
        meta = {"name": name, "namespace": "shop", "labels": {"app": name}}
        made.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"k": "1"}})
    return made


MAPS = "/api/v1/namespaces/shop/configmaps"


async def test_without_a_version_existing_objects_come_as_added(server: FakeApiServer) -> None:
    async with server:
        seen = await lines(server, MAPS, fieldSelector="metadata.name=b")
    assert [(line["type"], line["object"]["metadata"]["name"]) for line in seen] == [("ADDED", "b")]


async def test_a_version_that_is_forgotten_is_410_in_a_200(server: FakeApiServer) -> None:
    async with server:
        server.cluster.store.compact()
        seen = await lines(server, MAPS, resourceVersion="1")
    assert [(line["type"], line["object"]["code"], line["object"]["reason"]) for line in seen] == [
        ("ERROR", 410, "Expired")
    ]


async def test_an_object_that_leaves_the_selection_is_deleted_for_the_watch(server: FakeApiServer) -> None:
    """It comes as DELETED with its old content and the new version, and as ADDED when it returns."""
    async with server, aiohttp.ClientSession() as session:
        replay = Replay(server=server, session=session)
        version = str(server.cluster.store.revision)
        watching = asyncio.create_task(lines(server, MAPS, resourceVersion=version, labelSelector="app=a"))
        media = "application/merge-patch+json"
        for label in ("z", "a"):
            body = {"metadata": {"labels": {"app": label}}}
            request = {"method": "PATCH", "path": f"{MAPS}/a", "content_type": media, "body": body}
            assert (await replay.send(request))[0] == 200
        seen = await watching
    assert [(line["type"], line["object"]["metadata"]["labels"]["app"]) for line in seen] == [
        ("DELETED", "a"),
        ("ADDED", "a"),
    ]
    assert [int(line["object"]["metadata"]["resourceVersion"]) for line in seen] == [
        int(version) + 1,
        int(version) + 2,
    ]


async def test_initial_events_end_with_a_bookmark(server: FakeApiServer) -> None:
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    async with server:
        seen = await lines(server, MAPS, **query)
    assert [line["type"] for line in seen] == ["ADDED", "ADDED", "BOOKMARK"]
    assert seen[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
