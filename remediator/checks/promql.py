"""``promql``: every series that a query gives keeps a bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight, objection
from remediator.core.samples import NO_PROMETHEUS, QueryParams, say_series, say_value

Sample = tuple[Mapping[str, str], float]
BOUNDS = ("above", "below", "equals")


class PromqlParams(QueryParams):
    """Parameters of ``promql``: a query and exactly one bound."""

    above: float | None = Field(default=None, allow_inf_nan=False, description="Every value is greater.")
    below: float | None = Field(default=None, allow_inf_nan=False, description="Every value is less.")
    equals: float | None = Field(default=None, allow_inf_nan=False, description="Every value is this one.")
    absent: Literal["holds", "fails"] | None = Field(
        default=None, description="What it means that there is no series. Default: nothing is known."
    )

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if sum(getattr(self, name) is not None for name in BOUNDS) != 1:
            raise objection("P013", "say exactly one of above, below and equals, such as below: 0.01")
        return self

    @property
    def bound(self) -> str:
        """The bound in words."""
        return next(f"{name} {getattr(self, name):.6g}" for name in BOUNDS if getattr(self, name) is not None)

    def kept_by(self, value: float) -> bool | None:
        """Whether a value keeps the bound. NaN is no number: nothing is known of it."""
        if math.isnan(value):
            return None
        if self.above is not None:
            return value > self.above
        if self.below is not None:
            return value < self.below
        return value == self.equals


class PromqlCheck:
    """Holds while every series of the query keeps the bound.

    One series that breaks it is enough to fail. NaN is unknown, and so is an empty answer unless ``absent``
    says what it means: a target that is gone reports no errors either.
    """

    name: ClassVar[str] = "promql"
    params: ClassVar[type[Params]] = PromqlParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = (
        "promql: {query: 'job:errors:ratio5m{service=\"{{ service.name }}\"}', below: 0.01, for: 5m, "
        "within: 15m}"
    )

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Asks Prometheus for the values now; tells the first series that breaks the bound."""
        assert isinstance(params, PromqlParams)
        if sight.metrics is None:
            return CheckResult(holds=None, observed=NO_PROMETHEUS)
        return judge(params, await sight.metrics.query(params.query))


def judge(params: PromqlParams, samples: Sequence[Sample]) -> CheckResult:
    """What the samples mean under these parameters."""
    if not samples:
        means = {"holds": True, "fails": False, None: None}[params.absent]
        return CheckResult(holds=means, observed=f"no series, wanted {params.bound}")
    kept = [params.kept_by(value) for _, value in samples]
    holds = False if False in kept else None if None in kept else True
    shown = [sample for sample, own in zip(samples, kept, strict=True) if own is holds]
    labels, value = shown[0]
    observed = f"{say_value(value)}, wanted {params.bound}"
    if series := say_series(labels):
        observed += f": {series}"
    if len(samples) > 1:
        observed += f"; so {len(shown)} of {len(samples)} series"
    return CheckResult(holds=holds, observed=observed)
