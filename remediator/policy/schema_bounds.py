"""The shape of ``guards``: what bounds every change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, field_validator

from remediator.core.breakers import MOST_FAILURES
from remediator.core.incident import KEPT_REOPENINGS
from remediator.core.policies import (
    BreakerBound,
    BudgetBound,
    FlappingBound,
    GuardPolicy,
    Mode,
    RateLimits,
    StormBound,
)
from remediator.core.spans import PositiveDuration
from remediator.core.storms import KEPT_OPENINGS, OPENINGS_FOR
from remediator.core.times import DAY, Millis, format_duration
from remediator.policy.model import Model, Unperformed, lacking
from remediator.policy.values import (
    MatcherText,
    Namespace,
    PercentText,
    ProtectedText,
    RateText,
    ShareText,
    refusal,
)

_Bound = TypeVar("_Bound")
LONGEST_WITHIN = Millis(30 * DAY)
"""For so long failures are counted at most."""


class RatesModel(Model):
    """``rate`` of the guards: how often anything may be changed, whatever the runbook."""

    cluster: RateText | None = Field(
        default=None, description="Changes in the whole cluster. Default: 10/1h."
    )
    service: RateText | None = Field(default=None, description="Changes of one service. Default: 3/1h.")
    target: RateText | None = Field(default=None, description="Changes of one workload. Default: 1/10m.")


def _at_most(span: int, most: Millis) -> int:
    if span > most:
        raise refusal("P014", f"is longer than {format_duration(most)}; write a shorter duration")
    return span


class StormModel(Model):
    """``storm``: so many incidents at once that the trouble is elsewhere."""

    incidents: Annotated[int, Field(ge=2, le=KEPT_OPENINGS // 2)] = Field(
        description="How many incidents must open, or open again. One that does so many times counts once."
    )
    within: PositiveDuration = Field(description="The time in which they open; at most 1d.")
    stop_for: PositiveDuration = Field(
        description="How long nothing is changed after the last of them; at most 1d."
    )

    @field_validator("within", "stop_for")
    @classmethod
    def _remembered(cls, span: int) -> int:
        return _at_most(span, Millis(OPENINGS_FOR // 2))


class FlappingModel(Model):
    """``flapping``: an incident that comes back again and again is not fixed by what was done."""

    reopened: Annotated[int, Field(ge=1, le=KEPT_REOPENINGS)] = Field(
        description="How often the incident must have been reopened."
    )
    within: PositiveDuration = Field(description="The time in which it was.")


class BreakerModel(Model):
    """``breaker``: a runbook that fails again and again is not tried any more, until a person allows it."""

    failures: Annotated[int, Field(ge=1, le=MOST_FAILURES)] = Field(
        description="How many attempts of one runbook must have failed: ended `failed` or `unknown`, or been "
        "verified before their incident came back."
    )
    within: PositiveDuration = Field(description="The time in which they failed; at most 30d.")

    @field_validator("within")
    @classmethod
    def _remembered(cls, span: int) -> int:
        return _at_most(span, LONGEST_WITHIN)


class ErrorBudgetModel(Model):
    """``error_budget``: less trust for services whose error budget is nearly spent."""

    below: PercentText = Field(description="The share of a service's error budget that is left.")
    then: Literal["observe", "suggest", "approve"] = Field(
        description="The mode that its rules are held to while less is left."
    )

    def build(self) -> BudgetBound:
        """The core value."""
        return BudgetBound(below=self.below, then=Mode(self.then))


class PagesModel(Model):
    """``pages``: what becomes of more pages than a person can read."""

    channel: RateText = Field(description="How many pages one channel gets at most.")
    then: Literal["fold"] = Field(default="fold", description="The rest is listed in one page.")


def _bound(made: type[_Bound], model: Model | None) -> _Bound | None:
    return None if model is None else made(**model.model_dump())


class GuardsModel(Model):
    """``guards``: what bounds every change, whatever a rule says."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        "pages": Unperformed(code="N712", instead="every page is sent by itself"),
    }
    accept: list[MatcherText] = Field(
        default_factory=list,
        description="Matchers; alerts that fail one are recorded and paged, and never acted upon.",
    )
    namespaces: list[Namespace] = Field(
        default_factory=list, description="The only namespaces that are ever touched; with none, nothing is."
    )
    protect: list[ProtectedText] = Field(
        default_factory=list, description="Workloads that are never touched, by any rule."
    )
    rate: RatesModel = Field(
        default=RatesModel(), description="How often anything may be changed, whatever the runbook."
    )
    max_unavailable: ShareText | None = Field(
        default=None,
        description="How many pods of its target a change may leave unavailable, those that are down already "
        "included. Default: no bound.",
    )
    storm: StormModel | None = Field(
        default=None, description="Nothing is changed for a while when many incidents open at once."
    )
    flapping: FlappingModel | None = Field(
        default=None, description="Nothing is changed for an incident that comes back again and again."
    )
    breaker: BreakerModel | None = Field(
        default=None, description="A runbook that fails again and again is not tried any more."
    )
    freeze: list[str] = Field(
        default_factory=list, description="Names of time_intervals within which nothing is changed."
    )
    error_budget: ErrorBudgetModel | None = Field(
        default=None, description="Less trust for services whose error budget is nearly spent."
    )
    pages: PagesModel | None = Field(
        default=None, description="How many pages a channel gets, and what becomes of the rest."
    )

    def build(self) -> GuardPolicy:
        """The core value. Rates that are not given keep their defaults."""
        given = {scope: getattr(self.rate, scope) for scope in self.rate.model_fields_set}
        return GuardPolicy(
            accept=tuple(self.accept),
            namespaces=tuple(dict.fromkeys(self.namespaces)),
            protect=tuple(dict.fromkeys(self.protect)),
            rate=RateLimits(**{scope: rate for scope, rate in given.items() if rate is not None}),
            max_unavailable=self.max_unavailable,
            freeze=tuple(dict.fromkeys(self.freeze)),
            storm=_bound(StormBound, self.storm),
            flapping=_bound(FlappingBound, self.flapping),
            breaker=_bound(BreakerBound, self.breaker),
            error_budget=None if self.error_budget is None else self.error_budget.build(),
            lacks=lacking(self),
        )
