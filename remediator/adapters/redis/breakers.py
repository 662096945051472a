"""Breakers and storms: what commits have counted, and closing by a person."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.breakers import Breaker, in_order
from remediator.core.storms import Opening, Openings
from remediator.core.times import Instant, Millis

_FIELDS = ("opened_at", "failures", "within", "by_attempt", "closed_at", "closed_by", "note")


class BreakerPart(Part):
    """``core.store.BreakerStore``, and what ``GuardStore`` asks of it."""

    async def openings(self, span: Millis) -> Openings:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.openings)
        call.arg(span)
        at, found = await self._run("openings", call)
        pairs = zip(found[::2], found[1::2], strict=True)
        items = (Opening(member=member.decode(), at=Instant(int(score))) for member, score in pairs)
        return Openings(at=Instant(at), items=tuple(items))

    async def breaker(self, runbook: str) -> Breaker | None:
        """As the Protocol says."""
        (values,) = await self._ask(("HMGET", self._keys.breaker(runbook), *_FIELDS))
        found = _breaker(runbook, values)
        return found if found is not None and found.open else None

    async def breakers(self) -> tuple[Breaker, ...]:
        """As the Protocol says."""
        (named,) = await self._ask(("ZRANGE", self._keys.breakers, 0, -1))
        runbooks = [name.decode() for name in named]
        found = await self._ask(*(("HMGET", self._keys.breaker(name), *_FIELDS) for name in runbooks))
        known = (_breaker(name, values) for name, values in zip(runbooks, found, strict=True))
        return in_order([each for each in known if each is not None])

    async def close_breaker(self, runbook: str, by: str, note: str) -> Breaker | None:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.breakers, self._keys.breaker(runbook), self._keys.failures(runbook))
        call.arg(runbook, by, note, self._bounds.retention)
        return _breaker(runbook, await self._run_durably("close", call) or [None] * len(_FIELDS))


def _breaker(runbook: str, values: Sequence[bytes | None]) -> Breaker | None:
    opened_at, failures, within, by_attempt, closed_at, closed_by, note = (
        None if value is None else value.decode() for value in values
    )
    if opened_at is None or failures is None or within is None:
        return None
    return Breaker(
        runbook=runbook,
        opened_at=Instant(int(opened_at)),
        failures=int(failures),
        within=Millis(int(within)),
        by_attempt=by_attempt or "",
        closed_at=None if closed_at is None else Instant(int(closed_at)),
        closed_by=closed_by or "",
        note=note or "",
    )
