"""What every store does with decisions, incidents and timers (P6, P11, P12)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from remediator.core.alerts import Fingerprint, Lane
from remediator.core.codec import unpack
from remediator.core.decision import DeadLetter, Decision
from remediator.core.evidence import Evidence, Piece
from remediator.core.incident import EffectId, GroupKey, Incident, IncidentId, Status
from remediator.core.journal import Diagnose, Entry, Kind, Page, PageKind
from remediator.core.store import CommitResult, Queue, Store
from remediator.core.times import Instant
from tests.contract.stores import (
    NOW,
    admit,
    alert,
    arrival,
    commit,
    incident,
    names,
    opened,
    stored,
    system_clock,
    take,
)

COMMITTED, CONFLICT, ID_TAKEN = CommitResult.COMMITTED, CommitResult.CONFLICT, CommitResult.ID_TAKEN
GROUP = GroupKey("g1")
AA = Fingerprint("aa")
EFFECT = Diagnose(id=EffectId("i1/1/diagnosing/0.0"), incident=IncidentId("i1"), attempt=1)
MESSAGE = Page(
    id=EffectId("p1"),
    incident=IncidentId("i1"),
    key="k",
    channel="pd",
    kind=PageKind.TRIGGER,
    dedup_key="i1/1",
)


def entry(text: str) -> Entry:
    """A line of a timeline."""
    return Entry(at=Instant(1), kind=Kind.STEP, text=text, data={"n": 1, "ok": True, "none": None})


def evidence(attempt: int, line: str = "panic: no route to host") -> Evidence:
    """What an attempt kept."""
    logs = Piece(source="logs", about="web-1/web", lines=(line, line))
    return Evidence(attempt=attempt, at=Instant(1), pieces=(logs, Piece(source="top", trouble="none")))


async def waiting(store: Store) -> int:
    """Entries in all queues."""
    return sum((await store.gauges()).backlog.values())


async def test_a_commit_writes_all_of_it(store: Store) -> None:
    """Value, members, timeline, effects, messages, dead letters and timers stand after one commit."""
    await admit(store, arrival("aa"))
    events = await take(store)
    decision = Decision(
        incident=incident(),
        timeline=(entry("first"), entry("second")),
        effects=(EFFECT,),
        messages=(MESSAGE,),
        arm={"poll": Instant(1)},
        join=(alert("aa"),),
        dead=(DeadLetter(queue="outbox", reason="refused", payload="text"),),
        evidence=(evidence(1),),
    )
    result = await store.commit(commit(None, decision, settles=events, fingerprints=["aa"]))
    assert result is COMMITTED
    loaded = await store.load(IncidentId("i1"), [AA])
    assert loaded.incident == replace(incident(), version=1)
    assert (loaded.facts.firing, loaded.facts.members, loaded.facts.over) == (1, frozenset([AA]), frozenset())
    assert await store.timeline(IncidentId("i1")) == decision.timeline
    assert await store.evidence(IncidentId("i1")) == decision.evidence
    assert await store.route([GROUP, GroupKey("g2")], [AA, Fingerprint("bb")]) == ({GROUP: "i1"}, {AA: "i1"})
    (effect,) = await take(store, Queue.EFFECTS)
    (message,) = await take(store, Queue.OUTBOX)
    assert (effect.incident, unpack(effect.kind, effect.data)) == ("i1", EFFECT)
    assert (message.incident, unpack(message.kind, message.data)) == ("i1", MESSAGE)
    assert [one.letter for one in await store.dead_letters(5)] == list(decision.dead)
    assert (await store.gauges()).open_by_severity == {"SEV-2": 1}
    assert (await store.fire_due(10))[0] == 1
    assert not await store.settle(events[0], "one")


async def test_the_version_serialises(store: Store) -> None:
    """Of several decisions on the same version one is committed; a decision that changes nothing counts."""
    before = await opened(store, incident())
    same = commit(before, Decision(incident=before))
    results = await asyncio.gather(*(store.commit(same) for _ in range(10)))
    assert sorted(results) == [COMMITTED] + [CONFLICT] * 9
    assert (await stored(store, "i1")).version == before.version + 1


async def test_a_conflict_writes_nothing(store: Store) -> None:
    """All or nothing, whatever the decision held."""
    await admit(store, arrival("aa"))
    events = await take(store)
    before = await opened(store, incident())
    await store.commit(commit(before, Decision(incident=before)))
    late = Decision(
        incident=replace(before, severity="SEV-1"),
        timeline=(entry("never"),),
        effects=(EFFECT,),
        messages=(MESSAGE,),
        arm={"poll": Instant(1)},
        join=(alert("aa"),),
        dead=(DeadLetter(queue="outbox", reason="refused", payload="text"),),
        evidence=(evidence(1),),
    )
    queued = await waiting(store)
    assert await store.commit(commit(before, late, settles=events)) is CONFLICT
    assert await waiting(store) == queued
    loaded = await store.load(IncidentId("i1"), [AA])
    assert loaded.incident is not None
    assert (loaded.incident.severity, loaded.facts.firing) == ("SEV-2", 0)
    assert await store.timeline(IncidentId("i1")) == ()
    assert await store.evidence(IncidentId("i1")) == ()
    assert await store.dead_letters(1) == []
    assert await store.fire_due(10) == (0, None)
    assert await store.settle(events[0], "one")


async def test_two_openings_of_one_group_conflict(store: Store) -> None:
    """A second worker that saw no incident of the group has to look again."""
    await opened(store, incident())
    assert await store.commit(commit(None, Decision(incident=incident("i2")))) is CONFLICT
    assert await names(store) == ["i1"]


async def test_an_id_is_given_once(store: Store) -> None:
    """Two groups of one service in the same minute: the second takes the next ordinal."""
    await opened(store, incident())
    taken = incident(group="g2")
    assert await store.commit(commit(None, Decision(incident=taken))) is ID_TAKEN
    assert (await stored(store, "i1")).group == "g1"
    assert (
        await store.commit(commit(None, Decision(incident=replace(taken, id=IncidentId("i1-2")))))
        is COMMITTED
    )


async def test_a_new_incident_takes_the_place_of_one_long_over(store: Store) -> None:
    """The group's pointer moves; the old incident stays as it was, and can still be decided on."""
    before = await opened(store, incident(status=Status.RESOLVED, resolved_at=Instant(2_000)))
    fresh = commit(before, Decision(incident=incident("i2", opened_at=9_000)))
    assert await store.commit(fresh) is COMMITTED
    assert await store.commit(fresh) is CONFLICT
    assert (await stored(store, "i2")).version == 1
    assert await stored(store, "i1") == before
    assert await store.commit(commit(before, Decision(incident=before))) is COMMITTED
    assert (await store.route([GROUP], []))[0] == {GROUP: "i2"}


async def test_a_successor_needs_its_predecessor_unchanged(store: Store) -> None:
    """Somebody reopened it meanwhile: the alert belongs there."""
    before = await opened(store, incident(status=Status.RESOLVED, resolved_at=Instant(2_000)))
    await store.commit(commit(before, Decision(incident=replace(before, status=Status.OPEN))))
    assert await store.commit(commit(before, Decision(incident=incident("i2")))) is CONFLICT


@pytest.mark.parametrize("believed_over", [[], ["aa"]])
async def test_an_episode_that_changed_is_a_conflict(store: Store, believed_over: list[str]) -> None:
    """P5: a decision stands on how the episodes stood when it was made."""
    await admit(store, arrival("aa"))
    if not believed_over:
        await admit(store, arrival("aa", firing=False))
    stale = commit(None, Decision(incident=incident()), fingerprints=["aa"], over=believed_over)
    assert await store.commit(stale) is CONFLICT
    assert (await store.load(IncidentId("i1"), [])).incident is None


async def test_P6_an_entry_that_was_settled_elsewhere_is_told_from_a_conflict(store: Store) -> None:
    """P6: another worker has done it, and deciding again would do it twice; the rest can still be settled."""
    await admit(store, arrival("aa"), arrival("bb"))
    first, second = await take(store)
    assert await store.settle(first, "one")
    both = commit(None, Decision(incident=incident()), settles=[first, second])
    assert await store.commit(both) is CommitResult.SETTLED
    stale = commit(incident(version=9), Decision(incident=None), settles=[first])
    assert await store.commit(stale) is CommitResult.SETTLED
    assert (await store.load(IncidentId("i1"), [])).incident is None
    assert await store.settle(second, "one")


async def test_P6_an_entry_that_was_taken_over_can_still_be_settled(store: Store) -> None:
    """P6: pending is what counts, not for whom; the version keeps it from counting twice."""
    await admit(store, arrival("aa"))
    events = await take(store)
    again = await store.reclaim(Queue.NORMAL, "two", NOW, 10)
    assert await store.commit(commit(None, Decision(incident=incident()), settles=events)) is COMMITTED
    assert not await store.settle(again[0], "two")


async def test_nothing_to_keep_only_settles(store: Store) -> None:
    """An event of something forgotten is done with."""
    await admit(store, arrival("aa"))
    events = await take(store)
    assert await store.commit(commit(None, Decision(incident=None), settles=events)) is COMMITTED
    assert await waiting(store) == 0
    assert await names(store) == []


async def test_members_join_and_leave(store: Store) -> None:
    """How many alerts fire is counted beside the value; one that joins and leaves at once is none."""
    before = await opened(
        store, incident(), join=(alert("aa"), alert("bb")), leave=frozenset([Fingerprint("bb")])
    )
    facts = (await store.load(before.id, [AA, Fingerprint("bb")])).facts
    assert (facts.firing, facts.members) == (1, frozenset([AA]))
    await store.commit(commit(before, Decision(incident=before, leave=frozenset([AA]))))
    assert (await store.load(before.id, [AA])).facts.firing == 0


async def test_a_later_episode_still_knows_its_incident(store: Store) -> None:
    """A resolution of the next episode finds the incident that the first one belonged to."""
    await admit(store, arrival("aa"))
    await opened(store, incident(), join=(alert("aa"),))
    await admit(store, arrival("aa", firing=False), arrival("aa", 60))
    assert (await store.route([], [AA]))[1] == {AA: "i1"}
    assert (await store.load(IncidentId("i1"), [AA])).facts.over == frozenset()


async def test_a_held_incident_is_not_shown_and_leaves_no_trace(store: Store) -> None:
    """It waits for its rule's hold: not listed, not counted; dropped, it is as if it had never been."""
    held = await opened(
        store,
        incident(status=Status.HELD),
        join=(alert("aa"),),
        arm={"hold": Instant(1)},
        timeline=(entry("x"),),
    )
    assert await names(store) == []
    assert (await store.gauges()).open_by_severity == {}
    drop = commit(held, Decision(incident=None, cancel=frozenset(["hold"])))
    assert await store.commit(drop) is COMMITTED
    assert await store.fire_due(10) == (0, None)
    assert (await store.load(held.id, [AA])).facts.firing == 0
    assert (await store.load(held.id, [])).incident is None
    assert await store.timeline(held.id) == ()
    assert (await store.route([GROUP], []))[0] == {}
    await opened(store, incident())


async def test_a_held_incident_that_opens_is_listed(store: Store) -> None:
    """From its opening on it counts as any other."""
    held = await opened(store, incident(status=Status.HELD))
    await store.commit(
        commit(held, Decision(incident=replace(held, status=Status.OPEN, opened_at=Instant(7))))
    )
    assert await names(store) == ["i1"]
    assert (await store.gauges()).open_by_severity == {"SEV-2": 1}


async def test_open_incidents_are_counted_by_severity(store: Store) -> None:
    """Raised, resolved and reopened, each is counted where it stands."""

    async def change(**changes: object) -> dict[str, int]:
        before = await stored(store, "i1")
        await store.commit(commit(before, Decision(incident=replace(before, **changes))))  # type: ignore[arg-type]
        return dict((await store.gauges()).open_by_severity)

    await opened(store, incident())
    assert await change(severity="SEV-1") == {"SEV-1": 1}
    assert await change(status=Status.RESOLVED, resolved_at=Instant(5)) == {}
    assert await change(status=Status.OPEN, resolved_at=None) == {"SEV-1": 1}


async def test_the_timeline_is_bounded(store: Store) -> None:
    """The last two thousand lines are kept."""
    before = await opened(store, incident())
    for start in range(0, 2_500, 500):
        lines = tuple(entry(str(n)) for n in range(start, start + 500))
        await store.commit(commit(before, Decision(incident=before, timeline=lines)))
        before = await stored(store, "i1")
    assert [line.text for line in await store.timeline(before.id)] == [str(n) for n in range(500, 2_500)]


async def test_the_evidence_of_the_newest_attempts_is_kept_and_goes_with_its_incident(store: Store) -> None:
    """Three of them, whatever was written into a log; of an incident that is dropped nothing is left."""
    before = await opened(store, incident())
    for number in range(1, 6):
        kept = Decision(incident=before, evidence=(evidence(number, "\x1b[31m\u2028 ünï \\" * 2_000),))
        assert await store.commit(commit(before, kept)) is COMMITTED
        before = await stored(store, "i1")
    assert [one.attempt for one in await store.evidence(before.id)] == [3, 4, 5]
    assert (await store.evidence(before.id))[-1] == evidence(5, "\x1b[31m\u2028 ünï \\" * 2_000)
    held = await opened(store, incident("h", group="h", status=Status.HELD))
    await store.commit(commit(held, Decision(incident=held, evidence=(evidence(1),))))
    held = await stored(store, "h")
    assert len(await store.evidence(held.id)) == 1
    assert await store.commit(commit(held, Decision(incident=None))) is COMMITTED
    assert await store.evidence(held.id) == ()
    assert await store.evidence(IncidentId("nobody")) == ()


async def test_an_event_of_an_unknown_incident_changes_nothing(store: Store) -> None:
    """What is loaded of an incident that never was is nothing."""
    loaded = await store.load(IncidentId("nobody"), [AA])
    assert loaded.incident is None
    assert (loaded.facts.firing, loaded.facts.members, loaded.facts.over) == (0, frozenset(), frozenset())
    assert abs(loaded.at - system_clock()) < 5_000
    assert await store.route([], []) == ({}, {})
    gone: Incident = incident("nobody", version=3)
    assert await store.commit(commit(gone, Decision(incident=gone))) is CONFLICT


async def test_a_full_chunk_in_one_commit(store: Store) -> None:
    """A storm: five hundred alerts, one commit."""
    storm = [arrival(f"{n:x}", lane=Lane.URGENT) for n in range(500)]
    await admit(store, *storm)
    events = await take(store, Queue.URGENT)
    for _ in range(4):
        events += await take(store, Queue.URGENT)
    decision = Decision(incident=incident(), join=tuple(one.alert for one in storm))
    fingerprints = [one.alert.fingerprint for one in storm]
    assert await store.commit(commit(None, decision, settles=events, fingerprints=fingerprints)) is COMMITTED
    assert (await store.load(IncidentId("i1"), fingerprints)).facts.members == set(fingerprints)
    assert await waiting(store) == 0


async def test_P1_an_alert_that_no_rule_matches_any_more_is_taken_in_when_one_does(store: Store) -> None:
    """The door and the clerk saw different policies: the alert is listed, and not a duplicate for ever."""
    await admit(store, arrival("aa"))
    events = await take(store)
    settled = replace(commit(None, Decision(incident=None), settles=events), unmatched=(alert("aa"),))
    assert await store.commit(settled) is COMMITTED
    assert [one.fingerprint for one in await store.unmatched(10)] == ["aa"]
    assert await admit(store, arrival("aa")) == ["new"]
    assert await admit(store, arrival("aa")) == ["duplicate"]


async def test_P12_timers_of_what_is_dropped_are_gone(store: Store) -> None:
    """A held incident whose alert resolved leaves no timer behind, whatever its name."""
    held = await opened(store, incident(status=Status.HELD), arm={"hold#1": Instant(1)})
    dropped = Decision(incident=None, cancel=frozenset({"hold#1"}))
    assert await store.commit(commit(held, dropped)) is COMMITTED
    assert await store.fire_due(10) == (0, None)


async def test_open_incidents_about_a_service_are_found_by_its_name(store: Store) -> None:
    """What comes first at the top: our own, those that wait for none, the most severe; two of each name."""

    async def found(*names: str) -> list[tuple[str, str, str, bool, bool]]:
        roots = await store.open_about(names)
        return [(one.about, one.incident, one.severity, one.attached, one.foreign) for one in roots]

    assert await found("db", "web") == []
    held = await opened(store, incident("h", group="h", service="db", status=Status.HELD))
    assert await found("db") == []
    open_now = replace(held, status=Status.OPEN, severity="SEV-3")
    assert await store.commit(commit(held, Decision(incident=open_now))) is COMMITTED
    made = incident("w", group="w", service="web", severity="SEV-2")
    attached = await opened(store, replace(made, severity="SEV-1", attached_to=IncidentId("h")))
    assert await found("db", "web", "mail") == [
        ("db", "h", "SEV-3", False, False),
        ("web", "w", "SEV-1", True, False),
    ]
    await opened(store, replace(incident("f", group="f", service="web"), foreign='cluster="a"'))
    await opened(store, incident("x", group="x", service="web", severity="SEV-4"))
    assert await found("web") == [("web", "x", "SEV-4", False, False), ("web", "w", "SEV-1", True, False)]
    free = replace(attached, attached_to=None)
    assert await store.commit(commit(attached, Decision(incident=free))) is COMMITTED
    assert [each[1] for each in await found("web")] == ["w", "x"]
    still = await stored(store, "w")
    over = Decision(incident=replace(still, status=Status.RESOLVED))
    assert await store.commit(commit(still, over)) is COMMITTED
    assert [each[1] for each in await found("web")] == ["x", "f"]


async def test_services_with_an_open_incident_are_known(store: Store) -> None:
    """Each once, neither held nor resolved ones; as many as are asked for are enough."""
    assert await store.open_services(3) == frozenset()
    for number in range(130):
        status = Status.RESOLVED if number >= 5 else Status.OPEN
        made = incident(f"i{number}", group=f"g{number}", service=f"s{number % 3}", status=status)
        await opened(store, replace(made, opened_at=Instant(1_000 + number)))
    held = incident("h", group="h", service="held", status=Status.HELD)
    await opened(store, held)
    assert await store.open_services(10) == {"s0", "s1", "s2"}
    assert len(await store.open_services(2)) >= 2


async def test_what_is_open_is_read_the_most_severe_first(store: Store) -> None:
    """Neither held nor resolved ones, never more than are asked for, and by the store's own clock."""
    assert (await store.open_incidents(3))[1] == ()
    for number in range(130):
        severity = "SEV-1" if number == 77 else "SEV-3"
        await opened(store, incident(f"i{number}", group=f"g{number}", severity=severity))
    for status in (Status.HELD, Status.RESOLVED):
        await opened(store, incident(status.value, group=status.value, status=status))
    at, found = await store.open_incidents(500)
    assert {one.id for one in found} == {f"i{number}" for number in range(130)}
    assert len(found) == 130
    assert found[0].id == "i77"
    assert abs(at - (await store.load(None, ())).at) < 60_000
    assert len((await store.open_incidents(2))[1]) == 2
