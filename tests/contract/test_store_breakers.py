"""What every store counts for storms and breakers, and how a person closes one (P10)."""

from __future__ import annotations

import asyncio

import pytest

from remediator.core.breakers import MOST_FAILURES, Failure
from remediator.core.codec import unpack
from remediator.core.decision import Decision
from remediator.core.incident import EffectId
from remediator.core.journal import Notice
from remediator.core.policies import BreakerBound
from remediator.core.store import CommitResult, Queue, Store
from remediator.core.storms import KEPT_OPENINGS, OPENINGS_FOR
from remediator.core.times import HOUR, MINUTE, Millis
from remediator.testing.memory import MemoryStore
from tests.contract.stores import (
    Servers,
    commit,
    fresh_prefix,
    incident,
    open_store,
    opened,
    system_clock,
    take,
)
from tests.servers import KINDS

TWICE = BreakerBound(failures=2, within=Millis(HOUR))


def failure(attempt: str, runbook: str = "restart", bound: BreakerBound = TWICE) -> Failure:
    """One that tells the operator's one channel, should it open the breaker."""
    notice = Notice(id=EffectId(f"breaker/{runbook}/{attempt}/op"), channel="op", summary=attempt)
    return Failure(runbook=runbook, member=attempt, bound=bound, notices=(notice,))


async def fails(store: Store, *failures: Failure) -> None:
    """A commit of an incident of its own, in which these attempts failed."""
    name = f"i-{failures[0].member}-{failures[0].runbook}".replace("/", "-")
    await opened(store, incident(name, group=name), failures=tuple(failures))


async def told(store: Store) -> list[str]:
    """Notices that wait."""
    waiting = await take(store, Queue.NOTICES)
    return [unpack(each.kind, each.data).summary for each in waiting]


async def test_P10_so_many_failures_open_a_breaker_once_and_tell_once(store: Store) -> None:
    """Whichever incidents they are of; the failures after that tell nobody."""
    await fails(store, failure("a/1"))
    assert await store.breaker("restart") is None
    assert (await told(store), await store.breakers()) == ([], ())
    before = system_clock()
    await fails(store, failure("b/1"))
    breaker = await store.breaker("restart")
    assert breaker is not None
    assert (breaker.open, breaker.failures, breaker.within, breaker.by_attempt) == (True, 2, HOUR, "b/1")
    assert before <= breaker.opened_at <= system_clock()
    assert await told(store) == ["b/1"]
    await fails(store, failure("c/1"))
    assert await told(store) == []
    assert await store.breakers() == (breaker,)
    assert await store.breaker("another") is None
    assert (await store.gauges()).breakers == {"restart": True}


async def test_P10_an_attempt_counts_once_and_runbooks_count_apart(store: Store) -> None:
    """However often it is reported, such as failed now and come back later."""
    await fails(store, failure("a/1"), failure("a/1", "other"))
    await opened(store, incident("again", group="again"), failures=(failure("a/1"), failure("a/1")))
    assert await store.breakers() == ()
    await fails(store, failure("a/2"))
    assert [each.runbook for each in await store.breakers()] == ["restart"]


async def test_P10_failures_count_for_as_long_as_the_policy_says(store: Store) -> None:
    """To the millisecond it depends on the server; that a short while forgets does not."""
    brief = BreakerBound(failures=2, within=Millis(30))
    await fails(store, failure("a/1", bound=brief))
    await asyncio.sleep(0.06)  # the time itself is what is tested
    await fails(store, failure("b/1", bound=brief))
    assert await store.breaker("restart") is None


async def test_P10_replicas_that_race_open_it_once(store: Store) -> None:
    """Twenty failures at the same time: one breaker, one page."""
    await asyncio.gather(*(fails(store, failure(f"r{number}/1")) for number in range(20)))
    assert await store.breaker("restart") is not None
    assert len(await told(store)) == 1


async def test_a_commit_that_conflicts_counts_nothing(store: Store) -> None:
    """All or nothing, failures and openings too."""
    before = await opened(store, incident())
    assert await store.commit(commit(before, Decision(incident=before))) is CommitResult.COMMITTED
    once = BreakerBound(failures=1, within=Millis(HOUR))
    late = Decision(incident=before, opened=("i1#1",), failures=(failure("i1/1", bound=once),))
    assert await store.commit(commit(before, late)) is CommitResult.CONFLICT
    assert (await store.breakers(), await told(store)) == ((), [])
    assert (await store.openings(Millis(HOUR))).items == ()


async def test_a_person_closes_it_and_is_on_record(store: Store) -> None:
    """Then failures count anew, and it opens and tells again."""
    await fails(store, failure("a/1"), failure("a/2"))
    assert await told(store) == ["a/2"]
    assert await store.close_breaker("another", "ada", "") is None
    before = system_clock()
    closed = await store.close_breaker("restart", "ada", "fixed |\x1f ünï")
    assert closed is not None
    assert (closed.open, closed.closed_by, closed.note) == (False, "ada", "fixed |\x1f ünï")
    assert closed.closed_at is not None
    assert before <= closed.closed_at <= system_clock()
    assert await store.breaker("restart") is None
    assert await store.breakers() == (closed,)
    assert (await store.gauges()).breakers == {"restart": False}
    assert await store.close_breaker("restart", "bob", "") is None, "it is closed already"
    await fails(store, failure("b/1"))
    assert await store.breaker("restart") is None, "those from before are forgotten"
    await fails(store, failure("b/2"))
    again = await store.breaker("restart")
    assert again is not None
    assert (again.by_attempt, again.closed_at, again.closed_by) == ("b/2", None, "")
    assert await told(store) == ["b/2"]


async def test_the_open_ones_are_listed_first(store: Store) -> None:
    once = BreakerBound(failures=1, within=Millis(HOUR))
    for runbook in ("b", "a", "c"):
        await fails(store, failure("x/1", runbook, once))
    await store.close_breaker("a", "ada", "")
    assert [(each.runbook, each.open) for each in await store.breakers()] == [
        ("b", True),
        ("c", True),
        ("a", False),
    ]


async def test_failures_of_one_runbook_are_bounded(store: Store) -> None:
    """Of more than are kept the oldest go."""
    never = BreakerBound(failures=MOST_FAILURES + 1, within=Millis(HOUR))
    many = tuple(failure(f"a/{number}", bound=never) for number in range(MOST_FAILURES + 50))
    for start in range(0, len(many), 500):
        await fails(store, *many[start : start + 500])
    assert await store.breakers() == ()
    almost = BreakerBound(failures=MOST_FAILURES, within=Millis(HOUR))
    await fails(store, failure("b/1", bound=almost))
    breaker = await store.breaker("restart")
    assert breaker is not None
    assert breaker.failures == MOST_FAILURES


async def test_openings_are_told_oldest_first_and_each_once(store: Store) -> None:
    before = system_clock()
    made = await opened(store, incident(), opened=("i1#0",))
    await opened(store, incident("i2", group="g2"), opened=("i2#0",))
    again = Decision(incident=made, opened=("i1#0", "i1#1"))
    assert await store.commit(commit(made, again)) is CommitResult.COMMITTED
    seen = await store.openings(Millis(HOUR))
    assert [each.incident for each in seen.items].count("i1") == 2
    assert {each.member for each in seen.items} == {"i1#0", "i1#1", "i2#0"}
    times = [each.at for each in seen.items]
    assert times == sorted(times)
    assert all(before <= at <= seen.at for at in times)
    assert seen.within(Millis(HOUR)) == 2


async def test_openings_are_bounded(store: Store) -> None:
    """Of more than are kept the oldest go."""
    made = await opened(store, incident(), opened=tuple(f"i{number}#0" for number in range(1000)))
    for start in (1000, 2000):
        more = tuple(f"i{number}#0" for number in range(start, start + 600))
        assert (
            await store.commit(commit(made, Decision(incident=made, opened=more))) is CommitResult.COMMITTED
        )
        made = (await store.load(made.id, ())).incident or made
        await asyncio.sleep(0.002)  # so that which are the oldest does not depend on names
    kept = (await store.openings(Millis(HOUR))).items
    assert len(kept) == KEPT_OPENINGS
    assert {f"i{number}#0" for number in range(2000, 2600)} <= {each.member for each in kept}


def test_in_memory_openings_are_forgotten_in_time() -> None:
    clock = [10 * HOUR]
    store = MemoryStore(lambda: clock[0])

    async def play() -> None:
        await opened(store, incident(), opened=("i1#0",))
        clock[0] += 5 * MINUTE
        assert (await store.openings(Millis(5 * MINUTE))).items == ()
        assert len((await store.openings(Millis(5 * MINUTE + 1))).items) == 1
        clock[0] += OPENINGS_FOR
        await opened(store, incident("i2", group="g2"), opened=("i2#0",))
        assert [each.member for each in (await store.openings(OPENINGS_FOR)).items] == ["i2#0"]

    asyncio.run(play())


@pytest.mark.parametrize("kind", KINDS)
async def test_another_replica_sees_the_same(servers: Servers, kind: str) -> None:
    """And so does one that starts later: all of it is in the store."""
    prefix = fresh_prefix()
    async with open_store(kind, servers, prefix=prefix) as one:
        await opened(one, incident(), opened=("i1#0",), failures=(failure("i1/1"), failure("i1/2")))
    async with open_store(kind, servers, prefix=prefix) as other:
        assert [each.member for each in (await other.openings(Millis(HOUR))).items] == ["i1#0"]
        assert await other.breaker("restart") is not None
        assert await other.close_breaker("restart", "bob", "") is not None
