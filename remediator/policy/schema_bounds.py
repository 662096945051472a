"""The shape of ``guards``: what bounds every change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from remediator.core.policies import GuardPolicy, RateLimits
from remediator.core.spans import PositiveDuration
from remediator.policy.model import Model, Unperformed, lacking
from remediator.policy.values import MatcherText, Namespace, PercentText, ProtectedText, RateText, ShareText

_Count = Annotated[int, Field(ge=1, le=100_000)]


class RatesModel(Model):
    """``rate`` of the guards: how often anything may be changed, whatever the runbook."""

    cluster: RateText | None = Field(
        default=None, description="Changes in the whole cluster. Default: 10/1h."
    )
    service: RateText | None = Field(default=None, description="Changes of one service. Default: 3/1h.")
    target: RateText | None = Field(default=None, description="Changes of one workload. Default: 1/10m.")


class StormModel(Model):
    """``storm``: so many incidents at once that the trouble is elsewhere."""

    incidents: _Count = Field(description="How many incidents must open.")
    within: PositiveDuration = Field(description="The time in which they open.")
    stop_for: PositiveDuration = Field(description="How long nothing is changed then.")


class FlappingModel(Model):
    """``flapping``: an incident that comes back again and again is not fixed by what was done."""

    reopened: _Count = Field(description="How often the incident must have been reopened.")
    within: PositiveDuration = Field(description="The time in which it was.")


class BreakerModel(Model):
    """``breaker``: a runbook that fails again and again is not tried any more, until a person allows it."""

    failures: _Count = Field(description="How many attempts of one runbook must have failed.")
    within: PositiveDuration = Field(description="The time in which they failed.")


class ErrorBudgetModel(Model):
    """``error_budget``: less trust for services whose error budget is nearly spent."""

    below: PercentText = Field(description="The share of a service's error budget that is left.")
    then: Literal["observe", "suggest", "approve"] = Field(
        description="The mode that its rules are held to while less is left."
    )


class PagesModel(Model):
    """``pages``: what becomes of more pages than a person can read."""

    channel: RateText = Field(description="How many pages one channel gets at most.")
    then: Literal["fold"] = Field(default="fold", description="The rest is listed in one page.")


def _blocks(code: str, what: str) -> Unperformed:
    return Unperformed(code=code, instead="while it is asked for, every change is blocked", lacks=what)


class GuardsModel(Model):
    """``guards``: what bounds every change, whatever a rule says."""

    unperformed: ClassVar[Mapping[str, Unperformed]] = {
        "storm": _blocks("N711", "storm"),
        "flapping": _blocks("N711", "flapping"),
        "breaker": _blocks("N711", "breaker"),
        "error_budget": _blocks("N711", "error_budget"),
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
            lacks=lacking(self),
        )
