"""Timers, and what operations ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.codec import incident_from
from remediator.core.errors import StoreUnavailable
from remediator.core.incident import Incident, IncidentId
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.store import CHUNK, Gauges, Queue
from remediator.core.times import Instant, Millis

READ_AT_ONCE = 50


class HealthPart(Part):
    """``core.store.TimerStore`` and ``HealthStore``."""

    async def fire_due(self, count: int) -> tuple[int, Millis | None]:
        """As the Protocol says."""
        keys = self._keys
        call = Call()
        call.key(keys.timers, keys.calm, keys.queue(Queue.URGENT), keys.queue(Queue.NORMAL), keys.clock)
        call.arg(min(count, CHUNK))
        moved, *rest = await self._run("fire_due", call)
        left = rest[0] if rest else None
        return moved, None if left is None else Millis(left)

    async def gauges(self) -> Gauges:
        """As the Protocol says."""
        keys = self._keys
        (seconds, micros), first, dead, lowered, paused, named, tripped, *counts = await self._ask(
            ("TIME",),
            ("ZRANGE", keys.timers, 0, 0, "WITHSCORES"),
            ("XLEN", keys.dead),
            ("ZCARD", keys.lowered[0]),
            ("EXISTS", keys.pause("")),
            ("ZRANGE", keys.pauses, 0, -1, "WITHSCORES"),
            ("ZRANGE", keys.breakers, 0, -1, "WITHSCORES"),
            *(("XLEN", keys.queue(queue)) for queue in Queue),
            *(("SCARD", name) for name in keys.open.values()),
        )
        now = int(seconds) * 1000 + int(micros) // 1000
        oldest = int(first[1]) if first else now
        opened = zip(keys.open, counts[len(Queue) :], strict=True)
        return Gauges(
            backlog={queue.value: length for queue, length in zip(Queue, counts[: len(Queue)], strict=True)},
            timer_lag=Millis(max(now - oldest, 0)),
            dead_letters=dead,
            rules_lowered=lowered,
            open_by_severity={severity: count for severity, count in opened if count},
            paused=_count_paused(paused, named, now),
            breakers=_open_breakers(tripped, now),
        )

    async def open_incidents(self, most: int) -> tuple[Instant, tuple[Incident, ...]]:
        """As the Protocol says. Reads a few at a time: there can be many, and each is a document."""
        ((seconds, micros),) = await self._ask(("TIME",))
        found: dict[IncidentId, Incident] = {}
        for open_set in self._keys.open.values():
            cursor = b"0"
            while len(found) < most:
                ((cursor, ids),) = await self._ask(("SSCAN", open_set, cursor, "COUNT", READ_AT_ONCE))
                docs = [self._keys.incident(IncidentId(each.decode()))[0] for each in ids]
                for (doc,) in await self._ask(*(("HMGET", each, "doc") for each in docs)):
                    if doc is not None:  # else it was forgotten since
                        incident = incident_from(doc)
                        found[incident.id] = incident
                if cursor == b"0":
                    break
        now = Instant(int(seconds) * 1000 + int(micros) // 1000)
        return now, tuple(found.values())[:most]

    async def trouble(self) -> str | None:
        """As the Protocol says."""
        try:
            found = await self._examiner.assurance()
            await self._ask(("PING",))
        except StoreUnavailable as error:
            return str(error)
        return found.trouble


def _open_breakers(tripped: Sequence[bytes], now: int) -> Mapping[str, bool]:
    """Those that were closed are scored with when that is forgotten."""
    scores = zip(tripped[::2], map(float, tripped[1::2]), strict=True)
    return {name.decode(): score == float("inf") for name, score in scores if score >= now}


def _count_paused(everything: int, named: Sequence[bytes], now: int) -> Mapping[str, int]:
    """Of each kind; in the index, those whose time is over stand until the next pause."""
    kinds = Counter(
        PauseScope.of_path(path.decode()).kind.value
        for path, ends in zip(named[::2], named[1::2], strict=True)
        if float(ends) >= now
    )
    return kinds | Counter({ScopeKind.ALL.value: everything})
