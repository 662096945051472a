"""P17: looking at what belongs to a workload on an API server that is slow, overloaded or half gone."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from remediator.core.cluster import Pod
from remediator.core.errors import Refused, Retryable
from remediator.testing.apiserver import Fault, FaultKind
from tests.fault.kubernetes_scene import QUICK, Scene, opened

MANY = tuple(Pod(name=f"p{n}", phase="Running", ready=True, restarts=0, uid=f"u{n}") for n in range(20))
Ask = Callable[[Scene], Awaitable[object]]
ASKS: dict[str, tuple[Ask, str]] = {
    "revisions": (lambda scene: scene.cluster.reader.revisions(scene.seen), "/replicasets$"),
    "budgets": (lambda scene: scene.cluster.reader.budgets(scene.seen), "/poddisruptionbudgets$"),
    "events": (lambda scene: scene.cluster.reader.events(scene.seen, ()), "/events$"),
    "many events": (lambda scene: scene.cluster.reader.events(scene.seen, MANY), "/events$"),
    "endpoints": (lambda scene: scene.cluster.reader.endpoints("shop", "web"), "/endpoints/web$"),
    "logs": (lambda scene: scene.cluster.reader.logs("shop", "web-0", "web", tail=5), "/web-0/log$"),
}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The scene, with a Service, a pod that logs, and deadlines of tenths of seconds."""
    async with opened(tmp_path) as found:
        ports = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
        meta = {"name": "web", "namespace": "shop"}
        found.server.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": ports})
        spec = {"containers": [{"name": "web", "image": "registry.local/web:v1"}]}
        pod = {"name": "web-0", "namespace": "shop"}
        found.server.create({"apiVersion": "v1", "kind": "Pod", "metadata": pod, "spec": spec})
        found.server.set_log("shop", "web-0", "one\ntwo\n")
        await found.server.settled()
        yield found


@pytest.fixture(params=ASKS)
def asked(request: pytest.FixtureRequest) -> tuple[Ask, str]:
    """Each question in turn, and where its answer comes from."""
    return ASKS[request.param]


def strike(scene: Scene, path: str, kind: FaultKind, **more: float | int | str | None) -> None:
    """From now on, that fault there."""
    fault = Fault(kind=kind, method="GET", path_regex=path, **more)  # type: ignore[arg-type]  # by name
    scene.server.faults.add(fault)


def arrived(scene: Scene, path: str) -> int:
    """How many requests came there."""
    return sum(request.path.endswith(path.strip("$")) for request in scene.server.requests)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.STATUS, 429), (FaultKind.STATUS, 503), (FaultKind.DROP_AFTER_EFFECT, 0)],
)
async def test_a_look_is_tried_again(
    scene: Scene, asked: tuple[Ask, str], kind: FaultKind, status: int
) -> None:
    """Twice nothing, then the same answer as on a good day."""
    ask, path = asked
    on_a_good_day = await ask(scene)
    scene.server.requests.clear()
    strike(scene, path, kind, status=status, times=2)
    assert await ask(scene) == on_a_good_day
    assert arrived(scene, path) >= 3


async def test_a_look_is_not_tried_for_ever(scene: Scene, asked: tuple[Ask, str]) -> None:
    """Three times each; then whoever asked decides."""
    ask, path = asked
    strike(scene, path, FaultKind.STATUS, status=500, times=None)
    with pytest.raises(Retryable, match="could not "):
        await ask(scene)
    assert arrived(scene, path) == 3


async def test_a_silent_server_costs_one_operation(scene: Scene, asked: tuple[Ask, str]) -> None:
    """However many requests a look takes, they share one deadline."""
    ask, path = asked
    strike(scene, path, FaultKind.HANG, times=None)
    started = time.monotonic()
    with pytest.raises(Retryable, match="no answer within"):
        await ask(scene)
    assert time.monotonic() - started < QUICK.operation + 0.5


async def test_a_missing_permission_is_named_and_not_asked_again(
    scene: Scene, asked: tuple[Ask, str]
) -> None:
    """403 is final, and says what to grant."""
    ask, path = asked
    message = 'User "x" cannot look'
    strike(scene, path, FaultKind.STATUS, status=403, times=None, message=message)
    with pytest.raises(Refused, match=r"grant it: (get|list) [a-z/.]+ in namespace shop"):
        await ask(scene)
    assert arrived(scene, path) == 1


async def test_a_list_that_expired_is_read_from_the_start(tmp_path: Path) -> None:
    """410 for the second page: what was read of the first is not told twice."""
    async with opened(tmp_path, replace(QUICK, page=1)) as scene:
        await scene.apply()
        await scene.server.settled()
        whole = await scene.cluster.reader.revisions(scene.seen)
        assert len(whole) == 2
        strike(scene, "/replicasets$", FaultKind.LATENCY)
        strike(scene, "/replicasets$", FaultKind.STATUS, status=410)
        assert await scene.cluster.reader.revisions(scene.seen) == whole
