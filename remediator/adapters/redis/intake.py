"""The door: deduplicate and enqueue in one script (P1, P4, P5, P15)."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.alerts import Alert, AlertStatus, Disposition, Lane, Rejected
from remediator.core.codec import alert_from, alert_json
from remediator.core.errors import QueueFull, StoreUnavailable
from remediator.core.store import Arrival, Queue

_DISPOSITIONS = {
    "n": Disposition.NEW,
    "d": Disposition.DUPLICATE,
    "r": Disposition.RESOLVED,
    "s": Disposition.STALE,
    "u": Disposition.UNMATCHED,
}


class IntakePart(Part):
    """``core.store.IntakeStore``, with the alerts that no rule matches."""

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """As the Protocol says."""
        assurance = await self._examiner.assurance()
        if assurance.trouble is not None:
            raise StoreUnavailable(assurance.trouble)
        keys = self._keys
        call = Call()
        call.key(keys.queue(Queue.URGENT), keys.queue(Queue.NORMAL), keys.dead, keys.touch)
        call.key(*keys.unmatched)
        call.arg(self._bounds.max_queue, self._bounds.retention, 1 if assurance.waits else 0)
        call.each(rejected, lambda one: call.arg(one.reason, one.raw))

        call.arg(len(arrivals))  # spelled out, not by `each`: this is done for every alert of every storm
        call.keys += [keys.episode(arrival.alert.fingerprint) for arrival in arrivals]
        call.args += [part for arrival in arrivals for part in (_head(arrival), alert_json(arrival.alert))]
        reply = await self._run_durably("admit", call)
        if isinstance(reply, int):
            raise QueueFull(
                f"{reply} alerts wait already, {self._bounds.max_queue} is the most; "
                "see why the workers fall behind"
            )
        return [_DISPOSITIONS[letter] for letter in reply.decode()]

    async def unmatched(self, count: int) -> list[Alert]:
        """As the Protocol says."""
        order, docs, _ = self._keys.unmatched
        (newest,) = await self._ask(("ZREVRANGE", order, 0, count - 1)) if count > 0 else ((),)
        if not newest:
            return []
        (found,) = await self._ask(("HMGET", docs, *newest))
        return [alert_from(doc) for doc in found if doc is not None]


def _head(arrival: Arrival) -> str:
    """Status, lane and match in a letter each, then ``startsAt``."""
    alert = arrival.alert
    status = "f" if alert.status is AlertStatus.FIRING else "r"
    lane = "u" if arrival.lane is Lane.URGENT else "n"
    return f"{status}{lane}{'1' if arrival.matched else '0'}{alert.starts_at}"
