"""How a replica has Alertmanager silence something."""

from __future__ import annotations

from random import Random

from remediator.core.changes import CreateSilence, EndSilence
from remediator.core.silencing import WantedSilence
from remediator.testing.simulation.cluster import SimCluster
from remediator.testing.simulation.outside import SimAlertmanagers
from remediator.testing.simulation.policies import workload_of
from remediator.testing.simulation.ports import WORKING_ON, Late
from remediator.testing.simulation.replica import Replica


class SimSilencer(Late):
    """``core.silencing.Silencer``. What is created lands whenever it does: nothing fences it."""

    def __init__(
        self, cluster: SimCluster, replica: Replica, rng: Random, alertmanagers: SimAlertmanagers
    ) -> None:
        super().__init__(cluster, replica, rng)
        self._alertmanagers = alertmanagers

    async def permit(self) -> None:
        """As the Protocol says."""
        self._cluster.see("alertmanager")
        working, _ = WORKING_ON.get()
        self._cluster.permit(self._cluster.machine(workload_of(service_of(working))), "silence it")

    async def stands(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        self._cluster.see("alertmanager")
        return self._alertmanagers.standing(wanted.comment)

    async def create(self, wanted: WantedSilence) -> None:
        """As the Protocol says."""
        if not await self.stands(wanted):
            (effect, _), caller = WORKING_ON.get(), self._caller()
            ref = workload_of(service_of(effect))
            change = CreateSilence(target=ref, uid="", silence=wanted)

            def land() -> None:
                fresh = not self._alertmanagers.standing(wanted.comment)
                self._alertmanagers.created[wanted.comment] = wanted
                self._cluster.quiet(change, effect, caller, rolled=fresh)

            await self._land(land, "Alertmanager")

    async def is_over(self, wanted: WantedSilence) -> bool:
        """As the Protocol says."""
        return not await self.stands(wanted)

    async def end(self, wanted: WantedSilence) -> None:
        """As the Protocol says. That an attempt is over and its silences with it is no change of a step."""
        self._cluster.see("alertmanager")
        self._alertmanagers.created.pop(wanted.comment, None)
        effect, _ = WORKING_ON.get()
        if "/undo/" in effect:
            change = EndSilence(target=workload_of(service_of(effect)), uid="", silence=wanted)
            self._cluster.quiet(change, effect, self._caller(), rolled=True)


def service_of(effect: str) -> str:
    """Incidents are called by day, time and service."""
    return effect.partition("/")[0].split("-", 4)[4]
