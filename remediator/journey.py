"""The journey of an alert, top to bottom.

    receive    webhook -> intake            durable before the answer
    advance    classify -> decide -> commit  one atomic script: incident, timeline, effects, timers
    perform    effect -> outcome             the outcome is the next event

A crash loses nothing: what was not committed is delivered again, what was committed is performed again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from remediator.core import codec
from remediator.core.alerts import Disposition, Lane, Notification
from remediator.core.classify import Classifier
from remediator.core.decide import decide
from remediator.core.errors import Contended
from remediator.core.incident import IncidentId
from remediator.core.journal import Acted, Outcomes
from remediator.core.ports import Observer
from remediator.core.store import (
    Commit,
    CommitResult,
    Delivered,
    IncidentStore,
    IntakeStore,
    QueueStore,
)
from remediator.core.times import Instant
from remediator.routing import Batch, Unreadable, gather_batches, load_all, meet_at_the_door

CONFLICTS = 20
"""So often in a row a batch is loaded and decided again before others are let first."""

Perform = Callable[[Any], Awaitable[Outcomes | None]]
"""Performs the kind of effect or message that its queue carries; None: nobody waits for the outcome."""


class Journey:
    """One replica's way through. ``rules`` answers the newest compiled policy."""

    def __init__(
        self,
        *,
        intake: IntakeStore,
        queues: QueueStore,
        incidents: IncidentStore,
        rules: Callable[[], Classifier],
        observer: Observer,
        consumer: str,
        saw_time: Callable[[Instant], None] = lambda at: None,
    ) -> None:
        self.intake, self.queues, self.incidents = intake, queues, incidents
        self.rules, self.observer, self.consumer, self.saw_time = rules, observer, consumer, saw_time
        self.receiving = 0  # notifications that wait for their answer: whoever has time lets them go first

    async def receive(self, notification: Notification) -> Counter[Disposition]:
        """Take every alert of a notification in. When this returns, all of it is durable."""
        self.receiving += 1
        try:
            arrivals = meet_at_the_door(notification.alerts, self.rules())
            dispositions = await self.intake.admit(arrivals, notification.rejected)
        finally:
            self.receiving -= 1
        dispositions += [Disposition.DEAD_LETTER] * len(notification.rejected)
        self.observer.arrived(dispositions)
        return Counter(dispositions)

    async def sort(self, deliveries: Sequence[Delivered]) -> tuple[list[Batch], list[Unreadable]]:
        """The events of one incident together, classified by the newest policy; and what cannot be read."""
        return await gather_batches(deliveries, self.rules(), self.incidents)

    async def advance(self, batch: Batch) -> None:
        """Decide what follows from some events of one incident, and commit all of it or nothing.

        Raises Contended when others were quicker: then each event is to be handed in alone, a little later.
        """
        ordinal = 1
        for _ in range(CONFLICTS):
            rules = self.rules()
            loaded = await load_all(
                self.incidents, batch.incident, batch.fingerprints, batch.events, rules.policy
            )
            self.saw_time(loaded.at)
            facts = loaded.facts if ordinal == 1 else replace(loaded.facts, ordinal=ordinal)
            decision = decide(loaded.incident, batch.events, facts, rules.policy, loaded.at)
            commit = Commit(
                before=loaded.incident,
                decision=decision,
                facts=facts,
                fingerprints=frozenset(batch.fingerprints),
                settles=batch.deliveries,
                unmatched=batch.unmatched,
            )
            match await self.incidents.commit(commit):
                case CommitResult.COMMITTED:
                    return self.observer.committed(decision, batch.matches)
                case CommitResult.ID_TAKEN:
                    ordinal += 1
                case CommitResult.SETTLED:
                    if len(batch.deliveries) == 1:
                        return None
                    break
                case CommitResult.CONFLICT if batch.group is not None:
                    pointers, _ = await self.incidents.route([batch.group], ())
                    batch = replace(batch, incident=pointers.get(batch.group))
        raise Contended(f"{batch.incident or batch.group} changed while it was decided, again and again")

    async def perform(self, delivery: Delivered, performer: Perform) -> None:
        """Perform an effect or deliver a message; its outcome is the incident's next event."""
        outcome = await performer(codec.unpack(delivery.kind, delivery.data))
        incident = IncidentId(delivery.incident)
        follow_up = [] if outcome is None else [(incident, outcome, Lane.URGENT)]
        settled = await self.queues.settle(delivery, self.consumer, follow_up)
        if not settled and isinstance(outcome, Acted) and outcome.changes:
            # Somebody took it over, having given this process up; what it changed all the same is told.
            await self.incidents.append(incident, outcome, Lane.URGENT)
