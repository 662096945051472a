"""The in-memory store, with what a stage alone may do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.incident import Incident, IncidentId
from remediator.core.journal import Entry
from remediator.core.store import CHUNK, Delivered, Queue
from remediator.core.times import Instant
from remediator.rehearsal.jumping import idle_until, is_idle, skip_rounds
from remediator.testing.memory import MemoryStore

REPLICA = "rehearsal"
EVENTS = (Queue.URGENT, Queue.NORMAL)
WORK = (Queue.OUTBOX, Queue.EFFECTS, Queue.NOTICES)


class StageStore(MemoryStore):
    """All of ``core.store.Store``, looked into at once and without an await."""

    def find(self, incident: IncidentId) -> Incident | None:
        """The incident of that id."""
        return self._incidents.get(incident)

    def every(self) -> tuple[Incident, ...]:
        """Every incident, those that wait for their hold too, in the order of their making."""
        return tuple(self._incidents.values())

    def entries(self, incident: IncidentId) -> tuple[Entry, ...]:
        """Its timeline, oldest first."""
        return tuple(self._timelines.get(incident, ()))

    def timers(self, incident: IncidentId) -> dict[str, Instant]:
        """What is armed for it and when that falls due, by name."""
        known = self._incidents.get(incident)
        armed = {} if known is None else known.timers
        dues = {name: self._timers.get((incident, f"{name}#{number}")) for name, number in armed.items()}
        return {name: due for name, due in dues.items() if due is not None}

    def take_at_once(self, queues: Sequence[Queue]) -> list[Delivered]:
        """Up to CHUNK entries of each queue; nobody waits."""
        for queue in queues:
            if self._streams[queue].waiting:
                return self._take(queues, REPLICA, CHUNK)
        return []

    def jump(self, horizon: Instant, may_skip: Callable[[Incident, str], bool]) -> None:
        """Skip, of all questions that are due before anything else happens, those that come before that.

        ``horizon``: when something happens that no timer tells. A question that must be asked is something
        else too, and so is the moment at which a round would end its attempt.
        """
        idle: list[tuple[IncidentId, str, Instant]] = []
        while (head := self.next_timer()) is not None and head[0] < horizon:
            due, incident_id, timer = head
            incident = self._incidents.get(incident_id)
            if incident is None or not is_idle(incident, timer, due) or not may_skip(incident, timer):
                horizon = due
                break
            del self._timers[incident_id, timer]
            idle.append((incident_id, timer, due))
            if (end := idle_until(incident, timer)) is not None:
                horizon = min(horizon, end)
        for incident_id, timer, due in idle:
            jumped = skip_rounds(self._incidents[incident_id], timer, due, horizon)
            self._incidents[incident_id] = jumped.incident
            self._arm(incident_id, jumped.timer, jumped.due)
