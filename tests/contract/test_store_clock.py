"""P12: when the store's clock jumps back, timers go with it; a deadline of minutes takes no hour."""

from __future__ import annotations

from remediator.core.times import HOUR, MINUTE, Instant
from remediator.testing.memory import MemoryStore
from tests.contract.stores import Servers, fresh_prefix, incident, open_store, opened, system_clock


async def test_P12_in_memory_timers_follow_a_clock_that_jumps_back() -> None:
    clock = [10 * HOUR]
    store = MemoryStore(lambda: clock[0])
    await opened(store, incident(), arm={"deadline#1": Instant(clock[0] + 15 * MINUTE)})
    assert await store.fire_due(10) == (0, 15 * MINUTE)
    clock[0] -= HOUR
    assert await store.fire_due(10) == (0, 15 * MINUTE)
    clock[0] += 15 * MINUTE
    assert (await store.fire_due(10))[0] == 1


async def test_P12_on_a_server_timers_follow_a_clock_that_jumps_back(servers: Servers) -> None:
    """A server's clock cannot be set here; that it stood an hour later at the last look can."""
    prefix = fresh_prefix()
    async with open_store("redis-7.0", servers, prefix=prefix) as store:
        due = Instant(system_clock() + HOUR + 15 * MINUTE)
        await opened(store, incident(), arm={"deadline#1": due})
        client = servers.get("redis-7.0").client()
        client.set(f"{{{prefix}}}:clock", system_clock() + HOUR)
        moved, left = await store.fire_due(10)
        assert moved == 0
        assert left is not None
        assert 14 * MINUTE < left <= 15 * MINUTE
        moved, again = await store.fire_due(10)
        assert again is not None
        assert 14 * MINUTE < again <= left, "they are moved once"
        client.close()
