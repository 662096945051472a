"""P16: a cancelled call never leaves its reply to the next caller."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Disposition
from remediator.core.codec import alert_from
from remediator.core.store import Queue
from remediator.core.times import Millis
from tests.contract.stores import LANES, arrival
from tests.proxy import proxy
from tests.servers import redis_server

TARGETS = 50
LONG = Millis(600_000)


async def cancel_some(store: RedisStore, rounds: int, chance: random.Random) -> int:
    """Calls with an answer of their own each, cancelled at any point of their way; how many were."""
    cancelled = 0
    for _ in range(rounds):
        target = chance.randrange(TARGETS)
        call = asyncio.create_task(store.acquire(f"t{target}", "stranger", LONG))
        await asyncio.wait([call], timeout=chance.choice([0, 0.0005, 0.001, 0.002, 0.004]))
        call.cancel()
        try:
            assert await call == f"owner {target}"
        except asyncio.CancelledError:
            cancelled += 1
        other = chance.randrange(TARGETS)
        assert await store.acquire(f"t{other}", "stranger", LONG) == f"owner {other}"
    return cancelled


@pytest.mark.parametrize("rounds", [1_000, pytest.param(10_000, marks=pytest.mark.full)])
async def test_P16_no_caller_reads_anothers_reply(rounds: int, tmp_path: Path) -> None:
    """Through a slow proxy, by ten workers at once: whoever gets an answer gets their own."""
    with redis_server("redis-7.0", tmp_path / "server") as server:
        async with proxy(server.port) as between:
            store = await RedisStore.connect(f"redis://127.0.0.1:{between.listening}")
            for target in range(TARGETS):
                await store.acquire(f"t{target}", f"owner {target}", LONG)
            between.delay = 0.001
            workers = (cancel_some(store, rounds // 10, random.Random(seed)) for seed in range(10))
            cancelled = sum(await asyncio.gather(*workers))
            assert cancelled > rounds // 4
            await store.close()


async def test_P6_a_cancelled_take_loses_nothing(tmp_path: Path) -> None:
    """P6: what was on its way to a consumer that gave up is handed to the next one."""
    with redis_server("redis-7.0", tmp_path / "server") as server:
        store = await RedisStore.connect(server.url)
        batcher = IntakeBatcher(store)
        names = [f"{n:x}" for n in range(300)]
        found: set[str] = set()

        async def produce() -> None:
            for name in names:
                assert await batcher.admit([arrival(name)], ()) == [Disposition.NEW]

        async def consume(chance: random.Random) -> None:
            while len(found) < len(names):
                call = asyncio.create_task(store.take(LANES, "one", 10, Millis(50)))
                await asyncio.wait([call], timeout=chance.random() * 0.003)
                call.cancel()
                for entry in await asyncio.gather(call, return_exceptions=True):
                    if isinstance(entry, BaseException):
                        continue
                    found.update(str(alert_from(one.data).fingerprint) for one in entry)
                for one in await store.reclaim(Queue.NORMAL, "two", Millis(20), 100):
                    found.add(str(alert_from(one.data).fingerprint))

        async with asyncio.timeout(60):
            await asyncio.gather(produce(), *(consume(random.Random(seed)) for seed in range(3)))
        assert found == set(names)
        await store.close()


async def test_P16_cancelled_webhooks_share_a_trip_safely(tmp_path: Path) -> None:
    """A client that hangs up mid-request neither loses its alert nor another's answer."""
    with redis_server("redis-7.0", tmp_path / "server") as server:
        async with proxy(server.port) as between:
            store = await RedisStore.connect(f"redis://127.0.0.1:{between.listening}")
            batcher = IntakeBatcher(store)
            between.delay = 0.002

            async def client(seed: int) -> None:
                chance = random.Random(seed)
                for number in range(50):
                    name = f"{seed:02x}{number:04x}"
                    call = asyncio.create_task(batcher.admit([arrival(name)], ()))
                    await asyncio.wait([call], timeout=chance.random() * 0.008)
                    call.cancel()
                    await asyncio.gather(call, return_exceptions=True)
                    mine = f"f{name}"
                    assert await batcher.admit([arrival(mine)], ()) == [Disposition.NEW]
                    assert await batcher.admit([arrival(mine), arrival(f"e{name}")], ()) == [
                        Disposition.DUPLICATE,
                        Disposition.NEW,
                    ]

            await asyncio.gather(*(client(seed) for seed in range(20)))
            await store.close()
