"""The records of rules: counters in one sorted set, and which rules are trusted with less, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.standing import Lowering
from remediator.core.times import Instant
from remediator.core.trust import Record

ROW = "row"
"""Stands among what is counted for how many attempts failed in a row."""


class TrustPart(Part):
    """``core.store.TrustStore``; what is counted is written by ``commit``."""

    async def lowered(self, rule: str) -> Lowering | None:
        """As the Protocol says."""
        order, docs = self._keys.lowered
        since, why = await self._ask(("ZSCORE", order, rule), ("HGET", docs, rule))
        if since is None or why is None:
            return None
        return Lowering(rule=rule, why=why.decode(), at=Instant(int(float(since))))

    async def records(self) -> Mapping[str, Record]:
        """As the Protocol says."""
        order, docs = self._keys.lowered
        counted, lowered = await self._ask(
            ("ZRANGE", self._keys.trust, 0, -1, "WITHSCORES"), ("ZRANGE", order, 0, -1, "WITHSCORES")
        )
        counts: dict[str, dict[str, int]] = defaultdict(dict)
        for member, score in zip(counted[::2], counted[1::2], strict=True):
            what, _, rule = member.decode().partition("\x1f")
            counts[rule][what] = int(float(score))
        held = {
            name.decode(): Instant(int(float(at)))
            for name, at in zip(lowered[::2], lowered[1::2], strict=True)
        }
        reasons = (await self._ask(("HMGET", docs, *held)))[0] if held else []
        whys = {rule: "" if why is None else why.decode() for rule, why in zip(held, reasons, strict=True)}
        return {
            rule: Record(
                rule=rule,
                in_a_row=counts[rule].pop(ROW, 0),
                counts=counts[rule],
                lowered=Lowering(rule=rule, why=whys[rule], at=held[rule]) if rule in held else None,
            )
            for rule in sorted({*counts, *held})
        }

    async def restore_trust(self, rule: str) -> Lowering | None:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.trust, *self._keys.lowered)
        call.arg(rule)
        since, why = await self._run_durably("restore_trust", call)
        if since is None:
            return None
        return Lowering(rule=rule, why=why.decode(), at=Instant(int(float(since))))
