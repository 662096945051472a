"""What guards would say to a runbook, for explanations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from remediator.core.classify import Match
from remediator.core.policies import Mode, Policy, Runbook
from remediator.guards.target import static_objection

Opinion = Literal["allows", "blocks", "asked when acting"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardOpinion:
    """What one guard would say to a runbook now."""

    name: str
    verdict: Opinion
    text: str


Opinions = Callable[[Match, Runbook], Awaitable[Sequence[GuardOpinion]]]


def policy_opinions(policy: Policy, ceiling: Mode) -> Opinions:
    """What can be said without a daemon: the mode and the target; the rest is asked when acting."""

    async def opinions(match: Match, runbook: Runbook) -> Sequence[GuardOpinion]:
        mode = match.rule.mode.capped(ceiling)
        said = f"rule {match.rule.name} is in mode {match.rule.mode}"
        said += "" if ceiling is Mode.AUTO else f", the daemon allows {ceiling} at most"
        service = policy.services.get(match.service)
        target = None if service is None else service.workload
        objection = static_objection(match.service, target, policy.guards)
        return (
            GuardOpinion(name="mode", verdict="allows" if mode is Mode.AUTO else "blocks", text=said),
            GuardOpinion(
                name="target",
                verdict="blocks" if objection else "asked when acting",
                text=objection or f"{target} is allowed; that it exists is asked when acting",
            ),
            GuardOpinion(
                name="others",
                verdict="asked when acting",
                text="kill switch, clock, still firing, lease, limits and dry run are asked when acting",
            ),
        )

    return opinions
