"""Readiness gates: a pod is ready only while whoever answers for them says so, as a kubelet sees to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from remediator.testing.apiserver import TOKEN, FakeApiServer, Pace
from remediator.testing.apiserver.kinds import DEPLOYMENTS, PODS
from remediator.testing.apiserver.objects import condition

GATE = "example.com/well"
MEDIA = "application/strategic-merge-patch+json"


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    made = FakeApiServer(pace=Pace(second=0.01))
    pod = {"containers": [{"name": "web", "image": "web:1"}], "readinessGates": [{"conditionType": GATE}]}
    labels = {"app": "web"}
    made.deployment("shop", "web", replicas=1, template={"metadata": {"labels": labels}, "spec": pod})
    async with made:
        await made.settled()
        yield made


def ready(server: FakeApiServer) -> tuple[Any, ...]:
    """The pod's word, the reasons for it, and what the Deployment counts."""
    [pod] = server.cluster.store.list(PODS, "shop")
    said = condition(pod, "Ready") or {}
    containers = condition(pod, "ContainersReady") or {}
    web = server.get(DEPLOYMENTS, "shop", "web") or {}
    counted = web["status"].get("readyReplicas", 0)
    return said["status"], containers["status"], said.get("reason", ""), said.get("message", ""), counted


async def say(server: FakeApiServer, status: str) -> None:
    """What a controller that answers for the gate does."""
    [pod] = server.cluster.store.list(PODS, "shop")
    url = f"{server.url}/api/v1/namespaces/shop/pods/{pod['metadata']['name']}/status"
    body = {"status": {"conditions": [{"type": GATE, "status": status}]}}
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": MEDIA}
    async with aiohttp.ClientSession() as http, http.patch(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    await server.settled()


async def test_a_pod_waits_for_its_gates_and_loses_its_readiness_with_them(server: FakeApiServer) -> None:
    """Its containers are ready all the while."""
    shut = "ReadinessGatesNotReady"
    missing = f'corresponding condition of pod readiness gate "{GATE}" does not exist.'
    assert ready(server) == ("False", "True", shut, missing, 0)
    await say(server, "True")
    assert ready(server) == ("True", "True", "", "", 1)
    await say(server, "False")
    text = f'the status of pod readiness gate "{GATE}" is not "True", but False'
    assert ready(server) == ("False", "True", shut, text, 0)
