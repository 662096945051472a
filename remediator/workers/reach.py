"""What a step's guards look through, and what is taken on the way: the lease, the limits, the plan."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.actions import ACTIONS
from remediator.core.cluster import EFFECT_ANNOTATION, Change, Executor, Workload
from remediator.core.errors import Refused
from remediator.core.journal import Act
from remediator.core.policies import WorkloadRef
from remediator.core.store import Lease, Limit, LimitUse, Pause
from remediator.core.verdicts import ChangeRequest
from remediator.workers.means import Means, awaiting


class Reach:
    """``core.verdicts.GuardPorts`` for one performance of one step.

    Where the change is withheld anyway nothing is taken: limits are looked at, the plan is made, that is all.
    """

    def __init__(self, means: Means, request: ChangeRequest, effect: Act) -> None:
        self._means, self._request, self._effect = means, request, effect
        self._store = means.guards
        self._seen: Workload | None = None
        self._lease: Lease | None = None
        self._limits: Sequence[Limit] = ()
        self._withheld = False
        self._changes: tuple[Change, ...] = ()

    async def paused(self) -> Pause | None:
        """The kill switch."""
        return await self._store.paused()

    def clock_trouble(self) -> str | None:
        """Why the store's clock is not to be trusted now."""
        return self._means.clock_trouble()

    async def firing(self) -> int:
        """The rule's own alerts that fire now; none when the incident no longer waits for this step."""
        loaded = await self._means.incidents.load(self._request.incident.id, ())
        if loaded.incident is None or awaiting(loaded.incident, self._effect.id) is None:
            return 0
        return min(loaded.facts.firing, loaded.incident.firing_by_rule.get(self._request.attempt.rule, 0))

    async def workload(self, target: WorkloadRef) -> Workload:
        """The target as it is now."""
        if self._means.reader is None:
            raise Refused("no cluster is configured; set REMEDIATOR_KUBECONFIG or run inside a cluster")
        self._seen = await self._means.reader.workload(target)
        return self._seen

    async def lease(self, target: str) -> Lease | str:
        """The lease; once it is ours, whether it still is."""
        if self._withheld:
            return Lease(target=target, owner=self._owner, epoch=0)  # nothing will be changed under it
        if self._lease is not None:
            kept = await self._store.holds(self._lease, self._means.lease)
            return self._lease if kept else "somebody else: the lease ran out"
        lease = await self._store.acquire(target, self._owner, self._means.lease)
        if isinstance(lease, Lease):
            self._lease = lease
        return lease

    @property
    def _mark(self) -> str:
        """Which step changed the target last."""
        return self._seen.annotations.get(EFFECT_ANNOTATION, "") if self._seen is not None else ""

    @property
    def _owner(self) -> str:
        return f"{self._means.replica}/{self._effect.id}"

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How they stand; taken when none is exceeded, unless the change is withheld anyway."""
        uses = await self._store.use_limits(limits, member, take=not self._withheld)
        if not self._withheld and not any(use.exceeded for use in uses):
            self._limits = limits
        return uses

    async def dry_run(self) -> Sequence[str]:
        """Plan the step, and have the server check each change."""
        action = ACTIONS.get(self._request.step.action)
        if action is None or self._seen is None:
            raise Refused(f"this version does not know action {self._request.step.action}")
        params = action.params.model_validate(dict(self._request.step.params))
        self._changes = action.plan(params, self._seen, effect=self._request.effect, at=self._request.at)
        if not self._withheld:
            for change in self._changes:
                await self._executor.dry_run(change)
        return [str(change) for change in self._changes]

    @property
    def _executor(self) -> Executor:
        if self._means.executor is None:
            raise Refused("no cluster is configured")
        return self._means.executor
