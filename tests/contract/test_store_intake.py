"""What every store does at the door (P4, P5, P15)."""

from __future__ import annotations

import asyncio
import json
import random
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remediator.core.alerts import Disposition, Fingerprint, Lane, Rejected
from remediator.core.codec import alert_from, alert_json
from remediator.core.errors import QueueFull
from remediator.core.store import CHUNK, Arrival, Queue, Store
from tests.contract.stores import STORES, Servers, admit, alert, arrival, fresh_prefix, open_store, take
from tests.servers import KINDS

NEW, DUPLICATE, RESOLVED, STALE = (
    Disposition.NEW,
    Disposition.DUPLICATE,
    Disposition.RESOLVED,
    Disposition.STALE,
)


async def over(store: Store, *fingerprints: str) -> set[str]:
    """Which of these alerts' newest episodes have ended."""
    facts = (await store.load(None, [Fingerprint(one) for one in fingerprints])).facts
    return set(facts.over)


async def test_first_firing_is_new_and_travels_as_the_alert(store: Store) -> None:
    """A firing nobody knew opens an episode and is enqueued on its lane, whole."""
    sent = arrival("aa", lane=Lane.URGENT)
    assert await admit(store, sent) == [NEW]
    (entry,) = await take(store)
    assert entry.queue is Queue.URGENT
    assert (entry.kind, entry.incident, entry.tries) == ("Alert", "", 0)
    assert alert_from(entry.data) == sent.alert


async def test_P4_one_episode_for_one_outage(store: Store) -> None:
    """P4: three Alertmanagers, repeats and a shifted startsAt are one episode and one event."""
    shifted = [arrival("aa", starts) for starts in (0, 0, 5, 0, 9, 5)]
    answers = [await admit(store, one) for one in shifted]
    assert answers == [[NEW]] + [[DUPLICATE]] * 5
    assert len(await take(store)) == 1


async def test_duplicates_within_one_notification_are_one_episode(store: Store) -> None:
    """One call that names an alert twice opens one episode."""
    assert await admit(store, arrival("aa"), arrival("aa"), arrival("bb")) == [NEW, DUPLICATE, NEW]
    assert len(await take(store)) == 2


async def test_resolution_ends_the_episode_once(store: Store) -> None:
    """The first resolution is an event, its repetition is none."""
    await admit(store, arrival("aa"))
    assert await admit(store, arrival("aa", firing=False)) == [RESOLVED]
    assert await admit(store, arrival("aa", firing=False)) == [DUPLICATE]
    assert [alert_from(entry.data).status.value for entry in await take(store)] == ["firing", "resolved"]
    assert await over(store, "aa", "bb") == {"aa"}


async def test_a_late_firing_of_an_ended_episode_is_stale(store: Store) -> None:
    """P5: what started no later than the resolved episode is news of yesterday."""
    await admit(store, arrival("aa", 5), arrival("aa", 5, firing=False))
    assert await admit(store, arrival("aa", 5)) == [STALE]
    assert await admit(store, arrival("aa", 4)) == [STALE]
    assert await over(store, "aa") == {"aa"}
    assert await admit(store, arrival("aa", 6)) == [NEW]
    assert await over(store, "aa") == set()


async def test_resolution_before_its_firing_leaves_a_tombstone(store: Store) -> None:
    """P5: a resolution that overtakes its firing keeps it from opening an episode."""
    assert await admit(store, arrival("aa", 5, firing=False)) == [STALE]
    assert await admit(store, arrival("aa", 5)) == [STALE]
    assert await admit(store, arrival("aa", 6)) == [NEW]
    assert len(await take(store)) == 1


async def test_an_old_resolution_does_not_end_a_newer_episode(store: Store) -> None:
    """P5: in doubt, it fires."""
    await admit(store, arrival("aa", 9))
    assert await admit(store, arrival("aa", 8, firing=False)) == [STALE]
    assert await over(store, "aa") == set()


def latest_says_over(sent: list[tuple[int, bool]]) -> bool:
    """The rule itself: the newest startsAt wins, and resolved beats firing at the same one."""
    _, firing = max(sent, key=lambda one: (one[0], not one[1]))
    return not firing


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4), seed=st.randoms())
def test_every_order_ends_in_the_same_state(
    kind: str, servers: Servers, sent: list[tuple[int, bool]], seed: random.Random
) -> None:
    """P5: all permutations of the same evidence leave the same state, however they are batched."""

    async def check() -> None:
        async with open_store(kind, servers) as store:
            orders = list(permutations(sent))
            names = [f"{number:x}" for number in range(len(orders))]
            for name, order in zip(names, orders, strict=True):
                arrivals = [arrival(name, starts, firing=firing) for starts, firing in order]
                cut = seed.randint(0, len(arrivals))
                await admit(store, *arrivals[:cut])
                await admit(store, *arrivals[cut:])
            wanted = set(names) if latest_says_over(sent) else set()
            assert await over(store, *names) == wanted
            again = [arrival(name, 3) for name in names]
            answers = set(await admit(store, *again))
            if latest_says_over(sent):
                assert answers == ({STALE} if max(sent)[0] == 3 else {NEW})
            else:
                assert answers == {DUPLICATE}

    asyncio.run(check())


async def test_an_unmatched_firing_is_listed_and_not_enqueued(store: Store) -> None:
    """No rule, no work; but people can see what their rules miss, newest first."""
    for name in ("aa", "bb"):
        assert await admit(store, arrival(name, matched=False)) == [Disposition.UNMATCHED]
    assert await admit(store, arrival("aa", matched=False)) == [DUPLICATE]
    assert await take(store) == []
    assert [one.fingerprint for one in await store.unmatched(10)] == ["bb", "aa"]
    assert [one.fingerprint for one in await store.unmatched(1)] == ["bb"]
    assert await admit(store, arrival("aa", firing=False, matched=False)) == [RESOLVED]
    assert await take(store) == []


async def test_a_rule_that_comes_later_still_catches_a_firing_alert(store: Store) -> None:
    """After a reload a repeated firing may match: then it is new."""
    await admit(store, arrival("aa", matched=False))
    assert await admit(store, arrival("aa")) == [NEW]
    assert len(await take(store)) == 1


async def test_unmatched_alerts_are_bounded(store: Store) -> None:
    """The last thousand are remembered, the newest first."""
    for start in range(0, 1200, 400):
        await admit(store, *(arrival(f"{n:x}", matched=False) for n in range(start, start + 400)))
    listed = [one.fingerprint for one in await store.unmatched(5000)]
    assert listed == [f"{n:x}" for n in range(1199, 199, -1)]


async def test_poison_stays_alone(store: Store) -> None:
    """P15: one bad alert of fifty is a dead letter, the other 49 are admitted."""
    good = [arrival(f"{n:x}") for n in range(49)]
    answers = await store.admit(good, [Rejected(reason="labels: missing", raw='{"status": 7}')])
    assert answers == [NEW] * 49
    (letter,) = await store.dead_letters(10)
    assert (letter.letter.queue, letter.letter.reason) == ("intake", "labels: missing")
    assert letter.letter.payload == '{"status": 7}'


async def test_a_full_queue_takes_nothing(servers: Servers) -> None:
    """P2: with no room nothing at all is written, and the caller is told."""
    for kind in STORES:
        async with open_store(kind, servers, max_queue=2) as store:
            await admit(store, arrival("aa"), arrival("bb", lane=Lane.URGENT))
            with pytest.raises(QueueFull):
                await store.admit([arrival("cc")], [Rejected(reason="x", raw="{}")])
            assert (await store.gauges()).backlog["normal"] == 1
            assert await store.dead_letters(1) == []
            (first, _) = await take(store)
            assert await store.settle(first, "one")
            assert await admit(store, arrival("cc")) == [NEW]


async def test_a_whole_chunk_fits_one_call(store: Store) -> None:
    """The largest script the Protocol allows."""
    assert await admit(store, *(arrival(f"{n:x}") for n in range(CHUNK))) == [NEW] * CHUNK
    assert len(await take(store, Queue.NORMAL)) == 100


async def test_hostile_text_survives(store: Store) -> None:
    """Labels are bytes to the store: separators, NUL-like and non-ASCII text come back as sent."""
    hostile = {"alertname": "|\x1f'\"]] return 1 \\u0000 ünï\u2028", "a" * 100: "{{7*7}}"}
    sent = alert("aa")
    sent = alert_from(alert_json(sent).replace('"labels":{', '"labels":{' + _json(hostile) + ","))
    await store.admit([Arrival(alert=sent, lane=Lane.NORMAL)], ())
    (entry,) = await take(store)
    assert alert_from(entry.data) == sent
    assert set(hostile.values()) <= set(sent.labels.values())


def _json(labels: dict[str, str]) -> str:
    return json.dumps({"x-" + name: value for name, value in labels.items()})[1:-1]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_known_alert_that_the_store_has_lost_is_taken_in_whole(kind: str, servers: Servers) -> None:
    """P1: the text of a duplicate is not sent; a store that was emptied since asks for it."""
    prefix = fresh_prefix()
    async with open_store(kind, servers, prefix=prefix) as store:
        lost, other = arrival("aa"), arrival("bb")
        assert [await admit(store, lost) for _ in range(3)] == [[NEW], [DUPLICATE], [DUPLICATE]]
        client = servers.get(kind).client()
        client.delete(*client.keys(f"{{{prefix}}}*"))
        assert await admit(store, lost, other) == [NEW, NEW]
        assert [alert_from(entry.data) for entry in await take(store)] == [lost.alert, other.alert]
        assert await admit(store, lost, other) == [DUPLICATE, DUPLICATE]
