"""Reasons not to act, one per file, asked in this order. The first that blocks ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.core.errors import RemediatorError, Retryable, StoreUnavailable
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, Guard, GuardPorts, Pointless, Verdict
from remediator.guards.breaker import BreakerGuard
from remediator.guards.clock import ClockGuard
from remediator.guards.dependency import Dependency
from remediator.guards.disruption_budget import DisruptionBudget
from remediator.guards.dry_run import DryRun
from remediator.guards.error_budget import ErrorBudget
from remediator.guards.flapping import FlappingGuard
from remediator.guards.freeze import Freeze
from remediator.guards.kill_switch import KillSwitch
from remediator.guards.lease import LeaseGuard
from remediator.guards.limits import Limits
from remediator.guards.mode import ModeGuard
from remediator.guards.observer import Observer
from remediator.guards.owner import Owner
from remediator.guards.population import Population
from remediator.guards.still_firing import Ours, StillFiring
from remediator.guards.storm import StormGuard
from remediator.guards.supported import Supported
from remediator.guards.suppressed import Suppressed
from remediator.guards.target import Target
from remediator.guards.window import Window

GUARDS: tuple[Guard, ...] = (
    KillSwitch(),
    ClockGuard(),
    ModeGuard(),
    StillFiring(),
    Suppressed(),
    Dependency(),
    Supported(),
    Target(),
    Freeze(),
    Window(),
    ErrorBudget(),
    StormGuard(),
    FlappingGuard(),
    Population(),
    Observer(),
    LeaseGuard(),
    Limits(),
    BreakerGuard(),
    Owner(),
    DisruptionBudget(),
    DryRun(),
)
LAST_LOOK: tuple[Guard, ...] = tuple(guard for guard in GUARDS if guard.again)
RUNS_OF_CHECKS: tuple[Guard, ...] = tuple(
    Ours() if isinstance(guard, StillFiring) else guard for guard in GUARDS
)
"""Of a check that runs a program, such as one that proves that it is over: its alert need not fire."""
RETRY_UNREADABLE = 5 * SECOND


async def ask_guards(
    request: ChangeRequest, ports: GuardPorts, guards: Sequence[Guard] = GUARDS
) -> tuple[Verdict, ...]:
    """Their verdicts, in order, up to the first that blocks.

    Where only the rule's mode withholds the change, the others are asked all the same: what would have
    happened is worth knowing. Raises StoreUnavailable: without the store nothing can be said at all.
    """
    verdicts: list[Verdict] = []
    for guard in guards:
        verdict = await ask_guard(guard, request, ports)
        verdicts.append(verdict)
        if not verdict.allowed and not verdict.withholds:
            break
    return tuple(verdicts)


async def ask_guard(guard: Guard, request: ChangeRequest, ports: GuardPorts) -> Verdict:
    """One verdict. A guard that cannot read its facts blocks."""
    try:
        return await guard.judge(request, ports)
    except StoreUnavailable:
        raise
    except Pointless as error:
        return Verdict(guard="plan", allowed=False, text=str(error))
    except RemediatorError as error:
        blocked = Verdict(guard=guard.name, allowed=False, text=f"could not find out: {error}")
        if isinstance(error, Retryable):
            return replace(blocked, retry_after=Millis(error.delay or RETRY_UNREADABLE))
        return blocked
