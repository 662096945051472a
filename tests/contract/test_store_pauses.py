"""What every store does for the kill switch (P13)."""

from __future__ import annotations

import asyncio

import pytest

from remediator.core.errors import Refused
from remediator.core.pauses import EVERYTHING, MOST_PAUSES, Pause, PauseScope, ScopeKind, Subject
from remediator.core.store import Store
from remediator.core.times import Instant
from remediator.testing.memory import MemoryStore
from tests.contract.stores import Servers, fresh_prefix, open_store, system_clock
from tests.servers import KINDS

WEB = PauseScope(kind=ScopeKind.SERVICE, name="web")
SHOP = PauseScope(kind=ScopeKind.NAMESPACE, name="shop")
DOWN = PauseScope(kind=ScopeKind.RULE, name="web-down")
RESTART = PauseScope(kind=ScopeKind.RUNBOOK, name="restart")
CHANGE = Subject(namespace="shop", service="web", rule="web-down", runbook="restart")


async def test_P13_everything_is_paused_with_reason_and_author(store: Store) -> None:
    """And nothing is any more, as soon as it was lifted."""
    assert await store.pauses() == ()
    assert await store.paused([EVERYTHING]) == ()
    before = system_clock()
    thrown = await store.pause("storm|\x1f ünï", "ada", None)
    assert (thrown.scope, thrown.reason, thrown.by, thrown.until) == (
        EVERYTHING,
        "storm|\x1f ünï",
        "ada",
        None,
    )
    assert before <= thrown.since <= system_clock()
    assert await store.paused([EVERYTHING]) == (thrown,)
    assert await store.pauses() == (thrown,)
    assert (await store.gauges()).paused == {"all": 1}
    assert await store.resume() == thrown
    assert await store.pauses() == ()
    assert await store.resume() is None
    assert not any((await store.gauges()).paused.values())


@pytest.mark.parametrize("scope", [SHOP, WEB, DOWN, RESTART], ids=str)
async def test_P13_a_scope_is_paused_and_nothing_beside_it(store: Store, scope: PauseScope) -> None:
    """What is asked for other scopes does not meet it, not even under the same name."""
    thrown = await store.pause("deploying", "ada", None, scope)
    assert thrown.scope == scope
    assert await store.paused(CHANGE.scopes()) == (thrown,)
    others = [PauseScope(kind=kind, name=scope.name) for kind in ScopeKind if kind is not ScopeKind.ALL]
    others.remove(scope)
    beside = PauseScope(kind=scope.kind, name=f"{scope.name}-2")
    assert await store.paused([EVERYTHING, beside, *others]) == ()
    assert (await store.gauges()).paused.get(scope.kind) == 1
    assert await store.resume(beside) is None
    assert await store.resume() is None
    assert await store.paused(CHANGE.scopes()) == (thrown,)
    assert await store.resume(scope) == thrown
    assert await store.paused(CHANGE.scopes()) == ()


async def test_pauses_live_side_by_side(store: Store) -> None:
    """The widest first; each is lifted alone; one over another of the same scope replaces all of it."""
    for scope in (RESTART, DOWN, WEB, SHOP, EVERYTHING):
        await store.pause(f"for {scope}", "ada", Instant(system_clock() + 60_000), scope)
    assert [pause.scope for pause in await store.pauses()] == [EVERYTHING, SHOP, WEB, DOWN, RESTART]
    assert [pause.scope for pause in await store.paused(CHANGE.scopes())] == list(CHANGE.scopes())
    assert (await store.gauges()).paused == dict.fromkeys(ScopeKind, 1)
    again = await store.pause("anew", "bob", None, WEB)
    assert (await store.paused([WEB])) == (again,)
    assert len(await store.pauses()) == 5
    await store.resume()
    assert EVERYTHING not in [pause.scope for pause in await store.pauses()]
    assert len(await store.pauses()) == 4


@pytest.mark.parametrize("scope", [EVERYTHING, WEB], ids=str)
async def test_a_pause_ends_by_itself(store: Store, scope: PauseScope) -> None:
    """At its expiry and not before, everywhere at once: for guards, in the list and among the counts."""
    lasting = await store.pause("lasting", "ada", None, SHOP)
    until = Instant(system_clock() + 200)
    await store.pause("short", "ada", until, scope)
    assert await store.paused([scope]) != ()
    async with asyncio.timeout(10):
        while await store.paused([scope]):
            assert scope in [pause.scope for pause in await store.pauses()] or system_clock() >= until
    assert system_clock() >= until
    assert await store.pauses() == (lasting,)
    async with asyncio.timeout(10):  # the index ends with the millisecond after
        while (await store.gauges()).paused != {"namespace": 1}:
            continue
    until = Instant(system_clock() + 60_000)
    assert (await store.pause("long", "bob", until, scope)).until == until
    again = await store.pause("for ever", "bob", None, scope)
    assert await store.paused([scope]) == (again,)
    assert again.until is None


async def test_a_pause_ends_on_a_virtual_clock() -> None:
    """In memory the clock is whoever's it was made with: of rehearsals and of simulations."""
    now = 1_000
    store = MemoryStore(lambda: now)
    await store.pause("short", "ada", Instant(2_000), WEB)
    now = 1_999
    assert await store.paused([WEB])
    now = 2_000
    assert await store.paused([WEB]) == ()
    assert await store.pauses() == ()
    assert not any((await store.gauges()).paused.values())


async def test_no_more_scopes_are_paused_than_are_kept(store: Store) -> None:
    """Except for everything, which can always be paused, and for what is paused already."""
    scopes = [PauseScope(kind=ScopeKind.NAMESPACE, name=f"n{number}") for number in range(MOST_PAUSES)]
    await asyncio.gather(*(store.pause("x", "ada", None, scope) for scope in scopes[:-1]))
    soon = Instant(system_clock() + 2_000)
    await store.pause("x", "ada", soon, scopes[-1])
    with pytest.raises(Refused, match="1000 scopes are paused already"):
        await store.pause("x", "ada", None, WEB)
    assert await store.paused([WEB]) == ()
    await store.pause("again", "ada", None, scopes[0])
    await store.pause("x", "ada", None)
    assert len(await store.pauses()) == MOST_PAUSES + 1
    async with asyncio.timeout(20):  # what has ended takes no place
        while not await store.paused([WEB]):
            try:
                await store.pause("x", "ada", None, WEB)
            except Refused:
                continue
    assert system_clock() >= soon


@pytest.mark.parametrize("kind", KINDS)
async def test_P13_another_replica_sees_it_at_its_next_look(kind: str, servers: Servers) -> None:
    """Nothing is remembered on the way: a pause that was answered is in force everywhere."""
    prefix = fresh_prefix()
    async with (
        open_store(kind, servers, prefix=prefix) as left,
        open_store(kind, servers, prefix=prefix) as right,
    ):
        for scope in (EVERYTHING, WEB):
            thrown = await left.pause("x", "ada", None, scope)
            assert await right.paused(CHANGE.scopes()) == (thrown,)
            assert await right.resume(scope) == thrown
            assert await left.paused(CHANGE.scopes()) == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_P13_a_pause_outlives_an_upgrade(kind: str, servers: Servers) -> None:
    """As version 0.1 wrote it: one hash, for everything."""
    prefix, since, until = fresh_prefix(), system_clock(), system_clock() + 60_000
    async with open_store(kind, servers, prefix=prefix) as store:
        with servers.get(kind).client() as client:
            written = {"reason": "storm", "by": "ada", "since": since, "until": until}
            client.hset(f"{{{prefix}}}:pause", mapping=written)
        pause = Pause(reason="storm", by="ada", since=Instant(since), until=Instant(until))
        assert await store.paused(CHANGE.scopes()) == (pause,)
        assert await store.pauses() == (pause,)
        assert (await store.gauges()).paused == {"all": 1}
        assert await store.resume() == pause
