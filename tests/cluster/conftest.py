"""The cluster under test: the fake, or with REMEDIATOR_TEST_CLUSTER=1 the one that KUBECONFIG names."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.testing.apiserver import FakeApiServer
from tests.cluster.scene import Scene, Stage, set_scene
from tests.cluster.world import World
from tests.servers import RedisServer, redis_server


@pytest.fixture
def runtime() -> Iterator[AsyncioRuntime]:
    """The machine."""
    machine = AsyncioRuntime()
    yield machine
    machine.close()


@pytest.fixture
async def fake() -> AsyncIterator[FakeApiServer | None]:
    """The fake, for what only its programs must be told; None: the cluster is a real one."""
    if os.environ.get("REMEDIATOR_TEST_CLUSTER") == "1":
        yield None
        return
    async with FakeApiServer() as server:
        yield server


@pytest.fixture
def kubeconfig(fake: FakeApiServer | None, tmp_path: Path) -> Path:
    """How an administrator of the cluster logs in."""
    if fake is not None:
        return fake.kubeconfig(tmp_path / "kubeconfig")
    named = os.environ.get("KUBECONFIG")
    assert named, "REMEDIATOR_TEST_CLUSTER=1 needs KUBECONFIG, the file of a cluster you may experiment on"
    return Path(named)


@pytest.fixture
async def cluster(kubeconfig: Path, runtime: AsyncioRuntime) -> AsyncIterator[Kubernetes]:
    """The adapter."""
    connected = await connect(str(kubeconfig), runtime=runtime)
    yield connected
    await connected.close()


@pytest.fixture
async def world(cluster: Kubernetes) -> AsyncIterator[World]:
    """A namespace of our own, removed afterwards with everything in it."""
    found = World(cluster=cluster, namespace=f"remediator-test-{secrets.token_hex(4)}")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": found.namespace}}
    await found.send("POST", "/api/v1/namespaces", body)
    yield found
    await found.send("DELETE", f"/api/v1/namespaces/{found.namespace}")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The store of daemons; each has a prefix of its own."""
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def stage(world: World, tmp_path: Path, redis: RedisServer, kubeconfig: Path) -> Stage:
    """Recoveries from end to end."""

    def scene(**given: Any) -> AbstractAsyncContextManager[Scene]:
        return set_scene(world, tmp_path, redis, kubeconfig, **given)

    return scene
