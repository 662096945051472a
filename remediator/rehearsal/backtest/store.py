"""The stage's store, with what a long record asks of it besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.alerts import AlertStatus, Disposition, Rejected
from remediator.core.incident import EffectId, IncidentId
from remediator.core.objects import Anchor
from remediator.core.store import Arrival, Lease
from remediator.rehearsal.backtest.shortcut import Known
from remediator.rehearsal.keeping import StageStore


class RecordStore(StageStore):
    """Says what became of each alert, knows repeats without being given them, and can forget."""

    def __init__(self, clock: Callable[[], int]) -> None:
        super().__init__(clock)
        self._steps: dict[IncidentId, set[EffectId]] = {}
        self.admitted: list[Disposition] = []
        """What became of the alerts that were taken in since somebody last looked, in their order."""

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """As the Protocol says."""
        found = await super().admit(arrivals, rejected)
        self.admitted += found
        return found

    def is_repeat(self, alert: Known, *, matched: bool) -> bool:
        """Whether ``admit`` would call it a duplicate and change nothing at all."""
        episode = self._episodes.get(alert.fingerprint)
        if episode is None or episode.status is not alert.status or alert.starts_at > episode.starts:
            return False
        return alert.status is AlertStatus.RESOLVED or episode.matched or not matched

    async def intend(
        self,
        effect: EffectId,
        lease: Lease,
        before: str,
        pods: frozenset[str] = frozenset(),
        on: Anchor | None = None,
        planned: str = "",
    ) -> bool:
        """As the Protocol says."""
        incident = effect.partition("/")[0]
        self._steps.setdefault(IncidentId(incident), set()).add(effect)
        return await super().intend(effect, lease, before, pods, on, planned)

    def forget(self, incident: IncidentId) -> None:
        """An incident that can never come back, and what was written down of it."""
        for effect in self._steps.pop(incident, ()):
            self._intents.pop(effect, None)
        known = self._incidents.get(incident)
        if known is not None:
            armed = frozenset(f"{timer}#{number}" for timer, number in known.timers.items())
            self._forget(known, armed)
