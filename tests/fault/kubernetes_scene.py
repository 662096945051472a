"""A fake API server with faults, the adapter before it, and a workload that is about to be restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from remediator.adapters.kubernetes import Kubernetes, Limits, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import Fence, RestartWorkload
from remediator.core.cluster import EFFECT_ANNOTATION, Workload
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.testing.apiserver import FakeApiServer, Fault, FaultKind, Pace

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
QUICK = Limits(connect=0.2, request=0.3, operation=1.0, probe=0.3, backoff=0.01)
EFFECT = EffectId("inc-1/step-1")
BRISK = Pace(ready_after=0.002, stop_after=0.002, lag=0.001)
"""A cluster in which nothing takes long."""


class Impatient(AsyncioRuntime):
    """The machine, but pauses are noted and not waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.pauses.append(seconds)


class Gate:
    """A latency that ends when the test says so."""

    SECONDS = 3600.0

    def __init__(self) -> None:
        self.arrived, self.open, self.passed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """How the server waits."""
        if seconds != self.SECONDS:
            await asyncio.sleep(seconds)
            return
        self.arrived.set()
        await self.open.wait()
        self.passed.set()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A server, the adapter, and a workload claimed under epoch 1."""

    server: FakeApiServer
    cluster: Kubernetes
    runtime: Impatient
    seen: Workload
    change: RestartWorkload = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "change", RestartWorkload(target=WEB, uid=self.seen.uid, at=Instant(1_790_000_000_000))
        )

    def strike(self, kind: FaultKind, method: str = "PATCH", **more: float | int | None) -> None:
        """From now on, that fault."""
        self.server.faults.add(Fault(kind=kind, method=method, **more))  # type: ignore[arg-type]  # by name

    async def apply(self, epoch: int = 1) -> None:
        """The change."""
        await self.cluster.executor.apply(self.change, Fence(epoch=epoch, effect=EFFECT))

    async def happened(self, epoch: int) -> bool:
        """Whether it took effect, found out as a successor does: under a newer epoch."""
        claimed = await self.cluster.executor.claim(WEB, self.seen.uid, Fence(epoch=epoch, effect=EFFECT))
        return claimed.annotations.get(EFFECT_ANNOTATION) == EFFECT

    @property
    def restarts(self) -> int:
        """How often the template changed."""
        return self.server.ledger.restarts("shop", "web")

    def requests(self, method: str) -> int:
        """How many requests of a method arrived."""
        return sum(request.method == method for request in self.server.requests)


@asynccontextmanager
async def opened(directory: Path, limits: Limits = QUICK, gate: Gate | None = None) -> AsyncIterator[Scene]:
    """The scene on a server of its own. ``gate`` holds requests back that are struck by a latency of it."""
    runtime = Impatient()
    async with FakeApiServer(pace=BRISK, sleep=gate.sleep if gate is not None else asyncio.sleep) as server:
        server.deployment("shop", "web")
        await server.settled()
        cluster = await connect(
            str(server.kubeconfig(directory / "kubeconfig")), runtime=runtime, limits=limits
        )
        seen = await cluster.reader.workload(WEB)
        await cluster.executor.claim(WEB, seen.uid, Fence(epoch=1, effect=EFFECT))
        claimed = await cluster.reader.workload(WEB)
        server.requests.clear()
        try:
            yield Scene(server=server, cluster=cluster, runtime=runtime, seen=claimed)
        finally:
            await cluster.close()
            runtime.close()
