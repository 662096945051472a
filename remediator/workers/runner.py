"""The runner: looks, acts and checks on behalf of an attempt.

Before it does anything an effect reads its incident again: if the incident no longer waits for it, it is
dropped.
"""

from __future__ import annotations

import asyncio
from typing import assert_never

from remediator.core.aiming import target_of
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.incident import Attempt, Incident
from remediator.core.journal import (
    Act,
    Checked,
    CheckResult,
    Diagnose,
    Diagnosed,
    Effect,
    EndIsolation,
    Locate,
    Outcomes,
    Undo,
    Verify,
    Weigh,
)
from remediator.core.plugins import CheckPlugin, DiagnosisPlugin, Sight
from remediator.core.policies import Check, Diagnosis, Policy
from remediator.core.probing import catalog_hosts
from remediator.core.times import Instant
from remediator.workers.isolation import IsolationKeeper
from remediator.workers.locating import Locator
from remediator.workers.means import Means, awaiting
from remediator.workers.step import StepPerformer
from remediator.workers.undo import UndoPerformer
from remediator.workers.weighing import Weigher

LOOK_WITHIN = 20.0
"""Seconds one check or diagnosis may take."""


class Runner:
    """Performs effects. ``act`` performs steps; see ``remediator.workers.step``."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._steps = StepPerformer(means)
        self._undoer = UndoPerformer(means)
        self._keeper = IsolationKeeper(means)
        self._weigher = Weigher(means)
        self._locator = Locator(means)
        self._hosts: tuple[Policy | None, frozenset[str]] = (None, frozenset())
        """Those of the policy that was last looked at: a catalog of thousands is not read for each."""

    async def perform(self, effect: Effect) -> Outcomes | None:
        """The outcome, or None when nobody waits for it any more."""
        loaded = await self._means.incidents.load(effect.incident, ())
        if isinstance(effect, Weigh):
            return await self._weigher.weigh(effect, loaded.incident)
        if isinstance(effect, Locate):
            return await self._locator.locate(effect, loaded.incident)
        if isinstance(effect, EndIsolation):
            return await self._keeper.end(effect, loaded.incident)
        attempt = awaiting(loaded.incident, effect.id)
        if loaded.incident is None or attempt is None:
            return None
        sight = self._sight(loaded.incident, attempt, loaded.facts.firing, loaded.at)
        match effect:
            case Act():
                return await self._steps.act(effect, loaded.incident, attempt)
            case Undo():
                return await self._undoer.undo(effect, loaded.incident, attempt)
            case Diagnose():
                return await self._diagnose(effect, attempt, sight)
            case Verify():
                return await self._verify(effect, attempt, sight)
            case _:
                assert_never(effect)

    def _sight(self, incident: Incident, attempt: Attempt, firing: int, at: Instant) -> Sight:
        policy = self._means.policy()
        if self._hosts[0] is not policy:
            self._hosts = policy, catalog_hosts(policy.services.values())
        service = policy.services.get(incident.service)
        return Sight(
            cluster=self._means.reader,
            target=target_of(incident, policy.rule(attempt.rule), policy),
            firing=firing,
            service=service,
            metrics=self._means.metrics,
            http=self._means.http,
            hosts=self._hosts[1],
            at=at,
            opened_at=incident.opened_at,
            alerts_at=incident.alerts_at,
        )

    async def _diagnose(self, effect: Diagnose, attempt: Attempt, sight: Sight) -> Diagnosed:
        known, wanted = self._means.diagnoses, attempt.runbook.diagnose
        found = await asyncio.gather(*(_look(known.get(one.diagnosis), one, sight) for one in wanted))
        return Diagnosed(effect=effect.id, findings=tuple(line for lines in found for line in lines))

    async def _verify(self, effect: Verify, attempt: Attempt, sight: Sight) -> Checked:
        elsewhere = attempt.began_elsewhere(sight.target) if sight.target is not None else ""
        if elsewhere:  # how another workload fares proves nothing of the one that was changed
            unknown = CheckResult(holds=None, observed=elsewhere)
            return Checked(effect=effect.id, results=(unknown,) * len(attempt.awaited))
        known = self._means.checks
        answers = await asyncio.gather(
            *(_ask(known.get(check.check), check, sight) for check in attempt.awaited)
        )
        return Checked(effect=effect.id, results=tuple(answers))


async def _look(plugin: DiagnosisPlugin | None, wanted: Diagnosis, sight: Sight) -> tuple[str, ...]:
    if plugin is None:
        return (f"{wanted.diagnosis}: this version does not perform it",)
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            return await plugin.look(plugin.params.model_validate(dict(wanted.params)), sight)
    except TimeoutError:
        return (f"{wanted.diagnosis}: no answer within {LOOK_WITHIN:.0f}s",)
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return (f"{wanted.diagnosis}: could not be found out: {error}",)


async def _ask(plugin: CheckPlugin | None, check: Check, sight: Sight) -> CheckResult:
    if plugin is None:
        return CheckResult(holds=None, observed=f"this version does not know check {check.check}")
    try:
        async with asyncio.timeout(LOOK_WITHIN):
            return await plugin.ask(plugin.params.model_validate(dict(check.params)), sight)
    except TimeoutError:
        return CheckResult(holds=None, observed=f"{check.check}: no answer within {LOOK_WITHIN:.0f}s")
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return CheckResult(holds=None, observed=f"{check.check}: could not be found out: {error}")
