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
from remediator.core.times import SECOND
from remediator.core.values import ObjectName
from remediator.policy.declared.values import Command


class ExecParams(Params):
    """Parameters of ``exec``."""

    container: ObjectName = Field(default="", description="The container. Default: the pod's first.")
    command: Command = Field(
        description="The program and its arguments, one by one; no shell reads them. They may hold templates."
    )
    timeout: Span = Field(default=30 * SECOND, description="How long it may take before it has failed.")


class Exec:
    """Run a program in a pod of the workload; it must end with 0."""

    name: ClassVar[str] = "exec"
    params: ClassVar[type[Params]] = ExecParams
    effect: ClassVar[EffectClass] = EffectClass.ONCE
    example: ClassVar[str] = "exec: {container: web, command: [/app/breakers, reset]}"


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
