"""The shape of policy files: one model per object, in the words of the files."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Discriminator, Field, RootModel, Tag, model_validator

from remediator.core.policies import (
    AttemptLimits,
    Escalation,
    GuardPolicy,
    Level,
    Mode,
    PageNever,
    PageNow,
    PagePolicy,
    PageUnlessVerified,
    RateLimits,
    Rule,
    Runbook,
    Service,
    Severity,
    WorkloadRef,
)
from remediator.core.times import HOUR, MINUTE, Millis
from remediator.policy.plugins import (
    CheckModel,
    DiagnosisModel,
    Model,
    OneOf,
    StepModel,
    to_check,
    to_diagnosis,
    to_step,
)
from remediator.policy.values import (
    Duration,
    HealthText,
    LabelName,
    MatcherText,
    ModeText,
    Name,
    Namespace,
    PositiveDuration,
    ProtectedText,
    RateText,
    SelectorText,
    ShareText,
    WorkloadText,
    refusal,
)


class UnlessVerified(Model):
    """Remediate first, page if that is not verified in time."""

    unless_verified_within: PositiveDuration


def _page_form(value: object) -> str:
    return "mapping" if isinstance(value, dict) else "word"


Page = Annotated[
    Annotated[Literal["now", "never"], Tag("word")] | Annotated[UnlessVerified, Tag("mapping")],
    Discriminator(_page_form),
]


def _to_page(page: str | UnlessVerified) -> PagePolicy:
    if isinstance(page, UnlessVerified):
        return PageUnlessVerified(within=Millis(page.unless_verified_within))
    return PageNow() if page == "now" else PageNever()


class SeverityModel(Model):
    """An entry of ``severities``."""

    later: ClassVar[frozenset[str]] = frozenset(
        ["channels", "war_room", "customers", "postmortem_within", "raise", "milestones"]
    )
    summary: str = ""
    respond_within: PositiveDuration | None = None
    resolve_within: PositiveDuration | None = None
    update_every: PositiveDuration | None = None
    page: Page = "never"
    escalation: str | None = None

    def build(self, name: str) -> Severity:
        """The core value."""
        given = {key: getattr(self, key) for key in type(self).model_fields}
        return Severity(name=name, **{**given, "page": _to_page(self.page)})


class ServiceModel(Model):
    """An entry of ``services``."""

    later: ClassVar[frozenset[str]] = frozenset(("slo",))
    namespace: Namespace | None = None
    workload: WorkloadText | None = None
    depends_on: list[str] = Field(default_factory=list)
    health: HealthText | None = None
    links: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.workload is not None and self.namespace is None:
            raise refusal("P012", "a workload needs a namespace; add namespace: NAME beside it")
        return self

    def build(self, name: str) -> Service:
        """The core value."""
        workload = None
        if self.workload is not None and self.namespace is not None:
            kind, own = self.workload
            workload = WorkloadRef(kind=kind, namespace=self.namespace, name=own)
        return Service(
            name=name,
            workload=workload,
            namespace=self.namespace,
            depends_on=tuple(self.depends_on),
            health=self.health,
            links=dict(self.links),
        )


class RuleModel(Model):
    """An item of ``rules``."""

    later: ClassVar[frozenset[str]] = frozenset(("target", "raise", "channels"))
    name: Name
    match: list[MatcherText]
    severity: str
    service: SelectorText | None = None
    group_by: Annotated[list[LabelName], Field(min_length=1)] = Field(default_factory=lambda: ["service"])
    hold: Duration = 0
    mode: ModeText = "observe"
    runbooks: list[str] = Field(default_factory=list)

    def build(self, where: str) -> Rule:
        """The core value. ``where``: the place of its name."""
        return Rule(
            name=self.name,
            matchers=tuple(self.match),
            severity=self.severity,
            service=self.service,
            group_by=tuple(dict.fromkeys(self.group_by)),
            hold=Millis(self.hold),
            mode=Mode(self.mode),
            runbooks=tuple(dict.fromkeys(self.runbooks)),
            where=where,
        )


class LimitsModel(Model):
    """``limits`` of a runbook."""

    attempts: Annotated[int, Field(ge=1, le=100)] = 3
    per: PositiveDuration = HOUR
    cooldown: Duration = 10 * MINUTE


class RunbookModel(Model):
    """An entry of ``runbooks``."""

    later: ClassVar[frozenset[str]] = frozenset(("undo", "approval", "during", "when"))
    summary: str = ""
    diagnose: list[DiagnosisModel] = Field(default_factory=list)  # type: ignore[valid-type]
    steps: Annotated[list[StepModel], Field(min_length=1)]  # type: ignore[valid-type]
    verify: list[CheckModel] = Field(default_factory=list)  # type: ignore[valid-type]
    limits: LimitsModel = LimitsModel()

    def build(self, name: str) -> Runbook:
        """The core value."""
        limits = self.limits
        diagnose: list[OneOf] = self.diagnose
        steps: list[OneOf] = self.steps
        verify: list[OneOf] = self.verify
        return Runbook(
            name=name,
            summary=self.summary,
            diagnose=tuple(map(to_diagnosis, diagnose)),
            steps=tuple(map(to_step, steps)),
            verify=tuple(map(to_check, verify)),
            limits=AttemptLimits(
                attempts=limits.attempts, per=Millis(limits.per), cooldown=Millis(limits.cooldown)
            ),
        )


class RatesModel(Model):
    """``rate`` of the guards."""

    cluster: RateText | None = None
    service: RateText | None = None
    target: RateText | None = None


class GuardsModel(Model):
    """``guards``."""

    later: ClassVar[frozenset[str]] = frozenset(
        ["storm", "flapping", "breaker", "freeze", "error_budget", "pages"]
    )
    accept: list[MatcherText] = Field(default_factory=list)
    namespaces: list[Namespace] = Field(default_factory=list)
    protect: list[ProtectedText] = Field(default_factory=list)
    rate: RatesModel = RatesModel()
    max_unavailable: ShareText | None = None

    def build(self) -> GuardPolicy:
        """The core value. Rates that are not given keep their defaults."""
        given = {scope: getattr(self.rate, scope) for scope in self.rate.model_fields_set}
        return GuardPolicy(
            accept=tuple(self.accept),
            namespaces=tuple(dict.fromkeys(self.namespaces)),
            protect=tuple(dict.fromkeys(self.protect)),
            rate=RateLimits(**{scope: rate for scope, rate in given.items() if rate is not None}),
            max_unavailable=self.max_unavailable,
        )


class LevelModel(Model):
    """One level of an escalation."""

    later: ClassVar[frozenset[str]] = frozenset(("progress_within",))
    level: Annotated[int, Field(ge=1, le=20)]
    channels: Annotated[list[str], Field(min_length=1)]
    acknowledge_within: PositiveDuration | None = None


class EscalationModel(RootModel[Annotated[list[LevelModel], Field(min_length=1)]]):
    """An entry of ``escalations``: its levels, from 1 without a gap."""

    @model_validator(mode="after")
    def _numbered(self) -> Self:
        numbers = [level.level for level in self.root]
        if numbers != list(range(1, len(numbers) + 1)):
            shown = ", ".join(map(str, numbers))
            raise refusal(
                "P013", f"the levels are numbered {shown}; number them from 1 upwards without a gap"
            )
        return self

    def build(self, name: str) -> Escalation:
        """The core value."""
        return Escalation(
            name=name,
            levels=tuple(
                Level(
                    level=each.level,
                    channels=tuple(dict.fromkeys(each.channels)),
                    acknowledge_within=None
                    if each.acknowledge_within is None
                    else Millis(each.acknowledge_within),
                )
                for each in self.root
            ),
        )


class OperatorModel(Model):
    """``operator``: who hears of the daemon's own trouble."""

    channels: Annotated[list[str], Field(min_length=1)]
