"""What is said and done about an incident: events, effects, timers and the timeline.

Everything that happens is an event of one incident; ``decide`` answers with effects to perform, timers to
arm and timeline entries. All three unions are closed: ``match`` them with ``assert_never``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from remediator.core.alerts import Alert, Fingerprint
from remediator.core.classify import Match
from remediator.core.evidence import Evidence
from remediator.core.incident import EffectId, IncidentId, ShownPlan
from remediator.core.lag import Lag
from remediator.core.policies import Check, Mode, WorkloadRef
from remediator.core.times import Instant, Millis

# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Fired:
    """An episode opened. ``match`` is how the newest policy classifies it."""

    alert: Alert
    match: Match


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """An episode ended. ``rule``: which one the newest policy would let win for it."""

    fingerprint: Fingerprint
    rule: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerDue:
    """A timer of the incident fell due."""

    name: str
    due: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosed:
    """What a diagnosis found, one line each, and what was kept before anything is changed."""

    effect: EffectId
    findings: tuple[str, ...]
    evidence: Evidence | None = None


class ActResult(StrEnum):
    """How a step went. The label of ``remediator_steps_total``."""

    DONE = "done"
    BLOCKED = "blocked"
    WITHHELD = "withheld"
    ASKS = "asks"
    """A person has to agree first, and is asked."""
    FAILED = "failed"
    UNKNOWN = "unknown"
    RETRY = "retry"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictNote:
    """A guard's verdict as events and the timeline carry it."""

    guard: str
    allowed: bool
    text: str
    asks: bool = False
    """It does not allow it, but would once a person agrees."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acted:
    """A step was performed, or was not, and why."""

    effect: EffectId
    result: ActResult
    reason: str
    changes: tuple[str, ...] = ()
    verdicts: tuple[VerdictNote, ...] = ()
    retry_after: Millis | None = None
    in_doubt: bool = False
    """With ``retry``: an answer got lost and it is not known yet whether the step took effect."""
    settles: Check | None = None
    """With ``done``: what was begun takes time, and the step is over when this holds."""
    mode: Mode | None = None
    """With ``withheld``: how far the rule was trusted, the daemon's ceiling included."""
    output: tuple[str, ...] = ()
    """What a program wrote, or a server answered, a line each: secrets hidden, of the last lines."""
    plan: ShownPlan | None = None
    """With ``asks``: what people are to agree to."""
    patience: Millis | None = None
    """With ``retry``: for how long the step may be put off before it has failed; None: as any other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckResult:
    """One answer of one check. ``holds`` None: could not be found out, which counts as not holding."""

    holds: bool | None
    observed: str
    final: bool = False
    """It will never hold any more, or never be found out: asking again is of no use."""
    since: Instant | None = None
    """From when on it has held at most: something broke it before, seen or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One round of a verification, an answer for each check in the runbook's order."""

    effect: EffectId
    results: tuple[CheckResult, ...]
    lag: Lag | None = None
    """Where it was asked for: how long the alerts' own rules take to notice anything."""


class PageResult(StrEnum):
    """What a channel made of a message. The label of ``remediator_pages_total``."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Paged:
    """A channel answered, or did not."""

    effect: EffectId
    key: str
    kind: PageKind
    result: PageResult
    detail: str
    retry_after: Millis | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledged:
    """A person took it on."""

    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanApproved:
    """A person agrees to the plan with that digest. ``roles``: what the person is, beside a name."""

    by: str
    digest: str
    roles: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRejected:
    """A person refuses the plan with that digest."""

    by: str
    digest: str
    roles: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Closed:
    """A person declared it over. Only heard when no member alert fires."""

    by: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighing:
    """What a condition of ``raise`` looks like now. ``holds`` None: could not be found out."""

    to: str
    condition: str
    holds: bool | None
    observed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Weighed:
    """The conditions that hold, and those of which nothing is known; the others do not hold."""

    effect: EffectId
    found: tuple[Weighing, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Located:
    """Which workload owns the object that alerts name. ``owner`` None: none does, for that ``reason``.

    ``again``: it may be otherwise soon.
    """

    effect: EffectId
    owner: WorkloadRef | None = None
    uid: str = ""
    reason: str = ""
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EffectLost:
    """An effect could not be performed in five deliveries and is a dead letter now."""

    effect: EffectId
    reason: str


Outcomes = Diagnosed | Acted | Checked | Weighed | Located | Paged | EffectLost
Event = Fired | Resolved | TimerDue | Acknowledged | PlanApproved | PlanRejected | Closed | Outcomes

# --- effects ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnose:
    """Look at the target. Reads only."""

    id: EffectId
    incident: IncidentId
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """Ask every guard, then perform one step.

    ``at``: when the step was first decided. It stays the same however often the step is put off, so that
    what carries it (a restart) is the same change every time.
    """

    id: EffectId
    incident: IncidentId
    attempt: int
    step: int
    at: Instant

    @property
    def step_id(self) -> EffectId:
        """The identity of the step itself: the same for every effect that tries to perform it."""
        return EffectId(f"{self.incident}/{self.attempt}/{self.step}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Undo:
    """Ask every guard, then take back what one step changed.

    ``at``: when that was first decided. It stays the same however often it is put off.
    """

    id: EffectId
    incident: IncidentId
    attempt: int
    step: int
    at: Instant

    @property
    def step_id(self) -> EffectId:
        """The identity of taking it back: a change of its own, which is made once."""
        return EffectId(f"{self.incident}/{self.attempt}/undo/{self.step}")

    @property
    def undoes(self) -> EffectId:
        """The identity of the step: what it changed is journalled under it."""
        return EffectId(f"{self.incident}/{self.attempt}/{self.step}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EndIsolation:
    """Bring back what a step isolated: its time is over. ``at``: since when. ``name``: of the isolation."""

    id: EffectId
    incident: IncidentId
    name: str
    at: Instant

    @property
    def step_id(self) -> EffectId:
        """The identity of the change: the same however often it is tried."""
        return EffectId(f"{self.incident}/isolation/{self.name}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EndSilences:
    """End what a step silenced: its attempt is over. ``name``: attempt and step, ``1.0``."""

    id: EffectId
    incident: IncidentId
    name: str
    at: Instant

    @property
    def silenced_by(self) -> EffectId:
        """The identity of the step: what it silenced is journalled under it."""
        attempt, _, step = self.name.partition(".")
        return EffectId(f"{self.incident}/{attempt}/{step}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verify:
    """Ask every check once."""

    id: EffectId
    incident: IncidentId
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Weigh:
    """Find out whether a condition to raise the severity holds. Reads only."""

    id: EffectId
    incident: IncidentId


@dataclass(frozen=True, kw_only=True, slots=True)
class Locate:
    """Find out which workload owns the object that alerts name. Reads only."""

    id: EffectId
    incident: IncidentId


class PageKind(StrEnum):
    """What a message to a paging channel asks for."""

    TRIGGER = "trigger"
    RESOLVE = "resolve"


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Say it to one channel. Goes through the outbox."""

    id: EffectId
    incident: IncidentId
    key: str
    channel: str
    kind: PageKind
    dedup_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Tell the operator of the daemon's own trouble. Belongs to no incident."""

    id: EffectId
    channel: str
    summary: str
    details: Mapping[str, str] = field(default_factory=dict)


Effect = Diagnose | Act | Undo | EndIsolation | EndSilences | Verify | Weigh | Locate
Message = Page | Notice

# --- timeline ---------------------------------------------------------------------------------------


class Kind(StrEnum):
    """What a timeline entry tells."""

    OPENED = "opened"
    REOPENED = "reopened"
    HELD = "held"
    ALERT_FIRED = "alert_fired"
    ALERT_RESOLVED = "alert_resolved"
    SEVERITY_RAISED = "severity_raised"
    RAISE_UNKNOWN = "raise_unknown"
    LOCATED = "located"
    ATTACHED = "attached"
    DETACHED = "detached"
    ATTEMPT_STARTED = "attempt_started"
    DIAGNOSED = "diagnosed"
    APPROVAL = "approval"
    TRUST = "trust"
    STEP = "step"
    OUTPUT = "output"
    GUARD = "guard"
    VERIFICATION = "verification"
    ATTEMPT_ENDED = "attempt_ended"
    PAGE = "page"
    PAGE_DELIVERY = "page_delivery"
    ESCALATION = "escalation"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of an incident's timeline. Feeds the log, the metrics and the post-mortem alike."""

    at: Instant
    kind: Kind
    text: str
    data: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
