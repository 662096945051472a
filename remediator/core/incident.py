"""An incident and all that belongs to its versioned value.

The value is what a commit replaces, so it stays small (under 64 KiB): member alerts and the timeline live
beside it, what grows is bounded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from remediator.core.objects import ObjectRef
from remediator.core.policies import URGENT_SEVERITIES, Check, Level, Runbook, WorkloadRef
from remediator.core.times import Instant, Millis
from remediator.core.undone import Made, Undoing

IncidentId = NewType("IncidentId", str)
EffectId = NewType("EffectId", str)
GroupKey = NewType("GroupKey", str)
"""A digest of the names and values an incident is grouped by."""

KEPT_ATTEMPTS = 10
KEPT_PAGES = 40
KEPT_REOPENINGS = 20
"""As many as ``flapping.reopened`` can be."""


class Status(StrEnum):
    """Where an incident stands. ``held`` is not an incident yet: it waits for its rule's ``hold``."""

    HELD = "held"
    OPEN = "open"
    REMEDIATING = "remediating"
    VERIFYING = "verifying"
    ESCALATED = "escalated"
    RESOLVED = "resolved"


class Phase(StrEnum):
    """Where an attempt stands."""

    DIAGNOSING = "diagnosing"
    DECIDING = "deciding"
    APPROVING = "approving"
    """A person was asked to agree to the plan, and nothing happens before."""
    ACTING = "acting"
    WAITING = "waiting"
    PAUSING = "pausing"
    SETTLING = "settling"
    VERIFYING = "verifying"
    UNDOING = "undoing"
    ENDED = "ended"


class Outcome(StrEnum):
    """How an attempt ended. The label of ``remediator_attempts_total``."""

    VERIFIED = "verified"
    FAILED = "failed"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"
    OBSERVED = "observed"
    SUGGESTED = "suggested"
    ABANDONED = "abandoned"


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckProgress:
    """What is known of one check of a running verification. ``since``: it has held from then on."""

    since: Instant | None = None
    asked_at: Instant | None = None
    observed: str = "not asked yet"
    holds: bool | None = None
    """What it last answered; None: nothing yet, or that it could not be found out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPlan:
    """What would be changed, as people are shown it before they agree.

    ``lines``: in words. ``steps``: of each step of the runbook the digest of its changes; empty where it
    makes none, is done already, or could not be planned yet. ``digest``: of all of it.
    """

    digest: str
    lines: tuple[str, ...]
    steps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A question to people that is open until ``until``. ``by``: who may answer; empty: any operator."""

    plan: ShownPlan
    asked_at: Instant
    until: Instant
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """Who agreed to which plan."""

    digest: str
    by: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One run of a runbook. Pins the runbook, and the target's name, as they were when the attempt began."""

    number: int
    runbook: Runbook
    rule: str
    started_at: Instant
    phase: Phase
    phase_at: Instant
    step: int = 0
    rounds: int = 0
    """How many effects this phase has sent out: makes each effect's id unique."""
    pending: EffectId | None = None
    findings: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    """What was changed, in words."""
    made: tuple[Made, ...] = ()
    """What each step changed, as long as it may have to be taken back."""
    checks: tuple[CheckProgress, ...] = ()
    undoing: Undoing | None = None
    outcome: Outcome | None = None
    reason: str = ""
    ended_at: Instant | None = None
    settling: Check | None = None
    """While what a step began takes its time: what tells that it is over."""
    target: str = ""
    """Path of the workload it is about; empty where the catalog named none."""
    target_uid: str = ""
    """The UID that this workload was found with, where the alerts name what it owns; else empty."""
    lag: Millis | None = None
    """So long its alerts' own rules take to notice what was changed: its verification lasts longer. None:
    it is not known, or was not asked for."""
    lag_unread: bool = False
    """Prometheus could not be asked for it when it was last tried."""
    asked: Request | None = None
    """What people were last asked to agree to."""
    asked_times: int = 0
    approved: Approval | None = None
    """That somebody agreed to what was last asked."""

    @property
    def request(self) -> Request | None:
        """The question that waits for an answer now."""
        return self.asked if self.phase is Phase.APPROVING else None

    @property
    def request_name(self) -> str:
        """Tells the questions of an incident apart."""
        return f"{self.number}.{self.asked_times}"

    def began_elsewhere(self, target: WorkloadRef) -> str:
        """Why ``target``, which the newest catalog names, is not for this attempt; empty when it is."""
        if self.target in ("", target.path):
            return ""
        return f"the catalog names {target} now, the attempt began on {self.target}"

    @property
    def located(self) -> WorkloadRef | None:
        """The workload it began with, where the alerts name what it owns: it stays that one."""
        if not self.target_uid:
            return None
        namespace, kind, name = self.target.split("/")
        return WorkloadRef(kind=kind, namespace=namespace, name=name)

    @property
    def awaited(self) -> tuple[Check, ...]:
        """The checks that this phase asks: the one that a step depends on, once; until they hold those of a
        waiting step, of one that settles, or of the verification."""
        match self.phase:
            case Phase.DECIDING:
                asked = self.runbook.steps[self.step].when
            case Phase.WAITING:
                asked = self.runbook.steps[self.step].wait
            case Phase.SETTLING:
                asked = self.settling
            case _:
                return self.runbook.verify
        return () if asked is None else (asked,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Isolation:
    """What a step has isolated, or may have, until it is brought back. ``name``: attempt and step, ``1.0``.

    ``told``: why it could not be brought back, as far as people know. ``began_at``: since when it is tried.
    """

    name: str
    runbook: str
    rule: str
    target: str
    """Path of the workload."""
    target_uid: str = ""
    """As of the attempt: what its alerts name may be another one, or nobody's, when the time is over."""
    until: Instant
    during: tuple[str, ...] = ()
    pending: EffectId | None = None
    tries: int = 0
    began_at: Instant | None = None
    told: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """What a step has silenced, or may have. ``name``: attempt and step, ``1.0``.

    ``until``: when it ends by itself. ``pending``: the effect that is to end it before.
    """

    name: str
    runbook: str
    rule: str
    until: Instant
    pending: EffectId | None = None
    tries: int = 0


class Delivery(StrEnum):
    """Where a message to a channel stands."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageState:
    """One page to one channel: its trigger and, when the incident is over, its resolve."""

    key: str
    """Unique in the incident: ``reopened.level.channel``, with more behind it where it is no level's page."""
    level: int
    channel: str
    dedup_key: str
    reason: str
    queued_at: Instant
    trigger: Delivery = Delivery.QUEUED
    resolve: Delivery | None = None
    tries: int = 0
    accepted_at: Instant | None = None
    resolve_queued_at: Instant | None = None
    asks: str = ""
    """Which question for approval it puts (``Attempt.request_name``); empty: it is a page."""
    apart: str = ""
    """What it is about, where that is not the outage: it is not over when the incident is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Aim:
    """The object that alerts name, where their rule has a ``target``, and what came of looking for it.

    ``ref`` None: what they tell can be no name. ``told``: in words. ``owner``: the workload that it belongs
    to, with its UID. ``trouble``: why it leads to none, and nothing is changed. ``asking``: the question
    whose answer is waited for; ``asked``: how many there were; ``since``: when the first one was put.
    """

    ref: ObjectRef | None
    told: str
    owner: WorkloadRef | None = None
    uid: str = ""
    trouble: str = ""
    asking: EffectId | None = None
    asked: int = 0
    since: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A runbook that waits for its turn, with the rule that asked for it."""

    runbook: str
    rule: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Observed:
    """An attempt that changed nothing for want of trust, and until when it shows whether it should have."""

    rule: str
    attempt: int
    since: Instant
    until: Instant


@dataclass(frozen=True, kw_only=True)  # no slots: see evolve
class Incident:
    """The versioned value. ``alerts``: members that fire now; ``alerts_total``: all there ever were."""

    id: IncidentId
    group: GroupKey
    grouped_by: Mapping[str, str]
    service: str
    severity: str
    status: Status
    rule: str
    title: str
    opened_at: Instant
    started_at: Instant | None = None
    """When its first alert says that it began (`startsAt`): opening minus that is the time to detect."""
    version: int = 0
    policy: str = ""
    """Digest of the policy it was last decided under."""
    resolved_at: Instant | None = None
    reopened: int = 0
    alerts: int = 0
    alerts_total: int = 0
    alerts_at: Instant | None = None
    """When an alert last fired or resolved."""
    recurred: Mapping[str, int] = field(default_factory=dict)
    """How often in a row what each runbook had mended came undone soon: see ``core.recurring``."""
    firing_by_rule: Mapping[str, int] = field(default_factory=dict)
    """Of those that fire now, how many each rule brought: a change needs one of its own rule."""
    plan: tuple[Planned, ...] = ()
    tried: tuple[str, ...] = ()
    """Names of the runbooks planned since it last opened: each gets one turn."""
    attempts: tuple[Attempt, ...] = ()
    attempt_count: int = 0
    pages: tuple[PageState, ...] = ()
    quiets: tuple[Quiet, ...] = ()
    """What its attempts have silenced and is to end with them."""
    isolations: tuple[Isolation, ...] = ()
    level: int = 0
    """The escalation level that was last asked; 0: nobody."""
    foreign: str = ""
    """Set when one of its alerts is not ours to act upon (`guards.accept`): the matcher that failed."""
    accepted: tuple[str, ...] = ()
    """The matchers of `guards.accept` that all of its alerts were held to."""
    levels: tuple[Level, ...] = ()
    """Its escalation, pinned when it opened or its severity rose."""
    timers: Mapping[str, int] = field(default_factory=dict)
    """What is armed: each timer's name and the number of its arming. Any other that falls due is stale."""
    timers_armed: int = 0
    deadline_at: Instant | None = None
    """When people are paged unless a fix was verified by then (`unless_verified_within`)."""
    verified_at: Instant | None = None
    """When an attempt was last verified, since it last opened."""
    acknowledged_by: str | None = None
    acknowledged_at: Instant | None = None
    """When a person of the level that was last asked took it on."""
    stalled: int = 0
    """How often the next level was asked since it last opened because there was no progress."""
    reopened_at: Instant | None = None
    reopenings: tuple[Instant, ...] = ()
    """When it was reopened, the newest last; of more than are kept the newest."""
    fed_by: tuple[str, ...] = ()
    """Names of the rules whose alerts joined since it last opened: their `raise` counts."""
    raise_at: Instant | None = None
    """When the severity rises if it is still open then."""
    weighing: EffectId | None = None
    """The question about conditions of `raise` whose answer is waited for."""
    weighed: int = 0
    """How many such questions were asked: makes each effect's id unique."""
    unweighed: tuple[str, ...] = ()
    """Conditions that could not be found out, as far as that was told since it last opened."""
    links: Mapping[str, str] = field(default_factory=dict)
    alert_names: tuple[str, ...] = ()
    """Of the alerts that ever joined, as `alertname` says, at most one more than anybody is asked for."""
    observed: tuple[Observed, ...] = ()
    """What was only observed, and is not seen yet whether acting would have been right."""
    aim: Aim | None = None
    """What its alerts name."""
    attached_to: IncidentId | None = None
    """The open incident of something it depends on: while there is one it starts no runbook of its own."""

    @property
    def about(self) -> tuple[str, ...]:
        """Under which names others that wait for it look for it."""
        aim = self.aim
        return (self.service,) if aim is None or aim.owner is None else (self.service, aim.owner.path)

    @property
    def active(self) -> Attempt | None:
        """The attempt in progress, if any."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.phase is not Phase.ENDED else None

    @property
    def open_since(self) -> Instant:
        """When it opened, or was last reopened."""
        return self.opened_at if self.reopened_at is None else self.reopened_at

    @property
    def resolved(self) -> bool:
        """Whether it is over."""
        return self.status is Status.RESOLVED

    @property
    def urgent(self) -> bool:
        """Whether its events travel on the urgent lane."""
        return self.severity in URGENT_SEVERITIES

    def evolve(self, **changes: object) -> Incident:
        """With these fields replaced, as ``dataclasses.replace``.

        Every decision does it a few times, and reading fifty fields one by one was a fifth of what deciding
        costs. Raises TypeError for what is no field.
        """
        if not self.__dict__.keys() >= changes.keys():
            raise TypeError(f"an incident has no {', '.join(changes.keys() - self.__dict__.keys())}")
        other = object.__new__(Incident)
        other.__dict__.update(self.__dict__, **changes)  # frozen from the moment that others see it
        return other

    def with_attempt(self, attempt: Attempt) -> Incident:
        """With the last attempt replaced."""
        return self.evolve(attempts=(*self.attempts[:-1], attempt))

    def with_page(self, page: PageState) -> Incident:
        """With the page of that key replaced."""
        return self.evolve(pages=tuple(page if old.key == page.key else old for old in self.pages))

    def page(self, key: str) -> PageState | None:
        """The page of that key."""
        return next((page for page in self.pages if page.key == key), None)
