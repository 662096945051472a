"""``ready``: every pod the workload wants is ready."""

from __future__ import annotations

from typing import ClassVar

from remediator.checks.looking import read_target
from remediator.core.journal import CheckResult
from remediator.core.plugins import NoParams, Params, Permission, Sight, on_target
from remediator.core.text import plain


class Ready:
    """Holds while at least as many pods are ready as the workload wants, and it wants at least one.

    Where the target is a node, it holds while the node is ready.
    """

    name: ClassVar[str] = "ready"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("get", "see whether its pods are ready"),)
    example: ClassVar[str] = "ready: {for: 30s}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Compares ready with desired pods, once the controller has seen the newest specification."""
        seen = await read_target(sight, nodes=True)
        if isinstance(seen, CheckResult):
            return seen
        if seen.node is not None:
            trouble = plain(seen.node.trouble, 100)
            observed = f"{seen.ref} is ready" if seen.ready else f"{seen.ref} is not ready ({trouble})"
            return CheckResult(holds=bool(seen.ready), observed=observed)
        return CheckResult(holds=seen.is_ready, observed=seen.readiness)
