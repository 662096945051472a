"""A worker that dies is reported, makes the daemon unready, and is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import pytest

from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.alerts import Disposition
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.verdicts import Verdict
from remediator.workers.supervisor import Supervisor


class SteppedRuntime(AsyncioRuntime):
    """Its sleep lasts until ``wake`` is called: a test decides when a pause is over."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: asyncio.Queue[float] = asyncio.Queue()
        self._woken = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.put_nowait(seconds)
        await self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()


class Ears:
    """An observer that keeps the troubles it hears of."""

    def __init__(self) -> None:
        self.troubles: list[tuple[str, BaseException]] = []

    def arrived(self, dispositions: Sequence[Disposition]) -> None: ...

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None: ...

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None: ...

    def buried(self, queue: str, reason: str) -> None: ...

    def trouble(self, where: str, error: BaseException) -> None:
        self.troubles.append((where, error))


def dies_and_then_lives(lives: asyncio.Event, deaths: int) -> Callable[[], Coroutine[object, object, None]]:
    left = [deaths]

    async def work() -> None:
        if left[0]:
            left[0] -= 1
            raise ZeroDivisionError("a bug")
        lives.set()
        await asyncio.Event().wait()

    return work


async def test_a_dead_worker_is_started_again_after_a_pause_that_grows() -> None:
    runtime, ears, lives = SteppedRuntime(), Ears(), asyncio.Event()
    supervisor = Supervisor(runtime, ears)
    supervisor.start("steady", dies_and_then_lives(asyncio.Event(), deaths=0))
    supervisor.start("clerk", dies_and_then_lives(lives, deaths=3))

    pauses = []
    for _ in range(3):
        pauses.append(await runtime.pauses.get())
        assert supervisor.trouble() == "clerk is down and will be started again"
        runtime.wake()
    await lives.wait()

    assert supervisor.trouble() is None
    assert [where for where, _ in ears.troubles] == ["clerk"] * 3
    assert 0.05 <= pauses[0] <= 0.15
    assert pauses[2] >= 0.2
    await supervisor.stop()
    runtime.close()


async def test_a_worker_that_returns_is_dead_too() -> None:
    runtime, ears = SteppedRuntime(), Ears()
    supervisor = Supervisor(runtime, ears)

    async def ends() -> None:
        return

    supervisor.start("timekeeper", ends)
    await runtime.pauses.get()

    assert supervisor.trouble() is not None
    assert "never should" in str(ears.troubles[0][1])
    await supervisor.stop()
    runtime.close()


async def test_draining_lets_work_finish_and_cancels_what_does_not() -> None:
    runtime, finished, go_on = AsyncioRuntime(), asyncio.Event(), asyncio.Event()

    async def quick() -> None:
        await go_on.wait()
        finished.set()

    async def endless() -> None:
        await asyncio.Event().wait()

    runtime.spawn(quick(), "quick")
    stuck = runtime.spawn(endless(), "endless")
    go_on.set()

    assert await runtime.drain(0.2) == 1
    assert finished.is_set()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    assert await runtime.drain(0.2) == 0
    runtime.close()
