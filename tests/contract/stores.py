"""The stores that the contract tests run over, and short ways to make what they take."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Alert, AlertStatus, Disposition, Fingerprint, Lane
from remediator.core.decision import Decision, Facts
from remediator.core.incident import GroupKey, Incident, IncidentId, Status
from remediator.core.store import Arrival, Commit, CommitResult, Delivered, IncidentFilter, Queue, Store
from remediator.core.times import Instant, Millis, Stamp, parse_stamp
from remediator.testing.memory import MemoryStore
from tests.secured import Secured, secured_server
from tests.servers import KINDS, RedisServer, redis_server

SECURED = "redis-7.0-tls-acl"
"""Over TLS, as a user that may do no more than docs/redis.md grants."""
STORES = ("memory", *KINDS, SECURED)
LANES = (Queue.URGENT, Queue.NORMAL)
NOW = Millis(0)
_prefixes = (f"test-{number}" for number in count(1))


class Servers:
    """One server of each kind, started when first asked for; every test has a prefix of its own on it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._running: dict[str, RedisServer] = {}
        self._secured: Secured | None = None

    def get(self, kind: str) -> RedisServer:
        """The running server of that kind."""
        if kind not in self._running:
            self._running[kind] = self._stack.enter_context(redis_server(kind, self._folder / kind))
        return self._running[kind]

    def secured(self) -> Secured:
        """The running server of the kind ``SECURED``."""
        if self._secured is None:
            self._secured = self._stack.enter_context(secured_server(self._folder / SECURED))
        return self._secured

    def stop(self) -> None:
        """End them all."""
        self._stack.close()


def fresh_prefix() -> str:
    """A prefix that no other test has."""
    return next(_prefixes)


def system_clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def open_store(
    kind: str, servers: Servers, *, max_queue: int = 100_000, prefix: str | None = None
) -> AsyncIterator[Store]:
    """An empty store of that kind; with the ``prefix`` of another one, a second replica's view of it."""
    if kind == "memory":
        yield MemoryStore(system_clock, max_queue=max_queue)
        return
    prefix = prefix or fresh_prefix()
    where: str | Callable[[], Address]
    if kind == SECURED:
        address = servers.secured().address(prefix)
        where = lambda: address  # noqa: E731 - the shape that connect takes
    else:
        where = servers.get(kind).url
    store = await RedisStore.connect(where, prefix=prefix, max_queue=max_queue)
    try:
        yield store
    finally:
        await store.close()


def stamp(second: int) -> Stamp:
    """A stamp in 2026, so many seconds after midnight."""
    return parse_stamp(f"2026-01-01T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z")


def alert(fingerprint: str, starts: int = 0, *, firing: bool = True) -> Alert:
    """An alert whose ``startsAt`` is ``starts`` seconds after midnight."""
    return Alert(
        fingerprint=Fingerprint(fingerprint),
        status=AlertStatus.FIRING if firing else AlertStatus.RESOLVED,
        labels={"alertname": "HighErrors", "service": "auth"},
        annotations={},
        starts_at=stamp(starts),
        ends_at=None if firing else stamp(starts + 60),
    )


def arrival(
    fingerprint: str, starts: int = 0, *, firing: bool = True, matched: bool = True, lane: Lane = Lane.NORMAL
) -> Arrival:
    """An alert at the door."""
    return Arrival(alert=alert(fingerprint, starts, firing=firing), lane=lane, matched=matched)


async def admit(store: Store, *arrivals: Arrival) -> list[Disposition]:
    """All in one call."""
    return await store.admit(arrivals, ())


async def take(store: Store, *queues: Queue, consumer: str = "one", most: int = 100) -> list[Delivered]:
    """What waits, without waiting for more."""
    return await store.take(queues or LANES, consumer, most, NOW)


def incident(name: str = "i1", *, group: str = "g1", opened_at: int = 1_000, **changes: Any) -> Incident:
    """An open incident of a service called auth."""
    made = Incident(
        id=IncidentId(name),
        group=GroupKey(group),
        grouped_by={"service": "auth"},
        service="auth",
        severity="SEV-2",
        status=Status.OPEN,
        rule="errors",
        title="HighErrors",
        opened_at=Instant(opened_at),
    )
    return replace(made, **changes)


def commit(
    before: Incident | None,
    decision: Decision,
    *,
    settles: Sequence[Delivered] = (),
    over: Sequence[str] = (),
    fingerprints: Sequence[str] = (),
) -> Commit:
    """A commit as the journey makes one."""
    return Commit(
        before=before,
        decision=decision,
        facts=Facts(over=frozenset(map(Fingerprint, over))),
        fingerprints=frozenset(map(Fingerprint, fingerprints)),
        settles=tuple(settles),
    )


async def opened(store: Store, made: Incident, **decision: Any) -> Incident:
    """Commit a new incident and read it back."""
    result = await store.commit(commit(None, Decision(incident=made, **decision)))
    assert result is CommitResult.COMMITTED
    return await stored(store, made.id)


async def stored(store: Store, name: str) -> Incident:
    """The incident as the store has it."""
    found = (await store.load(IncidentId(name), ())).incident
    assert found is not None
    return found


async def names(store: Store, wanted: IncidentFilter | None = None) -> list[str]:
    """The ids of all incidents that are shown, as they are listed."""
    return [one.id for one in (await store.incidents(wanted or IncidentFilter(), 1000, None)).items]
