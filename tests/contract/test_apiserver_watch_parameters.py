"""What a watch may ask for: from where, what of it, how long; and what ends it."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeAlias

import aiohttp
import pytest

from remediator.testing.apiserver import ADMIN, FakeApiServer
from tests.contract.recordings.replay import TOKENS, Replay

Json: TypeAlias = dict[str, Any]


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
