"""``exec``: a program in a pod of the workload ends as it should."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.programs import Ended
from remediator.core.running import EXEC, RUNNING, ExecParams, run_for
from remediator.core.templated import PlainTemplate
from remediator.core.text import plain


class ExecCheckParams(ExecParams):
    """Parameters of the check ``exec``."""

    status: int = Field(default=0, ge=0, le=255, description="The exit code it must end with.")
    contains: Annotated[PlainTemplate, Field(min_length=1, max_length=500)] | None = Field(
        default=None,
        description="Text that must stand in the last 64 KiB of what it writes to its standard output.",
    )


class ExecCheck:
    """Holds when a program in a ready pod of the workload ends with the expected exit code and text.

    It passes the guards of a change each time it runs, so a rule that may not act runs nothing: unknown. That
    it only reads is yours to see to: it is run again and again.
    """

    name: ClassVar[str] = EXEC
    params: ClassVar[type[Params]] = ExecCheckParams
    permissions: ClassVar[tuple[Permission, ...]] = RUNNING
    example: ClassVar[str] = (
        "exec: {container: postgres, command: [psql, -c, 'SELECT count(*) FROM transactions'], within: 2m}"
    )

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Runs it once."""
        assert isinstance(params, ExecCheckParams)
        return judge(params, await run_for(params, sight))


def judge(params: ExecCheckParams, ended: Ended) -> CheckResult:
    """What its end means under these parameters."""
    found = params.contains is None or params.contains in ended.stdout.text
    observed = f"{ended}; wanted {params.status}"
    if params.contains is not None:
        observed += f", {'with' if found else 'but without'} {plain(params.contains, 40)!r}"
    return CheckResult(holds=ended.exit_code == params.status and found, observed=observed)
