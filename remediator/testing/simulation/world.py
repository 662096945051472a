"""One simulation from its seed to its history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any, cast

from remediator.core.alerts import Alert, AlertStatus, Disposition, Notification
from remediator.core.classify import Classifier, Match
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.decision import Decision
from remediator.core.errors import RemediatorError
from remediator.core.pauses import PauseScope
from remediator.core.plugins import Channel, Metrics
from remediator.core.policies import ChannelSpec, Mode, Service, WorkloadRef
from remediator.core.store import Store
from remediator.core.verdicts import Verdict
from remediator.journey import Journey
from remediator.testing.simulation.bugs import (
    AcknowledgesFirst,
    AgreesToAnything,
    ForgetsNamedPauses,
    ForgetsPods,
    LooksThenTakes,
    PagesFirst,
    PopsThenTells,
    forget_raises,
)
from remediator.testing.simulation.history import Answered, History, Reloaded
from remediator.testing.simulation.machines import Machine
from remediator.testing.simulation.peers import SimCluster, SimMetrics, SimPager, SimPorts
from remediator.testing.simulation.people import answer_questions
from remediator.testing.simulation.recording import RecordingStore
from remediator.testing.simulation.reloads import forbidden_targets
from remediator.testing.simulation.replica import Chaos, Gate, Replica
from remediator.testing.simulation.scenario import BASE, Outage, Scenario, draw_scenario, make_alert
from remediator.workers.crew import Crew, Ports

ASKS_AGAIN = 2.0
"""Seconds after which an Alertmanager sends a notification again that was not answered 2xx."""
SENDER_WAITS = 10.0
"""Seconds an Alertmanager waits for an answer."""


class Silent:
    """An observer that keeps what went wrong, for whoever debugs a seed."""

    def __init__(self) -> None:
        self.troubles: list[str] = []

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Not kept."""

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """Not kept: the store has the timeline."""

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Not kept."""

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
        self.bug = bug
        self.scenario: Scenario = draw_scenario(self.rng)
        loop = asyncio.get_running_loop()
        self.history = History(now=loop.time)
        self.chaos = Chaos(
            crash=self.rng.choice([0.0, 0.004, 0.02]),
            error=self.rng.choice([0.0, 0.01, 0.05]),
            freeze=self.rng.choice([0.0, 0.002, 0.01]),
            latency=self.rng.choice([0.0, 0.01, 0.2]),
        )
        self.observer = Silent()
        self.store = RecordingStore(lambda: int((BASE + loop.time()) * 1000), self.history, self._health_of)
        self.cluster = SimCluster(self.history, self._healed, fences=bug != "lease-without-epoch")
        self.pager = SimPager(self.history, Random(seed + 1), lambda: self.chaos.error)
        policies = [self.scenario.policy, self.scenario.variant]
        if bug == "raises-forgotten":
            policies = list(map(forget_raises, policies))
        self.rules, self._other_rules = map(Classifier, policies)
        self.replicas: list[Replica] = []
        self.journeys: dict[str, Journey] = {}
        self._births = 0
        self._healed_at: dict[str, asyncio.Event] = {}
        self._background: set[asyncio.Task[None]] = set()

    def _health_of(self, service: str) -> tuple[str, bool] | None:
        known: Service | None = self.scenario.policy.services.get(service)
        if known is None or known.workload is None:
            return None
        return known.workload.path, self.cluster.was_healthy(known.workload)

    def _healed(self, name: str) -> None:
        self._healed_at[name].set()

    # --- replicas ---

    def start_replica(self) -> None:
        """A process comes up, under a name of its own."""
        self._births += 1
        replica = Replica(
            f"replica-{self._births}", Random(self.rng.getrandbits(32)), self.chaos, self.history
        )
        self.replicas.append(replica)
        sim = SimPorts(self.cluster, replica, Random(self.rng.getrandbits(32)))
        store = cast(Store, self._store_of(replica))
        pager = cast(Channel, Gate(replica, "pager", self.pager))

        def channel(spec: ChannelSpec) -> Channel:
            return pager

        crew = Crew(
            Ports(
                store=store,
                intake=store,
                runtime=replica,
                observer=self.observer,
                rules=self._rules(),
                channel=channel,
                reader=cast(ClusterReader, Gate(replica, "cluster", sim)),
                executor=cast(Executor, Gate(replica, "cluster", sim)),
                ceiling=Mode.AUTO,
                replica=replica.name,
                metrics=cast(Metrics, Gate(replica, "prometheus", SimMetrics(self.cluster))),
            ),
            journey=self._journey_class(),
        )
        if isinstance(crew.journey, PagesFirst):
            crew.journey.pager = pager
        self.journeys[replica.name] = crew.journey
        for name, duty in crew.duties().items():
            replica.spawn(_forever(duty), name)

    def _rules(self) -> Callable[[], Classifier]:
        born_with = self.rules
        return (lambda: born_with) if self.bug == "policy-of-birth" else (lambda: self.rules)

    def _store_of(self, replica: Replica) -> object:
        if self.bug == "limit-outside-the-script":
            return LooksThenTakes(self.store, replica)
        if self.bug == "timer-popped-before-its-event":
            return PopsThenTells(self.store, replica)
        if self.bug == "pods-meant-anew":
            return ForgetsPods(self.store, replica)
        if self.bug == "named-pauses-forgotten":
            return ForgetsNamedPauses(self.store, replica)
        return Gate(replica, "store", self.store)

    def _journey_class(self) -> type[Journey]:
        classes: dict[str | None, type[Journey]] = {
            "acknowledge-before-commit": AcknowledgesFirst,
            "page-before-commit": PagesFirst,
            "agrees-to-anything": AgreesToAnything,
        }
        return classes.get(self.bug, Journey)

    def _alive(self) -> list[Replica]:
        return [replica for replica in self.replicas if not replica.dead.is_set()]

    async def _resurrect(self) -> None:
        """Whatever dies is started again after a while, as a supervisor would."""
        while True:
            missing = self.scenario.replicas - len(self._alive())
            for _ in range(missing):
                await asyncio.sleep(self.rng.uniform(0.5, 15.0))
                self.start_replica()
            await asyncio.sleep(1.0)

    # --- the outside ---

    def _background_task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)

    async def _outage(self, outage: Outage) -> None:
        await asyncio.sleep(outage.breaks_at)
        machine = self.cluster.machines[f"sim/deployment/{outage.service}"]
        healed = self._healed_at[outage.service]
        healed.clear()
        machine.strike(heals=outage.heals, at=self.history.now())
        for number in range(outage.alertmanagers):
            self._background_task(self._alertmanager(outage, outage.shifts[number], healed))
        try:
            async with asyncio.timeout(outage.repaired_at - outage.breaks_at):
                await healed.wait()
        except TimeoutError:
            machine.mend()
            healed.set()

    async def _alertmanager(self, outage: Outage, shift: int, healed: asyncio.Event) -> None:
        """One Alertmanager tells of one outage: late, twice, in any order."""
        await asyncio.sleep(self.rng.uniform(1.0, 6.0))
        firing = make_alert(outage, AlertStatus.FIRING, shift, 0)
        self._background_task(self._deliver(firing))
        if self.rng.random() < 0.5:
            self._background_task(self._deliver(firing, delay=self.rng.uniform(0, 90)))
        await healed.wait()
        await asyncio.sleep(self.rng.uniform(9.0, 25.0))
        resolved = make_alert(outage, AlertStatus.RESOLVED, shift, self.history.now())
        for _ in range(self.rng.choice([1, 1, 2])):
            self._background_task(self._deliver(resolved, delay=self.rng.uniform(0, 5)))

    async def _deliver(self, alert: Alert, delay: float = 0.0) -> None:
        """Until it is answered 2xx, as Alertmanager does."""
        await asyncio.sleep(delay)
        notification = Notification(
            receiver="sim", group_key="{}", external_url="", truncated=0, alerts=(alert,)
        )
        while True:
            alive = self._alive()
            if alive:
                replica = self.rng.choice(alive)
                if await self._post(replica, notification):
                    break
            await asyncio.sleep(ASKS_AGAIN * (0.5 + self.rng.random()))
        firing = alert.status is AlertStatus.FIRING
        self.history.add(Answered(fingerprint=alert.fingerprint, firing=firing, at=self.history.now()))

    async def _post(self, replica: Replica, notification: Notification) -> bool:
        """Whether it was answered 2xx. A process that dies in between answers nothing."""
        handling = asyncio.ensure_future(self.journeys[replica.name].receive(notification))
        died = asyncio.ensure_future(replica.dead.wait())
        await asyncio.wait({handling, died}, timeout=SENDER_WAITS, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        answered = handling.done() and not replica.dead.is_set() and handling.exception() is None
        if not handling.done():
            handling.add_done_callback(lambda done: done.cancelled() or done.exception())
        return answered

    async def _throw_switch(self, start: float, end: float, scope: PauseScope) -> None:
        await asyncio.sleep(start)
        await self.store.pause("simulated", "somebody", None, scope)
        await asyncio.sleep(end - start)
        await self.store.resume(scope)

    async def _swap_policies(self, at: float) -> None:
        """Every replica finds the new files, and goes by them."""
        await asyncio.sleep(at)
        self.rules, self._other_rules = self._other_rules, self.rules
        forbidden = forbidden_targets(self.rules.policy)
        self.history.add(Reloaded(forbidden=forbidden, at=self.history.now()))

    # --- the run ---

    async def run(self) -> History:
        """Everything from the first outage until long after the last."""
        for name, service in self.scenario.policy.services.items():
            workload = service.workload
            assert isinstance(workload, WorkloadRef)
            self.cluster.add(Machine(ref=workload, heals=True))
            self._healed_at[name] = asyncio.Event()
        for _ in range(self.scenario.replicas):
            self.start_replica()
        self._background_task(self._resurrect())
        for outage in self.scenario.outages:
            self._background_task(self._outage(outage))
        for at in self.scenario.swaps:
            self._background_task(self._swap_policies(at))
        self._background_task(answer_questions(self.store, self.history))
        for start, end, scope in self.scenario.pauses:
            self._background_task(self._throw_switch(start, end, scope))
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


async def _forever(duty: Callable[[], Awaitable[None]]) -> None:
    await duty()
