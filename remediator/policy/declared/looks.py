"""Checks and diagnoses that are declared and not performed yet."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from remediator.core.plugins import NoParams, Params
from remediator.core.spans import Span
from remediator.core.templated import PlainTemplate
from remediator.core.times import MINUTE
from remediator.core.values import ObjectName, Regex
from remediator.policy.declared.programs import ExecParams


class ExecCheckParams(ExecParams):
    """Parameters of the check ``exec``."""

    status: int = Field(default=0, ge=0, le=255, description="The exit code it must end with.")
    contains: Annotated[PlainTemplate, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="Text that must stand in what it writes to its standard output."
    )


class ExecCheck:
    """Holds when a program in a pod of the workload ends with the expected exit code and text."""

    name: ClassVar[str] = "exec"
    params: ClassVar[type[Params]] = ExecCheckParams
    example: ClassVar[str] = (
        "exec: {container: postgres, command: [psql, -c, 'SELECT count(*) FROM transactions'], within: 2m}"
    )


class LogsCheckParams(Params):
    """Parameters of the check ``logs``."""

    match: Annotated[Regex, Field(min_length=1)] = Field(
        description="The regular expression (RE2) that lines are held against."
    )
    at_most: int = Field(default=0, ge=0, le=100_000, description="How many lines may match it.")
    since: Span = Field(default=5 * MINUTE, description="How far back lines are looked at.")
    container: ObjectName = Field(default="", description="The container. Default: all of them.")


class LogsCheck:
    """Holds while at most so many lines of its logs match an expression."""

    name: ClassVar[str] = "logs"
    params: ClassVar[type[Params]] = LogsCheckParams
    example: ClassVar[str] = "logs: {match: 'error|exception|panic', at_most: 3, since: 2m}"


class Pvcs:
    """The persistent volume claims of the workload: bound or not, how large, how full."""

    name: ClassVar[str] = "pvcs"
    params: ClassVar[type[Params]] = NoParams
    example: ClassVar[str] = "pvcs: {}"


class TopParams(Params):
    """Parameters of ``top``."""

    by: Literal["memory", "cpu"] = Field(default="memory", description="What the pods are ordered by.")
    containers: bool = Field(default=False, description="Whether containers are told one by one.")


class Top:
    """What the pods use now, the hungriest first, as ``kubectl top pods``."""

    name: ClassVar[str] = "top"
    params: ClassVar[type[Params]] = TopParams
    example: ClassVar[str] = "top: {by: memory}"


class ExecDiagnosis:
    """What a program in a pod of the workload writes. That it only reads is yours to see to."""

    name: ClassVar[str] = "exec"
    params: ClassVar[type[Params]] = ExecParams
    example: ClassVar[str] = "exec: {container: postgres, command: [psql, -c, 'SELECT 1']}"


class TracesParams(Params):
    """Parameters of ``traces``."""

    link: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        default="traces", description="The name under `links` of the service that leads to its traces."
    )


class Traces:
    """The link to the service's traces around the time the incident began."""

    name: ClassVar[str] = "traces"
    params: ClassVar[type[Params]] = TracesParams
    example: ClassVar[str] = "traces: {}"
