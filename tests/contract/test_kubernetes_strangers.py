"""An answer that is JSON and yet nothing that Kubernetes says: told as such, whatever was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.cluster import ClusterReader, Workload
from remediator.core.errors import Refused
from remediator.core.policies import WorkloadRef
from remediator.testing.apiserver import FakeApiServer

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
SEEN = Workload(
    ref=WEB, uid="w", generation=1, observed_generation=1, desired=1, total=1, updated=1, ready=1, available=1
)
GOOD = {
    "metadata": {"uid": "w", "annotations": {"deployment.kubernetes.io/revision": "1"}},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}},
    },
}
Ask = Callable[[ClusterReader], Awaitable[object]]
LISTS: dict[str, Ask] = {
    "pods": lambda reader: reader.pods(SEEN),
    "revisions": lambda reader: reader.revisions(SEEN),
    "budgets": lambda reader: reader.budgets(SEEN),
    "events": lambda reader: reader.events(SEEN, ()),
}
OBJECTS: dict[str, Ask] = {
    "workload": lambda reader: reader.workload(WEB),
    **LISTS,
}


class Stranger:
    """Answers everything with one body, the workload with another."""

    workload: Any = GOOD
    anything: Any = None

    async def handle(self, request: web.Request) -> web.Response:
        """The same, always."""
        body = self.workload if request.path.endswith("/deployments/web") else self.anything
        return web.Response(text=json.dumps(body), content_type="application/json")


@pytest.fixture
def runtime() -> Iterator[AsyncioRuntime]:
    """The machine."""
    machine = AsyncioRuntime()
    yield machine
    machine.close()


@pytest.fixture
def stranger() -> Stranger:
    """Who answers."""
    return Stranger()


@pytest.fixture
async def cluster(stranger: Stranger, tmp_path: Path, runtime: AsyncioRuntime) -> AsyncIterator[Kubernetes]:
    """The adapter before it."""
    application = web.Application()
    application.router.add_get("/{rest:.*}", stranger.handle)
    async with TestServer(application) as server:
        path = FakeApiServer().kubeconfig(tmp_path / "kubeconfig")
        url = str(server.make_url("")).rstrip("/")
        path.write_text(path.read_text().replace("http://127.0.0.1:0", url))
        connected = await connect(str(path), runtime=runtime)
        yield connected
        await connected.close()


@pytest.mark.parametrize("ask", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize(
    "body",
    [{}, {"metadata": None}, {"metadata": {}}, {"metadata": []}, {"ok": True}, {"metadata": "uid"}],
    ids=str,
)
async def test_an_object_of_another_shape_is_refused(
    cluster: Kubernetes, stranger: Stranger, ask: Ask, body: Any
) -> None:
    """Where the workload should be."""
    stranger.workload = body
    with pytest.raises(Refused, match="is it an API server"):
        await ask(cluster.reader)


@pytest.mark.parametrize("ask", LISTS.values(), ids=LISTS)
@pytest.mark.parametrize(
    "body",
    [
        {"items": [{}]},
        {"items": [1]},
        {"items": {"a": 1}},
    ],
    ids=str,
)
async def test_a_list_of_something_else_is_refused(
    cluster: Kubernetes, stranger: Stranger, ask: Ask, body: Any
) -> None:
    """Where what belongs to it should be."""
    stranger.anything = body
    with pytest.raises(Refused, match="is it an API server"):
        await ask(cluster.reader)


@pytest.mark.parametrize(
    "body", [{"subsets": 1}, {"subsets": [1]}, {"subsets": [{"addresses": [{}]}]}], ids=str
)
async def test_endpoints_of_another_shape_are_refused(
    cluster: Kubernetes, stranger: Stranger, body: Any
) -> None:
    """An address without an address."""
    stranger.anything = body
    with pytest.raises(Refused, match="is it an API server"):
        await cluster.reader.endpoints("shop", "web")
