"""Leases with epochs, sliding limits and the journal (P7, P8, P10)."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.adapters.redis.base import Part
from remediator.adapters.redis.lua import Call
from remediator.core.incident import EffectId
from remediator.core.objects import Anchor
from remediator.core.store import Intent, Lease, Limit, LimitUse
from remediator.core.times import Instant, Millis


class GuardPart(Part):
    """``core.store.GuardStore``, but for the kill switch."""

    async def acquire(self, target: str, owner: str, ttl: Millis) -> Lease | str:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.lease(target), self._keys.epochs)
        call.arg(owner, ttl)
        epoch, holder = await self._run_durably("lease", call)
        if not epoch:
            return str(holder.decode())
        return Lease(target=target, owner=owner, epoch=epoch)

    async def holds(self, lease: Lease, ttl: Millis) -> bool:
        """As the Protocol says."""
        return await self._held(lease, max(ttl, 1))

    async def release(self, lease: Lease) -> None:
        """As the Protocol says."""
        await self._held(lease, 0)

    async def _held(self, lease: Lease, ttl: int) -> bool:
        call = Call()
        call.key(self._keys.lease(lease.target))
        call.arg(_lease_text(lease), ttl)
        return bool(await self._run("held", call))

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """As the Protocol says."""
        call = Call()
        call.arg(member, 1 if take else 0)

        def write(limit: Limit) -> None:
            call.key(self._keys.limit(limit.name))
            call.arg(limit.rate.count, limit.rate.per)

        call.each(limits, write)
        uses = await (self._run_durably if take else self._run)("limits", call)
        return [
            LimitUse(limit=limit, used=used, free_at=None if free_at is None else Instant(free_at))
            for limit, (used, free_at) in zip(limits, uses, strict=True)
        ]

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.intent(effect), self._keys.lease(lease.target))
        call.arg(member, _lease_text(lease))
        call.each(limits, lambda limit: call.key(self._keys.limit(limit.name)))
        await self._run("refund", call)

    async def intend(
        self,
        effect: EffectId,
        lease: Lease,
        before: str,
        pods: frozenset[str] = frozenset(),
        on: Anchor | None = None,
        planned: str = "",
    ) -> bool:
        """As the Protocol says."""
        call = Call()
        call.key(self._keys.intent(effect), self._keys.lease(lease.target))
        call.arg(_lease_text(lease), lease.epoch, self._bounds.retention)
        call.arg(before, " ".join(sorted(pods)), "" if on is None else str(on), planned)
        return bool(await self._run_durably("intend", call))

    async def intended(self, effect: EffectId) -> Intent | None:
        """As the Protocol says."""
        wanted = ("HMGET", self._keys.intent(effect), "epoch", "at", "before", "pods", "on", "planned")
        ((epoch, at, before, pods, on, planned),) = await self._ask(wanted)
        if epoch is None or at is None:
            return None
        return Intent(
            effect=effect,
            epoch=int(epoch),
            at=Instant(int(at)),
            before=(before or b"").decode(),
            pods=frozenset((pods or b"").decode().split()),
            on=Anchor.parse(on.decode()) if on else None,
            planned=(planned or b"").decode(),
        )


def _lease_text(lease: Lease) -> str:
    """As ``lease.lua`` writes it."""
    return f"{lease.epoch}|{lease.owner}"
