"""The replicas of a simulation: how each is assembled, and that whatever dies is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, cast

from remediator.checks import CHECKS
from remediator.core.alertmanagers import Alertmanagers
from remediator.core.classify import Classifier
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.plugins import Channel, HttpProber, Metrics
from remediator.core.policies import ChannelSpec
from remediator.core.programs import ProgramRunner
from remediator.core.requests import HttpSender
from remediator.core.silencing import Silencer
from remediator.core.store import Store
from remediator.diagnoses import DIAGNOSES
from remediator.journey import Journey
from remediator.testing.simulation.bugs import (
    planted_alertmanagers,
    planted_executor,
    planted_journey,
    planted_store,
)
from remediator.testing.simulation.planted_journeys import PagesFirst
from remediator.testing.simulation.ports import SimMetrics, SimPorts, SimPrograms, SimServices
from remediator.testing.simulation.replica import Gate, Replica
from remediator.testing.simulation.silencer import SimSilencer
from remediator.testing.simulation.tracing import counted_checks, counted_diagnoses
from remediator.workers.crew import Crew, Ports

if TYPE_CHECKING:
    from remediator.testing.simulation.outside import SimPager
    from remediator.testing.simulation.world import World


class Staff:
    """All replicas there ever were, with their journeys by their names. ``rules``: the newest policy."""

    def __init__(self, world: World, pager: SimPager, bug: str | None, rules: Classifier) -> None:
        self._world, self._pager, self._bug, self.rules = world, pager, bug, rules
        self.replicas: list[Replica] = []
        self.journeys: dict[str, Journey] = {}
        self._births = 0

    def open(self) -> None:
        """All that there are to be come up."""
        for _ in range(self._world.scenario.replicas):
            self._start()

    def alive(self) -> list[Replica]:
        """Those that run."""
        return [replica for replica in self.replicas if not replica.dead.is_set()]

    async def resurrect(self) -> None:
        """Whatever dies is started again after a while, as a supervisor would."""
        world = self._world
        while True:
            for _ in range(world.scenario.replicas - len(self.alive())):
                await asyncio.sleep(world.rng.uniform(0.5, 15.0))
                self._start()
            await asyncio.sleep(1.0)

    def _start(self) -> None:
        """A process comes up, under a name of its own."""
        world, rng = self._world, self._world.rng
        self._births += 1
        name = f"replica-{self._births}"
        replica = Replica(name, Random(rng.getrandbits(32)), world.chaos, world.history)
        self.replicas.append(replica)
        pager = cast(Channel, Gate(replica, "pager", self._pager))
        crew = Crew(
            self._ports(replica, Random(rng.getrandbits(32)), pager), journey=planted_journey(self._bug)
        )
        if isinstance(crew.journey, PagesFirst):
            crew.journey.pager = pager
        self.journeys[replica.name] = crew.journey
        for duty, work in crew.duties().items():
            replica.spawn(_forever(work), duty)

    def _ports(self, replica: Replica, rng: Random, pager: Channel) -> Ports:
        world, scenario = self._world, self._world.scenario
        cluster = world.cluster
        sim = SimPorts(cluster, replica, rng, shy="observer" not in scenario.features)
        services = SimServices(cluster, replica, rng)
        silencer = SimSilencer(cluster, replica, rng, world.alertmanagers)
        store = cast(Store, planted_store(self._bug, world.store, replica))

        def channel(spec: ChannelSpec) -> Channel:
            return pager

        return Ports(
            store=store,
            intake=store,
            runtime=replica,
            observer=world.observer,
            rules=self._rules(),
            channel=channel,
            reader=cast(ClusterReader, Gate(replica, "cluster", sim)),
            executor=cast(Executor, planted_executor(self._bug, Gate(replica, "cluster", sim), cluster)),
            ceiling=scenario.ceiling,
            replica=replica.name,
            metrics=cast(Metrics, Gate(replica, "prometheus", SimMetrics(cluster))),
            alertmanagers=cast(Alertmanagers, planted_alertmanagers(self._bug, world.alertmanagers)),
            http=cast(HttpProber, Gate(replica, "service", services)),
            programs=cast(ProgramRunner, Gate(replica, "program", SimPrograms(cluster, replica, rng))),
            silencer=cast(Silencer, Gate(replica, "alertmanager", silencer)),
            sender=cast(HttpSender, Gate(replica, "service", services)),
            checks=counted_checks(CHECKS, world.met),
            diagnoses=counted_diagnoses(DIAGNOSES, world.met),
        )

    def _rules(self) -> Callable[[], Classifier]:
        born_with = self.rules
        return (lambda: born_with) if self._bug == "policy-of-birth" else (lambda: self.rules)


async def _forever(duty: Callable[[], Awaitable[None]]) -> None:
    await duty()
