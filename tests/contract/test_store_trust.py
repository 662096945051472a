"""What every store does with the records of rules: exact, with the commit, and lowered once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediator.core.decision import Decision, Facts
from remediator.core.incident import Attempt, Incident, IncidentId, Outcome, Phase
from remediator.core.policies import Runbook
from remediator.core.standing import Lowering, Standing
from remediator.core.store import CommitResult, Store
from remediator.core.times import Instant
from remediator.core.trust import Mark
from tests.contract.stores import commit, incident, opened

COMMITTED, CONFLICT = CommitResult.COMMITTED, CommitResult.CONFLICT
LOWERING = Lowering(
    rule="errors", why="3 attempts in a row failed, the last one in i1", at=Instant(1_700_000_000_123)
)


def trying(name: str = "i1", rule: str = "errors") -> Incident:
    attempt = Attempt(
        number=1,
        runbook=Runbook(name="restart"),
        rule=rule,
        started_at=Instant(1),
        phase=Phase.ACTING,
        phase_at=Instant(1),
    )
    return incident(name, group=name, attempts=(attempt,), attempt_count=1)


async def end(
    store: Store, name: str, *marks: str, facts: Facts | None = None, lowering: Lowering | None = None
) -> CommitResult:
    """Commit that the attempt of an incident ended so."""
    loaded = await store.load(IncidentId(name), [])
    assert loaded.incident is not None
    decision = Decision(
        incident=loaded.incident, marks=tuple(("errors", mark) for mark in marks), lowering=lowering
    )
    made = commit(loaded.incident, decision)
    return await store.commit(replace(made, facts=loaded.facts if facts is None else facts))


async def standing(store: Store, name: str = "i1") -> Standing | None:
    return (await store.load(IncidentId(name), [])).facts.standing


async def test_nothing_is_known_at_first(store: Store) -> None:
    await opened(store, incident())
    assert await standing(store) is None, "no attempt is in progress"
    assert await store.records() == {}
    assert await store.lowered("errors") is None


async def test_what_a_commit_counts_is_in_the_record(store: Store) -> None:
    await opened(store, trying())
    assert await standing(store) == Standing(rule="errors")
    assert await end(store, "i1", Outcome.FAILED) is COMMITTED
    assert await end(store, "i1", Outcome.BLOCKED) is COMMITTED
    assert await end(store, "i1", Outcome.UNKNOWN) is COMMITTED
    assert await standing(store) == Standing(rule="errors", in_a_row=2)
    assert await end(store, "i1", Outcome.VERIFIED, Mark.RECURRED) is COMMITTED
    assert await end(store, "i1", Outcome.FAILED) is COMMITTED
    record = (await store.records())["errors"]
    assert record.counts == {"failed": 2, "blocked": 1, "unknown": 1, "verified": 1, "recurred": 1}
    assert (record.in_a_row, record.attempts, record.lowered) == (1, 5, None)


async def test_a_commit_that_is_refused_counts_nothing(store: Store) -> None:
    first = await opened(store, trying())
    assert await end(store, "i1", Outcome.FAILED) is COMMITTED
    stale = commit(first, Decision(incident=first, marks=(("errors", Outcome.FAILED),), lowering=LOWERING))
    assert await store.commit(stale) is CONFLICT
    assert (await store.records())["errors"].counts == {"failed": 1}
    assert await store.lowered("errors") is None


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN])
async def test_whoever_decided_by_an_older_record_decides_again(store: Store, outcome: Outcome) -> None:
    """Two incidents of one rule fail at once: exactly one of them is the third failure."""
    await opened(store, trying("i1"))
    await opened(store, trying("i2"))
    before = (await store.load(IncidentId("i2"), [])).facts
    assert await end(store, "i1", Outcome.FAILED) is COMMITTED
    assert await end(store, "i2", outcome, facts=before) is CONFLICT
    assert await end(store, "i2", Outcome.BLOCKED, facts=before) is COMMITTED, "that changes no row"
    assert await end(store, "i2", Outcome.VERIFIED, facts=before) is COMMITTED, "nothing follows from the row"
    lowered = replace(before, standing=Standing(rule="errors", lowered=True))
    assert await end(store, "i1", outcome) is COMMITTED
    assert await end(store, "i2", outcome, facts=lowered) is COMMITTED, "nor where it is lowered already"
    assert await end(store, "i2", outcome) is COMMITTED


async def test_an_incident_of_an_older_version_is_counted_all_the_same(store: Store) -> None:
    """It does not say for which rule its attempt is: nothing is relied upon."""
    await opened(store, trying("i1"))
    await opened(store, trying("i2"))
    assert await end(store, "i1", Outcome.FAILED) is COMMITTED
    assert await end(store, "i2", Outcome.FAILED, facts=Facts()) is COMMITTED
    assert (await store.records())["errors"].in_a_row == 2


async def test_a_rule_is_lowered_until_a_person_lifts_it(store: Store) -> None:
    await opened(store, trying())
    for _ in range(2):
        await end(store, "i1", Outcome.FAILED)
    assert await end(store, "i1", Outcome.FAILED, lowering=LOWERING) is COMMITTED
    assert await store.lowered("errors") == LOWERING
    assert await store.lowered("other") is None
    assert await standing(store) == Standing(rule="errors", in_a_row=3, lowered=True)
    assert (await store.records())["errors"].lowered == LOWERING
    assert (await store.gauges()).rules_lowered == 1
    assert await store.restore_trust("errors") == LOWERING
    assert await store.restore_trust("errors") is None
    assert await store.lowered("errors") is None
    assert await standing(store) == Standing(rule="errors")
    record = (await store.records())["errors"]
    assert (record.counts, record.in_a_row, record.lowered) == ({"failed": 3}, 0, None)
    assert (await store.gauges()).rules_lowered == 0


async def test_an_attempt_that_is_over_is_no_standing(store: Store) -> None:
    made = await opened(store, trying())
    over = replace(made.attempts[0], phase=Phase.ENDED, outcome=Outcome.FAILED)
    await store.commit(commit(made, Decision(incident=made.with_attempt(over))))
    assert await standing(store) is None
