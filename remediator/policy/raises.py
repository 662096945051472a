"""``raise`` of severities and rules: when an open incident becomes more severe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self

from pydantic import Discriminator, Field, Tag, model_validator

from remediator.core.policies import QueryBound, Raise, RaiseCondition, ServicesAffected, StillOpen
from remediator.core.spans import PositiveDuration
from remediator.core.templated import PromqlTemplate
from remediator.core.times import Millis
from remediator.policy.model import Model
from remediator.policy.values import refusal

Where = Callable[..., str]
"""``path:line:column`` of what keys lead to within an object, or of its name."""


class RaiseWhenModel(Model):
    """``when`` of a ``raise``: a bound on a query, or so many services that have an open incident."""

    promql: PromqlTemplate | None = Field(
        default=None, min_length=1, description="PromQL whose samples are compared with the bound."
    )
    above: float | None = Field(
        default=None, allow_inf_nan=False, description="It is raised when a sample is greater."
    )
    below: float | None = Field(
        default=None, allow_inf_nan=False, description="It is raised when a sample is less."
    )
    services_affected: int | None = Field(
        default=None,
        ge=2,
        le=10_000,
        description="It is raised when that many services, this one included, have an open incident.",
    )

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        bounds = sum(bound is not None for bound in (self.above, self.below))
        if self.promql is None and self.services_affected is None:
            raise refusal(
                "P012", "says no condition; write promql: with above: or below:, or services_affected: 3"
            )
        if self.promql is None and bounds:
            raise refusal("P012", "a bound needs a query; add promql:")
        if self.promql is not None and self.services_affected is not None:
            raise refusal(
                "P013", "promql and services_affected exclude each other; write two entries of raise"
            )
        if self.promql is not None and bounds != 1:
            raise refusal("P013", "say exactly one of above and below, such as above: 0.25")
        return self

    def build(self) -> RaiseCondition:
        """The core value."""
        if self.promql is not None:
            return QueryBound(promql=self.promql, above=self.above, below=self.below)
        assert self.services_affected is not None
        return ServicesAffected(at_least=self.services_affected)


class RaiseModel(Model):
    """One entry of ``raise``: the severity it becomes, and ``after`` which time or ``when``."""

    to: str = Field(description="The name of the more severe severity that the incident gets.")
    after: PositiveDuration | None = Field(
        default=None, description="It is raised when it is still open that long after it opened."
    )
    when: RaiseWhenModel | None = Field(default=None, description="It is raised when this holds.")

    @model_validator(mode="after")
    def _one_trigger(self) -> Self:
        if (self.after is None) == (self.when is None):
            raise refusal("P013", "say exactly one of after and when, such as after: 1h")
        return self

    def build(self, where: str) -> Raise:
        """The core value. ``where``: its place."""
        if self.when is not None:
            return Raise(to=self.to, when=self.when.build(), where=where)
        assert self.after is not None
        return Raise(to=self.to, when=StillOpen(after=Millis(self.after)), where=where)


def _raise_form(value: object) -> str:
    return "list" if isinstance(value, list) else "one"


Raises = Annotated[
    Annotated[RaiseModel, Tag("one")] | Annotated[list[RaiseModel], Tag("list")],
    Discriminator(_raise_form),
]
"""One ``raise``, or a list of them."""


def build_raises(raises: RaiseModel | list[RaiseModel], where: Where) -> tuple[Raise, ...]:
    """The core values, each with its place."""
    if isinstance(raises, RaiseModel):
        return (raises.build(where("raise")),)
    return tuple(each.build(where("raise", str(number))) for number, each in enumerate(raises))
