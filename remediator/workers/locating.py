"""Performs ``Locate``: which workload owns the object that an incident's alerts name."""

from __future__ import annotations

import asyncio

from remediator.core.finding import FIND_WITHIN, find, found_late
from remediator.core.incident import Incident
from remediator.core.journal import Locate, Located
from remediator.guards.target import looking_objection
from remediator.workers.means import Means


class Locator:
    """Answers ``Locate`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def locate(self, effect: Locate, incident: Incident | None) -> Located | None:
        """The owner, or why none is known. None: nobody waits for it any more. Raises StoreUnavailable.

        What must not be touched is not looked at either.
        """
        aim = incident.aim if incident is not None and not incident.resolved else None
        if incident is None or aim is None or aim.ref is None or aim.asking != effect.id:
            return None
        if objection := looking_objection(aim.ref, self._means.policy().guards):
            return Located(effect=effect.id, reason=objection)
        try:
            async with asyncio.timeout(FIND_WITHIN):
                return await find(effect.id, aim.ref, incident.started_at, self._means.reader)
        except TimeoutError:
            return found_late(effect.id, aim.ref)
