"""``alert``: the incident's own alerts have resolved."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight


class AlertParams(Params):
    """Parameters of ``alert``."""

    state: Literal["resolved"] = Field(default="resolved", description="The state the alerts must have.")


class AlertCheck:
    """Holds when no member alert of the incident fires: a signal that a restart does not control."""

    name: ClassVar[str] = "alert"
    params: ClassVar[type[Params]] = AlertParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "alert: {state: resolved, within: 10m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the member alerts that fire, from the episodes."""
        if sight.firing:
            firing = "1 alert still fires" if sight.firing == 1 else f"{sight.firing} alerts still fire"
            return CheckResult(holds=False, observed=firing)
        return CheckResult(holds=True, observed="no alert fires")
