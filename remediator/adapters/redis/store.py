"""``RedisStore``: all of ``core.store.Store`` on one Redis or Valkey."""

from __future__ import annotations

from collections.abc import Callable

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.base import Bounds
from remediator.adapters.redis.breakers import BreakerPart
from remediator.adapters.redis.commits import CommitPart
from remediator.adapters.redis.dial import Dialer
from remediator.adapters.redis.durability import Durability, Examiner
from remediator.adapters.redis.guards import GuardPart
from remediator.adapters.redis.health import HealthPart
from remediator.adapters.redis.incidents import IncidentPart
from remediator.adapters.redis.intake import IntakePart
from remediator.adapters.redis.keys import Keys
from remediator.adapters.redis.link import Link, Timed
from remediator.adapters.redis.listings import ListingPart
from remediator.adapters.redis.pauses import PausePart
from remediator.adapters.redis.queues import QueuePart
from remediator.adapters.redis.trust import TrustPart
from remediator.core.times import DAY, Millis

BLOCKING_READERS = 32


class RedisStore(
    IntakePart,
    QueuePart,
    IncidentPart,
    CommitPart,
    ListingPart,
    GuardPart,
    PausePart,
    BreakerPart,
    TrustPart,
    HealthPart,
):
    """The store. Make one with ``connect``; ``close`` it when the daemon ends."""

    @classmethod
    async def connect(
        cls,
        where: str | Callable[[], Address],
        *,
        prefix: str = "remediator",
        durability: Durability = "strict",
        retention: Millis = Millis(30 * DAY),
        max_queue: int = 100_000,
        timed: Timed | None = None,
    ) -> RedisStore:
        """A store at a URL, or at an address that is told anew for each connection; see ``Dialer``.

        Connects lazily: Redis may be down now and come up later.
        ``retention``: milliseconds that resolved incidents, ended episodes and the journal are kept.
        ``max_queue``: alerts that may wait before the intake refuses more. ``timed``: is told how long each
        trip took, but for those that wait for work. Raises SettingsError for an address, or a file of TLS,
        that cannot be used.
        """
        dialer = Dialer.to(where) if isinstance(where, str) else Dialer(where)
        link = Link(dialer, timed=timed)
        blocking = Link(dialer, size=BLOCKING_READERS, name="remediator-take")
        keys, bounds = Keys(prefix), Bounds(retention=retention, max_queue=max_queue)
        return cls(link, blocking, Examiner(link, durability, keys.unused), keys, bounds)

    async def close(self) -> None:
        """Close every connection."""
        await self._link.close()
        await self._blocking.close()
