"""What the policy files say, as frozen values. ``remediator.policy`` reads files into these.

Durations are milliseconds. Names refer to each other by text; the loader has checked that they exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, assert_never

from remediator.core.objects import ObjectRef
from remediator.core.times import HOUR, MINUTE, Millis

if TYPE_CHECKING:
    from remediator.core.intervals import Interval
    from remediator.core.matchers import Matcher

SEVERITIES = ("SEV-1", "SEV-2", "SEV-3", "SEV-4")
URGENT_SEVERITIES = frozenset(SEVERITIES[:2])


def severity_rank(severity: str) -> int:
    """0 for SEV-1 to 3 for SEV-4: lower is more severe."""
    return SEVERITIES.index(severity)


class Mode(StrEnum):
    """What a rule is trusted with. Governs changes alone; incidents and pages happen in every mode."""

    OBSERVE = "observe"
    SUGGEST = "suggest"
    APPROVE = "approve"
    AUTO = "auto"

    @property
    def trust(self) -> int:
        """0 (observe) to 3 (auto)."""
        return _TRUST[self]

    def capped(self, ceiling: Mode) -> Mode:
        """The less trusting of this mode and the daemon's ceiling."""
        return self if self.trust <= ceiling.trust else ceiling


_TRUST = {mode: trust for trust, mode in enumerate(Mode)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PageNow:
    """Page as soon as the incident opens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageNever:
    """Nobody is paged; only the operator hears of an outcome that is unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageUnlessVerified:
    """Remediate first; page when that fails, and at the latest ``within`` after opening."""

    within: Millis


PagePolicy = PageNow | PageNever | PageUnlessVerified


def describe_page_policy(page: PagePolicy) -> str:
    """The policy as a person says it."""
    from remediator.core.times import format_duration

    match page:
        case PageNow():
            return "paged at once"
        case PageNever():
            return "never paged"
        case PageUnlessVerified(within=within):
            return f"paged unless a fix is verified within {format_duration(within)}"
        case _:
            assert_never(page)


@dataclass(frozen=True, kw_only=True, slots=True)
class StillOpen:
    """The incident is still open ``after`` its opening."""

    after: Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class QueryBound:
    """A sample of an instant query of Prometheus is above, or below, a bound. Exactly one is given.

    ``promql`` may hold templates as those of a runbook's queries.
    """

    promql: str
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ServicesAffected:
    """At least so many services have an open incident, this one's included."""

    at_least: int


RaiseCondition = StillOpen | QueryBound | ServicesAffected


@dataclass(frozen=True, kw_only=True, slots=True)
class Raise:
    """When an open incident becomes more severe. ``where``: ``path:line:column``, for messages."""

    to: str
    when: RaiseCondition
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Severity:
    """One of the four severities and what it promises."""

    name: str
    summary: str = ""
    respond_within: Millis | None = None
    resolve_within: Millis | None = None
    update_every: Millis | None = None
    page: PagePolicy = field(default_factory=PageNever)
    escalation: str | None = None
    raises: tuple[Raise, ...] = ()

    def promise(self, phase: str) -> Millis | None:
        """What it promises of a phase: of ``acknowledge`` and ``resolve``, where the policy says anything."""
        return {"acknowledge": self.respond_within, "resolve": self.resolve_within}.get(phase)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadRef(ObjectRef):
    """A workload as policies name it: ``deployment/auth-service`` in a namespace.

    What a step is for is such a name, too, where it is a node: ``node/worker-1``, in no namespace.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class Slo:
    """What a service promises to those who use it: ``objective`` percent of it good over the ``window``.

    ``errors``: PromQL that gives the share of errors now, 0 to 1; it may hold templates.
    """

    objective: float
    window: Millis
    errors: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """An entry of the catalog: what makes a target safe, because labels only select it."""

    name: str
    workload: WorkloadRef | None = None
    namespace: str | None = None
    depends_on: tuple[str, ...] = ()
    health: str | None = None
    """The URL that tells whether it is well."""
    links: Mapping[str, str] = field(default_factory=dict)
    slo: Slo | None = None


class ServiceSelector(Protocol):
    """A compiled ``service:`` template of a rule."""

    @property
    def source(self) -> str:
        """The template as written."""

    def select(self, labels: Mapping[str, str]) -> str:
        """The name that the labels select, unchecked. Empty when a label is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetSelector:
    """``target`` of a rule: of which kind the object is that the labels name, and the template of its name.

    The template gives ``namespace/name``, or a name alone for what is in no namespace.
    """

    kind: str
    selector: ServiceSelector


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Which alerts are meant, how severe they are and what may be done about them."""

    name: str
    matchers: tuple[Matcher, ...]
    severity: str
    service: ServiceSelector | None = None
    target: TargetSelector | None = None
    """Of what the labels name, the owning workload is changed instead of the service's."""
    group_by: tuple[str, ...] = ("service",)
    hold: Millis = Millis(0)
    mode: Mode = Mode.OBSERVE
    runbooks: tuple[str, ...] = ()
    raises: tuple[Raise, ...] = ()
    lacks: tuple[str, ...] = ()
    """What it asks for and this version cannot do, in words: nothing is changed for it."""
    lowered: str = ""
    """Why the daemon trusts it with less than its file says: permissions it lacks. Empty when it does not."""
    where: str = ""
    """``path:line:column`` of its name, for messages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One condition of a verification.

    ``stable``: it must have held for that long (``for:`` in the files). ``within``: how long to wait for it.
    """

    check: str
    params: Mapping[str, object] = field(default_factory=dict)
    stable: Millis = Millis(0)
    within: Millis = Millis(5 * MINUTE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a runbook: an action and its parameters.

    ``wait``: it changes nothing, but waits until this check holds. ``pause``: nor does it, but lets so long
    pass. ``when``: asked once before it; unless that holds, it is left out. ``effect``: what its author says
    that repeating it does, ``once`` for instance; None: what the action says of itself.
    """

    action: str
    params: Mapping[str, object] = field(default_factory=dict)
    wait: Check | None = None
    pause: Millis | None = None
    when: Check | None = None
    effect: str | None = None

    @property
    def acts(self) -> bool:
        """Whether it is to change something."""
        return self.wait is None and self.pause is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """One thing to look at before acting. Reads only."""

    diagnosis: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptLimits:
    """At most ``attempts`` of a runbook on one target ``per`` window, ``cooldown`` between two starts."""

    attempts: int = 3
    per: Millis = HOUR
    cooldown: Millis = Millis(10 * MINUTE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalTerms:
    """How a runbook wants to be approved, whenever it has to be.

    ``asked_for``: severities for which it has to be even where its rule is trusted to act. ``by``: names or
    roles of who may; empty: anyone whom the daemon lets operate.
    """

    asked_for: tuple[str, ...]
    within: Millis
    by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Runbook:
    """What is looked at, done and proven."""

    name: str
    summary: str = ""
    diagnose: tuple[Diagnosis, ...] = ()
    steps: tuple[Step, ...] = ()
    verify: tuple[Check, ...] = ()
    undo: bool = False
    """Whether what was changed is taken back after a failed verification."""
    limits: AttemptLimits = field(default_factory=AttemptLimits)
    evidence: bool = False
    """Whether what there is of the target is kept before its first step: a step may take pods away."""
    during: tuple[str, ...] = ()
    """Names of time intervals; outside of all of them it changes nothing. Empty: at any time."""
    approval: ApprovalTerms | None = None
    """None: asked for only where the rule's mode does, and on the daemon's own terms."""
    lacks: tuple[str, ...] = ()
    """What it asks for and this version cannot perform, in words: an attempt of it is blocked and says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """At most ``count`` in any window of ``per`` milliseconds. Written ``10/1h``."""

    count: int
    per: Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimits:
    """How often anything may be changed, whatever the runbook. The defaults hold when a file says nothing."""

    cluster: Rate = field(default_factory=lambda: Rate(count=10, per=HOUR))
    service: Rate = field(default_factory=lambda: Rate(count=3, per=HOUR))
    target: Rate = field(default_factory=lambda: Rate(count=1, per=Millis(10 * MINUTE)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A number of pods, or a percentage of those that are wanted. Written ``2`` or ``40%``."""

    value: int
    percent: bool

    def of(self, total: int) -> int:
        """How many of so many, rounded down."""
        return self.value * total // 100 if self.percent else self.value

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class StormBound:
    """When ``incidents`` open ``within`` a span, nothing is changed for ``stop_for`` after the last."""

    incidents: int
    within: Millis
    stop_for: Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class FlappingBound:
    """Nothing is changed for an incident that was ``reopened`` so often ``within`` a span."""

    reopened: int
    within: Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakerBound:
    """A runbook of which so many attempts failed ``within`` a span is not tried any more."""

    failures: int
    within: Millis


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetBound:
    """Rules are held to ``then`` for services of whose error budget less than ``below`` percent is left."""

    below: float
    then: Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardPolicy:
    """What bounds every change. With no ``namespaces`` nothing at all is touched."""

    accept: tuple[Matcher, ...] = ()
    namespaces: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    rate: RateLimits = field(default_factory=RateLimits)
    max_unavailable: Share | None = None
    freeze: tuple[str, ...] = ()
    """Names of time intervals within which nothing is changed."""
    storm: StormBound | None = None
    flapping: FlappingBound | None = None
    breaker: BreakerBound | None = None
    error_budget: BudgetBound | None = None
    lacks: tuple[str, ...] = ()
    """Guards that are asked for and that this version does not have: they block every change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One level of an escalation. Without ``acknowledge_within`` it is the last that climbs by itself.

    ``progress_within``: so long after a person acknowledged, the next level is asked unless it is over.
    """

    level: int
    channels: tuple[str, ...]
    acknowledge_within: Millis | None = None
    progress_within: Millis | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalation:
    """Who is asked, and after how long the next ones are. Levels count from 1."""

    name: str
    levels: tuple[Level, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretRef:
    """Where a secret is to be read when it is needed. Never the secret itself."""

    env: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        return f"env {self.env}" if self.env else f"file {self.file}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelSpec:
    """A way to reach people: its kind (``pagerduty``), settings and secrets."""

    name: str
    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """What templates of a runbook may read, and nothing of it is a label's or an annotation's.

    ``service``: the incident's, a name of ``[A-Za-z0-9._-]{1,63}`` that strangers may choose; ``entry``: what
    the catalog says of it, if anything. ``target``: the workload that is to be changed, where the incident's
    alerts name it; None: the service's.
    """

    incident: str
    severity: str
    service: str
    entry: Service | None
    target: WorkloadRef | None = None


class Renderer(Protocol):
    """Renders every template of a runbook. Pure: the same runbook and scope give the same text."""

    def __call__(self, runbook: Runbook, scope: Scope) -> Runbook:
        """The runbook as it will be performed. Raises Refused, saying which template cannot be rendered."""


def as_written(runbook: Runbook, scope: Scope) -> Runbook:
    """The runbook of a policy without templates."""
    return runbook


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Everything the policy directory says. ``digest`` names this exact content.

    ``render``: makes of a runbook what an attempt pins; see ``core.templated``.
    """

    severities: Mapping[str, Severity]
    services: Mapping[str, Service]
    rules: tuple[Rule, ...]
    runbooks: Mapping[str, Runbook]
    guards: GuardPolicy
    escalations: Mapping[str, Escalation]
    channels: Mapping[str, ChannelSpec]
    operator: tuple[str, ...] = ()
    time_intervals: Mapping[str, tuple[Interval, ...]] = field(default_factory=dict)
    declared: Mapping[str, object] = field(default_factory=dict)
    """What the files say beyond that, by place within their objects: checked, not performed. JSON-like."""
    digest: str = ""
    render: Renderer = field(default=as_written, compare=False, repr=False)
    rules_by_name: Mapping[str, Rule] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """There can be thousands of rules, and every decision looks some up."""
        by_name = {rule.name: rule for rule in reversed(self.rules)}
        object.__setattr__(self, "rules_by_name", by_name)

    def rule(self, name: str) -> Rule | None:
        """The rule of that name, if it is still there."""
        return self.rules_by_name.get(name)

    def levels(self, severity: str) -> tuple[Level, ...]:
        """The escalation levels of a severity; empty when it names none."""
        named = self.severities.get(severity)
        escalation = self.escalations.get(named.escalation) if named and named.escalation else None
        return escalation.levels if escalation else ()
