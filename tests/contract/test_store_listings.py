"""What every store remembers of Alertmanagers' listings, and tells of the alerts that fire (P3)."""

from __future__ import annotations

import pytest

from remediator.core.alertmanagers import Member
from remediator.core.alerts import Fingerprint
from remediator.core.incident import Incident, IncidentId
from remediator.core.store import CHUNK, Store
from tests.contract.stores import (
    Servers,
    admit,
    alert,
    arrival,
    fresh_prefix,
    incident,
    open_store,
    opened,
    system_clock,
)


async def open_incident(store: Store, *alerts: str, group: str) -> Incident:
    """An incident whose members these alerts are."""
    await admit(store, *map(arrival, alerts))
    made = incident(f"i-{group}", group=group, opened_at=system_clock())
    return await opened(store, made, join=tuple(map(alert, alerts)))


async def members(store: Store, incident: IncidentId | None = None) -> dict[str, Member]:
    """By fingerprint."""
    found = await store.members(incident)
    assert len(found.firing) == len({one.fingerprint for one in found.firing})
    return {one.fingerprint: one for one in found.firing}


async def test_members_of_open_incidents_are_those_that_fire(store: Store) -> None:
    """Nothing is known of an alert that is no member, and one whose end was told is none any more."""
    assert await members(store) == {}
    first = await open_incident(store, "aa", "bb", group="g1")
    second = await open_incident(store, "cc", group="g2")
    await admit(store, arrival("dd"))
    assert set(await members(store)) == {"aa", "bb", "cc"}
    assert set(await members(store, first.id)) == {"aa", "bb"}
    assert set(await members(store, second.id)) == {"cc"}
    assert await members(store, IncidentId("nobody")) == {}
    one = (await members(store))["aa"]
    assert (one.starts_at, one.listed_at, one.labels) == (alert("aa").starts_at, None, {})
    await admit(store, arrival("aa", firing=False))
    assert set(await members(store)) == {"bb", "cc"}


async def test_a_listing_is_remembered_with_the_labels(store: Store) -> None:
    """When it was last listed, by the store's own clock; the labels are those of an alert of that name."""
    await open_incident(store, "aa", "bb", group="g")
    before = system_clock() - 1
    await store.remember([alert("aa"), alert("zz")])
    one = (await members(store))["aa"]
    assert one.listed_at is not None
    assert before <= one.listed_at <= system_clock()
    assert one.labels == alert("aa").labels
    assert (await members(store))["bb"].listed_at is None
    await store.remember([alert("aa")])
    again = (await members(store))["aa"].listed_at
    assert again is not None
    assert again >= one.listed_at
    assert (await store.members(None)).at >= again


async def test_a_whole_chunk_and_more_than_one(store: Store) -> None:
    """As many as fit into one call, and members of more than one call."""
    names = [f"{number:04x}" for number in range(CHUNK + 20)]
    await open_incident(store, *names[:CHUNK], group="g1")
    await open_incident(store, *names[CHUNK:], group="g2")
    await store.remember([alert(name) for name in names[:CHUNK]])
    found = await members(store)
    assert set(found) == set(names)
    assert {name for name in names if found[name].listed_at is not None} == set(names[:CHUNK])


@pytest.mark.parametrize("kind", ["redis-7.0"])
async def test_labels_are_told_again_where_the_store_lost_them(servers: Servers, kind: str) -> None:
    """This process believes that they are known; the store says that they are not."""
    async with open_store(kind, servers, prefix=(prefix := fresh_prefix())) as store:
        await open_incident(store, "aa", group="g")
        await store.remember([alert("aa")])
        client = servers.get(kind).client()
        assert client.delete(f"{{{prefix}}}:listed", f"{{{prefix}}}:listed:labels") == 2
        assert (await members(store))["aa"].listed_at is None
        await store.remember([alert("aa")])
        one = (await members(store))[Fingerprint("aa")]
        assert one.listed_at is not None
        assert one.labels == alert("aa").labels
