"""``rollout``: the newest template runs everywhere and nothing of the old is left."""

from __future__ import annotations

from typing import ClassVar

from remediator.checks.looking import read_target
from remediator.core.journal import CheckResult
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target


class Rollout:
    """Holds when ``kubectl rollout status`` would say the rollout is done."""

    name: ClassVar[str] = "rollout"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("get", "see whether its rollout is done"),)
    example: ClassVar[str] = "rollout: {within: 10m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Reads the counts of the workload's status; names the controller's own reason when it is stuck."""
        seen = await read_target(sight)
        if isinstance(seen, CheckResult):
            return seen
        observed = (
            f"{seen.updated} of {seen.desired} pods updated, {seen.available} available, "
            f"{max(seen.total - seen.updated, 0)} old ones left"
        )
        progressing = seen.conditions.get("Progressing")
        if progressing is not None and progressing.status == "False":
            observed += f" ({progressing.reason})"
        return CheckResult(holds=seen.rolled_out, observed=observed)
