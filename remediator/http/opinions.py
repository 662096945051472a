"""What the guards would say to a runbook now, asked through ports that take and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.classify import Match
from remediator.core.cluster import ClusterReader, Workload
from remediator.core.errors import Refused
from remediator.core.incident import Attempt, EffectId, Incident, IncidentId, Phase, Status
from remediator.core.policies import Mode, Policy, Runbook, Step, WorkloadRef
from remediator.core.store import GuardStore, Lease, Limit, LimitUse, Pause
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, Guard, NotAskedError
from remediator.guards import GUARDS, ask_guard
from remediator.policy.opinions import GuardOpinion, Opinions

NOBODY = IncidentId("explained")
"""Stands for the incident that an explained alert would open. It takes nothing, so it may be anybody's."""


class ReadOnly:
    """``core.verdicts.GuardPorts`` for questions. What can only be known when acting raises NotAskedError."""

    def __init__(
        self, store: GuardStore, reader: ClusterReader | None, clock_trouble: Callable[[], str | None]
    ) -> None:
        self._store, self._reader, self._clock_trouble = store, reader, clock_trouble

    async def paused(self) -> Pause | None:
        """The kill switch."""
        return await self._store.paused()

    def clock_trouble(self) -> str | None:
        """Why the store's clock is not to be trusted now."""
        return self._clock_trouble()

    async def firing(self) -> int:
        """There is no incident yet whose alerts could be counted."""
        raise NotAskedError

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as it is now."""
        if self._reader is None:
            raise Refused("no cluster is configured; set REMEDIATOR_KUBECONFIG or run inside a cluster")
        return await self._reader.workload(target)

    async def lease(self, target: str) -> Lease | str:
        """Asking takes it, and whoever works on the target now would lose time."""
        raise NotAskedError

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How the limits stand; none is taken."""
        return await self._store.use_limits(limits, member, take=False)

    async def dry_run(self) -> Sequence[str]:
        """The changes are planned only when it is this runbook's turn."""
        raise NotAskedError


def guard_opinions(policy: Policy, ports: ReadOnly, ceiling: Mode, at: Instant) -> Opinions:
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


async def _opinion(guard: Guard, request: ChangeRequest, ports: ReadOnly) -> GuardOpinion:
    try:
        verdict = await ask_guard(guard, request, ports)
    except NotAskedError:
        return GuardOpinion(name=guard.name, verdict="asked when acting", text="only known when acting")
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
