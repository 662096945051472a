"""What the guards would say to a runbook, for explanations: the very guards, asked through harmless ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from remediator.core.classify import Match
from remediator.core.cluster import Budget, Change, Pod, Workload
from remediator.core.incident import Attempt, EffectId, Incident, IncidentId, Phase, Status
from remediator.core.policies import Mode, Policy, Runbook, Step, WorkloadRef
from remediator.core.store import Lease, Limit, LimitUse, Pause
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, Guard, GuardPorts, NotAskedError
from remediator.guards import GUARDS, ask_guard

NOBODY = IncidentId("explained")
"""Stands for the incident that an explained alert would open. It takes nothing, so it may be anybody's."""

Opinion = Literal["allows", "blocks", "asked when acting"]


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardOpinion:
    """What one guard would say to a runbook now."""

    name: str
    verdict: Opinion
    text: str


Opinions = Callable[[Match, Runbook], Awaitable[Sequence[GuardOpinion]]]


class Offline:
    """``core.verdicts.GuardPorts`` where there is no daemon: only what the policy itself says is known."""

    async def paused(self) -> Pause | None:
        """Unknown."""
        raise NotAskedError

    def clock_trouble(self) -> str | None:
        """Unknown."""
        raise NotAskedError

    async def firing(self) -> int:
        """Unknown."""
        raise NotAskedError

    async def workload(self, target: WorkloadRef) -> Workload:
        """Unknown."""
        raise NotAskedError

    async def plan(self) -> Sequence[Change]:
        """The changes are planned only when it is this runbook's turn."""
        raise NotAskedError

    async def pods(self) -> Sequence[Pod]:
        """Nobody asks without a plan."""
        raise NotAskedError

    async def budgets(self) -> Sequence[Budget]:
        """Nobody asks without a plan."""
        raise NotAskedError

    async def lease(self, target: str) -> Lease | str:
        """Unknown."""
        raise NotAskedError

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """Unknown."""
        raise NotAskedError

    async def dry_run(self) -> Sequence[str]:
        """Unknown."""
        raise NotAskedError


def guard_opinions(policy: Policy, ports: GuardPorts, ceiling: Mode, at: Instant) -> Opinions:
    """Asks every guard about a runbook's first step. Raises StoreUnavailable.

    The same question is asked once, however many alerts lead to it.
    """
    known: dict[tuple[str, str, str], Sequence[GuardOpinion]] = {}

    async def opinions(match: Match, runbook: Runbook) -> Sequence[GuardOpinion]:
        key = (match.rule.name, match.service, runbook.name)
        if key not in known:
            request = _request(match, runbook, policy, ceiling, at)
            known[key] = tuple([await _opinion(guard, request, ports) for guard in GUARDS])
        return known[key]

    return opinions


async def _opinion(guard: Guard, request: ChangeRequest, ports: GuardPorts) -> GuardOpinion:
    try:
        verdict = await ask_guard(guard, request, ports)
    except NotAskedError:
        return GuardOpinion(name=guard.name, verdict="asked when acting", text=guard.asks)
    return GuardOpinion(name=guard.name, verdict="allows" if verdict.allowed else "blocks", text=verdict.text)


def _request(match: Match, runbook: Runbook, policy: Policy, ceiling: Mode, at: Instant) -> ChangeRequest:
    incident = Incident(
        id=NOBODY,
        group=match.group,
        grouped_by=match.grouped_by,
        service=match.service,
        severity=match.rule.severity,
        status=Status.REMEDIATING,
        rule=match.rule.name,
        title="",
        opened_at=at,
    )
    attempt = Attempt(
        number=1,
        runbook=runbook,
        rule=match.rule.name,
        started_at=at,
        phase=Phase.ACTING,
        phase_at=at,
    )
    return ChangeRequest(
        incident=incident,
        attempt=attempt,
        step=runbook.steps[0] if runbook.steps else Step(action="none"),
        effect=EffectId(f"{NOBODY}/1/0"),
        at=at,
        policy=policy,
        ceiling=ceiling,
    )
