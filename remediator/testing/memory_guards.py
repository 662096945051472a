"""The part of the in-memory store that guards and the step performer use."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from remediator.core.incident import EffectId
from remediator.core.objects import Anchor
from remediator.core.store import Intent, Lease, Limit, LimitUse
from remediator.core.times import Instant, Millis
from remediator.testing.memory_breakers import MemoryBreakers


@dataclass(kw_only=True)
class _Held:
    lease: Lease
    until: int


class Window:
    """Who took a limit when, the oldest first: a storm of thousands is not looked through for each."""

    def __init__(self) -> None:
        self._at: dict[str, int] = {}
        self._in_order: list[tuple[int, str]] = []

    def forget_until(self, at: int) -> None:
        """Those of that moment and before it count no more."""
        over = bisect_left(self._in_order, (at + 1,))
        for _, member in self._in_order[:over]:
            del self._at[member]
        del self._in_order[:over]

    def others(self, member: str) -> tuple[int, int | None]:
        """How many took it beside this one, and when the first of them did."""
        first = next((at for at, who in self._in_order[:2] if who != member), None)
        return len(self._at) - (member in self._at), first

    def take(self, member: str, at: int) -> None:
        """Counted once, from the first time on."""
        if member not in self._at:
            self._at[member] = at
            insort(self._in_order, (at, member))

    def give_back(self, member: str) -> None:
        """As if it had not been taken."""
        if member in self._at:
            self._in_order.remove((self._at.pop(member), member))


class MemoryGuards(MemoryBreakers):
    """``core.store.GuardStore``, ``PauseStore`` and ``BreakerStore`` in memory."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._leases: dict[str, _Held] = {}
        self._epoch = 0
        self._limits: dict[str, Window] = {}
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
        window = self._limits.setdefault(limit.name, Window())
        window.forget_until(now - limit.rate.per)
        used, oldest = window.others(member)
        free_at = Instant(oldest + limit.rate.per) if oldest is not None else None
        return LimitUse(limit=limit, used=used, free_at=free_at)

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """As the Protocol says."""
        uses = [self._use(limit, member) for limit in limits]
        if take and not any(use.exceeded for use in uses):
            for limit in limits:
                self._limits[limit.name].take(member, self.clock())
        return uses

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """As the Protocol says."""
        if effect in self._intents or not self._holds(lease):
            return
        for limit in limits:
            self._limits.get(limit.name, Window()).give_back(member)

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
