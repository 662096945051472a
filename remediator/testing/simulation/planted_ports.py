"""Bugs on the way to the cluster and to Alertmanagers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from remediator.core.alertmanagers import Answers
from remediator.core.changes import ClusterChange, Fence
from remediator.core.errors import Fenced
from remediator.testing.simulation.cluster import SimCluster
from remediator.testing.simulation.outside import SimAlertmanagers
from remediator.testing.simulation.replica import Gate

KEPT = 60.0
"""Seconds for which an answer is kept that should have been asked for anew."""


class BorrowsEpochs:
    """An executor that, where somebody newer owns the object, goes on under their epoch."""

    def __init__(self, gate: Gate, cluster: SimCluster) -> None:
        self._gate, self._cluster = gate, cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        """Once more, with the epoch that it finds."""
        try:
            await self._gate.apply(change, fence)
        except Fenced:
            epoch = self._cluster.epoch_of(change.fenced_on)
            await self._gate.apply(change, replace(fence, epoch=epoch))


class RemembersSilences:
    """Alertmanagers that were asked not long ago are not asked again."""

    def __init__(self, alertmanagers: SimAlertmanagers) -> None:
        self._alertmanagers = alertmanagers
        self._kept: Answers = ()
        self._asked_at = -KEPT

    async def poll(self) -> Answers:
        """As the real ones."""
        return await self.ask(())

    async def ask(self, names: Collection[str]) -> Answers:
        """What they said when they were last asked."""
        now = self._alertmanagers.cluster.now
        if now - self._asked_at >= KEPT:
            self._kept, self._asked_at = await self._alertmanagers.ask(names), now
        return self._kept
