"""How the world looks to an explanation that the running daemon gives: it takes and changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from remediator.actions import ACTIONS
from remediator.core.aiming import astray
from remediator.core.alertmanagers import (
    Alertmanagers,
    Answers,
    Suppression,
    listed_members,
    suppressors,
    unanswered,
)
from remediator.core.alerts import Alert, AlertStatus
from remediator.core.breakers import Breaker
from remediator.core.changes import Change, EvictPod
from remediator.core.classify import Match
from remediator.core.cluster import (
    Autoscaler,
    Budget,
    ClusterReader,
    Need,
    Pod,
    Snapshot,
    Workload,
    read_snapshot,
    read_workloads,
)
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.evicting import look_at
from remediator.core.finding import FIND_WITHIN, find, found_late
from remediator.core.incident import EffectId, IncidentId
from remediator.core.journal import CheckResult, Event, Fired, Located
from remediator.core.nodes import mismatch
from remediator.core.objects import ObjectRef
from remediator.core.pauses import Pause, PauseScope
from remediator.core.plugins import Metrics, cron_job_of
from remediator.core.policies import Policy, Scope, WorkloadRef
from remediator.core.raising import Watched
from remediator.core.roots import Root
from remediator.core.samples import NO_PROMETHEUS
from remediator.core.silencing import NO_ALERTMANAGER
from remediator.core.standing import Lowering
from remediator.core.store import GuardStore, IncidentStore, Lease, Limit, LimitUse, ListingStore
from remediator.core.storms import Openings
from remediator.core.times import Instant, Millis, stamp_instant
from remediator.core.verdicts import ChangeRequest, Evicted, NotAskedError, Pointless
from remediator.core.weighing import Scales, weigh
from remediator.guards.target import looking_objection, static_objection
from remediator.policy.foresee import Standing
from remediator.policy.remedies import NOBODY
from remediator.routing import load_all, waited_for

MOST_TARGETS = 50
"""Workloads that are looked at for one notification; of the others is told what the policy says."""
MOST_WEIGHED = 20
"""Incidents whose conditions are looked at for one notification."""
WEIGH_WITHIN = 10.0
"""Seconds for the conditions of one of them."""
K = TypeVar("K")
T = TypeVar("T")


class PresentStore(IncidentStore, GuardStore, ListingStore, Protocol):
    """What is asked of the store."""


class Now:
    """``policy.present.Present`` for one request: everything is read once."""

    live = True

    def __init__(
        self,
        *,
        store: PresentStore,
        reader: ClusterReader | None,
        metrics: Metrics | None,
        policy: Policy,
        clock_trouble: Callable[[], str | None],
        alertmanagers: Alertmanagers | None = None,
    ) -> None:
        self.alertmanagers = alertmanagers
        self.store, self.clock_trouble = store, clock_trouble
        self._reader, self._metrics, self._policy = reader, metrics, policy
        self._silent: Retryable | None = None
        self._listings: Answers | None = None
        self._found: dict[str, Located] = {}
        self._seen: dict[str, Workload | RemediatorError] = {}
        self._snapshots: dict[tuple[str, frozenset[Need], str], Snapshot | RemediatorError] = {}
        self._listed: dict[tuple[WorkloadRef, ...], Sequence[Workload] | RemediatorError] = {}
        self._evicted: dict[str, Evicted | RemediatorError] = {}
        self._nodes: dict[str, Sequence[Workload] | RemediatorError] = {}
        self._budgets: dict[str, Sequence[Budget] | RemediatorError] = {}
        self._answers: dict[str, Sequence[tuple[Mapping[str, str], float]] | RemediatorError] = {}
        self._weighed: dict[tuple[object, ...], Sequence[CheckResult]] = {}

    async def standing(self, alert: Alert, match: Match | None) -> Standing:
        """As the Protocol says."""
        groups = [] if match is None else [match.group]
        pointers, homes = await self.store.route(groups, [alert.fingerprint])
        home, pointed = homes.get(alert.fingerprint), next(iter(pointers.values()), None)
        events = [] if match is None else [Fired(alert=alert, match=match)]
        if alert.status is AlertStatus.RESOLVED:
            return await self._load(home, alert, events)
        if home is not None and home != pointed:
            before = await self._load(home, alert, events)
            if alert.fingerprint in before.facts.members:
                return before  # it has been firing since before its labels meant another group
        return await self._load(pointed, alert, events)

    async def _load(self, incident: IncidentId | None, alert: Alert, events: Sequence[Event]) -> Standing:
        loaded = await load_all(self.store, incident, [alert.fingerprint], events, self._policy)
        return Standing(at=loaded.at, incident=loaded.incident, facts=loaded.facts)

    async def surrounded(self, before: Standing, found: Located | None) -> Standing:
        """As the Protocol says."""
        if found is None:
            return before
        roots = await self.store.open_about(sorted(waited_for(before.incident, [found], self._policy)))
        known = {root.incident for root in before.facts.roots}
        more = tuple(root for root in roots if root.incident not in known)
        return replace(before, facts=replace(before.facts, roots=(*before.facts.roots, *more)))

    async def located(self, alert: Alert, match: Match) -> Located:
        """As the Protocol says; every object is looked for once."""
        assert match.target is not None
        path = match.target.path
        if path not in self._found:
            if len(self._found) >= MOST_TARGETS:
                raise NotAskedError
            began, effect = stamp_instant(alert.starts_at), EffectId("explained")
            self._found[path] = await self._find(effect, match.target, began)
        return self._found[path]

    async def _find(self, effect: EffectId, ref: ObjectRef, began: Instant) -> Located:
        if objection := looking_objection(ref, self._policy.guards):
            return Located(effect=effect, reason=objection)
        try:
            async with asyncio.timeout(FIND_WITHIN):
                return await find(effect, ref, began, self._reader)
        except TimeoutError:
            return found_late(effect, ref)

    def ports(self, request: ChangeRequest) -> ReadOnly:
        """As the Protocol says."""
        return ReadOnly(self, request)

    async def lowered(self, rule: str) -> Lowering | None:
        """As the Protocol says."""
        return await self.store.lowered(rule)

    async def planned(self, request: ChangeRequest) -> tuple[Sequence[Change], Snapshot]:
        """As the Protocol says. What must not be touched is not looked at."""
        action, target = ACTIONS.get(request.step.action), request.target
        if objection := static_objection(request.incident.service, target, self._policy.guards):
            raise Refused(objection)
        if action is None or target is None:
            raise Refused(f"this version does not know action {request.step.action}")
        if strange := mismatch(request.step.action, target.kind, str(target)):
            raise Pointless(strange)
        params = action.params.model_validate(dict(request.step.params))
        needs, named = action.needs | params.needs, cron_job_of(action, params)
        seen = await self._snapshot(target, needs, named)
        seen = replace(seen, service=request.service, author=request.author)
        if Need.ALERTS in needs:
            seen = replace(seen, alerts=await self._alerts(request.incident.id))
        try:
            return action.plan(params, seen, at=request.at), seen
        except Refused as error:
            raise Pointless(str(error)) from error

    async def weigh(self, conditions: Sequence[Watched], scope: Scope) -> Sequence[CheckResult]:
        """As the Protocol says."""
        key = (scope.incident, scope.severity, scope.service, *conditions)
        if key not in self._weighed:
            if len(self._weighed) >= MOST_WEIGHED:
                raise NotAskedError
            scales = Scales(metrics=self._metrics, services=self.store.open_services)
            try:
                async with asyncio.timeout(WEIGH_WITHIN):
                    self._weighed[key] = await weigh(conditions, scope, self._policy, scales)
            except TimeoutError:
                late = CheckResult(holds=None, observed=f"no answer within {WEIGH_WITHIN:.0f}s")
                self._weighed[key] = (late,) * len(conditions)
        return self._weighed[key]

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """What Prometheus answers; the same for everybody who asks in this request."""
        if self._metrics is None:
            raise Refused(NO_PROMETHEUS)
        if promql not in self._answers:
            if len(self._answers) >= MOST_WEIGHED:
                raise NotAskedError
            try:
                self._answers[promql] = await self._metrics.query(promql)
            except RemediatorError as error:
                self._answers[promql] = error
        found = self._answers[promql]
        if isinstance(found, RemediatorError):
            raise found.with_traceback(None)
        return found

    @property
    def reader(self) -> ClusterReader:
        """The cluster. Raises Refused where there is none."""
        if self._reader is None:
            raise Refused("no cluster is configured; set REMEDIATOR_KUBECONFIG or run inside a cluster")
        return self._reader

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as it is now; the same for everybody who asks in this request."""
        reader = self.reader
        if target.path not in self._seen and len(self._seen) >= MOST_TARGETS:
            raise NotAskedError
        return await self._once(self._seen, target.path, lambda: reader.workload(target))

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        """Those of them that exist, as they are now; the same for everybody who asks in this request."""
        reader = self.reader
        return await self._once(self._listed, tuple(refs), lambda: read_workloads(reader, refs))

    async def nodes(self) -> Sequence[Workload]:
        """Every node as it is now; the same for everybody who asks in this request."""
        return await self._once(self._nodes, "", self.reader.nodes)

    async def evicted(self, change: EvictPod) -> Evicted:
        """Whose the pod is that a drain evicts."""
        reader, uid = self.reader, change.pod_uid
        if uid not in self._evicted and len(self._evicted) >= MOST_TARGETS:
            raise NotAskedError
        return await self._once(self._evicted, uid, lambda: look_at(reader, change))

    async def budgets(self, target: WorkloadRef) -> Sequence[Budget]:
        """The disruption budgets over the target's pods."""
        seen = await self.workload(target)
        return await self._once(self._budgets, target.path, lambda: self.reader.budgets(seen))

    async def _snapshot(self, target: WorkloadRef, needs: frozenset[Need], cron_job: str = "") -> Snapshot:
        seen = await self.workload(target)
        key = (target.path, needs, cron_job)
        return await self._once(
            self._snapshots, key, lambda: read_snapshot(self.reader, seen, needs, cron_job=cron_job)
        )

    async def _once(self, known: dict[K, T | RemediatorError], key: K, read: Callable[[], Awaitable[T]]) -> T:
        """What was read, or why it could not be. Each look at a cluster that hangs lasts until its deadline:
        once it has failed to answer, it is not asked further.
        """
        if key not in known:
            if self._silent is not None:
                raise Retryable(f"not asked: the cluster had failed to answer before: {self._silent}")
            try:
                known[key] = await read()
            except RemediatorError as error:
                known[key] = error
                if isinstance(error, Retryable):
                    self._silent = error
        found = known[key]
        if isinstance(found, RemediatorError):
            raise found.with_traceback(None)
        return found

    async def listings(self, alertmanagers: Alertmanagers) -> Answers:
        """What all of them list."""
        if self._listings is None:
            self._listings = await alertmanagers.ask(())
        return self._listings

    async def _alerts(self, incident: IncidentId) -> tuple[Alert, ...]:
        """Those of the incident that fire, as they are listed. Raises Refused where no Alertmanager is."""
        if self.alertmanagers is None:
            raise Refused(NO_ALERTMANAGER)
        members = (await self.store.members(incident)).firing
        if not members:
            raise NotAskedError  # they are not delivered yet
        return listed_members(members, await self.answered(self.alertmanagers))

    async def answered(self, alertmanagers: Alertmanagers) -> Answers:
        """What all of them list. Raises Retryable where one of them does not answer."""
        answers = await self.listings(alertmanagers)
        for silent in unanswered(answers):
            raise Retryable(str(silent))
        return answers

    async def pods(self, target: WorkloadRef) -> Sequence[Pod]:
        """The target's pods."""
        return (await self._snapshot(target, frozenset({Need.PODS}))).pods


class ReadOnly:
    """``core.verdicts.GuardPorts`` for questions. What can only be known when acting raises NotAskedError."""

    def __init__(self, now: Now, request: ChangeRequest) -> None:
        self._now, self._request = now, request

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """Those of the scopes that are paused now."""
        return await self._now.store.paused(scopes)

    def clock_trouble(self) -> str | None:
        """Why the store's clock is not to be trusted now."""
        return self._now.clock_trouble()

    async def now(self) -> Instant:
        """The store's clock, when the incident was read."""
        return self._request.at

    async def firing(self) -> int:
        """With the alert that is explained. Without an incident there are none that could be counted."""
        incident = self._request.incident
        if incident.id == NOBODY:
            raise NotAskedError
        return incident.firing_by_rule.get(self._request.attempt.rule, 0)

    async def suppression(self) -> Suppression | None:
        """As the Alertmanagers say of all alerts that are listed now, asked once for a request."""
        if self._now.alertmanagers is None:
            return None
        members = (await self._now.store.members(self._request.incident.id)).firing
        if not members:
            raise NotAskedError  # it is of alerts that are not delivered yet
        answers = await self._now.answered(self._now.alertmanagers)
        return suppressors(answers, {one.fingerprint for one in members})

    async def open_about(self, names: Sequence[str]) -> Sequence[Root]:
        """Open incidents of these services."""
        return await self._now.store.open_about(names)

    async def astray(self) -> str:
        """Why the object that the alerts name leads to no workload."""
        return astray(self._request.incident, self._request.rule)

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as it is now."""
        return await self._now.workload(target)

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        """Those of them that exist; listed once for all that is asked in this request."""
        return await self._now.workloads(refs)

    async def nodes(self) -> Sequence[Workload]:
        """Every node; listed once for all that is asked in this request."""
        return await self._now.nodes()

    async def plan(self) -> Sequence[Change]:
        """The changes that the first step asks for, as the target is now."""
        return (await self._now.planned(self._request))[0]

    async def pods(self) -> Sequence[Pod]:
        """The target's pods as they are now."""
        target = self._request.target
        return () if target is None else await self._now.pods(target)

    async def evicted(self, change: EvictPod) -> Evicted:
        """Whose the pod is that a drain evicts; the same for everybody who asks in this request."""
        return await self._now.evicted(change)

    async def budgets(self) -> Sequence[Budget]:
        """The disruption budgets over them."""
        target = self._request.target
        return () if target is None else await self._now.budgets(target)

    async def autoscalers(self) -> Sequence[Autoscaler]:
        """Those of the target that the step was planned from."""
        return (await self._now.planned(self._request))[1].autoscalers

    async def lease(self, target: str) -> Lease | str:
        """Asking takes it, and whoever works on the target now would lose time."""
        raise NotAskedError

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How the limits stand; none is taken."""
        return await self._now.store.use_limits(limits, member, take=False)

    async def openings(self, span: Millis) -> Openings:
        """The incidents that opened, or opened again, in the last ``span``."""
        return await self._now.store.openings(span)

    async def breaker(self, runbook: str) -> Breaker | None:
        """The breaker of that runbook, if it is open."""
        return await self._now.store.breaker(runbook)

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """What Prometheus answers; asked once in this request."""
        return await self._now.query(promql)

    async def dry_run(self) -> Sequence[str]:
        """The server is asked when it is this runbook's turn."""
        raise NotAskedError
