"""Tests of policies as values: what happens, and what is expected. ``reading`` makes them from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.core.pauses import EVERYTHING, PauseScope
from remediator.core.policies import Mode
from remediator.core.times import Instant, Millis
from remediator.policy.findings import Spot
from remediator.rehearsal.script import NodeFacts, Outcome, WorkloadFacts

Labels = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fire:
    """Alerts fire."""

    alerts: tuple[Labels, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolve:
    """Alerts fire no longer."""

    alerts: tuple[Labels, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledge:
    """A person takes an incident on. ``service`` None: there is but one that is open."""

    by: str
    service: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Close:
    """A person declares an incident over."""

    by: str
    service: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Approve:
    """A person agrees to the plan that an incident waits with, whichever that is then."""

    by: str
    service: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """A person refuses it."""

    by: str
    service: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseChanges:
    """A person throws the kill switch. ``span`` None: until it is lifted."""

    reason: str
    scope: PauseScope = EVERYTHING
    span: Millis | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeChanges:
    """The kill switch is off again."""

    scope: PauseScope = EVERYTHING


@dataclass(frozen=True, kw_only=True, slots=True)
class SilenceAlerts:
    """A person silences alerts with these labels in Alertmanager. ``span`` None: for good."""

    alerts: tuple[Labels, ...]
    span: Millis | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseBreaker:
    """A person lets a runbook be tried again whose breaker is open."""

    runbook: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tell:
    """The world is another one from now on."""

    said: tuple[Outcome | WorkloadFacts | NodeFacts, ...] = ()
    queries: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


Deed = (
    Fire
    | Resolve
    | Acknowledge
    | Close
    | Approve
    | Reject
    | PauseChanges
    | ResumeChanges
    | SilenceAlerts
    | CloseBreaker
    | Tell
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Something happens ``at`` so many milliseconds after the test began."""

    at: Millis
    deed: Deed
    where: Spot


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpectedAttempt:
    """An attempt of that runbook. ``outcome`` None: whatever became of it; ``running``: nothing yet.

    ``approving``: it waits for a person's agreement.
    """

    runbook: str
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What must be so at a moment. None: it does not matter. ``places``: where each key stands."""

    at: Millis
    where: Spot
    places: Mapping[str, Spot] = field(default_factory=dict)
    service: str | None = None
    incidents: int | None = None
    rule: str | None = None
    severity: str | None = None
    status: str | None = None
    raised_to: str | None = None
    reopened: int | None = None
    attached_to: str | None = None
    """The service whose incident it waits for; ``nothing``: it waits for none."""
    attempts: tuple[ExpectedAttempt, ...] | None = None
    changes: tuple[str, ...] | None = None
    blocked_by: tuple[str, ...] | None = None
    pages: Mapping[str, int] | None = None
    level: int | None = None
    timeline: tuple[str, ...] | None = None

    @property
    def about_incident(self) -> bool:
        """Whether it says anything of one incident, rather than of how many there are and who is paged."""
        asked = (self.rule, self.severity, self.status, self.raised_to, self.reopened, self.attached_to)
        done = (self.attempts, self.changes, self.blocked_by, self.level, self.timeline)
        return any(each is not None for each in (*asked, *done))


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One test. ``start``: None where it does not matter when it begins.

    ``trust``: modes of rules that are others in this test than in the files.
    """

    name: str
    where: Spot
    moments: tuple[Moment, ...]
    expectations: tuple[Expectation, ...]
    outcomes: tuple[Outcome, ...] = ()
    workloads: tuple[WorkloadFacts | NodeFacts, ...] = ()
    queries: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    start: Instant | None = None
    ceiling: Mode = Mode.AUTO
    trust: Mapping[str, Mode] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """``path::name``, which ``-k`` looks at."""
        return f"{self.where.path}::{self.name}"

    @property
    def silences(self) -> bool:
        """Whether something is silenced in it, so that there must be an Alertmanager."""
        return any(isinstance(moment.deed, SilenceAlerts) for moment in self.moments)

    @property
    def fired(self) -> tuple[tuple[Millis, tuple[Labels, ...]], ...]:
        """What fires in it, and when."""
        return tuple(
            (moment.at, moment.deed.alerts) for moment in self.moments if isinstance(moment.deed, Fire)
        )

    @property
    def alerts(self) -> tuple[Labels, ...]:
        """The labels of everything that fires in it."""
        return tuple(labels for _, alerts in self.fired for labels in alerts)
