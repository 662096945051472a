"""The runner: looks, acts and checks on behalf of an attempt.

Before it does anything an effect reads its incident again: if the incident no longer waits for it, it is
dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import assert_never

from remediator.core.aiming import below_of, target_of
from remediator.core.alertmanagers import narrowed
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.evidence import Evidence
from remediator.core.incident import Attempt, Incident, Phase
from remediator.core.journal import (
    Act,
    Checked,
    CheckResult,
    Diagnose,
    Diagnosed,
    Effect,
    EndIsolation,
    EndSilences,
    Locate,
    Outcomes,
    Undo,
    Verify,
    Weigh,
)
from remediator.core.lag import Lag, find_lag, lags
from remediator.core.objects import NODE
from remediator.core.plugins import CheckPlugin, DiagnosisPlugin, Params, Sight
from remediator.core.policies import Check, Diagnosis, Policy
from remediator.core.probing import catalog_hosts
from remediator.core.rollouts import has_rolled
from remediator.core.running import ExecParams
from remediator.core.times import SECOND, Instant
from remediator.guards.target import static_objection
from remediator.policy.rbac import may_act
from remediator.workers.draining import Draining
from remediator.workers.evidence import collect
from remediator.workers.isolation import IsolationKeeper
from remediator.workers.locating import Locator
from remediator.workers.looks import GuardedPrograms
from remediator.workers.means import Means, awaiting
from remediator.workers.quieting import Quieter
from remediator.workers.step import StepPerformer
from remediator.workers.undo import UndoPerformer
from remediator.workers.weighing import Weigher

LOOK_WITHIN = 20.0
"""Seconds one check or diagnosis may take; one that runs a program, beside that program."""


class Runner:
    """Performs effects. ``act`` performs steps; see ``remediator.workers.step``."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._steps = StepPerformer(means, Draining)
        self._undoer = UndoPerformer(means)
        self._keeper = IsolationKeeper(means)
        self._quieter = Quieter(means)
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
        if isinstance(effect, EndSilences):
            return await self._quieter.end(effect, loaded.incident)
        attempt = awaiting(loaded.incident, effect.id)
        if loaded.incident is None or attempt is None:
            return None
        sight = self._sight(loaded.incident, attempt, loaded.facts.firing, loaded.at)
        match effect:
            case Act():
                return await self._steps.act(effect, loaded.incident, attempt)
            case Undo():
                return await self._undoer.undo(effect, loaded.incident, attempt)
            case Diagnose() | Verify():
                means, incident = self._means, loaded.incident
                async with GuardedPrograms(means, incident, attempt, effect, loaded.at) as programs:
                    sight = replace(sight, programs=programs)
                    if isinstance(effect, Diagnose):
                        return await self._diagnose(effect, attempt, sight)
                    lag = await self._lag(incident, attempt)
                    return replace(await self._verify(effect, attempt, sight), lag=lag)
            case _:
                assert_never(effect)

    def _sight(self, incident: Incident, attempt: Attempt, firing: int, at: Instant) -> Sight:
        policy = self._means.policy()
        if self._hosts[0] is not policy:
            self._hosts = policy, catalog_hosts(policy.services.values())
        rule, service = policy.rule(attempt.rule), policy.services.get(incident.service)
        return Sight(
            cluster=self._means.reader,
            target=target_of(incident, rule, policy),
            firing=firing,
            service=service,
            metrics=self._means.metrics,
            http=self._means.http,
            alerts=self._means.lookout(incident),
            hosts=self._hosts[1],
            at=at,
            opened_at=incident.opened_at,
            alerts_at=incident.alerts_at,
            below=below_of(incident, rule, policy),
            incidents=self._means.incidents,
            rolled=has_rolled(attempt),
        )

    async def _lag(self, incident: Incident, attempt: Attempt) -> Lag | None:
        """How long the rules behind its alerts take; None: that plays no part, or is known already."""
        rules = self._means.alert_rules
        late = attempt.phase is Phase.VERIFYING and attempt.lag is None and lags(attempt.awaited)
        if rules is None or not late:
            return None
        names = frozenset(incident.alert_names) - {""}
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                return find_lag(names, await rules.alerting_rules(narrowed(names)))
        except TimeoutError:
            why = f"no answer within {LOOK_WITHIN:.0f}s"
        except RemediatorError as error:
            why = str(error)
        return Lag(span=None, text=f"how long its alerts' own rules take cannot be found out: {why}")

    async def _diagnose(self, effect: Diagnose, attempt: Attempt, sight: Sight) -> Diagnosed:
        known, wanted = self._means.diagnoses, attempt.runbook.diagnose
        kept, found = await asyncio.gather(
            self._keep(attempt, sight),
            asyncio.gather(*(_look(known.get(one.diagnosis), one, sight) for one in wanted)),
        )
        return Diagnosed(
            effect=effect.id, findings=tuple(line for lines in found for line in lines), evidence=kept
        )

    async def _keep(self, attempt: Attempt, sight: Sight) -> Evidence | None:
        """Evidence of the target, where a step of the attempt may take pods away."""
        if not attempt.runbook.evidence or not self._may_change(attempt, sight):
            return None
        return await collect(attempt, sight)

    def _may_change(self, attempt: Attempt, sight: Sight) -> bool:
        """As far as it can be told without asking anybody: what is only looked at loses nothing."""
        policy, service, target = self._means.policy(), sight.service, sight.target
        rule = policy.rule(attempt.rule)
        if rule is None or service is None or target is None or attempt.began_elsewhere(target):
            return False
        if target.kind == NODE:  # what is evicted is well: evidence is of a workload that is not
            return False
        allowed = not policy.guards.lacks and not static_objection(service.name, target, policy.guards)
        return allowed and may_act(rule.mode.capped(self._means.ceiling))

    async def _verify(self, effect: Verify, attempt: Attempt, sight: Sight) -> Checked:
        elsewhere = attempt.began_elsewhere(sight.target) if sight.target is not None else ""
        if elsewhere:  # how another workload fares proves nothing of the one that was changed
            unknown = CheckResult(holds=None, observed=elsewhere)
            return Checked(effect=effect.id, results=(unknown,) * len(attempt.awaited))
        known = self._means.settling if attempt.phase is Phase.SETTLING else self._means.checks
        answers = await asyncio.gather(
            *(_ask(known.get(check.check), check, sight) for check in attempt.awaited)
        )
        return Checked(effect=effect.id, results=tuple(answers))


async def _look(plugin: DiagnosisPlugin | None, wanted: Diagnosis, sight: Sight) -> tuple[str, ...]:
    if plugin is None:
        return (f"{wanted.diagnosis}: this version does not perform it",)
    params = plugin.params.model_validate(dict(wanted.params))
    try:
        async with asyncio.timeout(_within(params)):
            return await plugin.look(params, sight)
    except TimeoutError:
        return (f"{wanted.diagnosis}: no answer within {_within(params):.0f}s",)
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return (f"{wanted.diagnosis}: could not be found out: {error}",)


async def _ask(plugin: CheckPlugin | None, check: Check, sight: Sight) -> CheckResult:
    if plugin is None:
        return CheckResult(holds=None, observed=f"this version does not know check {check.check}")
    params = plugin.params.model_validate(dict(check.params))
    try:
        async with asyncio.timeout(_within(params)):
            return await plugin.ask(params, sight)
    except TimeoutError:
        return CheckResult(holds=None, observed=f"{check.check}: no answer within {_within(params):.0f}s")
    except StoreUnavailable:
        raise
    except RemediatorError as error:
        return CheckResult(holds=None, observed=f"{check.check}: could not be found out: {error}")


def _within(params: Params) -> float:
    return LOOK_WITHIN + (params.timeout / SECOND if isinstance(params, ExecParams) else 0)
