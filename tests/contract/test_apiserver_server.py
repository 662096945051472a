"""The fake API server as a peer: real clients, rights, faults, logs, and as a process of its own."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import trustme
from kubernetes_asyncio import client, config

from remediator.testing.apiserver import (
    ADMIN,
    TOKEN,
    FakeApiServer,
    Fault,
    FaultKind,
    Rule,
    User,
)
from remediator.testing.apiserver.kinds import PODS
from tests.contract.recordings.calls import RESTART, WEB, call

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web:v1}]}
"""


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    made = FakeApiServer()
    made.deployment("shop", "web", replicas=2)
    async with made:
        await made.settled()
        yield made


@pytest.mark.parametrize(
    ("kind", "effects"),
    [
        (FaultKind.DROP_BEFORE_EFFECT, 0),
        (FaultKind.DROP_AFTER_EFFECT, 1),
    ],
)
async def test_a_dropped_connection(server: FakeApiServer, kind: FaultKind, effects: int) -> None:
    server.faults.add(Fault(kind=kind, method="PATCH", path_regex="/deployments/web$"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await call(server, "PATCH", WEB, RESTART)
    assert len(server.ledger) == effects
    assert len([one for one in server.requests if one.method == "PATCH"]) == 1


@pytest.mark.parametrize(("kind", "effects"), [(FaultKind.HANG, 0), (FaultKind.HANG_AFTER_EFFECT, 1)])
async def test_a_hanging_server(server: FakeApiServer, kind: FaultKind, effects: int) -> None:
    server.faults.add(Fault(kind=kind, method="PATCH"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call(server, "PATCH", WEB, RESTART), 0.3)
    assert len(server.ledger) == effects


async def test_a_status_fault_strikes_as_often_as_asked(server: FakeApiServer) -> None:
    server.faults.add(
        Fault(kind=FaultKind.STATUS, path_regex="deployments", times=2, status=429, retry_after=3)
    )
    answers = [await call(server, "GET", WEB) for _ in range(3)]
    assert [status for status, _ in answers] == [429, 429, 200]
    assert answers[0][1]["details"] == {"retryAfterSeconds": 3}
    assert server.faults.pending() == []


async def test_latency(server: FakeApiServer) -> None:
    server.faults.add(Fault(kind=FaultKind.LATENCY, seconds=0.2))
    start = time.monotonic()
    assert (await call(server, "GET", WEB))[0] == 200
    assert time.monotonic() - start >= 0.2


async def test_rights_are_those_of_the_token() -> None:
    """Reads in one namespace only; the review agrees with what really happens; Secrets are for nobody."""
    reader = Rule(verbs=frozenset({"get", "list"}), namespaces=frozenset({"shop"}))
    async with FakeApiServer(users={TOKEN: User(name="reader", rules=(reader,))}) as made:
        made.deployment("shop", "web")
        attributes = {"verb": "patch", "group": "apps", "resource": "deployments", "namespace": "shop"}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        for verb, allowed in (("patch", False), ("get", True)):
            review = {"spec": {"resourceAttributes": attributes | {"verb": verb}}}
            status, body = await call(made, "POST", path, review)
            assert (status, body["status"]["allowed"]) == (201, allowed)
        assert (await call(made, "GET", WEB))[0] == 200
        assert (await call(made, "PATCH", WEB, RESTART))[0] == 403
        assert (await call(made, "GET", "/apis/apps/v1/namespaces/other/deployments"))[0] == 403
        assert (await call(made, "GET", "/api/v1/namespaces/shop/secrets/token"))[0] == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/shop/serviceaccounts"),
        ("GET", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"),
        ("GET", "/api/v1/namespaces/shop/pods/x/attach"),
        ("POST", "/api/v1/namespaces/shop/pods/x/portforward"),
    ],
)
async def test_what_it_cannot_do_it_says(server: FakeApiServer, method: str, path: str) -> None:
    status, body = await call(server, method, path)
    assert (status, body["code"]) == (501, 501)
    assert "not supported by this fake" in body["message"]


async def test_a_real_client_over_tls(tmp_path: Path) -> None:
    """kubernetes-asyncio, from the kubeconfig the server writes, with the certificate verified."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with FakeApiServer(tls=context, ca=authority.cert_pem.bytes(), users={TOKEN: ADMIN}) as made:
        made.deployment("shop", "web", replicas=3)
        await made.settled()
        path = made.kubeconfig(tmp_path / "kubeconfig")
        loaded = client.Configuration()
        await config.load_kube_config(str(path), client_configuration=loaded)
        async with client.ApiClient(loaded) as api:
            apps = client.AppsV1Api(api)
            patched = await apps.patch_namespaced_deployment("web", "shop", RESTART, _request_timeout=5)
            await made.settled()
            listed = await apps.list_namespaced_deployment(
                "shop", label_selector="app=web", _request_timeout=5
            )
    assert patched.metadata.generation == 2
    assert [item.status.updated_replicas for item in listed.items] == [3]
    assert made.ledger.restarts("shop", "web") == 1


async def test_logs(server: FakeApiServer) -> None:
    name = server.cluster.store.list(PODS, "shop")[0]["metadata"]["name"]
    server.set_log("shop", name, "one\ntwo\nthree\n")
    server.set_log("shop", name, "boom\n", previous=True)
    url, headers = (
        f"{server.url}/api/v1/namespaces/shop/pods/{name}/log",
        {"Authorization": f"Bearer {TOKEN}"},
    )
    async with aiohttp.ClientSession(headers=headers) as session:
        assert await (await session.get(url, params={"tailLines": "2"})).text() == "two\nthree\n"
        assert await (await session.get(url, params={"previous": "true"})).text() == "boom\n"


async def test_as_a_process(tmp_path: Path) -> None:
    """It prints its URL, writes a kubeconfig, loads manifests, and is steered and read by another process."""
    kubeconfig, manifest = tmp_path / "kubeconfig", tmp_path / "shop.yaml"
    manifest.write_text(MANIFEST)
    command = (
        "-m",
        "remediator.testing.apiserver",
        "--kubeconfig",
        str(kubeconfig),
        "--manifest",
        str(manifest),
    )
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/strategic-merge-patch+json",
        }
        async with aiohttp.ClientSession() as session:
            fake = f"{url}/-/fake"
            told = {"namespace": "shop", "name": "web", "behaviour": "stays_broken"}
            assert (await session.post(f"{fake}/behave", json=told)).status == 200
            assert (await session.post(f"{fake}/behave", json=told | {"behaviour": "odd"})).status == 400
            fault = {"kind": "status", "status": 503, "method": "PATCH"}
            assert (await session.post(f"{fake}/faults", json=fault)).status == 200
            statuses = [
                (await session.patch(url + WEB, data=json.dumps(RESTART), headers=headers)).status
                for _ in range(2)
            ]
            ledger = await (await session.get(f"{fake}/ledger")).json()
            requests = await (await session.get(f"{fake}/requests")).json()
        assert statuses == [503, 200]
        assert [(entry["name"], entry["template_changed"]) for entry in ledger] == [("web", True)]
        assert [entry["method"] for entry in requests] == ["PATCH", "PATCH"]
        assert json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == url
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
