"""Actions that run something, or ask something to act, that are declared and not performed yet."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from remediator.channels.settings import Secret
from remediator.checks.http import Statuses
from remediator.core.plugins import EffectClass, Params
from remediator.core.probing import ProbeParams
from remediator.core.spans import Span
from remediator.core.templated import PlainTemplate
from remediator.core.times import MINUTE, SECOND
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


class HttpActionParams(ProbeParams):
    """Parameters of ``http``."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="How it is asked.")
    body: Annotated[PlainTemplate, Field(max_length=4_000)] = Field(
        default="", description="What is sent, as JSON. It may hold templates."
    )
    token: Secret | None = Field(
        default=None, description="A bearer token that is sent along, as a reference to a secret."
    )
    expect: Statuses = Field(
        default=["2xx"], description="The status, a range such as 2xx, or a list of them. Default: 2xx."
    )
    timeout: Span = Field(
        default=10 * SECOND, description="How long an answer may take before its outcome is unknown."
    )


class HttpAction:
    """Ask a service of the catalog to do something, by HTTP; hosts are those of health URLs."""

    name: ClassVar[str] = "http"
    params: ClassVar[type[Params]] = HttpActionParams
    effect: ClassVar[EffectClass] = EffectClass.ONCE
    example: ClassVar[str] = "http: {path: /circuit-breakers/reset, method: POST, expect: 2xx}"
