"""The part of the in-memory store that guards and the step performer use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from remediator.core.incident import EffectId
from remediator.core.objects import Anchor
from remediator.core.store import Intent, Lease, Limit, LimitUse
from remediator.core.times import Instant, Millis
from remediator.testing.memory_pauses import MemoryPauses


@dataclass(kw_only=True)
class _Held:
    lease: Lease
    until: int


class MemoryGuards(MemoryPauses):
    """``core.store.GuardStore`` and ``PauseStore`` in memory."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._leases: dict[str, _Held] = {}
        self._epoch = 0
        self._limits: dict[str, dict[str, int]] = {}
        self._intents: dict[EffectId, Intent] = {}

    async def acquire(self, target: str, owner: str, ttl: Millis) -> Lease | str:
        """As the Protocol says."""
        held = self._leases.get(target)
        if held is not None and held.until > self.clock():
            if held.lease.owner != owner:
                return held.lease.owner
            held.until = self.clock() + ttl
            return held.lease
        self._epoch += 1
        lease = Lease(target=target, owner=owner, epoch=self._epoch)
        self._leases[target] = _Held(lease=lease, until=self.clock() + ttl)
        return lease

    def _holds(self, lease: Lease) -> bool:
        held = self._leases.get(lease.target)
        return held is not None and held.lease == lease and held.until > self.clock()

    async def holds(self, lease: Lease, ttl: Millis) -> bool:
        """As the Protocol says."""
        if not self._holds(lease):
            return False
        self._leases[lease.target].until = self.clock() + ttl
        return True

    async def release(self, lease: Lease) -> None:
        """As the Protocol says."""
        if self._holds(lease):
            del self._leases[lease.target]

    def _use(self, limit: Limit, member: str) -> LimitUse:
        now = self.clock()
        kept = {who: at for who, at in self._limits.get(limit.name, {}).items() if now - at < limit.rate.per}
        self._limits[limit.name] = kept
        others = [at for who, at in kept.items() if who != member]
        free_at = Instant(min(others) + limit.rate.per) if others else None
        return LimitUse(limit=limit, used=len(others), free_at=free_at)

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """As the Protocol says."""
        uses = [self._use(limit, member) for limit in limits]
        if take and not any(use.exceeded for use in uses):
            for limit in limits:
                self._limits[limit.name].setdefault(member, self.clock())
        return uses

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """As the Protocol says."""
        if effect in self._intents or not self._holds(lease):
            return
        for limit in limits:
            self._limits.get(limit.name, {}).pop(member, None)

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
        if not self._holds(lease):
            return False
        first = self._intents.get(effect)
        at = Instant(self.clock())
        fresh = Intent(
            effect=effect, epoch=lease.epoch, at=at, before=before, pods=pods, on=on, planned=planned
        )
        again = None if first is None else replace(first, epoch=lease.epoch, planned=planned)
        self._intents[effect] = fresh if again is None else again
        return True

    async def intended(self, effect: EffectId) -> Intent | None:
        """As the Protocol says."""
        return self._intents.get(effect)
