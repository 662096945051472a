"""What the program needs of its store, as small Protocols owned by who uses them.

``remediator.adapters.redis`` keeps the promises on Redis; ``remediator.testing.memory`` keeps them in memory;
one set of contract tests holds both to them. All raise StoreUnavailable when they cannot answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from remediator.core.alertmanagers import Member
from remediator.core.alerts import Alert, Disposition, Fingerprint, Lane, Rejected
from remediator.core.breakers import Breaker
from remediator.core.codec import Recorded
from remediator.core.decision import DeadLetter, Decision, Facts
from remediator.core.evidence import Evidence
from remediator.core.incident import EffectId, GroupKey, Incident, IncidentId, Outcome
from remediator.core.journal import Entry, Notice
from remediator.core.objects import Anchor
from remediator.core.pauses import EVERYTHING, Pause, PauseScope
from remediator.core.policies import Rate
from remediator.core.roots import Root
from remediator.core.standing import Lowering, Standing
from remediator.core.storms import Openings
from remediator.core.times import DAY, Instant, Millis
from remediator.core.trust import Record

ROW_AFTER: Mapping[str, str] = {Outcome.VERIFIED: "0", Outcome.FAILED: "1", Outcome.UNKNOWN: "1"}
"""What an outcome makes of the attempts that failed in a row: one more of them, or none any more."""
CHUNK = 500
"""At most so many alerts, events or timers in one script."""
LISTED_FOR = Millis(7 * DAY)
"""How long it is remembered that an Alertmanager listed an alert."""
NOTICED_FOR = Millis(7 * DAY)
"""How long a notice is not enqueued again."""
DELIVERIES = 5
"""After so many failed deliveries something is a dead letter."""


class Queue(StrEnum):
    """The streams. The first two carry events, then come effects and messages to people."""

    URGENT = "urgent"
    NORMAL = "normal"
    EFFECTS = "effects"
    OUTBOX = "outbox"
    NOTICES = "notices"
    """Of the daemon's own trouble. Apart from the outbox: a notice that finds no way delays no page."""


def lane_queue(lane: Lane) -> Queue:
    """The stream of a lane."""
    return Queue.URGENT if lane is Lane.URGENT else Queue.NORMAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """An alert at the door, with the lane it travels on and whether any rule matches it."""

    alert: Alert
    lane: Lane
    matched: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivered:
    """One entry of a stream, handed to one consumer until it is settled."""

    queue: Queue
    id: str
    incident: str
    kind: str
    data: str
    tries: int = 0
    """How often it was handed out before without being settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """An incident and what else the decision needs, all as of ``at``, the store's own clock."""

    at: Instant
    incident: Incident | None
    facts: Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class Commit:
    """A decision, what it was based on, and what it settles."""

    before: Incident | None
    decision: Decision
    facts: Facts
    fingerprints: frozenset[Fingerprint]
    """All alerts the events spoke of: their episodes must still stand as the facts say."""
    settles: tuple[Delivered, ...]
    unmatched: tuple[Alert, ...] = ()
    """Alerts that were taken for matched at the door, and that the newest policy does not match: listed, and
    taken in anew as soon as a policy matches them."""

    @property
    def relies_on(self) -> Standing | None:
        """How the rule of the attempt that it ends must still stand: whether it is lowered follows."""
        standing = self.facts.standing
        if standing is None or standing.lowered:
            return None
        if any(rule == standing.rule and ROW_AFTER.get(what) == "1" for rule, what in self.decision.marks):
            return standing
        return None


class CommitResult(StrEnum):
    """What became of a commit. Nothing is written unless it says committed."""

    COMMITTED = "committed"
    CONFLICT = "conflict"
    """The incident, its group or an episode changed since it was loaded: load and decide again."""
    SETTLED = "settled"
    """One of the events was settled by somebody else: it must not be decided upon again."""
    ID_TAKEN = "id_taken"
    """Another incident has that id: decide again with the next ordinal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """The right to change one target. ``epoch`` grows with every new owner."""

    target: str
    owner: str
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Intent:
    """What the journal says was about to be done, and under which epoch."""

    effect: EffectId
    epoch: int
    at: Instant
    before: str = ""
    """The mark that the object carried when it was first intended: there still, it surely did not happen."""
    pods: frozenset[str] = frozenset()
    """UIDs of the pods that it was about to take away: however often it is performed, it takes no other."""
    on: Anchor | None = None
    """The object that carries the mark, where that is not the target: it is looked for there."""
    planned: str = ""
    """The changes that were last intended, as ``core.planned`` writes them; empty: they are not kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A sliding-window limit: at most ``rate.count`` members of ``name`` in any window of ``rate.per``."""

    name: str
    rate: Rate
    text: str
    """What it limits, for people."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LimitUse:
    """How a limit stands. ``free_at``: when the oldest member leaves the window."""

    limit: Limit
    used: int
    free_at: Instant | None

    @property
    def exceeded(self) -> bool:
        """Whether one more would be too many."""
        return self.used >= self.limit.rate.count


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentPage:
    """Some incidents, newest first, and where to go on."""

    items: tuple[Incident, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentFilter:
    """Which incidents are asked for. None: any."""

    status: str | None = None
    severity: str | None = None
    service: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Buried:
    """A dead letter as it is listed."""

    id: str
    at: Instant
    letter: DeadLetter


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauges:
    """Counts that are read from the store at every scrape."""

    backlog: Mapping[str, int] = field(default_factory=dict)
    timer_lag: Millis = Millis(0)
    dead_letters: int = 0
    open_by_severity: Mapping[str, int] = field(default_factory=dict)
    rules_lowered: int = 0
    """Rules that are held to less because their attempts failed."""
    paused: Mapping[str, int] = field(default_factory=dict)
    """How many scopes of each kind are paused; none of a kind that is not there."""
    breakers: Mapping[str, bool] = field(default_factory=dict)
    """Of runbooks whose breaker was opened: whether it is open still."""


class IntakeStore(Protocol):
    """The door."""

    async def admit(self, arrivals: Sequence[Arrival], rejected: Sequence[Rejected]) -> list[Disposition]:
        """Open and close episodes and enqueue what is new, in one step; durable when it answers.

        At most CHUNK arrivals. Answers a disposition for each arrival. Raises QueueFull.
        """


class QueueStore(Protocol):
    """The streams, from their consumers' side."""

    async def take(self, queues: Sequence[Queue], consumer: str, count: int, wait: Millis) -> list[Delivered]:
        """Up to ``count`` new entries of each queue, first queue first; waits up to ``wait`` for any."""

    async def reclaim(self, queue: Queue, consumer: str, idle: Millis, count: int) -> list[Delivered]:
        """Entries of consumers that have been silent for ``idle``; each counts one more try."""

    async def extend(self, deliveries: Sequence[Delivered], consumer: str) -> None:
        """Heartbeat: these are still being worked on."""

    async def failed(self, delivery: Delivered) -> int:
        """Count a failure that is the entry's own fault; answers how often it has failed."""

    async def settle(
        self, delivery: Delivered, consumer: str, follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = ()
    ) -> bool:
        """Acknowledge, delete and enqueue what follows, in one step. False: it was settled before."""

    async def bury(
        self,
        delivery: Delivered,
        consumer: str,
        reason: str,
        follow_up: Sequence[tuple[IncidentId, Recorded, Lane]] = (),
        notices: Sequence[Notice] = (),
    ) -> bool:
        """As ``settle``, and keep it as a dead letter; ``notices`` tell people."""

    async def dead_letters(self, count: int) -> list[Buried]:
        """The newest dead letters first."""

    async def revive(self, dead_id: str) -> bool:
        """Put a dead letter back into its queue. False: there is none, or it never came from a queue."""

    async def drop_dead(self, dead_id: str) -> bool:
        """Forget a dead letter."""


class NoticeStore(Protocol):
    """Notices of the daemon's own trouble."""

    async def notify(self, notices: Sequence[Notice]) -> int:
        """Enqueue those whose id nobody enqueued within a week, on any replica, durably; how many."""


class IncidentStore(Protocol):
    """Incidents, and what is committed with them."""

    async def route(
        self, groups: Sequence[GroupKey], fingerprints: Sequence[Fingerprint]
    ) -> tuple[dict[GroupKey, IncidentId], dict[Fingerprint, IncidentId]]:
        """The newest incident of each group, and the one each alert belongs to, where there is one."""

    async def load(self, incident: IncidentId | None, fingerprints: Sequence[Fingerprint]) -> Loaded:
        """The incident and the facts about those alerts."""

    async def commit(self, commit: Commit) -> CommitResult:
        """All of it, or nothing."""

    async def append(self, incident: IncidentId, event: Recorded, lane: Lane) -> None:
        """Enqueue an event, durably."""

    async def incidents(self, wanted: IncidentFilter, limit: int, cursor: str | None) -> IncidentPage:
        """Newest first."""

    async def open_services(self, most: int) -> frozenset[str]:
        """Services with an open incident. It may stop looking once it has found ``most`` of them."""

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        """Open incidents that are about any of these (``Incident.about``).

        Of each name the two that come first: our own before foreign ones, then those that are attached to
        none, then those with a runbook, then the most severe.
        """

    async def timeline(self, incident: IncidentId) -> tuple[Entry, ...]:
        """Oldest first."""

    async def evidence(self, incident: IncidentId) -> tuple[Evidence, ...]:
        """What its newest attempts kept before they changed anything, oldest first; see ``core.evidence``."""

    async def unmatched(self, count: int) -> list[Alert]:
        """The newest alerts that no rule matched when they came; the last 1000 are remembered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """Alerts that fire as members, as of ``at``, the store's own clock."""

    at: Instant
    firing: tuple[Member, ...]


class ListingStore(Protocol):
    """What Alertmanagers listed, on whichever replica asked them. It is remembered for a week."""

    async def remember(self, alerts: Sequence[Alert]) -> None:
        """These are listed now. At most CHUNK."""

    async def members(self, incident: IncidentId | None) -> Members:
        """The firing members of an incident; None: of all that are open."""


class TimerStore(Protocol):
    """Timers, from the timekeeper's side."""

    async def fire_due(self, count: int) -> tuple[int, Millis | None]:
        """Move due timers to their events, in one step; how many, and how long until the next."""


class GuardStore(Protocol):
    """What guards and the step performer need."""

    async def lowered(self, rule: str) -> Lowering | None:
        """That the rule is trusted with less than its file says."""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """The kill switch: the pauses of those scopes that are in force now, in the same order."""

    async def acquire(self, target: str, owner: str, ttl: Millis) -> Lease | str:
        """The lease with a new epoch (or the one that ``owner`` holds), or who holds it."""

    async def holds(self, lease: Lease, ttl: Millis) -> bool:
        """Whether it is still held under that epoch; if so it is prolonged."""

    async def release(self, lease: Lease) -> None:
        """Give it back."""

    async def use_limits(self, limits: Sequence[Limit], member: str, *, take: bool) -> list[LimitUse]:
        """How each limit stands without ``member``; when none is exceeded and ``take``, take all of them."""

    async def refund(self, limits: Sequence[Limit], member: str, effect: EffectId, lease: Lease) -> None:
        """Nothing was done after all.

        Has no effect once ``effect`` is journalled or ``lease`` is no longer held: somebody may act on it.
        """

    async def intend(
        self,
        effect: EffectId,
        lease: Lease,
        before: str,
        pods: frozenset[str] = frozenset(),
        on: Anchor | None = None,
        planned: str = "",
    ) -> bool:
        """Journal that it is about to be done, durably. False: the lease is no longer held.

        ``on``: the object that carries the mark, where that is not the target. ``before``: the mark that it
        carries now. ``pods``: UIDs of those that it takes away. Of all of them the first ones are kept.
        ``planned``: the changes themselves, of which the last are kept: whoever intends again has made sure
        that the ones before did not take effect.
        """

    async def intended(self, effect: EffectId) -> Intent | None:
        """What the journal says."""

    async def openings(self, span: Millis) -> Openings:
        """The incidents that opened, or opened again, in the last ``span``, oldest first."""

    async def breaker(self, runbook: str) -> Breaker | None:
        """The breaker of that runbook, if it is open."""


class BreakerStore(Protocol):
    """Breakers, from the side of who closes them. Commits open them."""

    async def breakers(self) -> tuple[Breaker, ...]:
        """Those that are open, and then those that were closed lately."""

    async def close_breaker(self, runbook: str, by: str, note: str) -> Breaker | None:
        """Closed, durably; its failures are forgotten. What it was; None: it is not open."""


class PauseStore(Protocol):
    """The kill switch, from the side of who throws it."""

    async def pauses(self) -> tuple[Pause, ...]:
        """All that are in force now, the widest first."""

    async def pause(
        self, reason: str, by: str, until: Instant | None, scope: PauseScope = EVERYTHING
    ) -> Pause:
        """On, in place of an older pause of the very scope. Durable when it answers.

        It ends by the store's own clock. Raises Refused where too many scopes are paused by name.
        """

    async def resume(self, scope: PauseScope = EVERYTHING) -> Pause | None:
        """Off for that scope; every other pause stays. What was lifted; None: it was not paused."""


class TrustStore(Protocol):
    """The records of rules."""

    async def lowered(self, rule: str) -> Lowering | None:
        """That the rule is trusted with less than its file says."""

    async def records(self) -> Mapping[str, Record]:
        """Of every rule of which anything is known, by its name."""

    async def restore_trust(self, rule: str) -> Lowering | None:
        """A person lifts it: the rule is trusted as its file says again, and its failures count anew.

        Durable when it answers. What was lifted; None: it was not lowered.
        """


class HealthStore(Protocol):
    """What operations ask."""

    async def gauges(self) -> Gauges:
        """Counts for the metrics."""

    async def open_incidents(self, most: int) -> tuple[Instant, tuple[Incident, ...]]:
        """The store's clock, and incidents that are neither held nor resolved: the most severe first.

        Of more than ``most``, some; which of one severity is not said.
        """

    async def trouble(self) -> str | None:
        """Why the store cannot be trusted with alerts now, or None."""


class Store(
    IntakeStore,
    QueueStore,
    NoticeStore,
    IncidentStore,
    ListingStore,
    TimerStore,
    GuardStore,
    PauseStore,
    BreakerStore,
    TrustStore,
    HealthStore,
    Protocol,
):
    """All of it, for the composition root and for wrappers."""
