"""The store in memory: same promises, same contract tests as Redis, no I/O.

State changes are synchronous, so each method is as atomic as a Lua script. For tests, simulation and
rehearsals; nothing survives the process.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remediator.core import codec
from remediator.core.alertmanagers import Member
from remediator.core.alerts import Alert, AlertStatus, Disposition, Fingerprint, Lane, Rejected
from remediator.core.codec import Recorded
from remediator.core.decision import DeadLetter, Facts
from remediator.core.errors import QueueFull
from remediator.core.evidence import KEPT, Evidence
from remediator.core.incident import GroupKey, Incident, IncidentId, Status
from remediator.core.journal import Effect, Entry, Message, TimerDue
from remediator.core.listing import KEPT_ROOTS, listing, root_of
from remediator.core.roots import Root
from remediator.core.store import (
    LISTED_FOR,
    Arrival,
    Commit,
    CommitResult,
    Gauges,
    IncidentFilter,
    IncidentPage,
    Loaded,
    Members,
    Queue,
    lane_queue,
)
from remediator.core.times import Instant, Millis, Stamp
from remediator.testing.memory_queues import MemoryQueues

KEPT_TIMELINE = 2000
KEPT_UNMATCHED = 1000
BACKWARDS = 5_000
"""So many milliseconds back, the clock has jumped, and timers go with it."""


@dataclass(kw_only=True)
class _Episode:
    status: AlertStatus
    starts: Stamp
    number: int
    matched: bool
    incident: IncidentId | None = None


class MemoryStore(MemoryQueues):
    """All of ``core.store.Store``. ``clock`` answers the time now in milliseconds since the epoch."""

    def __init__(self, clock: Callable[[], int], *, max_queue: int = 100_000) -> None:
        super().__init__(clock)
        self._max_queue = max_queue
        self._episodes: dict[Fingerprint, _Episode] = {}
        self._incidents: dict[IncidentId, Incident] = {}
        self._groups: dict[GroupKey, IncidentId] = {}
        self._firing: dict[IncidentId, set[Fingerprint]] = {}
        self._timelines: dict[IncidentId, list[Entry]] = {}
        self._evidence: dict[IncidentId, list[str]] = {}
        self._timers: dict[tuple[IncidentId, str], Instant] = {}
        self._due: list[tuple[Instant, tuple[IncidentId, str]]] = []
        """A heap of every arming; those that ``_timers`` does not confirm are stale."""
        self._last_look = 0
        self._unmatched: OrderedDict[Fingerprint, Alert] = OrderedDict()
        self._listed: dict[Fingerprint, tuple[int, Alert]] = {}
        self._about: dict[str, dict[IncidentId, int]] = {}
        """Names that others look for, to the open incidents about them and what comes first."""

    # --- intake ---

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """As the Protocol says."""
        waiting = sum(len(self._streams[q].waiting) + len(self._streams[q].pending) for q in _LANES)
        if waiting >= self._max_queue:
            raise QueueFull(f"{waiting} alerts wait already")
        for one in rejected:
            self._bury(DeadLetter(queue="intake", reason=one.reason, payload=one.raw), None)
        return [self._admit(arrival) for arrival in arrivals]

    def _admit(self, arrival: Arrival) -> Disposition:
        alert, episode = arrival.alert, self._episodes.get(arrival.alert.fingerprint)
        if alert.status is AlertStatus.FIRING:
            return self._admit_firing(arrival, episode)
        if episode is None:
            self._episodes[alert.fingerprint] = _Episode(
                status=AlertStatus.RESOLVED, starts=alert.starts_at, number=0, matched=arrival.matched
            )
            return Disposition.STALE
        if episode.status is AlertStatus.RESOLVED:
            episode.starts = max(episode.starts, alert.starts_at)
            return Disposition.DUPLICATE
        if alert.starts_at < episode.starts:
            return Disposition.STALE
        episode.status, episode.starts = AlertStatus.RESOLVED, alert.starts_at
        if episode.matched:
            self._add(lane_queue(arrival.lane), "", codec.ALERT, codec.alert_json(alert))
        return Disposition.RESOLVED

    def _admit_firing(self, arrival: Arrival, episode: _Episode | None) -> Disposition:
        alert = arrival.alert
        if (
            episode is not None
            and episode.status is AlertStatus.RESOLVED
            and alert.starts_at <= episode.starts
        ):
            return Disposition.STALE
        if episode is not None and episode.status is AlertStatus.FIRING:
            episode.starts = max(episode.starts, alert.starts_at)
            if episode.matched or not arrival.matched:
                return Disposition.DUPLICATE
        self._episodes[alert.fingerprint] = _Episode(
            status=AlertStatus.FIRING,
            starts=max(alert.starts_at, episode.starts) if episode else alert.starts_at,
            number=episode.number + 1 if episode else 1,
            matched=arrival.matched,
            incident=episode.incident if episode else None,
        )
        if not arrival.matched:
            self._list_unmatched(alert)
            return Disposition.UNMATCHED
        self._add(lane_queue(arrival.lane), "", codec.ALERT, codec.alert_json(alert))
        return Disposition.NEW

    def _list_unmatched(self, alert: Alert) -> None:
        self._unmatched[alert.fingerprint] = alert
        self._unmatched.move_to_end(alert.fingerprint)
        while len(self._unmatched) > KEPT_UNMATCHED:
            self._unmatched.popitem(last=False)

    async def unmatched(self, count: int) -> list[Alert]:
        """As the Protocol says."""
        return list(reversed(self._unmatched.values()))[:count]

    # --- incidents ---

    async def route(
        self, groups: Sequence[GroupKey], fingerprints: Sequence[Fingerprint]
    ) -> tuple[dict[GroupKey, IncidentId], dict[Fingerprint, IncidentId]]:
        """As the Protocol says."""
        homes = {}
        for fingerprint in fingerprints:
            episode = self._episodes.get(fingerprint)
            if episode is not None and episode.incident is not None:
                homes[fingerprint] = episode.incident
        return {group: self._groups[group] for group in groups if group in self._groups}, homes

    async def load(self, incident: IncidentId | None, fingerprints: Sequence[Fingerprint]) -> Loaded:
        """As the Protocol says."""
        firing = self._firing.get(incident, set()) if incident is not None else set()
        known = self._incidents.get(incident) if incident is not None else None
        facts = Facts(
            firing=len(firing),
            members=frozenset(firing.intersection(fingerprints)),
            over=frozenset(fp for fp in fingerprints if self._over(fp)),
            standing=self._standing(known),
        )
        return Loaded(at=Instant(self.clock()), incident=known, facts=facts)

    def _over(self, fingerprint: Fingerprint) -> bool:
        episode = self._episodes.get(fingerprint)
        return episode is not None and episode.status is AlertStatus.RESOLVED

    async def commit(self, commit: Commit) -> CommitResult:
        """As the Protocol says."""
        refusal = self._refusal(commit)
        if refusal is not None:
            return refusal
        for delivery in commit.settles:
            self._streams[delivery.queue].pending.pop(delivery.id, None)
        decision, before = commit.decision, commit.before
        self._count(decision)
        for letter in decision.dead:
            self._bury(letter, None)
        for alert in commit.unmatched:
            self._list_unmatched(alert)
            if (episode := self._episodes.get(alert.fingerprint)) is not None:
                episode.matched = False
        if decision.incident is None:
            if before is not None:
                self._forget(before, decision.cancel)
            return CommitResult.COMMITTED
        same = before is not None and before.id == decision.incident.id
        after = decision.incident.evolve(version=before.version + 1 if same and before is not None else 1)
        self._write(after, commit)
        return CommitResult.COMMITTED

    def _refusal(self, commit: Commit) -> CommitResult | None:
        before, after = commit.before, commit.decision.incident
        if any(d.id not in self._streams[d.queue].pending for d in commit.settles):
            return CommitResult.SETTLED
        if before is not None:
            stored = self._incidents.get(before.id)
            if stored is None or stored.version != before.version:
                return CommitResult.CONFLICT
        if after is not None and (before is None or before.id != after.id):
            pointer = self._groups.get(after.group)
            if pointer != (before.id if before is not None else None):
                return CommitResult.CONFLICT
            if after.id in self._incidents:
                return CommitResult.ID_TAKEN
        if not self._stands(commit):
            return CommitResult.CONFLICT
        if any(self._over(fp) is not (fp in commit.facts.over) for fp in commit.fingerprints):
            return CommitResult.CONFLICT
        return None

    def _write(self, after: Incident, commit: Commit) -> None:
        decision = commit.decision
        self._incidents[after.id] = after
        if after.version == 1:  # a late event of an incident long over must not bring it back
            self._groups[after.group] = after.id
        self._list_about(commit.before, after)
        firing = self._firing.setdefault(after.id, set())
        for alert in decision.join:
            firing.add(alert.fingerprint)
            episode = self._episodes.get(alert.fingerprint)
            if episode is not None:
                episode.incident = after.id
        firing -= decision.leave
        timeline = self._timelines.setdefault(after.id, [])
        timeline.extend(decision.timeline)
        del timeline[:-KEPT_TIMELINE]
        if decision.evidence:
            kept = self._evidence.setdefault(after.id, [])
            kept.extend(map(codec.evidence_text, decision.evidence))
            del kept[:-KEPT]
        for effect in decision.effects:
            self._add_effect(Queue.EFFECTS, after.id, effect)
        for message in decision.messages:
            self._add_effect(Queue.OUTBOX, after.id, message)
        self._note_openings(decision.opened)
        for failure in self._count_failures(decision.failures):
            for notice in failure.notices:
                self._add_effect(Queue.NOTICES, IncidentId(""), notice)
        for name in decision.cancel:
            self._timers.pop((after.id, name), None)
        for name, due in decision.arm.items():
            self._arm(after.id, name, due)

    def _list_about(self, before: Incident | None, after: Incident) -> None:
        gone, there = listing(before, after)
        for name in gone:
            self._about.get(name, {}).pop(after.id, None)
        for name, score in there.items():
            self._about.setdefault(name, {})[after.id] = score

    def _add_effect(self, queue: Queue, incident: IncidentId, effect: Effect | Message) -> None:
        self._add(queue, incident, *codec.pack(effect))

    def _forget(self, incident: Incident, cancelled: frozenset[str]) -> None:
        del self._incidents[incident.id]
        if self._groups.get(incident.group) == incident.id:
            del self._groups[incident.group]
        self._firing.pop(incident.id, None)
        self._timelines.pop(incident.id, None)
        self._evidence.pop(incident.id, None)
        for name in cancelled:
            self._timers.pop((incident.id, name), None)

    async def append(self, incident: IncidentId, event: Recorded, lane: Lane) -> None:
        """As the Protocol says."""
        self._add_event(incident, event, lane)

    async def incidents(self, wanted: IncidentFilter, limit: int, cursor: str | None) -> IncidentPage:
        """As the Protocol says."""
        shown = [incident for incident in self._incidents.values() if incident.status is not Status.HELD]
        shown.sort(key=lambda incident: (incident.opened_at, incident.id), reverse=True)
        keys = [f"{incident.opened_at:020d}/{incident.id}" for incident in shown]
        found = [
            (key, incident)
            for key, incident in zip(keys, shown, strict=True)
            if (cursor is None or key < cursor)
            and wanted.status in (None, incident.status)
            and wanted.severity in (None, incident.severity)
            and wanted.service in (None, incident.service)
        ]
        page = found[:limit]
        return IncidentPage(
            items=tuple(incident for _, incident in page), next=page[-1][0] if len(found) > limit else None
        )

    async def open_services(self, most: int) -> frozenset[str]:
        """As the Protocol says: all of them."""
        over = (Status.HELD, Status.RESOLVED)
        return frozenset(each.service for each in self._incidents.values() if each.status not in over)

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        """As the Protocol says."""
        found: list[Root] = []
        for name in names:
            order = sorted(self._about.get(name, {}).items(), key=lambda one: (one[1], one[0]))
            found += [root_of(who, name, score) for who, score in order[:KEPT_ROOTS]]
        return tuple(found)

    async def timeline(self, incident: IncidentId) -> tuple[Entry, ...]:
        """As the Protocol says."""
        return tuple(self._timelines.get(incident, ()))

    async def evidence(self, incident: IncidentId) -> tuple[Evidence, ...]:
        """As the Protocol says."""
        return tuple(map(codec.evidence_from, self._evidence.get(incident, ())))

    # --- listings ---

    async def remember(self, alerts: Sequence[Alert]) -> None:
        """As the Protocol says."""
        now = self.clock()
        for alert in alerts:
            self._listed[alert.fingerprint] = (now, alert)
        self._listed = {fp: told for fp, told in self._listed.items() if now - told[0] < LISTED_FOR}

    async def members(self, incident: IncidentId | None) -> Members:
        """As the Protocol says."""
        over = (Status.HELD, Status.RESOLVED)
        wanted = (
            [each.id for each in self._incidents.values() if each.status not in over]
            if incident is None
            else [incident]
        )
        firing = {fp: self._episodes[fp] for each in wanted for fp in self._firing.get(each, ())}
        return Members(
            at=Instant(self.clock()),
            firing=tuple(
                self._member(fp, episode)
                for fp, episode in firing.items()
                if episode.status is AlertStatus.FIRING
            ),
        )

    def _member(self, fingerprint: Fingerprint, episode: _Episode) -> Member:
        at, alert = self._listed.get(fingerprint, (None, None))
        return Member(
            fingerprint=fingerprint,
            starts_at=episode.starts,
            listed_at=None if at is None else Instant(at),
            labels={} if alert is None else alert.labels,
        )

    # --- timers ---

    def _arm(self, incident: IncidentId, name: str, due: Instant) -> None:
        self._timers[incident, name] = due
        heapq.heappush(self._due, (due, (incident, name)))

    def next_timer(self) -> tuple[Instant, IncidentId, str] | None:
        """The timer that falls due next: when, whose and its name."""
        while self._due and self._timers.get(self._due[0][1]) != self._due[0][0]:
            heapq.heappop(self._due)
        return (self._due[0][0], *self._due[0][1]) if self._due else None

    async def fire_due(self, count: int) -> tuple[int, Millis | None]:
        """As the Protocol says."""
        now = self.clock()
        if now < self._last_look - BACKWARDS:
            moved = {key: Instant(due + now - self._last_look) for key, due in self._timers.items()}
            self._timers, self._due = moved, [(due, key) for key, due in moved.items()]
            heapq.heapify(self._due)
        self._last_look, fired = now, 0
        while fired < count and (head := self.next_timer()) is not None and head[0] <= now:
            at, incident, name = head
            heapq.heappop(self._due)
            del self._timers[incident, name]
            fired += 1
            known = self._incidents.get(incident)
            lane = Lane.URGENT if known is None or known.urgent else Lane.NORMAL
            self._add_event(incident, TimerDue(name=name, due=at), lane)
        rest = self.next_timer()
        return fired, None if rest is None else Millis(max(rest[0] - now, 0))

    # --- health ---

    async def gauges(self) -> Gauges:
        """As the Protocol says."""
        open_by: dict[str, int] = {}
        for incident in self._incidents.values():
            if incident.status not in (Status.HELD, Status.RESOLVED):
                open_by[incident.severity] = open_by.get(incident.severity, 0) + 1
        oldest = min(self._timers.values(), default=self.clock())
        return Gauges(
            backlog={queue.value: len(s.waiting) + len(s.pending) for queue, s in self._streams.items()},
            timer_lag=Millis(max(self.clock() - oldest, 0)),
            dead_letters=len(self._dead),
            rules_lowered=len(self._lowered),
            open_by_severity=open_by,
            paused=self._count_paused(),
            breakers={name: breaker.open for name, breaker in self._breakers.items()},
        )

    async def open_incidents(self, most: int) -> tuple[Instant, tuple[Incident, ...]]:
        """As the Protocol says."""
        over = (Status.HELD, Status.RESOLVED)
        found = [incident for incident in self._incidents.values() if incident.status not in over]
        return Instant(self.clock()), tuple(sorted(found, key=lambda one: one.severity)[:most])

    async def trouble(self) -> str | None:
        """As the Protocol says: memory is always there."""
        return None


_LANES = (Queue.URGENT, Queue.NORMAL)
