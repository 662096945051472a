"""``no_recurrence``: no alert of the incident fires again for a while."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.journal import CheckResult
from remediator.core.plugins import NoParams, Params, Permission, Sight
from remediator.core.times import format_duration


class NoRecurrence:
    """Holds while no alert of the incident fires; ``for`` is the window in which none may fire again.

    An alert that fires and is over again between two looks breaks it as well: the window begins anew with it.
    """

    name: ClassVar[str] = "no_recurrence"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "no_recurrence: {for: 15m, within: 30m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the member alerts that fire, and says since when none does at most."""
        if sight.firing:
            fire = "1 alert fires" if sight.firing == 1 else f"{sight.firing} alerts fire"
            return CheckResult(holds=False, observed=fire)
        if sight.at is None or sight.alerts_at is None:
            return CheckResult(holds=True, observed="no alert fires")
        quiet = format_duration(max(sight.at - sight.alerts_at, 0) // 1000 * 1000)
        return CheckResult(holds=True, observed=f"no alert has fired for {quiet}", since=sight.alerts_at)
