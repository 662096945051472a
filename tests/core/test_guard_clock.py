"""Guard ``clock``: after the store's clock has jumped nothing is changed for a while (P12)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar

from remediator.core.times import HOUR, MINUTE, SECOND
from remediator.workers.timekeeper import DISTRUST, JUMP, ClockWatch

T = TypeVar("T")


class Machine:
    """A process whose own clock is moved by hand. ``core.ports.Runtime``, as far as it is asked."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def random(self) -> float:
        return 0.5

    def spawn(self, work: Coroutine[object, object, None], name: str) -> Coroutine[object, object, None]:
        return work

    async def in_thread(self, call: Callable[[], T]) -> T:
        return call()


def watched(*jumps: int) -> tuple[ClockWatch, Machine]:
    """A watch that looked every second; the store's clock jumped by so much between two looks."""
    machine = Machine()
    watch, store = ClockWatch(machine), 50 * HOUR
    watch.saw(store)
    for jump in jumps:
        machine.seconds += 1
        store += SECOND + jump
        watch.saw(store)
    return watch, machine


def test_P12_a_clock_that_runs_is_trusted() -> None:
    """And so is one that is a little slow, or fast."""
    watch, _ = watched(0, 100, -100, JUMP, -JUMP)
    assert watch.trouble() is None


def test_P12_after_a_jump_it_is_not_for_a_while() -> None:
    """In either direction, and the reason says by how much."""
    for jump, said in ((HOUR, "jumped by 1h;"), (-HOUR, "jumped by -1h;")):
        watch, machine = watched(0, jump)
        trouble = watch.trouble()
        assert trouble is not None
        assert said in trouble
        machine.seconds += DISTRUST / SECOND
        assert watch.trouble() is not None
        machine.seconds += 1
        assert watch.trouble() is None


def test_P12_every_jump_is_counted_anew() -> None:
    watch, machine = watched(HOUR)
    machine.seconds += MINUTE / SECOND
    watch.saw(50 * HOUR + HOUR + SECOND + MINUTE - HOUR)
    machine.seconds += DISTRUST / SECOND - 1
    assert watch.trouble() is not None
