"""P17: changing a cluster whose API server fails. Nothing is done twice, and doubt is told as doubt."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import connect
from remediator.core.changes import Fence
from remediator.core.errors import RemediatorError, Retryable, Unknown
from remediator.testing.apiserver import FaultKind
from tests.fault.kubernetes_scene import EFFECT, QUICK, WEB, Gate, Scene, opened
from tests.proxy import proxy


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """The scene, with deadlines of tenths of seconds."""
    async with opened(tmp_path) as found:
        yield found


@pytest.mark.parametrize(
    ("kind", "took_effect"),
    [
        (FaultKind.DROP_AFTER_EFFECT, True),
        (FaultKind.HANG_AFTER_EFFECT, True),
        (FaultKind.DROP_BEFORE_EFFECT, False),
        (FaultKind.HANG, False),
    ],
)
async def test_a_lost_answer_is_unknown_until_somebody_looked(
    scene: Scene, kind: FaultKind, took_effect: bool
) -> None:
    """P7: it is sent once, a claim under a newer epoch tells whether it happened, and it happens once."""
    scene.strike(kind)
    with pytest.raises(Unknown, match="may have happened"):
        await scene.apply()
    assert scene.requests("PATCH") == 1
    assert await scene.happened(2) is took_effect
    assert scene.restarts == took_effect
    if not took_effect:
        await scene.apply(2)
    assert scene.restarts == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_after_a_change_is_unknown(scene: Scene, status: int) -> None:
    """It may come from a proxy in between, after the API server had done it."""
    scene.strike(FaultKind.STATUS, status=status)
    with pytest.raises(Unknown):
        await scene.apply()
    assert scene.requests("PATCH") == 1
    assert not await scene.happened(2)


@pytest.mark.parametrize(("status", "after", "delay"), [(429, 3, 3000), (429, None, None), (503, 2, 2000)])
async def test_a_server_that_asks_to_come_again_has_changed_nothing(
    scene: Scene, status: int, after: int | None, delay: int | None
) -> None:
    """It surely did not happen, so trying again later is safe; but not by us, and not blindly."""
    scene.strike(FaultKind.STATUS, status=status, retry_after=after)
    with pytest.raises(Retryable) as refused:
        await scene.apply()
    assert refused.value.delay == delay
    assert scene.requests("PATCH") == 1
    assert scene.restarts == 0


async def test_a_conflict_asks_the_caller_again(scene: Scene) -> None:
    """409 means: read again and ask the guards again. The executor repeats nothing by itself."""
    scene.strike(FaultKind.STATUS, status=409)
    with pytest.raises(Retryable):
        await scene.apply()
    assert scene.requests("PATCH") == 1
    assert scene.restarts == 0


async def test_a_change_that_was_never_sent_surely_did_not_happen(tmp_path: Path) -> None:
    """Connection refused is not in doubt."""
    async with opened(tmp_path) as scene:
        await scene.server.__aexit__(None, None, None)
        with pytest.raises(Retryable):
            await scene.apply()
        assert scene.restarts == 0
        await scene.server.__aenter__()


async def test_a_change_that_arrives_after_its_successor_does_nothing(tmp_path: Path) -> None:
    """P8: the network held it back for longer than everybody waited; the newer epoch is there first."""
    gate = Gate()
    async with opened(tmp_path, gate=gate) as scene:
        scene.strike(FaultKind.LATENCY, seconds=Gate.SECONDS)
        with pytest.raises(Unknown):
            await scene.apply()
        assert gate.arrived.is_set()
        assert not await scene.happened(2)
        gate.open.set()
        await gate.passed.wait()
        assert not await scene.happened(3)
        assert scene.restarts == 0
        await scene.apply(3)
        assert scene.restarts == 1


async def test_a_half_open_connection_is_unknown_for_a_change_and_told_in_time(tmp_path: Path) -> None:
    """Packets vanish in a connection that looks alive."""
    async with opened(tmp_path) as scene, proxy(int(scene.server.url.rpartition(":")[2])) as between:
        path = tmp_path / "through-proxy"
        direct = scene.server.kubeconfig(path).read_text()
        path.write_text(direct.replace(scene.server.url, f"http://127.0.0.1:{between.listening}"))
        cluster = await connect(str(path), runtime=scene.runtime, limits=QUICK)
        await cluster.reader.workload(WEB)
        between.half_open = True
        started = time.monotonic()
        with pytest.raises(Unknown):
            await cluster.executor.apply(scene.change, Fence(epoch=1, effect=EFFECT))
        assert time.monotonic() - started < QUICK.operation
        await cluster.close()
        assert not await scene.happened(2)


@pytest.mark.parametrize(
    "kind", [FaultKind.DROP_AFTER_EFFECT, FaultKind.DROP_BEFORE_EFFECT, FaultKind.HANG_AFTER_EFFECT]
)
async def test_a_claim_whose_answer_is_lost_looks_before_it_writes(scene: Scene, kind: FaultKind) -> None:
    """Whatever became of the first, the epoch is on the target exactly once."""
    scene.strike(kind)
    claimed = await scene.cluster.executor.claim(WEB, scene.seen.uid, Fence(epoch=2, effect=EFFECT))
    assert claimed.epoch == 2
    assert [effect.verb for effect in scene.server.ledger.of("shop", "web")] == ["patch", "patch"]


@pytest.mark.parametrize("status", [409, 500])
async def test_a_claim_gives_up_after_a_bounded_number_of_tries(scene: Scene, status: int) -> None:
    """Others write all the time, or the server fails all the time: the caller comes back later."""
    scene.strike(FaultKind.STATUS, status=status, times=None)
    with pytest.raises(Retryable, match="could not be claimed"):
        await scene.cluster.executor.claim(WEB, scene.seen.uid, Fence(epoch=2, effect=EFFECT))
    assert scene.requests("PATCH") == QUICK.claims


async def test_a_claim_is_over_within_its_deadline(scene: Scene) -> None:
    """A server that hangs on every write costs one operation: the lease outlives it."""
    scene.strike(FaultKind.HANG, times=None)
    started = time.monotonic()
    with pytest.raises(RemediatorError):
        await scene.cluster.executor.claim(WEB, scene.seen.uid, Fence(epoch=2, effect=EFFECT))
    assert time.monotonic() - started < QUICK.operation + 0.5


async def test_a_dry_run_is_tried_again_and_changes_nothing(scene: Scene) -> None:
    """It may be repeated, whatever became of the first."""
    scene.strike(FaultKind.DROP_AFTER_EFFECT)
    scene.strike(FaultKind.STATUS, status=500)
    await scene.cluster.executor.dry_run(scene.change)
    assert scene.requests("PATCH") == 3
    assert scene.restarts == 0
