"""One simulation from its seed to its history."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from remediator.core.alerts import Disposition
from remediator.core.classify import Classifier, Match
from remediator.core.decision import Decision
from remediator.core.errors import RemediatorError
from remediator.core.policies import Service
from remediator.core.verdicts import Verdict
from remediator.testing.simulation.bugs import ABOUT, planted_in_policy
from remediator.testing.simulation.clock import BASE
from remediator.testing.simulation.cluster import SimCluster
from remediator.testing.simulation.crews import Staff
from remediator.testing.simulation.history import History
from remediator.testing.simulation.machines import Machine
from remediator.testing.simulation.outside import SimAlertmanagers, SimPager
from remediator.testing.simulation.people import answer_questions
from remediator.testing.simulation.policies import CROWDED
from remediator.testing.simulation.recording import RecordingStore
from remediator.testing.simulation.replica import Chaos
from remediator.testing.simulation.scenario import Scenario, draw_scenario
from remediator.testing.simulation.surroundings import Surroundings
from remediator.testing.simulation.telling import Telling


class Silent:
    """An observer that keeps what went wrong, for whoever debugs a seed, and counts verdicts."""

    def __init__(self, met: Counter[str] | None = None) -> None:
        self.troubles: list[str] = []
        self._met = Counter[str]() if met is None else met

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Not kept."""

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """Not kept: the store has the timeline."""

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Counted: which guards allowed something, and which did not."""
        for verdict in verdicts:
            self._met[f"guard {verdict.guard} {'allows' if verdict.allowed else 'blocks'}"] += 1

    def buried(self, queue: str, reason: str) -> None:
        """Not kept: the store lists dead letters."""

    def trouble(self, where: str, error: BaseException) -> None:
        """Kept when it is not weather."""
        if not isinstance(error, RemediatorError):
            self.troubles.append(f"{where}: {type(error).__name__}: {error}")


class World:
    """Store, cluster, pager, replicas and what befalls them."""

    def __init__(self, seed: int, bug: str | None = None) -> None:
        self.rng = Random(seed)
        self.scenario: Scenario = draw_scenario(self.rng, ABOUT.get(bug or ""))
        loop = asyncio.get_running_loop()
        self.met: Counter[str] = Counter()
        self.history = History(now=loop.time)
        self.chaos = Chaos(
            crash=self.rng.choice([0.0, 0.004, 0.02]),
            error=self.rng.choice([0.0, 0.01, 0.05]),
            freeze=self.rng.choice([0.0, 0.002, 0.01]),
            latency=self.rng.choice([0.0, 0.01, 0.2]),
        )
        if "stopped" in self.scenario.features:
            self.chaos.freeze, self.chaos.stop = 0.0, 0.4
        if CROWDED in self.scenario.features:
            self.chaos.latency, self.chaos.crash = 0.2, 0.0
        if "once" in self.scenario.features:
            self.chaos.crash = 0.02
        self.observer = Silent(self.met)
        self._ahead = 0.0
        self.store = RecordingStore(
            lambda: int((BASE + loop.time() + self._ahead) * 1000), self.history, self._machine_of
        )
        self.cluster = SimCluster(
            self.history, self._healed, loop.call_later, fences=bug != "lease-without-epoch"
        )
        self.alertmanagers = SimAlertmanagers(self.cluster)
        policies = [self.scenario.policy, self.scenario.variant]
        rules, other_rules = (Classifier(planted_in_policy(bug, policy)) for policy in policies)
        self.staff = Staff(
            self, SimPager(self.history, Random(seed + 1), lambda: self.chaos.error), bug, rules
        )
        self._telling = Telling(self)
        self._surroundings = Surroundings(self, other_rules)
        self._healed_at: dict[str, asyncio.Event] = {}
        self._background: set[asyncio.Task[None]] = set()

    def _machine_of(self, service: str) -> Machine | None:
        known: Service | None = self.scenario.policy.services.get(service)
        return None if known is None or known.workload is None else self.cluster.machine(known.workload)

    def _healed(self, name: str) -> None:
        self._healed_at[name].set()

    def healed(self, name: str) -> asyncio.Event:
        """Set while that service works."""
        return self._healed_at[name]

    def jump(self, seconds: float) -> None:
        """The store's clock jumps."""
        self._ahead += seconds

    def beside(self, work: Any) -> None:
        """Run it in the background until the end."""
        self._background.add(asyncio.get_running_loop().create_task(work))

    async def run(self) -> History:
        """Everything from the first outage until long after the last."""
        for service in self.scenario.policy.services.values():
            assert service.workload is not None
            self.cluster.add(Machine(ref=service.workload, traits=self.scenario.traits[service.name]))
            self._healed_at[service.name] = asyncio.Event()
        self.staff.open()
        self.beside(self.staff.resurrect())
        self._telling.begin()
        self._surroundings.begin()
        self.beside(answer_questions(self.store, self.history))
        await asyncio.sleep(self.scenario.stormy_until)
        self.chaos.calm()
        await asyncio.sleep(self.scenario.ends_at - self.scenario.stormy_until)
        self._check_tasks()
        return self.history

    def _check_tasks(self) -> None:
        """The world itself must not have stumbled: a broken simulation proves nothing."""
        for task in self._background:
            if task.done() and not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def end(self) -> None:
        """Everybody out."""
        me = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not me]
        for _ in range(3):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=1.0)
