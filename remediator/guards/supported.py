"""``supported``: this version does what the newest policies ask for before anything is changed."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict


class Supported:
    """Blocks every change while the policies ask for a guard that this version does not have.

    Likewise for a rule that asks for something this version does not do: what is not kept to is not ignored.
    """

    name: ClassVar[str] = "supported"
    asks: ClassVar[str] = "that this version has every guard that the policies ask for"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Reads the newest policy: a guard that was added since the attempt began blocks it too."""
        rule = request.rule
        if guards := request.policy.guards.lacks:
            text = _text("the policies ask for guard", guards, "under guards")
        elif rule is not None and rule.lacks:
            text = _text(f"rule {rule.name} asks for", rule.lacks, "from the rule")
        else:
            return Verdict(guard=self.name, allowed=True, text="nothing is asked for that this version lacks")
        return Verdict(guard=self.name, allowed=False, text=text)


def _text(who: str, lacks: tuple[str, ...], where: str) -> str:
    named = ", ".join(f"'{each}'" for each in lacks)
    what = "it" if len(lacks) == 1 else "them"
    return (
        f"{who} {named}, which this version does not have: nothing is changed; "
        f"remove {what} {where} or run a version that has {what}"
    )
