"""What a watch may ask for: from where, what of it, how long; and what ends it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, TypeAlias

import aiohttp
import pytest

from remediator.testing.apiserver import ADMIN, Behaviour, FakeApiServer, Pace, Program
from tests.contract.recordings.replay import RECORDINGS, TOKENS, Replay
from tests.contract.recordings.steps import USERS

Json: TypeAlias = dict[str, Any]


CASES = [json.loads(line) for line in (RECORDINGS / "watch-cases.jsonl").read_text().splitlines()]
HALF = 0.5
"""Cases are replayed in half their time, but for a bookmark that is due so many seconds before the end."""


async def seen_by(server: FakeApiServer, case: Json, pace: float) -> tuple[int, Any]:
    """Replay a case: the status, and the events or the body of a refusal."""
    versions = {"7353": str(server.cluster.store.revision)}
    query = {name: versions.get(value, value) for name, value in case["query"].items()}
    if "timeoutSeconds" in query:
        query["timeoutSeconds"] = str(float(query["timeoutSeconds"]) * pace)
    headers = {"Authorization": f"Bearer {TOKENS[case['user']]}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        replay = Replay(server=server, session=session)
        async with session.get(server.url + case["path"], params=query) as answer:
            for request in case["requests"]:
                await replay.send(request)
                await server.settled()
            if answer.status != 200:
                return answer.status, await answer.json()
            return answer.status, [outward(json.loads(line)) async for line in answer.content]


def outward(event: Json) -> Json:
    """What an event is compared by."""
    obj = event["object"]
    if event["type"] == "ERROR":
        return {"type": "ERROR", "object": obj}
    if event["type"] == "BOOKMARK":
        return {"type": "BOOKMARK", "annotations": obj["metadata"].get("annotations")}
    return {
        "type": event["type"],
        "name": obj["metadata"]["name"],
        "labels": obj["metadata"].get("labels"),
    }


def plain(value: Any) -> str:
    """Without the number of a version."""
    return re.sub(r"(too old resource version: \d+) \(\d+\)", r"\1", json.dumps(value, sort_keys=True))


async def replayed(case: Json) -> str:
    """What differs from the recording, or nothing."""
    server = FakeApiServer(users=USERS, pace=Pace(second=HALF))
    server.namespace("watchlab")
    server.behave("watchlab", "short", Behaviour.runs(Program.completes(after=2)))
    maps = {"a": {"app": "x"}, "b": {"app": "y"}, "kube-root-ca.crt": None, "openshift-service-ca.crt": None}
    gone = {"legacy-watch-path": "a", "plain": "a"}
    for name, labels in maps.items():
        meta = {"name": name, "namespace": "watchlab"} | ({"labels": labels} if labels else {})
        if gone.get(case["case"]) != name:
            server.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    if case["case"].startswith("old-"):
        server.cluster.store.compact()
    wanted = [{key: value for key, value in event.items() if key != "t"} for event in case["events"]]
    async with server:
        pace = 1.0 if "bookmark" in case["case"] else HALF
        status, found = await asyncio.wait_for(seen_by(server, case, pace), 10)
    if (status, plain(found)) == (case["status"], plain(case.get("body", wanted))):
        return ""
    return f"{case['case']}: {status} {found} instead of {wanted}"


async def test_every_recorded_case() -> None:
    """All at the same time, as each takes seconds; without the one that waits a minute for a bookmark."""
    cases = [case for case in CASES if case["case"] != "periodic-bookmark-75s"]
    found = await asyncio.gather(*map(replayed, cases))
    assert [one for one in found if one] == []
    assert len(found) == 22


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
    assert seen[-1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"] == "true"
