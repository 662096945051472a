"""Actions that run something, or ask something to act, that are declared and not performed yet."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.plugins import EffectClass, Params
from remediator.core.spans import Span
from remediator.core.times import MINUTE
from remediator.core.values import ObjectName


class JobParams(Params):
    """Parameters of ``job``."""

    source: ObjectName = Field(
        alias="from", min_length=1, description="The name of the CronJob whose template is run."
    )
    timeout: Span = Field(default=10 * MINUTE, description="How long it may run before it has failed.")


class Job:
    """Run the template of a CronJob once: the way to run anything custom, with permissions of its own."""

    name: ClassVar[str] = "job"
    params: ClassVar[type[Params]] = JobParams
    effect: ClassVar[EffectClass] = EffectClass.IDEMPOTENT
    example: ClassVar[str] = "job: {from: reset-circuit-breakers, timeout: 5m}"
