"""With a cluster that answers: the real helm looks there, the real kubectl brings there what was rendered."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from remediator.testing.apiserver import TOKEN, FakeApiServer
from tests.chart.rendering import CHART, HELM, NAMESPACE, RELEASE, Object, Rendered, read, render
from tests.contract.test_apiserver_kubectl import Kubectl, kubectl

__all__ = ["kubectl"]
NOT_SERVED = ("NetworkPolicy", "Secret", "ServiceAccount")
"""Kinds that the fake API server answers 501 to, or 403: nobody reads Secrets there."""

RESENT = {"poddisruptionbudget.policy"}
"""What kubectl sends anew each time: its selector is replaced as a whole."""


class Keeper:
    """The fake API server, with Secrets: those that ``kept`` names, in our namespace."""

    def __init__(self, server: FakeApiServer) -> None:
        self._server = server
        self.kept: dict[str, Object] = {}

    async def handle(self, request: web.Request) -> web.Response:
        """Answer for Secrets, and pass on the rest. Over plain HTTP helm shows no credentials: we do."""
        prefix = f"/api/v1/namespaces/{NAMESPACE}/secrets/"
        if request.path.startswith(prefix):
            return self._secret(request.path.removeprefix(prefix))
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": request.headers.get("Accept", "*/*")}
        url = f"{self._server.url}{request.path_qs}"
        async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as answer:
            kind = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
            return web.Response(status=answer.status, body=await answer.read(), headers=kind)

    def _secret(self, name: str) -> web.Response:
        if (data := self.kept.get(name)) is None:
            status = {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404}
            return web.json_response(status, status=404)
        meta = {"name": name, "namespace": NAMESPACE}
        return web.json_response({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


class Cluster:
    """What helm is given: a kubeconfig in ``home``, of a cluster that remembers Secrets."""

    def __init__(self, server: FakeApiServer, keeper: Keeper, home: Path) -> None:
        self.server, self.keeper, self._home = server, keeper, home

    async def render(self, values: Object | None = None) -> Rendered:
        """As ``helm upgrade`` renders: it looks up what is there."""
        process = await asyncio.create_subprocess_exec(
            *(str(HELM), "template", RELEASE, str(CHART), "-n", NAMESPACE, "-f", "-", "--dry-run=server"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                "HOME": str(self._home),
                "KUBECONFIG": str(self._home / "kubeconfig"),
                "PATH": "/usr/bin:/bin",
            },
        )
        out, err = await asyncio.wait_for(process.communicate(json.dumps(values or {}).encode()), 60)
        assert process.returncode == 0, err.decode()
        return Rendered(objects=read(out.decode()))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """With the namespace of the release; that of the default policies' services is for the tests to make."""
    async with FakeApiServer() as server:
        server.namespace(NAMESPACE)
        keeper, app = Keeper(server), web.Application()
        app.router.add_get("/{path:.*}", keeper.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        _write_kubeconfig(tmp_path / "kubeconfig", f"http://{host}:{port}")
        yield Cluster(server, keeper, tmp_path)
        await runner.cleanup()


def _write_kubeconfig(path: Path, url: str) -> None:
    context = {"name": "fake", "context": {"cluster": "fake", "user": "fake"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "contexts": [context],
        "clusters": [{"name": "fake", "cluster": {"server": url}}],
        "users": [{"name": "fake", "user": {}}],
    }
    path.write_text(json.dumps(document))


def secrets(rendered: Rendered) -> dict[str, str]:
    """What the release's Secret holds, as it stands there."""
    found: dict[str, str] = rendered.one("Secret")["data"]
    return found


async def test_generated_secrets_survive_an_upgrade(cluster: Cluster) -> None:
    """What is there stays, what was given counts, what is missing is generated, no more is taken over."""
    first = secrets(await cluster.render())
    cluster.keeper.kept[RELEASE] = {**first, "stranger": "eA=="}
    assert secrets(await cluster.render({"replicaCount": 3})) == first
    given = secrets(await cluster.render({"secrets": {"apiToken": {"value": "mine"}}}))
    assert base64.b64decode(given["api-token"]) == b"mine"
    assert given["webhook-token"] == first["webhook-token"]
    del cluster.keeper.kept[RELEASE]["webhook-token"]
    mended = secrets(await cluster.render())
    assert mended["webhook-token"] != first["webhook-token"]
    assert mended["valkey-password"] == first["valkey-password"]


async def test_a_role_waits_for_its_namespace(cluster: Cluster) -> None:
    """Left out where the cluster does not have it, there once it does; there all the same if one says so."""
    assert (await cluster.render()).of("Role") == []
    everywhere = await cluster.render({"rbac": {"skipMissingNamespaces": False}})
    assert [role["metadata"]["namespace"] for role in everywhere.of("Role")] == ["fintech-services"]
    cluster.server.namespace("fintech-services")
    assert len((await cluster.render()).of("Role")) == 1


async def test_kubectl_brings_it_there_and_again_changes_nothing(kubectl: Kubectl, tmp_path: Path) -> None:
    """All but the kinds that the fake does not serve; its controllers make pods of it."""
    for namespace in (NAMESPACE, "fintech-services"):
        kubectl.server.namespace(namespace)
    objects: list[Any] = [one for one in render().objects if one["kind"] not in (*NOT_SERVED, "Pod")]
    listed = tmp_path / "objects.json"
    listed.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    first = await kubectl("apply", "-f", str(listed))
    assert [line.split()[-1] for line in first.splitlines()] == ["created"] * len(objects)
    again = await kubectl("apply", "-f", str(listed))
    changed = {line.split("/")[0] for line in again.splitlines() if not line.endswith(" unchanged")}
    assert changed <= RESENT
    for kind in ("deployments", "statefulsets", "poddisruptionbudgets"):
        listed_again = json.loads(await kubectl("get", kind, "-n", NAMESPACE, "-o", "json"))
        assert [one["metadata"]["generation"] for one in listed_again["items"]] == [1], kind
    assert len(objects) >= 9
