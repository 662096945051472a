"""P5: whatever order alerts come and are processed in, the same state is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.alerts import Alert, AlertStatus, Fingerprint, Notification
from remediator.core.classify import Classifier
from remediator.core.store import IncidentFilter, Queue
from remediator.core.times import Millis
from remediator.journey import Journey
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from tests.core.builders import NOW, policy, stamp

POLICY = policy(runbooks=())


def one(fingerprint: str, status: AlertStatus, start: int) -> Alert:
    return Alert(
        fingerprint=Fingerprint(fingerprint),
        status=status,
        labels={"alertname": "ServiceDown", "service": "web"},
        annotations={},
        starts_at=stamp(start),
        ends_at=stamp(start) if status is AlertStatus.RESOLVED else None,
    )


alerts = st.builds(
    one,
    st.sampled_from(["aa", "bb"]),
    st.sampled_from(list(AlertStatus)),
    st.integers(min_value=0, max_value=3),
)


async def final_state(
    arrivals: Sequence[Alert], cuts: Sequence[bool], swaps: Sequence[bool]
) -> tuple[set[Fingerprint], int]:
    """Post each alert; process what waits where ``cuts`` says, now and then in reverse; then the rest."""
    store = MemoryStore(lambda: NOW)
    journey = Journey(
        intake=store,
        queues=store,
        incidents=store,
        rules=lambda: Classifier(POLICY),
        observer=Silent(),
        consumer="c",
    )
    for alert, cut, swap in zip(arrivals, cuts, swaps, strict=True):
        await journey.receive(
            Notification(receiver="r", group_key="", external_url="", truncated=0, alerts=(alert,))
        )
        if cut:
            await process(store, journey, swap=swap)
    await process(store, journey, swap=False)
    page = await store.incidents(IncidentFilter(), 1000, None)
    firing = {fp for incident in page.items for fp in store._firing[incident.id]}
    return firing, sum(not incident.resolved for incident in page.items)


async def process(store: MemoryStore, journey: Journey, *, swap: bool) -> None:
    taken = await store.take([Queue.URGENT, Queue.NORMAL], "c", 500, Millis(0))
    for delivery in reversed(taken) if swap else taken:
        batches, unreadable = await journey.sort([delivery])
        assert not unreadable
        for batch in batches:
            await journey.advance(batch)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(alerts, min_size=1, max_size=6))
def test_P5_every_order_ends_in_the_same_state(data: st.DataObject, arrivals: list[Alert]) -> None:
    """The state is that of the newest evidence: per alert the greatest startsAt, resolved before firing."""
    order = data.draw(st.permutations(arrivals))
    flags = st.lists(st.booleans(), min_size=len(order), max_size=len(order))
    firing, still_open = asyncio.run(final_state(order, data.draw(flags), data.draw(flags)))
    newest: dict[str, tuple[str, bool]] = {}
    for alert in arrivals:
        evidence = (alert.starts_at, alert.status is AlertStatus.RESOLVED)
        newest[alert.fingerprint] = max(newest.get(alert.fingerprint, ("", False)), evidence)
    assert firing == {fp for fp, (_, resolved) in newest.items() if not resolved}
    assert still_open == (1 if firing else 0)
