"""The door: deduplicate and enqueue in one script (P1, P4, P5, P15)."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.adapters.redis.base import Bounds, Part
from remediator.adapters.redis.durability import Examiner
from remediator.adapters.redis.keys import Keys
from remediator.adapters.redis.link import Link
from remediator.adapters.redis.lua import Call
from remediator.core.alerts import Alert, AlertStatus, Disposition, Fingerprint, Lane, Rejected
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


MOST_KNOWN = 20_000
"""Alerts whose last answer is remembered; some 200 bytes each."""
_WANTED = b"?"
"""The answer of a script that was not told an alert which it needs; it has changed nothing."""


class IntakePart(Part):
    """``core.store.IntakeStore``, with the alerts that no rule matches."""

    def __init__(self, link: Link, blocking: Link, examiner: Examiner, keys: Keys, bounds: Bounds) -> None:
        super().__init__(link, blocking, examiner, keys, bounds)
        self._known: dict[Fingerprint, str] = {}  # the heads of alerts that were duplicates when last seen

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """As the Protocol says.

        Duplicates are the bulk of what Alertmanager sends, and only a new alert's text is ever stored: of
        alerts that were duplicates last time the text is left out. Should the store need it after all, it
        says so before it writes anything, and is told everything.
        """
        assurance = await self._examiner.assurance()
        if assurance.trouble is not None:
            raise StoreUnavailable(assurance.trouble)
        heads = [_head(arrival) for arrival in arrivals]
        waits, known = bool(assurance.waits), self._known
        texts = [
            "" if known.get(arrival.alert.fingerprint) == head else alert_json(arrival.alert)
            for arrival, head in zip(arrivals, heads, strict=True)
        ]
        reply = await self._run_durably("admit", self._call(arrivals, rejected, heads, texts, waits=waits))
        if reply == _WANTED:
            texts = [alert_json(arrival.alert) for arrival in arrivals]
            reply = await self._run_durably(
                "admit", self._call(arrivals, rejected, heads, texts, waits=waits)
            )
        if isinstance(reply, int):
            raise QueueFull(
                f"{reply} alerts wait already, {self._bounds.max_queue} is the most; "
                "see why the workers fall behind"
            )
        letters = reply.decode()
        self._remember(arrivals, heads, letters)
        return [_DISPOSITIONS[letter] for letter in letters]

    def _call(
        self,
        arrivals: Sequence[Arrival],
        rejected: Sequence[Rejected],
        heads: Sequence[str],
        texts: Sequence[str],
        *,
        waits: bool,
    ) -> Call:
        keys = self._keys
        call = Call()
        call.key(keys.queue(Queue.URGENT), keys.queue(Queue.NORMAL), keys.dead, keys.touch)
        call.key(*keys.unmatched)
        call.arg(self._bounds.max_queue, self._bounds.retention, 1 if waits else 0)
        call.each(rejected, lambda one: call.arg(one.reason, one.raw))

        call.arg(len(arrivals))  # spelled out, not by `each`: this is done for every alert of every storm
        call.keys += [keys.episode(arrival.alert.fingerprint) for arrival in arrivals]
        call.args += [part for pair in zip(heads, texts, strict=True) for part in pair]
        return call

    def _remember(self, arrivals: Sequence[Arrival], heads: Sequence[str], letters: str) -> None:
        known = self._known
        for arrival, head, letter in zip(arrivals, heads, letters, strict=True):
            if letter == "d":
                known[arrival.alert.fingerprint] = head
        while len(known) > MOST_KNOWN:
            del known[next(iter(known))]

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
