"""The kill switch (P13): a key of each scope that is paused, which expires with the pause, and an index.

All changes are paused under one key since the first version, so that such a pause outlives an upgrade. The
index holds the others, scored with their end.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.errors import Refused
from remediator.core.pauses import EVERYTHING, MOST_PAUSES, Pause, PauseScope, in_order
from remediator.core.times import Instant

_FIELDS = ("reason", "by", "since", "until")


class PausePart(Part):
    """``core.store.PauseStore``, and what ``GuardStore`` asks of it."""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """As the Protocol says."""
        found = await self._ask(*(("HMGET", self._keys.pause(_named(scope)), *_FIELDS) for scope in scopes))
        pauses = (_pause(scope, values) for scope, values in zip(scopes, found, strict=True))
        return tuple(pause for pause in pauses if pause is not None)

    async def pauses(self) -> tuple[Pause, ...]:
        """As the Protocol says."""
        (named,) = await self._ask(("ZRANGE", self._keys.pauses, 0, -1))
        scopes = [PauseScope.of_path(path.decode()) for path in named]
        return in_order(await self.paused([EVERYTHING, *scopes]))

    async def pause(
        self, reason: str, by: str, until: Instant | None, scope: PauseScope = EVERYTHING
    ) -> Pause:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.pause(_named(scope)), self._keys.pauses)
        call.arg(_named(scope), MOST_PAUSES, reason, by, "" if until is None else until)
        since = await self._run_durably("pause", call)
        if not since:
            raise Refused(f"{MOST_PAUSES} scopes are paused already; lift some, or pause all changes")
        return Pause(scope=scope, reason=reason, by=by, since=Instant(since), until=until)

    async def resume(self, scope: PauseScope = EVERYTHING) -> Pause | None:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.pause(_named(scope)), self._keys.pauses)
        call.arg(_named(scope))
        return _pause(scope, await self._run_durably("resume", call))


def _named(scope: PauseScope) -> str:
    """Empty for all changes, which are under a key of their own."""
    return "" if scope == EVERYTHING else scope.path


def _pause(scope: PauseScope, values: Sequence[bytes | None]) -> Pause | None:
    reason, by, since, until = (None if value is None else value.decode() for value in values)
    if reason is None or by is None or since is None:
        return None
    ends = None if until is None else Instant(int(until))
    return Pause(scope=scope, reason=reason, by=by, since=Instant(int(since)), until=ends)
