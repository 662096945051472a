"""What the API lets guards look through when an alert is only explained: it takes and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.core.cluster import Budget, Change, ClusterReader, Pod, Workload
from remediator.core.errors import Refused
from remediator.core.policies import WorkloadRef
from remediator.core.store import GuardStore, Lease, Limit, LimitUse, Pause
from remediator.core.verdicts import NotAskedError


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
        """Asking takes it, and whoever works on the target now would lose time."""
        raise NotAskedError

    async def use_limits(self, limits: Sequence[Limit], member: str) -> list[LimitUse]:
        """How the limits stand; none is taken."""
        return await self._store.use_limits(limits, member, take=False)

    async def dry_run(self) -> Sequence[str]:
        """The changes are planned only when it is this runbook's turn."""
        raise NotAskedError
