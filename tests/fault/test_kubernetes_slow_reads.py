"""P17: reading from an API server that is slow, overloaded or half gone: bounded tries, bounded time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Limits, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.errors import Refused, Retryable
from remediator.testing.apiserver import FakeApiServer, Fault, FaultKind
from tests.fault.kubernetes_scene import QUICK, WEB, Scene, opened
from tests.proxy import proxy


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The scene, with deadlines of tenths of seconds."""
    async with opened(tmp_path) as found:
        yield found


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_read_is_tried_again(scene: Scene, status: int) -> None:
    """Two refusals for now, then an answer."""
    scene.strike(FaultKind.STATUS, "GET", status=status, times=2)
    assert (await scene.cluster.reader.workload(WEB)).uid == scene.seen.uid
    assert scene.requests("GET") == 3


async def test_a_read_is_not_tried_for_ever(scene: Scene) -> None:
    """Three times, with pauses that grow and are never quite the same; then the caller decides."""
    scene.strike(FaultKind.STATUS, "GET", status=500, times=None)
    with pytest.raises(Retryable, match="could not read deployment/web"):
        await scene.cluster.reader.workload(WEB)
    assert scene.requests("GET") == 3
    first, second = scene.runtime.pauses
    assert 0.005 <= first <= 0.015
    assert 0.01 <= second <= 0.03


async def test_retry_after_is_honoured(tmp_path: Path) -> None:
    """A pause of at least what the server asked for, and a little more, so that not all come back at once."""
    async with opened(tmp_path, Limits()) as scene:
        scene.strike(FaultKind.STATUS, "GET", status=429, retry_after=2)
        await scene.cluster.reader.workload(WEB)
        assert 2.0 <= scene.runtime.pauses[0] <= 2.2


async def test_a_longer_retry_after_is_the_callers(scene: Scene) -> None:
    """What does not fit into the operation is handed back with its delay, at once."""
    scene.strike(FaultKind.STATUS, "GET", status=429, retry_after=30)
    with pytest.raises(Retryable) as refused:
        await scene.cluster.reader.workload(WEB)
    assert refused.value.delay == 30_000
    assert scene.runtime.pauses == []
    assert scene.requests("GET") == 1


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE_EFFECT, FaultKind.DROP_AFTER_EFFECT])
async def test_a_read_survives_dropped_connections(scene: Scene, kind: FaultKind) -> None:
    """Nothing was changed by the first, so there is a second."""
    scene.strike(kind, "GET", times=2)
    assert (await scene.cluster.reader.workload(WEB)).uid == scene.seen.uid


@pytest.mark.parametrize("kind", [FaultKind.HANG, FaultKind.LATENCY])
async def test_a_silent_server_costs_one_operation_and_no_more(scene: Scene, kind: FaultKind) -> None:
    """Every request has a deadline, and all of them together have one."""
    scene.strike(kind, "GET", seconds=30, times=None)
    started = time.monotonic()
    with pytest.raises(Retryable, match="no answer within"):
        await scene.cluster.reader.workload(WEB)
    assert time.monotonic() - started < QUICK.operation + 0.5


@pytest.mark.parametrize("status", [400, 401, 403, 405, 422])
async def test_a_refusal_is_not_repeated(scene: Scene, status: int) -> None:
    """The server understood."""
    scene.strike(FaultKind.STATUS, "GET", status=status, times=None)
    with pytest.raises(Refused):
        await scene.cluster.reader.workload(WEB)
    assert scene.requests("GET") == 1


async def test_the_pool_is_bounded(tmp_path: Path) -> None:
    """However many ask at once, there are no more connections than allowed."""
    async with FakeApiServer() as server, proxy(int(server.url.rpartition(":")[2])) as between:
        server.deployment("shop", "web")
        path = server.kubeconfig(tmp_path / "kubeconfig")
        path.write_text(path.read_text().replace(server.url, f"http://127.0.0.1:{between.listening}"))
        runtime = AsyncioRuntime()
        cluster = await connect(str(path), runtime=runtime, limits=Limits(connections=2))
        await asyncio.gather(*(cluster.reader.workload(WEB) for _ in range(20)))
        assert between.accepted <= 2
        await cluster.close()
        runtime.close()


async def test_a_cluster_that_is_away_costs_the_start_little(scene: Scene) -> None:
    """The banner says so within its own short patience, and readiness says no."""
    scene.strike(FaultKind.HANG, "GET", times=None)
    started = time.monotonic()
    assert "does not answer now" in await scene.cluster.describe()
    with pytest.raises(Retryable):
        await scene.cluster.ready()
    assert time.monotonic() - started < 2 * QUICK.probe + 0.5


async def test_a_list_that_expired_between_pages_is_read_from_the_start(tmp_path: Path) -> None:
    """410 for the second page: its token is gone, and the list is still complete."""
    async with opened(tmp_path, replace(QUICK, page=1)) as scene:
        await scene.server.settled()
        first_page = Fault(kind=FaultKind.LATENCY, method="GET", path_regex="/pods$")
        scene.server.faults.add(first_page)
        scene.server.faults.add(Fault(kind=FaultKind.STATUS, method="GET", path_regex="/pods$", status=410))
        assert len(await scene.cluster.reader.pods(scene.seen)) == 2
        pages = [request.query for request in scene.server.requests if request.path.endswith("/pods")]
        assert ["continue" in query for query in pages] == [False, True, False, True]
