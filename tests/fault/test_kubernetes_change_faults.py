"""P17: every kind of change through an API server that fails: at most one effect, nothing sent blindly."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call, connect
from remediator.core.changes import ClusterChange, DeletePod, EvictPod, Fence, RollBackWorkload, ScaleWorkload
from remediator.core.cluster import EFFECT_ANNOTATION
from remediator.core.errors import RemediatorError, Retryable, Unknown
from remediator.testing.apiserver import Fault, FaultKind
from tests.fault.kubernetes_scene import EFFECT, QUICK, WEB, Gate, Scene, opened
from tests.proxy import proxy

METHODS = {"scale": "PATCH", "rollback": "PATCH", "delete": "DELETE", "evict": "POST"}
SLOW = ["scale", "evict", *(pytest.param(kind, marks=pytest.mark.full) for kind in ("rollback", "delete"))]
"""Kinds of changes for tests that take a second each."""
PODS = ("delete", "evict")
WORKLOAD = ("scale", "rollback")
MARK = EFFECT_ANNOTATION.replace("/", "~1")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One change in the scene, ready to be made under epoch 1, and how it is counted."""

    scene: Scene
    kind: str
    change: ClusterChange

    def strike(self, kind: FaultKind, **more: float | int | None) -> None:
        """From now on, that fault, for the request of the change alone."""
        method = METHODS[self.kind]
        self.scene.server.faults.add(Fault(kind=kind, method=method, **more))  # type: ignore[arg-type]

    async def apply(self, epoch: int = 1) -> None:
        await self.scene.cluster.executor.apply(self.change, Fence(epoch=epoch, effect=EFFECT))

    async def again(self, epoch: int = 2) -> None:
        """As the next owner of the step: under a newer epoch it looks, and changes what is left to change."""
        claimed = await self.scene.cluster.executor.claim(
            WEB, self.scene.seen.uid, Fence(epoch=epoch, effect=EFFECT)
        )
        if self.kind in PODS or claimed.annotations.get(EFFECT_ANNOTATION) != EFFECT:
            change = await plan(self.scene, self.kind) if self.kind in WORKLOAD else self.change
            await self.scene.cluster.executor.apply(change, Fence(epoch=epoch, effect=EFFECT))

    @property
    def sent(self) -> int:
        """How often the change itself was asked for: claims are not counted."""
        method, mark = METHODS[self.kind], MARK if self.kind in WORKLOAD else ""
        return sum(one.method == method and mark in one.body for one in self.scene.server.requests)

    @property
    def effects(self) -> int:
        """How often it took effect."""
        if self.kind in PODS:
            return sum(effect.resource == "pods" for effect in self.scene.server.ledger)
        return sum(MARK in json.dumps(effect.body) for effect in self.scene.server.ledger)


async def plan(scene: Scene, kind: str) -> ClusterChange:
    """The change as the workload is now."""
    seen = await scene.cluster.reader.workload(WEB)
    if kind == "scale":
        return ScaleWorkload(target=WEB, uid=seen.uid, seen=seen.desired, replicas=5)
    if kind == "rollback":
        now, before = await scene.cluster.reader.revisions(seen)
        return RollBackWorkload(
            target=WEB, uid=seen.uid, generation=seen.generation,
            seen=now.number, revision=before.number, source=before.name, source_uid=before.uid,
        )  # fmt: skip
    pod = (await scene.cluster.reader.pods(seen))[0]
    made = DeletePod if kind == "delete" else EvictPod
    return made(target=WEB, uid=seen.uid, pod=pod.name, pod_uid=pod.uid)


async def set_case(scene: Scene, kind: str) -> Case:
    """The scene, with two revisions of the workload where one is to be rolled back."""
    if kind == "rollback":
        containers = [{"name": "web", "image": "registry.local/web:v2"}]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        path = "/apis/apps/v1/namespaces/shop/deployments/web"
        media = "application/strategic-merge-patch+json"
        await scene.cluster.api.call(Call(method="PATCH", path=path, doing="release", body=body, media=media))
        await scene.server.settled()
    change = await plan(scene, kind)
    scene.server.requests.clear()
    return Case(scene=scene, kind=kind, change=change)


@pytest.fixture(params=METHODS)
async def case(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """Each kind of change, with deadlines of tenths of seconds."""
    async with opened(tmp_path) as scene:
        yield await set_case(scene, request.param)


async def test_P7_a_lost_answer_of_what_happened_is_found_out(case: Case) -> None:
    """It is sent once. A pod that is gone needs no newer epoch to tell; a workload's change does."""
    case.strike(FaultKind.DROP_AFTER_EFFECT)
    if case.kind in PODS:
        await case.apply()
    else:
        with pytest.raises(Unknown, match="may have happened"):
            await case.apply()
    assert (case.sent, case.effects) == (1, 1)
    await case.again()
    assert (case.sent, case.effects) == (1, 1)


async def test_P7_an_answer_that_hangs_is_found_out(case: Case) -> None:
    """The same, with nothing said at all until the client gives up."""
    case.strike(FaultKind.HANG_AFTER_EFFECT)
    try:
        await case.apply()
    except Unknown:
        assert case.kind in WORKLOAD
    assert (case.sent, case.effects) == (1, 1)
    await case.again()
    assert (case.sent, case.effects) == (1, 1)


@pytest.mark.parametrize("kind", [FaultKind.DROP_BEFORE_EFFECT, FaultKind.HANG])
async def test_P7_what_did_not_happen_is_in_doubt_and_then_made_once(case: Case, kind: FaultKind) -> None:
    """A pod that is still there proves nothing: the request may be on its way."""
    case.strike(kind)
    with pytest.raises(Unknown, match="may have happened"):
        await case.apply()
    assert (case.sent, case.effects) == (1, 0)
    await case.again()
    assert (case.sent, case.effects) == (2, 1)
    await case.again(3)
    assert case.effects == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_in_doubt(case: Case, status: int) -> None:
    """It may come from a proxy in between, after the API server had done it."""
    case.strike(FaultKind.STATUS, status=status)
    with pytest.raises(Unknown):
        await case.apply()
    assert (case.sent, case.effects) == (1, 0)


@pytest.mark.parametrize("status", [409, 429, 503])
async def test_a_server_that_says_later_has_changed_nothing(case: Case, status: int) -> None:
    """Surely not, so it may be tried again: by the step, after its guards were asked, and not by us."""
    case.strike(FaultKind.STATUS, status=status, retry_after=None if status == 409 else 2)
    with pytest.raises(Retryable) as refused:
        await case.apply()
    assert refused.value.delay == (None if status == 409 else 2000)
    assert (case.sent, case.effects) == (1, 0)


async def test_what_was_never_sent_surely_did_not_happen(tmp_path: Path) -> None:
    """Connection refused is not in doubt, for any kind of change."""
    async with opened(tmp_path) as scene:
        cases = [await set_case(scene, kind) for kind in METHODS]
        await scene.server.__aexit__(None, None, None)
        for case in cases:
            with pytest.raises(Retryable):
                await case.apply()
        await scene.server.__aenter__()
        assert [case.effects for case in cases] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(FaultKind.HANG, marks=pytest.mark.full),
        FaultKind.DROP_BEFORE_EFFECT,
        FaultKind.STATUS,
    ],
)
@pytest.mark.parametrize("kind", PODS)
async def test_P17_doubt_stays_doubt_when_the_look_fails_too(
    tmp_path: Path, kind: str, look: FaultKind
) -> None:
    """The removal may have happened and nobody could see: never "it surely did not"."""
    async with opened(tmp_path) as scene:
        case = await set_case(scene, kind)
        await case.scene.cluster.reader.workload(WEB)
        case.strike(FaultKind.HANG)
        pods = "/pods/"
        after_the_first_look = Fault(kind=FaultKind.LATENCY, method="GET", path_regex=pods)
        scene.server.faults.add(after_the_first_look)
        scene.server.faults.add(Fault(kind=look, method="GET", path_regex=pods, times=None))
        with pytest.raises(Unknown):
            await case.apply()
        assert (case.sent, case.effects) == (1, 0)


@pytest.mark.parametrize("kind", PODS)
async def test_P8_a_removal_that_arrives_late_takes_no_other_pod(tmp_path: Path, kind: str) -> None:
    """The network held it back; the next owner has taken the pod away by then, and another stands in."""
    gate = Gate()
    async with opened(tmp_path, gate=gate) as scene:
        case = await set_case(scene, kind)
        case.strike(FaultKind.LATENCY, seconds=Gate.SECONDS)
        with pytest.raises(Unknown):
            await case.apply()
        assert gate.arrived.is_set()
        await case.again()
        assert case.effects == 1
        await scene.server.settled()
        gate.open.set()
        await gate.passed.wait()
        await scene.server.settled()
        assert case.effects == 1
        assert len(await scene.cluster.reader.pods(scene.seen)) == 2


@pytest.mark.parametrize("kind", WORKLOAD)
async def test_P8_a_change_that_arrives_late_does_nothing(tmp_path: Path, kind: str) -> None:
    """The newer epoch is there first, whether or not the next owner has changed anything yet."""
    gate = Gate()
    async with opened(tmp_path, gate=gate) as scene:
        case = await set_case(scene, kind)
        case.strike(FaultKind.LATENCY, seconds=Gate.SECONDS)
        with pytest.raises(Unknown):
            await case.apply()
        assert gate.arrived.is_set()
        await scene.cluster.executor.claim(WEB, scene.seen.uid, Fence(epoch=2, effect=EFFECT))
        gate.open.set()
        await gate.passed.wait()
        await case.again(3)
        assert case.effects == 1


@pytest.mark.parametrize("case", SLOW, indirect=True)
async def test_a_half_open_connection_is_told_in_time(case: Case, tmp_path: Path) -> None:
    """Packets vanish: a change is in doubt, a removal ends at its look and has not begun."""
    scene = case.scene
    async with proxy(int(scene.server.url.rpartition(":")[2])) as between:
        path = tmp_path / "through-proxy"
        direct = scene.server.kubeconfig(path).read_text()
        path.write_text(direct.replace(scene.server.url, f"http://127.0.0.1:{between.listening}"))
        cluster = await connect(str(path), runtime=scene.runtime, limits=QUICK)
        await cluster.reader.workload(WEB)
        between.half_open = True
        started = time.monotonic()
        with pytest.raises(Unknown if case.kind == "scale" else Retryable):
            await cluster.executor.apply(case.change, Fence(epoch=1, effect=EFFECT))
        assert time.monotonic() - started < QUICK.operation + 0.5
        await cluster.close()
    assert case.effects == 0


@pytest.mark.parametrize("case", SLOW, indirect=True)
async def test_a_change_is_over_within_its_deadline(case: Case) -> None:
    """A server that hangs on everything costs one operation: the lease outlives it."""
    case.scene.server.faults.add(Fault(kind=FaultKind.HANG, times=None))
    started = time.monotonic()
    with pytest.raises(RemediatorError):
        await case.apply()
    assert time.monotonic() - started < QUICK.operation + 0.5
    assert case.effects == 0


async def test_a_dry_run_is_tried_again_and_changes_nothing(case: Case) -> None:
    """It may be repeated, whatever became of the first."""
    case.strike(FaultKind.DROP_AFTER_EFFECT)
    case.strike(FaultKind.STATUS, status=500)
    await case.scene.cluster.executor.dry_run(case.change)
    assert (case.sent, case.effects) == (3, 0)
