"""Guard 4 too, ``suppressed``: nobody silenced the alerts, and nothing else keeps them quiet."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Suppressed:
    """Blocks while an alert of the incident is silenced in Alertmanager, or all are inhibited or muted.

    A silence says that somebody knows, and is perhaps at work there. Of inhibited alerts one that is not is
    enough: it is what inhibits them. Silences that a step of a runbook created do not count. Without an
    Alertmanager nothing is known of it; one that is configured and does not answer blocks.
    """

    name: ClassVar[str] = "suppressed"
    asks: ClassVar[str] = "that its alerts are not silenced, inhibited or muted"
    again: ClassVar[bool] = True
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Asks every Alertmanager anew; one that says so is enough."""
        found = await ports.suppression()
        if found is None:
            text = "no Alertmanager is configured, so silences are not known"
            return Verdict(guard=self.name, allowed=True, text=text)
        if found.silenced:
            text = f"an alert of the incident is {', '.join(found.silenced[:3])}"
            return Verdict(guard=self.name, allowed=False, text=text)
        if found.quiet and not found.loud:
            text = "every alert of the incident is inhibited or muted in Alertmanager"
            return Verdict(guard=self.name, allowed=False, text=text)
        text = f"alerts that nothing keeps quiet: {found.loud}"
        if found.quiet:
            text += f"; inhibited or muted: {found.quiet}"
        if found.own:
            text += f"; silenced by a step of a runbook, which is no objection: {found.own}"
        return Verdict(guard=self.name, allowed=True, text=text)
