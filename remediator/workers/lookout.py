"""What Alertmanagers say of the alerts of one incident, asked anew."""

from __future__ import annotations

from remediator.core.alertmanagers import (
    SETTLED,
    Alertmanagers,
    Answers,
    Suppression,
    absence,
    doubt,
    listed_members,
    narrowed,
    suppressors,
    unanswered,
)
from remediator.core.alerts import Alert
from remediator.core.errors import Retryable
from remediator.core.incident import Incident
from remediator.core.store import ListingStore, Members
from remediator.core.times import Millis

NOW = Millis(0)


class Lookout:
    """``core.plugins.IncidentAlerts``, and what the guard ``suppressed`` asks."""

    def __init__(
        self, incident: Incident, store: ListingStore, alertmanagers: Alertmanagers, settled: Millis = SETTLED
    ) -> None:
        self._incident, self._store, self._alertmanagers = incident, store, alertmanagers
        self._settled = settled

    async def _look(self) -> tuple[Members, Answers]:
        """Members first: what joins while they are asked is not missed in the answers."""
        members = await self._store.members(self._incident.id)
        return members, await self._alertmanagers.ask(narrowed(self._incident.alert_names))

    async def suppression(self) -> Suppression:
        """How its alerts stand. Raises Retryable where one of them does not answer."""
        members, answers = await self._look()
        for silent in unanswered(answers):
            raise Retryable(str(silent))
        return suppressors(answers, {one.fingerprint for one in members.firing})

    async def alerts(self) -> tuple[Alert, ...]:
        """Those that fire and are listed, as they are listed, by fingerprint.

        Raises Retryable where one of them does not answer.
        """
        members, answers = await self._look()
        for silent in unanswered(answers):
            raise Retryable(str(silent))
        return listed_members(members.firing, answers)

    async def over(self) -> tuple[int, str]:
        """How many of its alerts are over, though that was not delivered; why that cannot be told, if so."""
        members, answers = await self._look()
        if why := doubt(answers, self._settled):
            return 0, why
        return len(absence(members.firing, answers, members.at, absent_for=NOW, settled=self._settled)), ""
