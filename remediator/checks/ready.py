"""``ready``: every pod the workload wants is ready."""

from __future__ import annotations

from typing import ClassVar

from remediator.checks.looking import read_target
from remediator.core.journal import CheckResult
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target


class Ready:
    """Holds while at least as many pods are ready as the workload wants, and it wants at least one."""

    name: ClassVar[str] = "ready"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("get", "see whether its pods are ready"),)
    example: ClassVar[str] = "ready: {for: 30s}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Compares ready with desired pods, once the controller has seen the newest specification."""
        seen = await read_target(sight)
        if isinstance(seen, CheckResult):
            return seen
        return CheckResult(holds=seen.is_ready, observed=seen.readiness)
