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
    """Holds when no member alert of the incident fires: a signal that a restart does not control.

    Where Alertmanagers are configured (`REMEDIATOR_ALERTMANAGER_URLS`) it does not depend on their webhooks:
    they are asked, and an alert that one of them listed and that none lists any more is over. An
    Alertmanager that does not answer, or was started within ten minutes, proves nothing.
    """

    name: ClassVar[str] = "alert"
    params: ClassVar[type[Params]] = AlertParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "alert: {state: resolved, within: 10m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the member alerts that fire, as delivered; of those Alertmanagers are asked."""
        if not sight.firing:
            return CheckResult(holds=True, observed="no alert fires")
        observed = "1 alert still fires" if sight.firing == 1 else f"{sight.firing} alerts still fire"
        if sight.alerts is not None:
            over, why = await sight.alerts.over()
            if over >= sight.firing:
                text = "no Alertmanager lists an alert of the incident any more"
                return CheckResult(holds=True, observed=text)
            if why:
                observed += f", as far as was delivered; {why}"
        return CheckResult(holds=False, observed=observed)
