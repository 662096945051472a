"""P1, P16: concurrent webhooks share a trip, and share nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.core.alerts import Disposition, Rejected
from remediator.core.errors import QueueFull, RemediatorError, StoreUnavailable
from remediator.core.store import CHUNK, Arrival, IntakeStore, Queue, Store
from remediator.testing.memory import MemoryStore
from tests.contract.stores import arrival, system_clock, take


class Gate:
    """An intake store whose trips wait to be let through, and can be made to fail."""

    def __init__(self, behind: IntakeStore) -> None:
        self._behind = behind
        self.sizes: list[int] = []
        self.fault: Exception | None = None
        self.opened = asyncio.Event()
        self.reached = asyncio.Event()

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """Waits until the gate is open."""
        self.sizes.append(len(arrivals) + len(rejected))
        self.reached.set()
        await self.opened.wait()
        if self.fault is not None:
            raise self.fault
        return await self._behind.admit(arrivals, rejected)


async def under_way(
    gate: Gate, batcher: IntakeBatcher, names: Sequence[str]
) -> list[asyncio.Task[list[Disposition]]]:
    """Callers of one alert each: the first is on its trip, the others wait behind it."""
    first = asyncio.create_task(batcher.admit([arrival(names[0])], ()))
    await gate.reached.wait()
    rest = [asyncio.create_task(batcher.admit([arrival(name)], ())) for name in names[1:]]
    done, _ = await asyncio.wait([first, *rest], timeout=0.01)
    assert not done
    return [first, *rest]


async def test_who_waits_shares_the_next_trip() -> None:
    """A hundred callers are two trips, and each gets its own answer."""
    gate = Gate(MemoryStore(system_clock))
    batcher = IntakeBatcher(gate)
    callers = await under_way(gate, batcher, [f"{n // 2:x}" for n in range(100)])
    gate.opened.set()
    answers = await asyncio.gather(*callers)
    assert answers == [[Disposition.NEW], [Disposition.DUPLICATE]] * 50
    assert gate.sizes == [1, 99]


async def test_one_cancellation_is_one_cancellation() -> None:
    """P16: under way or waiting, a caller that gives up takes nobody with it."""
    gate = Gate(MemoryStore(system_clock))
    batcher = IntakeBatcher(gate)
    callers = await under_way(gate, batcher, [f"{n:x}" for n in range(10)])
    for gone in (callers[0], callers[4]):
        gone.cancel()
    gate.opened.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    cancelled = [isinstance(answer, asyncio.CancelledError) for answer in answers]
    assert cancelled == [n in (0, 4) for n in range(10)]
    assert gate.sizes == [1, 8]
    await batcher.drain()
    assert await batcher.admit([arrival("0"), arrival("4")], ()) == [Disposition.DUPLICATE, Disposition.NEW]


async def test_a_fault_of_the_store_fails_all_who_wait() -> None:
    """P2: those behind would only wait for the same fault again; the next caller finds a clean slate."""
    gate = Gate(MemoryStore(system_clock))
    batcher = IntakeBatcher(gate)
    callers = await under_way(gate, batcher, ["a", "b", "c"])
    gate.fault = StoreUnavailable("Redis is gone")
    gate.opened.set()
    assert await asyncio.gather(*callers, return_exceptions=True) == [gate.fault] * 3
    assert gate.sizes == [1]
    gate.fault = None
    assert await batcher.admit([arrival("a")], ()) == [Disposition.NEW]


@pytest.mark.parametrize("fault", [QueueFull("full"), RuntimeError("a bug")])
async def test_any_other_fault_fails_its_own_trip(fault: Exception) -> None:
    """What one batch met, the next may not meet; nobody is left waiting for ever."""
    gate = Gate(MemoryStore(system_clock))
    batcher = IntakeBatcher(gate)
    callers = await under_way(gate, batcher, ["a", "b"])
    gate.fault = fault
    gate.opened.set()
    assert await asyncio.gather(*callers, return_exceptions=True) == [fault, fault]
    assert gate.sizes == [1, 1]


async def test_a_large_notification_is_chunked(store: Store) -> None:
    """Ten thousand alerts: every script within its bound, answers in their order, nothing lost."""
    batcher = IntakeBatcher(store)
    many = [arrival(f"{n % 9_000:x}") for n in range(10_000)]
    rejected = [Rejected(reason=f"r{n}", raw="{}") for n in range(CHUNK + 1)]
    answers = await batcher.admit(many, rejected)
    assert [answers.count(one) for one in (Disposition.NEW, Disposition.DUPLICATE)] == [9_000, 1_000]
    assert len(answers) == 10_000
    assert len(await store.dead_letters(2_000)) == CHUNK + 1
    assert (await store.gauges()).backlog["normal"] == 9_000
    assert len(await take(store, Queue.NORMAL)) == 100


async def test_no_trip_is_larger_than_a_script_may_be() -> None:
    """However the callers' sizes add up."""
    gate = Gate(MemoryStore(system_clock))
    batcher = IntakeBatcher(gate)
    gate.opened.set()
    sizes = (1, 499, 2, 500, 3, 1_700, 250, 251)
    calls = [
        batcher.admit([arrival(f"{k:x}{n:04x}") for n in range(size)], ()) for k, size in enumerate(sizes)
    ]
    answers = await asyncio.gather(*calls)
    assert [len(answer) for answer in answers] == list(sizes)
    assert max(gate.sizes) <= CHUNK
    assert sum(gate.sizes) == sum(sizes)


async def test_a_large_notification_fails_as_a_whole() -> None:
    """P2: one of its chunks was not certain, so nothing of it is."""
    gate = Gate(MemoryStore(system_clock, max_queue=600))
    gate.opened.set()
    with pytest.raises(RemediatorError):
        await IntakeBatcher(gate).admit([arrival(f"{n:x}") for n in range(2_000)], ())
