"""How fast the store on Redis is, with an fsync before every answer.

Run ``python -m benchmarks.store [redis-6.2|redis-7.0|valkey-9]``. Prints rates, the processor time this
process spends on each, and latencies. The data directory is a temporary one: its disk decides.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Lane
from remediator.core.decision import Decision, Facts
from remediator.core.incident import GroupKey, Incident, IncidentId, Status
from remediator.core.store import Arrival, Commit, CommitResult, Delivered, Queue
from remediator.core.times import Instant, Millis, parse_stamp
from tests.servers import redis_server

CALLERS = 64
"""Webhooks at a time."""
_numbers = itertools.count(1)


def arrival() -> Arrival:
    """An alert of ordinary size that nobody has seen before."""
    alert = Alert(
        fingerprint=Fingerprint(f"{next(_numbers):016x}"),
        status=AlertStatus.FIRING,
        labels={
            "alertname": "HighErrorRate",
            "service": "auth-service",
            "namespace": "production",
            "severity": "critical",
            "pod": "auth-service-6f7d8c9b54-x2x7p",
        },
        annotations={"summary": "5% of requests fail", "runbook_url": "https://runbooks.example.com/errors"},
        starts_at=parse_stamp("2026-01-01T00:00:00Z"),
        ends_at=None,
    )
    return Arrival(alert=alert, lane=Lane.URGENT)


async def measure(name: str, times: int, callers: int, call: Callable[[], Awaitable[object]]) -> None:
    """Run ``call`` so often by so many callers, and print what it took."""
    left = iter(range(times))
    took: list[float] = []

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)

    wall, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(callers)))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    took.sort()
    print(
        f"{name:<34} {times / wall:>9,.0f}/s   {processor / times * 1e6:>7.1f} µs processor each   "
        f"median {took[len(took) // 2] * 1e3:.2f} ms, 99% {took[int(len(took) * 0.99)] * 1e3:.2f} ms"
    )


async def intake(store: RedisStore) -> None:
    """The door."""
    batcher = IntakeBatcher(store)
    known = arrival()
    await batcher.admit([known], ())
    await measure("admit: one new alert", 20_000, CALLERS, lambda: batcher.admit([arrival()], ()))
    await measure("admit: one new alert, one caller", 1_000, 1, lambda: batcher.admit([arrival()], ()))
    await measure("admit: a duplicate", 20_000, CALLERS, lambda: batcher.admit([known], ()))
    await measure(
        "admit: 50 new alerts", 1_000, CALLERS, lambda: batcher.admit([arrival() for _ in range(50)], ())
    )


def opening(name: str) -> Incident:
    """An incident that was just opened."""
    return Incident(
        id=IncidentId(name),
        group=GroupKey(name),
        grouped_by={},
        service="auth-service",
        severity="SEV-1",
        status=Status.OPEN,
        rule="errors",
        title="HighErrorRate",
        opened_at=Instant(1),
    )


def keeping(before: Incident | None, after: Incident, *settles: Delivered) -> Commit:
    """A commit that writes the incident and settles its events."""
    return Commit(
        before=before,
        decision=Decision(incident=after),
        facts=Facts(),
        fingerprints=frozenset(),
        settles=settles,
    )


async def work(store: RedisStore) -> None:
    """From the stream to a committed incident, one alert each."""

    async def some() -> None:
        for event in await store.take([Queue.URGENT], "bench", 20, Millis(0)):
            await store.load(None, ())
            fresh = opening(f"2026-01-01-0000-{next(_numbers)}")
            assert await store.commit(keeping(None, fresh, event)) is CommitResult.COMMITTED

    await measure("take 20, load and commit each", 250, 8, some)
    incident = opening("one")
    await store.commit(keeping(None, incident))
    versions = itertools.count(1)

    async def again() -> None:
        before = replace(incident, version=next(versions))
        assert await store.commit(keeping(before, before)) is CommitResult.COMMITTED

    await measure("commit: one incident, in turn", 2_000, 1, again)
    await measure("gauges", 2_000, 1, store.gauges)


async def main(kind: str) -> None:
    """All of it, on a server of its own."""
    with tempfile.TemporaryDirectory() as folder, redis_server(kind, Path(folder) / "server") as server:
        store = await RedisStore.connect(server.url, max_queue=1_000_000)
        print(f"{kind}, appendfsync always")
        await intake(store)
        await work(store)
        await store.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else "redis-7.0"))
