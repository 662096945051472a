"""What a replay came to: counted while it runs, so that a long record needs little memory.

The only source is what the journey tells its observer: the very entries of the timelines.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remediator.core.alerts import Alert, Disposition, Fingerprint
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.incident import Incident, IncidentId
from remediator.core.journal import Entry, Kind
from remediator.core.policies import Policy, severity_rank
from remediator.core.text import plain
from remediator.core.times import HOUR, Instant
from remediator.core.verdicts import Verdict

LONGEST_LABELS = 140
"""Characters of the labels in an example."""
LONGEST_REASON = 120
"""Characters of why an incident was raised."""
RUNNING = "running"
"""What is told as the outcome of an attempt that is not over when the record is."""
FIRST_LABELS = ("alertname", "namespace", "service", "app", "job", "pod")


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One alert that shows what is meant. ``labels``: in one line, shortened."""

    at: Instant
    fingerprint: str
    labels: str


def example_of(alert: Alert, at: Instant) -> Example:
    """The alert as an example."""
    return Example(at=at, fingerprint=alert.fingerprint, labels=shown_labels(alert.labels))


def shown_labels(labels: Mapping[str, str]) -> str:
    """Labels in one short line, those first that say most."""
    names = [name for name in FIRST_LABELS if name in labels]
    names += sorted(labels.keys() - set(FIRST_LABELS))
    return plain(", ".join(f"{name}={labels[name][:80]}" for name in names[:12]), LONGEST_LABELS)


@dataclass(kw_only=True, slots=True)
class Note:
    """What is remembered of one incident."""

    id: IncidentId
    service: str
    rule: str
    severity: str
    first: Example
    began_as: str
    """Its severity before it was raised."""
    opened_at: Instant | None = None
    """None while it waits for its hold; then it may never be one."""
    reopened: int = 0
    late: bool = False
    """Resolved later than its severity promises, once at least."""
    pages: list[tuple[Instant, int, str]] = field(default_factory=list)
    """When, on which level, to which channel."""
    raised: list[tuple[Instant, str, str]] = field(default_factory=list)
    """When, to which severity, and why."""
    ended: list[tuple[str, str]] = field(default_factory=list)
    """Attempts that are over: runbook and outcome."""
    running: str | None = None
    """The runbook of the attempt that is not."""
    blocked: set[tuple[int, str]] = field(default_factory=set)
    """Attempts, by number, and the guards that objected to a step of theirs."""
    partners: set[IncidentId] = field(default_factory=set)
    """Ids of the incidents that the same alerts belong to in the other replay."""

    @property
    def attempts(self) -> list[tuple[str, str]]:
        """Runbook and outcome of each."""
        return self.ended if self.running is None else [*self.ended, (self.running, RUNNING)]

    def severe_since(self, severity: str) -> Instant | None:
        """When it was first at least so severe; None: never."""
        if severity_rank(self.began_as) <= severity_rank(severity):
            return self.opened_at
        return next((at for at, to, _ in self.raised if severity_rank(to) <= severity_rank(severity)), None)


class WorstHour:
    """The hour with most of something. ``add`` in order of time."""

    def __init__(self) -> None:
        self.most = 0
        self.ended_at: Instant | None = None
        self.held: tuple[str, ...] = ()
        """What it was, in the worst hour."""
        self._recent: deque[tuple[Instant, str]] = deque()
        self._names: Counter[str] = Counter()

    def add(self, at: Instant, name: str, *, distinct: bool) -> None:
        """``distinct``: the same name twice within an hour counts once."""
        while self._recent and self._recent[0][0] <= at - HOUR:
            _, gone = self._recent.popleft()
            self._names[gone] -= 1
            if not self._names[gone]:
                del self._names[gone]
        self._recent.append((at, name))
        self._names[name] += 1
        found = len(self._names) if distinct else len(self._recent)
        if found > self.most:
            self.most, self.ended_at = found, at
            self.held = tuple(sorted(self._names))


@dataclass(frozen=True, kw_only=True, slots=True)
class Objection:
    """A guard that objected, and how it put it first."""

    text: str
    incident: str
    at: Instant


class Tally:
    """``core.ports.Observer`` of one replay."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.dispositions: Counter[Disposition] = Counter()
        self.latest: tuple[Disposition, ...] = ()
        """What became of the alerts that were taken in last, in their order."""
        self.alerts: Counter[str] = Counter()
        """Alerts that each rule won."""
        self.notes: dict[IncidentId, Note] = {}
        self.home: dict[Fingerprint, Note] = {}
        """Where each alert that fires belongs."""
        self.joined: list[Fingerprint] = []
        """Those that joined an incident since somebody last looked."""
        self.pages, self.targets = WorstHour(), WorstHour()
        self.targets_of: dict[str, WorstHour] = {}
        """Targets that were touched for each rule."""
        self.late: Counter[str] = Counter()
        """Incidents of each severity that were resolved later than it promises."""
        self.objections: dict[str, Objection] = {}
        self.troubles: Counter[str] = Counter()

    # --- core.ports.Observer ---

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Alerts were taken in."""
        self.latest = tuple(dispositions)
        for disposition in dispositions:
            self.dispositions[disposition] += 1

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """A decision was committed."""
        for match in matches:
            self.alerts[match.rule.name] += 1
        incident = decision.incident
        if incident is None:
            for fingerprint in decision.leave:
                self.home.pop(fingerprint, None)
            return
        note = self.notes.get(incident.id)
        if note is None:
            note = self._begin(incident, decision)
        note.rule, note.severity = incident.rule, incident.severity
        for alert in decision.join:
            self.home[alert.fingerprint] = note
            self.joined.append(alert.fingerprint)
        for fingerprint in decision.leave:
            if self.home.get(fingerprint) is note:
                del self.home[fingerprint]
        for entry in decision.timeline:
            self._tell(note, incident, entry)

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Guards were asked; the timeline tells of it too."""

    def buried(self, queue: str, reason: str) -> None:
        """Something became a dead letter."""
        self.troubles[plain(f"{queue}: {reason}")] += 1

    def trouble(self, where: str, error: BaseException) -> None:
        """A task met something it could not handle."""
        self.troubles[plain(f"{where}: {type(error).__name__}: {error}")] += 1

    # --- what is made of it ---

    def _begin(self, incident: Incident, decision: Decision) -> Note:
        at = incident.opened_at
        first = (
            example_of(decision.join[0], at)
            if decision.join
            else Example(at=at, fingerprint="", labels=plain(incident.title))
        )
        note = Note(
            id=incident.id,
            service=incident.service,
            rule=incident.rule,
            severity=incident.severity,
            began_as=incident.severity,
            first=first,
        )
        self.notes[incident.id] = note
        return note

    def _tell(self, note: Note, incident: Incident, entry: Entry) -> None:
        data = entry.data
        match entry.kind:
            case Kind.OPENED:
                note.opened_at = entry.at
            case Kind.REOPENED:
                note.reopened += 1
            case Kind.SEVERITY_RAISED:
                why = entry.text.partition(": ")[2] or entry.text
                note.raised.append((entry.at, str(data["severity"]), plain(why, LONGEST_REASON)))
            case Kind.PAGE if "channel" in data:
                channel, level = str(data["channel"]), data["level"]
                note.pages.append((entry.at, level if isinstance(level, int) else 0, channel))
                self.pages.add(entry.at, channel, distinct=False)
            case Kind.RESOLVED:
                promised = self._policy.severities.get(incident.severity)
                took, within = data["took"], promised.resolve_within if promised is not None else None
                if within is not None and isinstance(took, int) and took > within and not note.late:
                    note.late = True
                    self.late[incident.severity] += 1
            case Kind.ATTEMPT_STARTED:
                note.running = str(data["runbook"])
            case Kind.ATTEMPT_ENDED:
                note.running = None
                note.ended.append((str(data["runbook"]), str(data["outcome"])))
            case Kind.STEP if _touches(data):
                target = (incident.attempts[-1].target if incident.attempts else "") or incident.service
                self.targets.add(entry.at, target, distinct=True)
                self.targets_of.setdefault(incident.rule, WorstHour()).add(entry.at, target, distinct=True)
            case Kind.GUARD if data.get("verdict") == "blocks":
                self._objects(note, incident, entry, str(data["guard"]))
            case _:
                pass  # of no interest here

    def _objects(self, note: Note, incident: Incident, entry: Entry, guard: str) -> None:
        """One attempt may ask a guard again and again; that counts once."""
        key = (incident.attempt_count, guard)
        if key in note.blocked:
            return
        note.blocked.add(key)
        if guard not in self.objections:
            text = plain(entry.text.removeprefix(f"{guard}: "), 300)
            self.objections[guard] = Objection(text=text, incident=incident.id, at=entry.at)


def _touches(data: Mapping[str, object]) -> bool:
    """Whether a step that is told of changed its target. What it began counts then, not when it is over."""
    if data.get("result") == "begun":
        return True
    return data.get("result") == "done" and data.get("action") not in (None, "wait") and "step" not in data
