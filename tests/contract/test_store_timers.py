"""What every store does with lists of incidents, and with timers (P12)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from remediator.core.codec import unpack
from remediator.core.decision import Decision
from remediator.core.incident import Status
from remediator.core.journal import TimerDue
from remediator.core.store import CommitResult, IncidentFilter, Queue, Store
from remediator.core.times import Instant
from tests.contract.stores import commit, incident, names, opened, system_clock, take

COMMITTED = CommitResult.COMMITTED


async def test_incidents_are_listed_newest_first_in_pages(store: Store) -> None:
    """Every incident on exactly one page, also those that opened in the same millisecond."""
    for number in range(12):
        await opened(store, incident(f"i{number:02d}", group=f"g{number}", opened_at=1_000 + number // 5))
    everything = [f"i{number:02d}" for number in reversed(range(12))]
    assert await names(store) == everything
    paged: list[str] = []
    cursor: str | None = None
    while True:
        page = await store.incidents(IncidentFilter(), 5, cursor)
        paged += [one.id for one in page.items]
        cursor = page.next
        if cursor is None:
            break
        assert len(page.items) == 5
        await opened(store, incident(f"new{len(paged)}", group=f"new{len(paged)}", opened_at=9_000))
    assert paged == everything


async def test_incidents_are_filtered(store: Store) -> None:
    """By status, severity, service, and all of them at once."""
    await opened(store, incident("i1", group="g1"))
    await opened(store, incident("i2", group="g2", severity="SEV-1", opened_at=2_000))
    await opened(store, incident("i3", group="g3", service="pay", opened_at=3_000))
    await opened(
        store, incident("i4", group="g4", status=Status.RESOLVED, resolved_at=Instant(9), opened_at=4_000)
    )
    assert await names(store, IncidentFilter(status="open")) == ["i3", "i2", "i1"]
    assert await names(store, IncidentFilter(severity="SEV-1")) == ["i2"]
    assert await names(store, IncidentFilter(service="pay")) == ["i3"]
    assert await names(store, IncidentFilter(service="auth", severity="SEV-2", status="resolved")) == ["i4"]
    page = await store.incidents(IncidentFilter(status="open"), 2, None)
    assert page.next is not None
    rest = await store.incidents(IncidentFilter(status="open"), 2, page.next)
    assert ([one.id for one in rest.items], rest.next) == (["i1"], None)


async def test_timers_move_to_the_lane_of_their_incident(store: Store) -> None:
    """P12: due timers become events and are gone, in their order; the rest says when it is next."""
    far = Instant(system_clock() + 3_600_000)
    await opened(store, incident(), arm={"late": Instant(20), "early": Instant(10), "far": far})
    await opened(store, incident("i2", group="g2", severity="SEV-3"), arm={"poll": Instant(30)})
    assert (await store.gauges()).timer_lag > 1_000_000
    moved, rest = await store.fire_due(100)
    assert moved == 3
    assert rest is not None
    assert 3_500_000 < rest <= 3_600_000
    entries = await take(store)
    expected = [
        (Queue.URGENT, "i1", TimerDue(name="early", due=Instant(10))),
        (Queue.URGENT, "i1", TimerDue(name="late", due=Instant(20))),
        (Queue.NORMAL, "i2", TimerDue(name="poll", due=Instant(30))),
    ]
    assert [(one.queue, one.incident, unpack(one.kind, one.data)) for one in entries] == expected
    assert (await store.fire_due(100))[0] == 0
    assert (await store.gauges()).timer_lag == 0


async def test_timers_fire_once_whoever_asks(store: Store) -> None:
    """P12: several timekeepers move every timer exactly once, in bites of what they asked for."""
    await opened(store, incident(), arm={f"t{n}": Instant(n + 1) for n in range(30)})
    moved = [found for found, _ in await asyncio.gather(*(store.fire_due(4) for _ in range(10)))]
    assert sum(moved) == 30
    assert max(moved) == 4
    due = [unpack(one.kind, one.data).name for one in await take(store)]
    assert sorted(due) == sorted(f"t{n}" for n in range(30))


async def test_timers_are_replaced_and_cancelled(store: Store) -> None:
    """One timer of a name; a hostile name is a name."""
    far, odd = Instant(system_clock() + 3_600_000), 'page/trigger/0.1."ünï\\'
    before = await opened(store, incident(), arm={"poll": Instant(1), "act": Instant(1), odd: Instant(2)})
    again = Decision(incident=before, arm={"poll": far}, cancel=frozenset(["act", "never armed"]))
    assert await store.commit(commit(before, again)) is COMMITTED
    assert (await store.fire_due(100))[0] == 1
    (event,) = await take(store)
    assert (event.kind, unpack(event.kind, event.data)) == ("TimerDue", TimerDue(name=odd, due=Instant(2)))


async def test_raising_the_severity_moves_the_lane(store: Store) -> None:
    """P12: timers armed before travel on the lane the incident has when they fall due."""
    before = await opened(store, incident(severity="SEV-3"), arm={"poll": Instant(1)})
    await store.commit(commit(before, Decision(incident=replace(before, severity="SEV-1"))))
    await store.fire_due(10)
    assert [one.queue for one in await take(store)] == [Queue.URGENT]
