"""Calls to a fake API server with one Deployment, for the tests that use it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, TypeAlias

import aiohttp

from remediator.testing.apiserver import TOKEN, FakeApiServer
from remediator.testing.apiserver.kinds import DEPLOYMENTS

Json: TypeAlias = dict[str, Any]
WEB = "/apis/apps/v1/namespaces/shop/deployments/web"
RESTART = {"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}}}


async def call(
    server: FakeApiServer, method: str, path: str, body: Any = None, **query: str
) -> tuple[int, Any]:
    """One request as the administrator; a dict patches strategically, a list is a json-patch."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if method == "PATCH":
        kind = "json-patch+json" if isinstance(body, list) else "strategic-merge-patch+json"
        headers["Content-Type"] = f"application/{kind}"
    elif body is not None:
        headers["Content-Type"] = "application/json"
    data = None if body is None else json.dumps(body)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, server.url + path, params=query, data=data) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


def rolled_out(deployment: Json) -> bool:
    """``kubectl rollout status`` says "successfully rolled out"."""
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("replicas", 0) <= status.get("updatedReplicas", 0)
        and status.get("availableReplicas", 0) >= status.get("updatedReplicas", 0)
    )


def now(server: FakeApiServer) -> Json:
    """The Deployment as it is."""
    found = server.get(DEPLOYMENTS, "shop", "web")
    assert found is not None
    return found


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that the controllers do."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the store has no event for any condition
            await asyncio.sleep(0.005)
