"""What every store does for guards: leases, limits and the journal (P7, P8, P10)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from remediator.core.incident import EffectId
from remediator.core.objects import HPA, Anchor, ObjectRef
from remediator.core.policies import Rate
from remediator.core.store import Intent, Lease, Limit, Store
from remediator.core.times import Millis
from tests.contract.stores import Servers, fresh_prefix, open_store, system_clock
from tests.servers import KINDS

LONG = Millis(60_000)
EFFECT = EffectId("i1/1/acting/0.0")


def limit(name: str, most: int, per: int = 60_000) -> Limit:
    """At most so many in so many milliseconds."""
    return Limit(name=name, rate=Rate(count=most, per=Millis(per)), text=f"{most} of {name}")


async def lease(store: Store, target: str = "t1", owner: str = "one", ttl: Millis = LONG) -> Lease:
    """A lease that is ours."""
    got = await store.acquire(target, owner, ttl)
    assert isinstance(got, Lease)
    return got


async def test_one_owner_at_a_time(store: Store) -> None:
    """P8: another owner hears who holds it; the owner keeps its epoch; other targets are free."""
    mine = await lease(store)
    assert await store.acquire("t1", "two", LONG) == "one"
    assert await lease(store) == mine
    assert (await lease(store, "t2", "two")).epoch > mine.epoch
    assert await store.holds(mine, LONG)


async def test_every_new_owner_has_a_higher_epoch(store: Store) -> None:
    """P8: also when the lease was given back, and when it ran out."""
    first = await lease(store)
    await store.release(first)
    assert not await store.holds(first, LONG)
    second = await lease(store, owner="two", ttl=Millis(30))
    third: Lease | str = "two"
    async with asyncio.timeout(10):
        while isinstance(third, str):
            third = await store.acquire("t1", "three", LONG)
    assert first.epoch < second.epoch < third.epoch
    assert not await store.holds(second, LONG)
    await store.release(second)
    assert await store.holds(third, LONG)


async def test_holding_prolongs(store: Store) -> None:
    """A lease that is asked for often enough does not run out."""
    mine = await lease(store, ttl=Millis(200))
    started = system_clock()
    while system_clock() - started < 500:
        assert await store.holds(mine, Millis(200))
    assert await store.acquire("t1", "two", LONG) == "one"


async def test_limits_are_taken_together_or_not_at_all(store: Store) -> None:
    """P10: one exceeded limit takes nothing from the others."""
    narrow, wide = limit("narrow", 1), limit("wide", 10)
    first = await store.use_limits([narrow, wide], "a", take=True)
    assert [use.used for use in first] == [0, 0]
    second = await store.use_limits([narrow, wide], "b", take=True)
    assert [use.exceeded for use in second] == [True, False]
    assert [use.used for use in await store.use_limits([narrow, wide], "c", take=False)] == [1, 1]


async def test_asking_again_is_free_and_a_refund_counts(store: Store) -> None:
    """P10: the same attempt takes its place once, whatever crashed in between."""
    narrow = limit("narrow", 1)
    for _ in range(3):
        (use,) = await store.use_limits([narrow], "a", take=True)
        assert not use.exceeded
    (use,) = await store.use_limits([narrow], "b", take=True)
    assert use.exceeded
    mine = await lease(store)
    await store.refund([narrow], "a", EFFECT, mine)
    (use,) = await store.use_limits([narrow], "b", take=True)
    assert not use.exceeded
    await store.refund([], "b", EFFECT, mine)


async def test_no_refund_by_whom_the_lease_has_left(store: Store) -> None:
    """P10: a frozen owner wakes and gives nothing back: its successor works under the same name."""
    narrow = limit("narrow", 1)
    mine = await lease(store)
    await store.use_limits([narrow], "a", take=True)
    await store.release(mine)
    await lease(store, owner="two")
    await store.refund([narrow], "a", EFFECT, mine)
    (use,) = await store.use_limits([narrow], "b", take=True)
    assert use.exceeded


async def test_no_refund_for_what_may_have_been_done(store: Store) -> None:
    """P7, P10: once the effect is journalled somebody may act on it, so its place stays taken."""
    narrow = limit("narrow", 1)
    await store.use_limits([narrow], "a", take=True)
    mine = await lease(store)
    assert await store.intend(EFFECT, mine, "")
    await store.refund([narrow], "a", EFFECT, mine)
    (use,) = await store.use_limits([narrow], "b", take=True)
    assert use.exceeded


async def test_a_window_slides(store: Store) -> None:
    """A member leaves exactly when the store says it will."""
    short = limit("short", 1, per=300)
    before = system_clock()
    await store.use_limits([short], "a", take=True)
    (use,) = await store.use_limits([short], "b", take=True)
    assert use.free_at is not None
    assert before + 300 <= use.free_at <= system_clock() + 300
    async with asyncio.timeout(10):
        while use.exceeded:
            (use,) = await store.use_limits([short], "b", take=True)
    assert system_clock() >= before + 300
    assert use.free_at is None


@pytest.mark.parametrize("kind", KINDS)
async def test_limits_hold_across_replicas(kind: str, servers: Servers) -> None:
    """P10: ten thousand takes by three clients; in no window were there more than allowed."""
    most, per, clients = 40, 250, 12
    prefix = fresh_prefix()
    stamped = limit("p10", most, per)
    began: list[int] = []
    ended: list[int] = []

    async def client(store: Store, name: str) -> None:
        for number in range(10_000 // clients + 1):
            start = system_clock()
            (use,) = await store.use_limits([stamped], f"{name}-{number}", take=True)
            if not use.exceeded:
                began.append(start)
                ended.append(system_clock())

    async with AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(open_store(kind, servers, prefix=prefix)) for _ in range(3)
        ]
        await asyncio.gather(*(client(replicas[n % 3], str(n)) for n in range(clients)))
    assert len(began) > most, "the window never slid: the test proves nothing"
    # The n-th take happened between the n-th beginning and the n-th end, whoever made it.
    for first, last in zip(sorted(began), sorted(ended)[most:], strict=False):
        assert last - first >= per - 1


async def test_the_journal_needs_the_lease(store: Store) -> None:
    """P7: nothing is journalled under a lease that is gone; the first time stays, the epoch is renewed."""
    assert await store.intended(EFFECT) is None
    mine = await lease(store)
    before = system_clock()
    assert await store.intend(EFFECT, mine, "mark")
    first = await store.intended(EFFECT)
    assert first is not None
    assert before <= first.at <= system_clock()
    assert first == Intent(effect=EFFECT, epoch=mine.epoch, at=first.at, before="mark")
    await store.release(mine)
    assert not await store.intend(EFFECT, mine, "other")
    other = await lease(store, owner="two")
    assert await store.intend(EFFECT, other, "other")
    again = Intent(effect=EFFECT, epoch=other.epoch, at=first.at, before="mark")
    assert await store.intended(EFFECT) == again


async def test_P7_the_journal_keeps_the_pods_that_were_first_meant(store: Store) -> None:
    """However often a step is performed and whatever it would take by then: it takes no other."""
    mine = await lease(store)
    meant = frozenset({"2f0b9c1e-1", "2f0b9c1e-2", "2f0b9c1e-3"})
    assert await store.intend(EFFECT, mine, "mark", meant)
    first = await store.intended(EFFECT)
    assert first is not None
    assert first.pods == meant
    for others in (frozenset({"2f0b9c1e-2"}), frozenset({"2f0b9c1e-9"}), frozenset[str]()):
        assert await store.intend(EFFECT, mine, "mark", others)
        assert await store.intended(EFFECT) == first


async def test_P7_an_intent_without_pods_never_gets_any(store: Store) -> None:
    """A change of the workload is looked for by its mark, not by pods."""
    mine = await lease(store)
    assert await store.intend(EFFECT, mine, "mark")
    assert await store.intend(EFFECT, mine, "mark", frozenset({"2f0b9c1e-1"}))
    intent = await store.intended(EFFECT)
    assert intent is not None
    assert intent.pods == frozenset()


async def test_P7_the_journal_keeps_the_object_that_was_first_meant(store: Store) -> None:
    """A step that was fenced on one object is looked for on that very one, whatever comes later."""
    mine = await lease(store)
    hpa = Anchor(ref=ObjectRef(kind=HPA, namespace="shop", name="web.v2"), uid="2f0b9c1e-1")
    node = Anchor(ref=ObjectRef(kind="node", namespace="", name="n1"), uid="2f0b9c1e-2")
    for number, on in enumerate((hpa, node, None)):
        effect = EffectId(f"{EFFECT}{number}")
        assert await store.intend(effect, mine, "mark", on=on)
        first = await store.intended(effect)
        assert first is not None
        assert (first.before, first.on) == ("mark", on)
        for other in (hpa, node, None):
            assert await store.intend(effect, mine, "other", on=other)
            assert await store.intended(effect) == first


async def test_P7_pods_are_not_journalled_under_a_lost_lease(store: Store) -> None:
    """Nothing is known of what was not intended."""
    mine = await lease(store)
    await store.release(mine)
    assert not await store.intend(EFFECT, mine, "mark", frozenset({"2f0b9c1e-1"}))
    assert await store.intended(EFFECT) is None


async def test_P7_the_journal_keeps_the_changes_that_were_last_intended(store: Store) -> None:
    """Whoever intends again has made sure that those before did not happen: these can be taken back."""
    mine = await lease(store)
    assert await store.intend(EFFECT, mine, "mark", planned='[["ScaleWorkload",{"seen":1}]]')
    assert await store.intend(EFFECT, mine, "mark", planned='[["ScaleWorkload",{"seen":2,"ü":"\\u0000"}]]')
    intent = await store.intended(EFFECT)
    assert intent is not None
    assert intent.planned == '[["ScaleWorkload",{"seen":2,"ü":"\\u0000"}]]'
    await store.release(mine)
    assert not await store.intend(EFFECT, mine, "mark", planned="[]")
    assert await store.intended(EFFECT) == intent
