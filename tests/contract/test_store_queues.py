"""What every store does with entries on their way to a consumer (P6)."""

from __future__ import annotations

import asyncio

from remediator.core.alerts import Lane
from remediator.core.codec import pack, unpack
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import Acknowledged, Notice, TimerDue
from remediator.core.store import Delivered, Queue, Store
from remediator.core.times import Instant, Millis
from tests.contract.stores import LANES, NOW, admit, arrival, system_clock, take

FOLLOW_UP = (IncidentId("i1"), TimerDue(name="poll", due=Instant(5)), Lane.URGENT)


async def one_entry(store: Store) -> Delivered:
    """An entry, handed to consumer ``one``."""
    await admit(store, arrival("aa"))
    (entry,) = await take(store)
    return entry


async def test_urgent_comes_first_and_each_queue_gives_up_to_count(store: Store) -> None:
    """The order of the queues is the order of the answer; within a queue, first in, first out."""
    await admit(store, *(arrival(f"{n:x}") for n in range(3)))
    await admit(store, *(arrival(f"f{n:x}", lane=Lane.URGENT) for n in range(3)))
    got = await store.take(LANES, "one", 2, NOW)
    assert [entry.queue for entry in got] == [Queue.URGENT] * 2 + [Queue.NORMAL] * 2
    rest = await store.take(LANES, "two", 10, NOW)
    assert [entry.queue for entry in rest] == [Queue.URGENT, Queue.NORMAL]
    assert len({entry.id for entry in (*got, *rest) if entry.queue is Queue.NORMAL}) == 3
    assert await store.take(LANES, "one", 10, NOW) == []


async def test_take_waits_for_what_comes(store: Store) -> None:
    """A waiting consumer is woken by the next entry, long before its wait is over."""
    waiting = asyncio.ensure_future(store.take(LANES, "one", 10, Millis(20_000)))
    done, _ = await asyncio.wait([waiting], timeout=0.1)
    assert not done
    await admit(store, arrival("aa"))
    async with asyncio.timeout(10):
        assert len(await waiting) == 1


async def test_P6_settle_happens_once(store: Store) -> None:
    """P6: the entry is gone, what follows is enqueued, and nobody can do it again."""
    entry = await one_entry(store)
    assert await store.settle(entry, "one", [FOLLOW_UP])
    assert not await store.settle(entry, "one", [FOLLOW_UP])
    (follow,) = await take(store)
    assert (follow.queue, follow.incident, follow.kind) == (Queue.URGENT, "i1", "TimerDue")
    assert unpack(follow.kind, follow.data) == FOLLOW_UP[1]
    assert (await store.gauges()).backlog["normal"] == 0


async def test_P6_many_settle_and_one_wins(store: Store) -> None:
    """P6: among concurrent settles exactly one happens."""
    entry = await one_entry(store)
    results = await asyncio.gather(*(store.settle(entry, f"c{n}", [FOLLOW_UP]) for n in range(10)))
    assert sorted(results) == [False] * 9 + [True]
    assert len(await take(store)) == 1


async def test_P6_a_silent_consumer_is_succeeded(store: Store) -> None:
    """P6: another consumer gets the entry, counted; whoever settles first has settled it."""
    entry = await one_entry(store)
    assert await store.reclaim(Queue.NORMAL, "two", Millis(60_000), 10) == []
    for tries in (1, 2, 3):
        (again,) = await store.reclaim(Queue.NORMAL, "two", NOW, 10)
        assert (again.id, again.data, again.tries) == (entry.id, entry.data, tries)
    assert await store.settle(again, "two")
    assert not await store.settle(entry, "one")
    assert await store.reclaim(Queue.NORMAL, "two", NOW, 10) == []


async def test_reclaim_takes_no_more_than_asked(store: Store) -> None:
    """A consumer that takes over another's work does so in bites."""
    await admit(store, *(arrival(f"{n:x}") for n in range(10)))
    await take(store)
    assert len(await store.reclaim(Queue.NORMAL, "two", NOW, 4)) == 4


async def test_P6_a_heartbeat_keeps_an_entry(store: Store) -> None:
    """P6: what is being worked on is not taken over; only its owner's heartbeat counts."""
    entry = await one_entry(store)
    idle = Millis(1_000)
    started = system_clock()
    while system_clock() - started < 1_500:
        beat = system_clock()
        await store.extend([entry], "one")
        taken = await store.reclaim(Queue.NORMAL, "two", idle, 10)
        assert not taken or system_clock() - beat >= idle
    taken = []
    async with asyncio.timeout(10):
        while not taken:
            await store.extend([entry], "stranger")
            taken = await store.reclaim(Queue.NORMAL, "two", idle, 10)
    assert [one.id for one in taken] == [entry.id]


async def test_P6_failures_are_counted_and_handed_on(store: Store) -> None:
    """P6: its own failures count towards its burial, and are forgotten with it."""
    entry = await one_entry(store)
    assert [await store.failed(entry) for _ in range(4)] == [1, 2, 3, 4]
    (again,) = await store.reclaim(Queue.NORMAL, "two", NOW, 10)
    assert again.tries == 5
    assert await store.settle(again, "two")
    assert await store.failed(again) == 5


async def test_P6_burial_keeps_the_entry_and_tells_people(store: Store) -> None:
    """P6: after too many tries it is a dead letter that can be listed; what follows and a notice leave."""
    entry = await one_entry(store)
    (again,) = await store.reclaim(Queue.NORMAL, "two", NOW, 10)
    notice = Notice(id=EffectId("n1"), channel="operator", summary="an alert cannot be processed")
    assert await store.bury(again, "two", "it breaks", [FOLLOW_UP], [notice])
    assert not await store.bury(again, "two", "it breaks", [FOLLOW_UP], [notice])
    (letter,) = await store.dead_letters(10)
    assert (letter.letter.queue, letter.letter.reason) == ("normal", "it breaks")
    assert (letter.letter.payload, letter.letter.tries) == (entry.data, 1)
    assert [one.kind for one in await take(store)] == ["TimerDue"]
    (message,) = await take(store, Queue.NOTICES)
    assert (message.kind, unpack(message.kind, message.data)) == ("Notice", notice)
    assert (await store.gauges()).dead_letters == 1


async def test_a_dead_letter_can_be_revived_or_dropped(store: Store) -> None:
    """Revived it is in its queue as it was, with its tries forgotten; what came from no queue cannot be."""
    entry = await one_entry(store)
    await store.bury(entry, "one", "it breaks")
    (letter,) = await store.dead_letters(10)
    assert await store.revive(letter.id)
    assert not await store.revive(letter.id)
    (back,) = await take(store)
    assert (back.queue, back.kind, back.data, back.tries) == (entry.queue, entry.kind, entry.data, 0)
    await store.bury(back, "one", "again")
    (letter,) = await store.dead_letters(10)
    assert await store.drop_dead(letter.id)
    assert not await store.drop_dead(letter.id)
    assert not await store.drop_dead("no such thing")
    assert not await store.revive("no such thing")
    assert await store.dead_letters(10) == []


async def test_dead_letters_come_newest_first(store: Store) -> None:
    """And as many as asked."""
    await admit(store, *(arrival(f"{n:x}") for n in range(3)))
    for number, entry in enumerate(await take(store)):
        await store.bury(entry, "one", f"reason {number}")
    assert [one.letter.reason for one in await store.dead_letters(2)] == ["reason 2", "reason 1"]


async def test_append_is_an_event_of_its_incident(store: Store) -> None:
    """What people and callbacks say arrives as any other event."""
    await store.append(IncidentId("i1"), Acknowledged(by="ada"), Lane.URGENT)
    (entry,) = await take(store)
    assert (entry.queue, entry.incident) == (Queue.URGENT, "i1")
    assert (entry.kind, entry.data) == pack(Acknowledged(by="ada"))


async def test_a_notice_is_enqueued_once_whoever_says_it(store: Store) -> None:
    """Replicas find out the same and tell it once; a consumer gets what was told."""
    one, two = (Notice(id=EffectId(f"lowered/{n}"), channel="ops", summary=f"rule {n}") for n in "ab")
    assert await store.notify([one]) == 1
    counts = await asyncio.gather(*(store.notify([one, two]) for _ in range(5)))
    assert sorted(counts) == [0, 0, 0, 0, 1]
    assert await store.notify([]) == 0
    entries = await store.take([Queue.NOTICES], "one", 10, NOW)
    assert [unpack(entry.kind, entry.data) for entry in entries] == [one, two]
    assert {entry.incident for entry in entries} == {""}
