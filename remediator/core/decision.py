"""What ``decide`` is given besides the incident, what it answers, and the draft it writes on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.core.alerts import Alert, Fingerprint
from remediator.core.breakers import Failure, failures_of
from remediator.core.evidence import Evidence
from remediator.core.incident import Attempt, Incident, PageState
from remediator.core.journal import Effect, Entry, Kind, Message
from remediator.core.policies import Policy
from remediator.core.roots import Root
from remediator.core.standing import Lowering, Standing
from remediator.core.times import Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the store knows beside the incident's value, as of the same moment."""

    firing: int = 0
    """Member alerts that fire now."""
    members: frozenset[Fingerprint] = frozenset()
    """Those alerts of the events at hand that are firing members already."""
    over: frozenset[Fingerprint] = frozenset()
    """Those alerts of the events at hand whose newest episode has ended, in whatever order events come."""
    standing: Standing | None = None
    """How the rule of the attempt in progress stands; None: there is none, or it is not known."""
    ordinal: int = 1
    """Makes the id of a new incident unique when several of a service open within one minute."""
    roots: tuple[Root, ...] = ()
    """Open incidents of what its service depends on. Read apart: whoever acts asks once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """Something that cannot be processed and waits for a person."""

    queue: str
    reason: str
    payload: str
    tries: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """All that follows from some events of one incident. Committed whole or not at all."""

    incident: Incident | None
    """The next value; None when nothing is to be kept (an alert that resolved while held)."""
    timeline: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    messages: tuple[Message, ...] = ()
    arm: Mapping[str, Instant] = field(default_factory=dict)
    cancel: frozenset[str] = frozenset()
    join: tuple[Alert, ...] = ()
    leave: frozenset[Fingerprint] = frozenset()
    dead: tuple[DeadLetter, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    """To be kept beside the timeline."""
    opened: tuple[str, ...] = ()
    """That the incident opened, or opened again: what storms are counted by."""
    failures: tuple[Failure, ...] = ()
    """Attempts that count against the breakers of their runbooks."""
    marks: tuple[tuple[str, str], ...] = ()
    """Rules and what is to be counted of each, one more every time."""
    lowering: Lowering | None = None
    """The rule that is trusted with less from now on."""


class Draft:
    """A decision being written: the incident as it stands, and what follows so far.

    Local to one call of ``decide``, so deciding stays pure for whoever calls it.
    """

    def __init__(self, incident: Incident | None, facts: Facts, at: Instant) -> None:
        self._incident = self._before = incident
        self.at = at
        self.facts = facts
        self.members = set(facts.members)
        self.firing = facts.firing
        self.joined: dict[Fingerprint, Alert] = {}
        self.by_rule = Counter(dict(incident.firing_by_rule) if incident is not None else {})
        self._joins = 0
        self.left: set[Fingerprint] = set()
        self.timeline: list[Entry] = []
        self.effects: list[Effect] = []
        self.messages: list[Message] = []
        self.armed: dict[str, Instant] = {}
        self.cancelled: set[str] = set()
        self.dead: list[DeadLetter] = []
        self.evidence: list[Evidence] = []
        self.opened: dict[str, None] = {}
        self.failed: dict[tuple[str, str], None] = {}
        self.marks: list[tuple[str, str]] = []
        self.lowering: Lowering | None = None

    @property
    def exists(self) -> bool:
        """Whether there is an incident at all."""
        return self._incident is not None

    @property
    def incident(self) -> Incident:
        """The incident as it stands. Ask ``exists`` first."""
        assert self._incident is not None
        return self._incident

    def begin(self, incident: Incident) -> None:
        """A new incident takes the place of none, or of one that is long over."""
        self._incident = incident
        self.firing = self._joins = 0
        self.by_rule.clear()
        self.members.clear()
        self.armed.clear()
        self.cancelled.clear()

    def drop(self) -> None:
        """Nothing is kept."""
        self._incident = None

    def change(self, **changes: object) -> Incident:
        """Replace fields of the incident."""
        self._incident = self.incident.evolve(**changes)
        return self._incident

    def change_attempt(self, attempt: Attempt) -> Attempt:
        """Replace the last attempt."""
        self._incident = self.incident.with_attempt(attempt)
        return attempt

    def change_page(self, page: PageState) -> PageState:
        """Replace the page of that key."""
        self._incident = self.incident.with_page(page)
        return page

    def mark(self, rule: str, what: str) -> None:
        """One more of that in the record of the rule."""
        self.marks.append((rule, what))

    def say(self, kind: Kind, text: str, **data: str | int | float | bool | None) -> None:
        """Add a line to the timeline."""
        self.timeline.append(Entry(at=self.at, kind=kind, text=text, data=data))

    def arm(self, name: str, due: int) -> None:
        """Arm a timer; one of the same name is replaced."""
        self.armed[name] = Instant(due)
        self.cancelled.discard(name)

    def cancel(self, *names: str) -> None:
        """Disarm timers, armed or not."""
        for name in names:
            self.armed.pop(name, None)
            self.cancelled.add(name)

    def join(self, alert: Alert, rule: str) -> None:
        """The alert becomes a firing member, brought by that rule."""
        if self.firing == 0:
            self.by_rule.clear()
        self.by_rule[rule] += 1
        self.joined[alert.fingerprint] = alert
        self.left.discard(alert.fingerprint)
        self.members.add(alert.fingerprint)
        self.firing += 1
        self._joins += 1

    def leave(self, fingerprint: Fingerprint, rule: str) -> None:
        """The alert fires no longer. Where the policy has named its rule anew since, that is not counted."""
        if self.by_rule[rule] > 0:
            self.by_rule[rule] -= 1
        self.left.add(fingerprint)
        self.members.discard(fingerprint)
        self.firing -= 1

    def rang(self, timer: str) -> str | None:
        """The name of a timer that fell due; None when it is not the one that is armed now.

        A timer can fall due and be armed anew, or disarmed, before its event is looked at.
        """
        name, _, number = timer.rpartition("#")
        timers = dict(self.incident.timers)
        if number != str(timers.pop(name, None)):
            return None
        self.change(timers=timers)
        return name

    def is_armed(self, name: str) -> bool:
        """Whether that timer is running."""
        return name in self.armed or (name in self.incident.timers and name not in self.cancelled)

    def _finish_timers(self, kept: Incident) -> tuple[dict[str, int], dict[str, Instant], frozenset[str]]:
        """Those that run, armed and cancelled. Each arming has a number of its own: an older one is known."""
        timers, count = dict(kept.timers), kept.timers_armed
        gone = [name for name in {*self.armed, *self.cancelled} if name in timers]
        cancelled = frozenset(f"{name}#{timers.pop(name)}" for name in gone)
        arm = {}
        for name, due in self.armed.items():
            count += 1
            timers[name] = count
            arm[f"{name}#{count}"] = due
        return timers, arm, cancelled

    def fail(self, attempt: Attempt) -> None:
        """The attempt counts against the breaker of its runbook: once, whatever else becomes known of it."""
        self.failed[attempt.runbook.name, f"{self.incident.id}/{attempt.number}"] = None

    def finish(self, policy: Policy) -> Decision:
        """The decision as written."""
        kept = self._incident
        arm: dict[str, Instant] = {}
        cancelled: frozenset[str] = frozenset()
        if kept is None and self._before is not None:
            cancelled = frozenset(f"{name}#{number}" for name, number in self._before.timers.items())
        if kept is not None:
            timers, arm, cancelled = self._finish_timers(kept)
            stirred = bool(self._joins or self.left)
            kept = kept.evolve(
                timers=timers,
                timers_armed=kept.timers_armed + len(arm),
                alerts=self.firing,
                alerts_at=self.at if stirred else kept.alerts_at,
                alerts_total=kept.alerts_total + self._joins,
                firing_by_rule=dict(+self.by_rule),
                policy=policy.digest,
            )
        return Decision(
            incident=kept,
            timeline=tuple(self.timeline),
            effects=tuple(self.effects),
            messages=tuple(self.messages),
            arm=arm,
            cancel=cancelled,
            join=tuple(self.joined.values()),
            leave=frozenset(self.left),
            dead=tuple(self.dead),
            evidence=tuple(self.evidence),
            opened=tuple(self.opened) if kept is not None else (),
            failures=failures_of(tuple(self.failed), policy) if self.failed else (),
            marks=tuple(self.marks),
            lowering=self.lowering,
        )
