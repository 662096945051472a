"""Checks and diagnoses that are declared and not performed yet."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from remediator.core.plugins import NoParams, Params
from remediator.core.templated import PlainTemplate
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


class NoRecurrence:
    """Holds while no alert of the incident fires again; ``for`` is the window."""

    name: ClassVar[str] = "no_recurrence"
    params: ClassVar[type[Params]] = NoParams
    example: ClassVar[str] = "no_recurrence: {for: 15m, within: 30m}"


class ExecDiagnosis:
    """What a program in a pod of the workload writes. That it only reads is yours to see to."""

    name: ClassVar[str] = "exec"
    params: ClassVar[type[Params]] = ExecParams
    example: ClassVar[str] = "exec: {container: postgres, command: [psql, -c, 'SELECT 1']}"
