"""What a step's guards look through, and what is taken on the way: the lease, the limits, the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from remediator.actions import ACTIONS
from remediator.actions.http import HttpActionParams
from remediator.core.aiming import astray
from remediator.core.alertmanagers import Suppression
from remediator.core.alerts import Alert
from remediator.core.breakers import Breaker
from remediator.core.changes import Change, EvictPod
from remediator.core.cluster import (
    EFFECT_ANNOTATION,
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
from remediator.core.errors import Refused, RemediatorError, Retryable, StoreUnavailable
from remediator.core.evicting import look_at
from remediator.core.journal import Act, Diagnose, EndIsolation, EndSilences, Undo, Verify
from remediator.core.nodes import mismatch
from remediator.core.objects import Anchor
from remediator.core.pauses import Pause, PauseScope
from remediator.core.plugins import cron_job_of
from remediator.core.policies import WorkloadRef
from remediator.core.roots import Root
from remediator.core.running import ExecParams
from remediator.core.samples import NO_PROMETHEUS
from remediator.core.silencing import NO_ALERTMANAGER
from remediator.core.store import Lease, Limit, LimitUse
from remediator.core.storms import Openings
from remediator.core.times import Instant, Millis
from remediator.core.verdicts import ChangeRequest, Evicted, Guard, Pointless, Verdict
from remediator.guards import ask_guards
from remediator.guards.error_budget import held_to_budget
from remediator.guards.evictions import evictions
from remediator.workers.means import Means, awaiting
from remediator.workers.performers import Performers

Performed = Act | Undo | EndIsolation | EndSilences | Diagnose | Verify
"""What guards are asked about."""


class Reach:
    """``core.verdicts.GuardPorts`` for one performance of one step, or of a look that runs a program.

    Where the change is withheld anyway nothing is taken: limits are looked at, the plan is made, that is all.
    """

    def __init__(self, means: Means, request: ChangeRequest, effect: Performed) -> None:
        self._means, self._request, self.effect = means, request, effect
        self._store, self._performers = means.guards, Performers(means)
        self._seen: Workload | None = None
        self._lease: Lease | None = None
        self._limits: Sequence[Limit] = ()
        self._withheld = request.withheld
        self._pods: Sequence[Pod] | None = None
        self._answers: dict[str, Sequence[tuple[Mapping[str, str], float]] | RemediatorError] = {}
        self._evicted: dict[str, Evicted] = {}
        self._nodes: Sequence[Workload] | None = None
        self._plan: tuple[Change, ...] | None = None
        self._planned_from: Snapshot | None = None
        self._meant: frozenset[str] = frozenset()
        """UIDs of the pods an earlier performance was about to take away: this one takes no other."""
        self._gone: tuple[str, ...] = ()
        """What is to be told of those of them that are gone, unless it was told before."""

    async def weigh_trust(self) -> None:
        """Ask anew what the rule's record and the service's error budget leave of its trust."""
        lowered = await self._store.lowered(self._request.attempt.rule)
        self._request = await held_to_budget(replace(self._request, lowered=lowered), self)

    async def ask(self, guards: Sequence[Guard]) -> tuple[Verdict, ...]:
        """What these guards say."""
        return await ask_guards(self._request, self, guards)

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        """Those of the scopes that are paused now."""
        return await self._store.paused(scopes)

    def clock_trouble(self) -> str | None:
        """Why the store's clock is not to be trusted now."""
        return self._means.clock_trouble()

    async def now(self) -> Instant:
        """The store's clock: a step may be performed long after it was decided."""
        return (await self._means.incidents.load(None, ())).at

    async def firing(self) -> int:
        """The rule's own alerts that fire now; none when the incident no longer waits for this step."""
        loaded = await self._means.incidents.load(self._request.incident.id, ())
        if loaded.incident is None or awaiting(loaded.incident, self.effect.id) is None:
            return 0
        return min(loaded.facts.firing, loaded.incident.firing_by_rule.get(self._request.attempt.rule, 0))

    async def open_about(self, names: Sequence[str]) -> Sequence[Root]:
        """Open incidents of these services, now."""
        return await self._means.incidents.open_about(names)

    async def astray(self) -> str:
        """Why the object that the alerts name leads to no workload."""
        return astray(self._request.incident, self._request.rule)

    async def suppression(self) -> Suppression | None:
        """What keeps its alerts quiet, asked anew each time: a silence is set in the middle of things."""
        lookout = self._means.lookout(self._request.incident)
        return None if lookout is None else await lookout.suppression()

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as this performance first saw it: every guard, and the plan, speak of one state."""
        if self._seen is None:
            self._seen = await self._reader.workload(target)
        return self._seen

    async def workloads(self, refs: Sequence[WorkloadRef]) -> Sequence[Workload]:
        """Those of them that exist, as they are now."""
        return await read_workloads(self._reader, refs)

    async def nodes(self) -> Sequence[Workload]:
        """Every node, listed once in this performance."""
        if self._nodes is None:
            self._nodes = await self._reader.nodes()
        return self._nodes

    async def plan(self) -> Sequence[Change]:
        """The step's changes, planned once from the target as it is now. Raises what action and reader do."""
        if self._plan is None:
            self._plan = await self._make_plan()
        return self._plan

    async def _make_plan(self) -> tuple[Change, ...]:
        action, target = ACTIONS.get(self._request.step.action), self._request.target
        if action is None or target is None:
            raise Refused(f"this version does not know action {self._request.step.action}")
        if strange := mismatch(self._request.step.action, target.kind, str(target)):
            raise Pointless(strange)
        params = action.params.model_validate(dict(self._request.step.params))
        needs, named = action.needs | params.needs, cron_job_of(action, params)
        seen = await read_snapshot(self._reader, await self.workload(target), needs, cron_job=named)
        seen = replace(seen, service=self._request.service, author=self._request.author)
        if Need.ALERTS in needs:
            seen = replace(seen, alerts=await self._alerts())
        self._pods = seen.pods if Need.PODS in action.needs else None
        self._planned_from = seen
        if self._meant:  # it chooses among those alone
            seen = replace(seen, pods=tuple(pod for pod in seen.pods if pod.uid in self._meant))
        try:
            return action.plan(params, seen, at=self._request.at)
        except Refused as error:
            if self._meant:
                return ()  # those that are left are well by now
            raise Pointless(str(error)) from error

    async def _alerts(self) -> tuple[Alert, ...]:
        """Those of the incident that fire, as Alertmanager lists them. Raises Refused where there is none."""
        lookout = self._means.lookout(self._request.incident)
        if lookout is None:
            raise Refused(NO_ALERTMANAGER)
        return await lookout.alerts()

    @property
    def _invertible(self) -> bool:
        """Whether what the action changes can be taken back: then the journal keeps how."""
        action = ACTIONS.get(self._request.step.action)
        return action is not None and action.invertible

    @property
    def _what(self) -> str:
        """What is done, where nobody knows any more how it was planned."""
        return f"{self._request.step.action} {self._request.target}"

    async def pods(self) -> Sequence[Pod]:
        """The target's pods as they are now."""
        if self._pods is None:
            self._pods = () if self._seen is None else await self._reader.pods(self._seen)
        return self._pods

    async def evicted(self, change: EvictPod) -> Evicted:
        """Whose the pod is; looked at once before the changes, and once more before its own eviction."""
        if change.pod_uid not in self._evicted:
            self._evicted[change.pod_uid] = await look_at(self._reader, change)
        return self._evicted[change.pod_uid]

    async def budgets(self) -> Sequence[Budget]:
        """The disruption budgets over the target's pods."""
        return () if self._seen is None else await self._reader.budgets(self._seen)

    async def autoscalers(self) -> Sequence[Autoscaler]:
        """Those of the target that the step was planned from."""
        return () if self._planned_from is None else self._planned_from.autoscalers

    @property
    def _reader(self) -> ClusterReader:
        if self._means.reader is None:
            raise Refused("no cluster is configured; set REMEDIATOR_KUBECONFIG or run inside a cluster")
        return self._means.reader

    async def lease(self, target: str) -> Lease | str:
        """The lease; once it is ours, whether it still is."""
        if self._withheld:
            return Lease(target=target, owner=self._owner, epoch=0)  # nothing will be changed under it
        if self._lease is not None:
            kept = await self._store.holds(self._lease, self._ttl)
            return self._lease if kept else "somebody else: the lease ran out"
        lease = await self._store.acquire(target, self._owner, self._ttl)
        if isinstance(lease, Lease):
            self._lease = lease
        return lease

    @property
    def _ttl(self) -> Millis:
        """How long the lease is taken for: what takes longer than a patch holds it for as much longer."""
        action = ACTIONS.get(self._request.step.action)
        if action is None or action.params not in (ExecParams, HttpActionParams):
            return self._means.lease
        params = action.params.model_validate(dict(self._request.step.params))
        assert isinstance(params, ExecParams | HttpActionParams)
        return Millis(self._means.lease + params.timeout)

    async def give_back(self) -> None:
        """The lease."""
        if self._lease is not None:
            await self._store.release(self._lease)

    def _mark(self, planned: Sequence[Change]) -> str:
        """Which step last changed the object that these changes are fenced on."""
        seen = self._planned_from
        on = planned[0].fenced_on if planned else self._request.target
        return "" if seen is None or on is None else seen.annotations_of(on).get(EFFECT_ANNOTATION, "")

    def _anchor(self, planned: Sequence[Change]) -> Anchor | None:
        """The object that they are fenced on, where that is not the target. They are fenced on one."""
        found = {Anchor(ref=change.fenced_on, uid=change.uid) for change in planned}
        if len(found) > 1:
            raise Refused(f"the changes of {self._request.step.action} are fenced on more than one object")
        target = self._request.target
        return next((one for one in found if target is None or one.ref.path != target.path), None)

    @property
    def _owner(self) -> str:
        return f"{self._means.replica}/{self.effect.id}"

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How they stand; taken when none is exceeded, unless the change is withheld anyway."""
        uses = await self._store.use_limits(limits, member, take=not self._withheld)
        if not self._withheld and not any(use.exceeded for use in uses):
            self._limits = limits
        return uses

    async def openings(self, span: Millis) -> Openings:
        """The incidents that opened, or opened again, in the last ``span``."""
        return await self._store.openings(span)

    async def breaker(self, runbook: str) -> Breaker | None:
        """The breaker of that runbook, if it is open."""
        return await self._store.breaker(runbook)

    async def query(self, promql: str) -> Sequence[tuple[Mapping[str, str], float]]:
        """What Prometheus answers, or that it does not; asked once in this performance."""
        if self._means.metrics is None:
            raise Refused(NO_PROMETHEUS)
        if promql not in self._answers:
            try:
                self._answers[promql] = await self._means.metrics.query(promql)
            except RemediatorError as error:  # one that hangs is not waited for twice
                self._answers[promql] = error
        found = self._answers[promql]
        if isinstance(found, RemediatorError):
            raise found.with_traceback(None)
        return found

    async def dry_run(self) -> Sequence[str]:
        """Have the server check each change of the plan; the changes in words."""
        planned = await self.plan()
        if not self._withheld or self._request.asks:  # before people are asked, the server is
            for change in planned:
                try:
                    await self._performers.of(change).dry_run()
                except StoreUnavailable:
                    raise
                except Retryable:
                    if not evictions([change]):  # of a drain: what a budget forbids now has its turn later
                        raise
        return [str(change) for change in planned]
