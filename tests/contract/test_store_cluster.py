"""One deployment is one hash slot: every script runs on a cluster, and the slot is followed when it moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Disposition, Rejected
from remediator.core.decision import Decision
from remediator.core.errors import StoreUnavailable
from remediator.core.incident import EffectId, IncidentId
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Rate
from remediator.core.store import CommitResult, IncidentFilter, Lease, Limit, Queue
from remediator.core.times import Instant, Millis
from tests.contract.stores import admit, alert, arrival, commit, incident, stored, take
from tests.servers import RedisServer, free_port, redis_server

SLOTS = 16_384


@pytest.fixture(params=["redis-7.0", "valkey-9"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two masters of one cluster that know each other; the second has every slot."""
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(
                redis_server(
                    request.param,
                    tmp_path / name,
                    {
                        "cluster-enabled": "yes",
                        "cluster-port": str(free_port()),
                        "cluster-node-timeout": "2000",
                    },
                )
            )
            for name in ("first", "second")
        )
        with first.client() as client:
            meet = ("CLUSTER", "MEET", "127.0.0.1", str(second.port), second.settings["cluster-port"])
            client.execute_command(*meet)
        with second.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", str(SLOTS - 1))
        yield first, second


async def patiently(store: RedisStore, fingerprint: str) -> Disposition:
    """Admit as soon as the nodes agree where the slots are."""
    async with asyncio.timeout(30):
        while True:
            try:
                (disposition,) = await admit(store, arrival(fingerprint))
            except StoreUnavailable:
                continue
            return disposition


async def test_everything_works_on_a_cluster(nodes: tuple[RedisServer, RedisServer]) -> None:
    """Asked at the wrong node, each script finds all of its keys on the right one."""
    wrong, right = nodes
    store = await RedisStore.connect(wrong.url)
    assert await patiently(store, "aa") is Disposition.NEW
    assert await store.admit([arrival("bb", matched=False)], [Rejected(reason="x", raw="{}")])
    events = await take(store)
    decision = Decision(incident=incident(), join=(alert("aa"),), arm={"poll": Instant(1)})
    made = commit(None, decision, settles=events, fingerprints=["aa"])
    assert await store.commit(made) is CommitResult.COMMITTED
    assert (await store.fire_due(10))[0] == 1
    (due,) = await take(store)
    assert await store.failed(due) == 1
    await store.extend([due], "one")
    assert len(await store.reclaim(Queue.URGENT, "two", Millis(0), 10)) == 1
    assert await store.bury(due, "two", "reason")
    for letter in await store.dead_letters(10):
        await store.revive(letter.id)
    lease = await store.acquire("t", "one", Millis(60_000))
    assert isinstance(lease, Lease)
    assert await store.intend(EffectId("e"), lease, "")
    limits = [Limit(name=name, rate=Rate(count=1, per=Millis(1000)), text=name) for name in ("x", "y")]
    assert len(await store.use_limits(limits, "m", take=True)) == 2
    await store.refund(limits, "m", EffectId("other"), lease)
    await store.pause("reason", "ada", None)
    await store.pause("reason", "ada", None, PauseScope(kind=ScopeKind.SERVICE, name="web"))
    assert (await store.gauges()).paused == {"all": 1, "service": 1}
    assert len(await store.pauses()) == 2
    assert await store.resume(PauseScope(kind=ScopeKind.SERVICE, name="web"))
    assert (await store.route([incident().group], [alert("aa").fingerprint]))[0]
    assert len((await store.incidents(IncidentFilter(), 10, None)).items) == 1
    before = await stored(store, "i1")
    gone = commit(before, Decision(incident=None))
    assert await store.commit(gone) is CommitResult.COMMITTED
    assert (await store.load(IncidentId("i1"), [])).incident is None
    assert len(await store.unmatched(5)) == 1
    with wrong.client() as client:
        assert client.dbsize() == 0
    with right.client() as client:
        assert client.dbsize() > 5
    await store.close()
