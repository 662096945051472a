"""What an explanation says, as values. Its names are those of ``explain --json`` and ``POST /v1/explain``.

Times that begin with ``T+`` count from the opening of the incident, or from now where it is open already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from remediator.core.policies import Mode
from remediator.policy.opinions import GuardOpinion
from remediator.policy.plans import RunbookPlan


class Fate(StrEnum):
    """What becomes of an alert. ``opens or joins``: only a running daemon knows which."""

    OPENS = "opens"
    JOINS = "joins"
    OPENS_OR_JOINS = "opens or joins"
    REOPENS = "reopens"
    WAITS = "waits"
    DUPLICATE = "duplicate"
    ENDS = "ends"
    NOTHING = "nothing"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleNote:
    """A rule by name and place. ``mode`` is what the daemon's ceiling leaves of its own.

    ``lowered``: why the daemon trusts it with less than its file says; empty when it does not.
    """

    name: str
    where: str
    mode: Mode
    lowered: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearMiss:
    """A rule that did not match: its first matcher that failed and the value it saw."""

    rule: RuleNote
    matcher: str
    saw: str
    held: int
    of: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelPlan:
    """One level of an escalation.

    ``after``: asked that long after the page, if nobody acknowledges; None: a person, or a lack of progress,
    must bring it there. ``at``: that from the opening, ``T+30m``. ``kinds``: of its channels, in their order.
    ``asked``: it was asked already, in the incident that the alert joins.
    """

    level: int
    after: str | None
    at: str | None
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    acknowledge_within: str | None
    progress_within: str | None
    asked: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class RaiseNote:
    """What would make the incident more severe. ``by``: who says so, ``SEV-2`` or ``rule x``.

    ``at``: when, where only time decides. ``holds`` and ``observed``: what it looks like now; None where
    nobody has looked, which only a running daemon can.
    """

    to: str
    condition: str
    by: str
    where: str
    at: str | None
    holds: bool | None
    observed: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SeverityPlan:
    """What the severity promises. ``page_at``: the latest time of the page after opening; None: never."""

    name: str
    summary: str
    page: str
    page_at: str | None
    story: tuple[str, ...]
    """How its timeline would begin, or go on: decided by the daemon's own function."""
    respond_within: str | None
    resolve_within: str | None
    escalation: str | None
    levels: tuple[LevelPlan, ...]
    raises: tuple[RaiseNote, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIncident:
    """The real incident of the group, in a running daemon, as it stands before the alert."""

    id: str
    status: str
    severity: str
    opened_at: str
    alerts: int
    attempts: int
    level: int
    acknowledged_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetNote:
    """The object that the alert names. ``workload``: what owns it, ``namespace/kind/name``.

    None: it is not known, which only a running daemon can find out, or ``trouble`` says why there is none.
    """

    named: str
    workload: str | None
    trouble: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentPlan:
    """The incident that the alert would open or join: the one with this group.

    ``now``: that incident, where there is one and a daemon knows it. ``severity``: after the alert.
    """

    service: str
    target: TargetNote | None
    """Where the rule has a ``target``."""
    in_catalog: bool
    grouped_by: Mapping[str, str]
    group: str
    hold: str | None
    waits_for: tuple[str, ...]
    """Services it depends on: while one of them has an open incident, this one would attach to that."""
    attached_to: str | None
    """The open incident that it would attach to now, instead of starting its runbooks; a daemon knows."""
    severity: str
    now: OpenIncident | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StepNote:
    """One step. ``diff``: what it would change, a line each.

    ``known``: ``now``, from the target as it is; ``policy``, as far as the policy says; ``unknown``: it could
    not be found out, and ``trouble`` says why. ``trouble`` of a known one: why it would change nothing.
    """

    step: str
    diff: tuple[str, ...]
    known: str
    trouble: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RunbookNote:
    """A runbook in its turn: its plan as rendered, and what each guard would say.

    ``blocked``: why it cannot be performed, or its templates not be rendered; then the plan is as written.
    ``lacks``: what of it this version does not know. ``had_turn``: the incident has tried it already.
    ``approval``: who has to agree before it changes anything, and within which time.
    """

    plan: RunbookPlan
    guards: tuple[GuardOpinion, ...]
    blocked: str | None
    steps: tuple[StepNote, ...] = ()
    lacks: tuple[str, ...] = ()
    had_turn: bool = False
    approval: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertExplanation:
    """What would become of one alert. Without a ``rule`` none matches: it can open nothing, only end.

    ``others``: every rule that does not match, the nearest first, but for ``others_left_out`` of them.
    """

    fingerprint: str
    name: str
    status: str
    fate: Fate
    because: str
    rule: RuleNote | None
    too_late: tuple[RuleNote, ...]
    near: tuple[NearMiss, ...]
    others: tuple[NearMiss, ...]
    others_left_out: int
    severity: SeverityPlan | None
    incident: IncidentPlan | None
    runbooks: tuple[RunbookNote, ...]
    foreign: str | None
    """The matcher of ``guards.accept`` that the alert fails: nothing is done about it."""
    skeleton: str | None
    """A rule to begin with, where none matches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """The decision and its reasons, for every alert of a notification.

    ``live``: a running daemon answers, which looked at the world.
    """

    policy: str
    ceiling: Mode
    live: bool
    alerts: tuple[AlertExplanation, ...]
    rejected: tuple[str, ...]
    """Why alerts could not be understood: these become dead letters."""

    def as_data(self) -> dict[str, object]:
        """As plain values for JSON."""
        return asdict(self)
