"""What the guards would say to a runbook, for explanations: the very guards, asked through harmless ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from remediator.core.alertmanagers import Suppression
from remediator.core.breakers import Breaker
from remediator.core.changes import Change, EvictPod
from remediator.core.cluster import Autoscaler, Budget, Pod, Workload
from remediator.core.pauses import Pause, PauseScope
from remediator.core.policies import WorkloadRef
from remediator.core.roots import Root
from remediator.core.store import Lease, Limit, LimitUse
from remediator.core.storms import Openings
from remediator.core.times import Instant, Millis, format_duration
from remediator.core.verdicts import (
    Bounded,
    ChangeRequest,
    Evicted,
    Guard,
    GuardPorts,
    Measure,
    NotAskedError,
)
from remediator.guards import GUARDS, ask_guard

Word = Literal["allows", "asks", "blocks", "asked when acting"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A number that a guard compared: ``observed`` of at most ``allowed``, in any window of ``within``."""

    what: str
    observed: int
    allowed: int
    of: int | None
    within: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardOpinion:
    """What one guard would say to a runbook now. ``bounds``: what it allows, as far as the policy tells."""

    name: str
    verdict: Word
    text: str
    measures: tuple[Measured, ...] = ()
    bounds: tuple[str, ...] = ()


class Offline:
    """``core.verdicts.GuardPorts`` where there is no daemon: only what the policy itself says is known."""

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """Unknown."""
        raise NotAskedError

    def clock_trouble(self) -> str | None:
        """Unknown."""
        raise NotAskedError

    async def now(self) -> Instant:
        """Unknown."""
        raise NotAskedError

    async def firing(self) -> int:
        """Unknown."""
        raise NotAskedError

    async def open_about(self, names: Sequence[str]) -> Sequence[Root]:
        """Unknown."""
        raise NotAskedError

    async def astray(self) -> str:
        """Unknown."""
        raise NotAskedError

    async def suppression(self) -> Suppression | None:
        """Unknown."""
        raise NotAskedError

    async def workload(self, target: WorkloadRef) -> Workload:
        """Unknown."""
        raise NotAskedError

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        """Unknown."""
        raise NotAskedError

    async def nodes(self) -> Sequence[Workload]:
        """Unknown."""
        raise NotAskedError

    async def plan(self) -> Sequence[Change]:
        """Unknown."""
        raise NotAskedError

    async def pods(self) -> Sequence[Pod]:
        """Unknown."""
        raise NotAskedError

    async def evicted(self, change: EvictPod) -> Evicted:
        """Unknown."""
        raise NotAskedError

    async def budgets(self) -> Sequence[Budget]:
        """Unknown."""
        raise NotAskedError

    async def autoscalers(self) -> Sequence[Autoscaler]:
        """Unknown."""
        raise NotAskedError

    async def lease(self, target: str) -> Lease | str:
        """Unknown."""
        raise NotAskedError

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """Unknown."""
        raise NotAskedError

    async def openings(self, span: Millis) -> Openings:
        """Unknown."""
        raise NotAskedError

    async def breaker(self, runbook: str) -> Breaker | None:
        """Unknown."""
        raise NotAskedError

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """Unknown."""
        raise NotAskedError

    async def dry_run(self) -> Sequence[str]:
        """Unknown."""
        raise NotAskedError


async def ask_opinions(request: ChangeRequest, ports: GuardPorts) -> tuple[GuardOpinion, ...]:
    """What every guard would say to the step. Raises StoreUnavailable."""
    return tuple([await _opinion(guard, request, ports) for guard in GUARDS])


async def _opinion(guard: Guard, request: ChangeRequest, ports: GuardPorts) -> GuardOpinion:
    bounds = guard.bounds(request) if isinstance(guard, Bounded) else ()
    try:
        verdict = await ask_guard(guard, request, ports)
    except NotAskedError:
        text = f"{guard.asks}: {', '.join(bounds)}" if bounds else guard.asks
        return GuardOpinion(name=guard.name, verdict="asked when acting", text=text, bounds=bounds)
    word: Word = "allows" if verdict.allowed else "asks" if verdict.asks else "blocks"
    measures = tuple(map(_measured, verdict.measures))
    return GuardOpinion(name=guard.name, verdict=word, text=verdict.text, measures=measures, bounds=bounds)


def _measured(measure: Measure) -> Measured:
    return Measured(
        what=measure.what,
        observed=measure.observed,
        allowed=measure.allowed,
        of=measure.of,
        within=None if measure.within is None else format_duration(measure.within),
    )
