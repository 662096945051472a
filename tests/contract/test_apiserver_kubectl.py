"""kubectl, the client that people use, against the fake: every command it is asked here does what it says."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from remediator.testing.apiserver import FakeApiServer, Pace
from remediator.testing.apiserver.kinds import DEPLOYMENTS, PODS

MANIFEST: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "web", "image": "web:v1"}]},
        },
    },
}


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """The program with a kubeconfig that the fake has written; ``home`` holds its caches."""

    server: FakeApiServer
    home: Path

    async def __call__(self, *arguments: str, stdin: object = None) -> str:
        """What it prints. Fails unless it exits with 0."""
        code, out, err = await self.run(*arguments, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(arguments)}: {err}"
        return out

    async def run(self, *arguments: str, stdin: object = None) -> tuple[int, str, str]:
        """Its exit code, and what it prints."""
        process = await asyncio.create_subprocess_exec(
            *("kubectl", "--kubeconfig", str(self.home / "kubeconfig"), "--request-timeout=20s", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"HOME": str(self.home), "PATH": "/usr/local/bin:/usr/bin:/bin"},
        )
        out, err = await asyncio.wait_for(process.communicate(json.dumps(stdin).encode()), 30)
        return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """Over TLS: kubectl sends no token without."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    pace = Pace(second=0.05)
    async with FakeApiServer(tls=context, ca=authority.cert_pem.bytes(), pace=pace) as server:
        server.kubeconfig(tmp_path / "kubeconfig", namespace="shop")
        server.namespace("shop")
        yield Kubectl(server=server, home=tmp_path)


def spec_of(server: FakeApiServer) -> dict[str, Any]:
    """The spec of the Deployment."""
    found = server.get(DEPLOYMENTS, "shop", "web")
    assert found is not None
    spec: dict[str, Any] = found["spec"]
    return spec


async def test_a_rollout_from_apply_to_delete(kubectl: Kubectl) -> None:
    assert "created" in await kubectl("apply", "-f", "-", stdin=MANIFEST)
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web")
    assert "2/2" in await kubectl("get", "deployment", "web")
    assert (await kubectl("get", "pods", "-l", "app=web", "--no-headers")).count("Running") == 2
    changed = json.loads(json.dumps(MANIFEST).replace("web:v1", "web:v2"))
    assert "configured" in await kubectl("apply", "-f", "-", stdin=changed)
    assert spec_of(kubectl.server)["template"]["spec"]["containers"][0]["image"] == "web:v2"
    await kubectl("rollout", "restart", "deployment/web")
    assert "successfully rolled out" in await kubectl("rollout", "status", "deployment/web")
    await kubectl("rollout", "undo", "deployment/web")
    assert "annotations" not in spec_of(kubectl.server)["template"]["metadata"]
    await kubectl("scale", "deployment/web", "--replicas=3")
    assert spec_of(kubectl.server)["replicas"] == 3
    await kubectl("delete", "deployment", "web")
    await kubectl.server.settled()
    assert kubectl.server.cluster.store.list(PODS, "shop") == []


async def test_pods_their_logs_and_what_was_told_of_them(kubectl: Kubectl) -> None:
    kubectl.server.deployment("shop", "web", replicas=1)
    await kubectl.server.settled()
    name = kubectl.server.cluster.store.list(PODS, "shop")[0]["metadata"]["name"]
    kubectl.server.set_log("shop", name, "one\ntwo\n")
    assert await kubectl("logs", name, "--tail=1") == "two\n"
    assert "Started container web" in await kubectl("describe", "pod", name)
    kubectl.server.set_usage("shop", "web", cpu="250m", memory="64Mi")
    assert "250m" in await kubectl("top", "pod", name)
    await kubectl("delete", "pod", name)
    await kubectl.server.settled()
    left = kubectl.server.cluster.store.list(PODS, "shop")
    assert [pod["metadata"]["name"] != name for pod in left] == [True]


async def test_a_followed_log_ends_with_its_container(kubectl: Kubectl) -> None:
    kubectl.server.deployment("shop", "web", replicas=1)
    await kubectl.server.settled()
    name = kubectl.server.cluster.store.list(PODS, "shop")[0]["metadata"]["name"]
    kubectl.server.set_log("shop", name, "one\n")
    following = asyncio.create_task(kubectl("logs", "--follow", name))
    while not any(arrival.path.endswith("/log") for arrival in kubectl.server.requests):  # noqa: ASYNC110 - arrivals have no event
        await asyncio.sleep(0.01)
    kubectl.server.append_log("shop", name, "two\n")
    await kubectl("delete", "pod", name)
    assert await following == "one\ntwo\n"


async def test_a_manifest_with_an_unknown_field_is_refused(kubectl: Kubectl) -> None:
    """By kubectl itself from the OpenAPI document, or by the server when kubectl leaves it to it."""
    odd = MANIFEST | {"spec": MANIFEST["spec"] | {"replcas": 2}}
    code, _, err = await kubectl.run("apply", "-f", "-", stdin=odd)
    assert code != 0
    assert "replcas" in err
    assert kubectl.server.get(DEPLOYMENTS, "shop", "web") is None


async def test_drain(kubectl: Kubectl) -> None:
    """The node is cordoned, its pods are evicted one by one as their budget allows."""
    kubectl.server.deployment("shop", "web", replicas=2)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    kubectl.server.create(head | {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    await kubectl.server.settled()
    assert "evicted" in await kubectl("drain", "node1", "--timeout=10s")
    await kubectl.server.settled()
    assert await kubectl("get", "node", "node1", "-o", "jsonpath={.spec.unschedulable}") == "true"
    pods = kubectl.server.cluster.store.list(PODS, "shop")
    assert [pod["spec"]["nodeName"] for pod in pods] == ["node2", "node2"]
    assert [effect.subresource for effect in kubectl.server.ledger if effect.resource == "pods"] == [
        "eviction"
    ]
