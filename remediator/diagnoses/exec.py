"""``exec``: what a program in a pod of the workload says."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Params, Permission, Sight
from remediator.core.running import EXEC, RUNNING, ExecParams, run_for
from remediator.diagnoses.telling import LINES, nothing


class ExecOutput:
    """What a program in a ready pod of the workload writes, its last lines, and how it ends.

    It passes the guards of a change, so a rule that may not act runs nothing, and says so. That it only reads
    is yours to see to. What is obviously a secret is hidden, as in logs.
    """

    name: ClassVar[str] = EXEC
    params: ClassVar[type[Params]] = ExecParams
    permissions: ClassVar[tuple[Permission, ...]] = RUNNING
    example: ClassVar[str] = "exec: {container: postgres, command: [psql, -c, 'SELECT 1']}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """A line that says how it ended, then what it wrote."""
        assert isinstance(params, ExecParams)
        if sight.cluster is None or sight.target is None:
            return nothing(self.name)
        ended = await run_for(params, sight)
        lines = ended.lines()
        left = max(len(lines) - LINES + 1, 0)
        first = f"exec: ended with {ended.exit_code}" + (f", {left} lines before these" if left else "")
        return (first, *(f"  {line}" for line in lines[left:]))
