"""Bugs of the journey: what is done in the wrong order, or taken for something else."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.decide import decide
from remediator.core.errors import RemediatorError
from remediator.core.journal import Checked, Page, PlanApproved
from remediator.core.plugins import Channel, ChannelMessage
from remediator.routing import Batch
from remediator.testing.simulation.tracing import Traced


class AcknowledgesFirst(Traced):
    """Settles its deliveries, and only then commits what follows from them."""

    async def advance(self, batch: Batch) -> None:
        """As the real one, in the wrong order."""
        for delivery in batch.deliveries:
            await self.queues.settle(delivery, self.consumer)
        await super().advance(replace(batch, deliveries=()))


class AgreesToAnything(Traced):
    """Takes whatever a person agrees to for what was asked."""

    async def advance(self, batch: Batch) -> None:
        """As the real one, with every digest replaced by the one that is asked about."""
        incident = (await self.incidents.load(batch.incident, ())).incident
        request = incident.active.request if incident is not None and incident.active is not None else None
        if request is not None:
            digest = request.plan.digest
            events = tuple(
                replace(e, digest=digest) if isinstance(e, PlanApproved) else e for e in batch.events
            )
            batch = replace(batch, events=events)
        await super().advance(batch)


class TakesUnknownForGood(Traced):
    """Takes a check that could not be found out for one that holds."""

    async def advance(self, batch: Batch) -> None:
        """As the real one, with every doubt removed."""
        events = tuple(
            replace(e, results=tuple(replace(r, holds=r.holds is not False) for r in e.results))
            if isinstance(e, Checked)
            else e
            for e in batch.events
        )
        await super().advance(replace(batch, events=events))


class PagesFirst(Traced):
    """Pages as soon as it has decided to, and only then commits the decision."""

    pager: Channel | None = None

    async def advance(self, batch: Batch) -> None:
        """As the real one, with a page sent too early."""
        loaded = await self.incidents.load(batch.incident, batch.fingerprints)
        rules = self.rules()
        decision = decide(loaded.incident, batch.events, loaded.facts, rules.policy, loaded.at)
        for message in decision.messages:
            if isinstance(message, Page) and decision.incident is not None:
                await self._send_early(message)
        await super().advance(batch)

    async def _send_early(self, page: Page) -> None:
        assert self.pager is not None
        early = ChannelMessage(
            kind=page.kind, dedup_key=page.dedup_key, summary="early", severity="error", source="bug"
        )
        try:
            await self.pager.send(early)
        except RemediatorError as error:
            self.observer.trouble("early page", error)
