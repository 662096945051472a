"""One replica's crew: every worker, wired to the same ports.

The daemon and the simulation assemble their replicas here, so that what is simulated is what runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from remediator.checks import CHECKS
from remediator.core.alertmanagers import SETTLED, Alertmanagers
from remediator.core.classify import Classifier
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.incident import Incident
from remediator.core.plugins import AlertRules, Channel, CheckPlugin, DiagnosisPlugin, HttpProber, Metrics
from remediator.core.policies import ChannelSpec, Mode, Policy
from remediator.core.ports import Observer, Runtime
from remediator.core.programs import ProgramRunner
from remediator.core.requests import HttpSender
from remediator.core.silencing import Silencer
from remediator.core.store import Delivered, IntakeStore, Queue, Store
from remediator.core.times import Millis
from remediator.diagnoses import DIAGNOSES
from remediator.journey import Journey, Perform
from remediator.workers.clerk import Clerk
from remediator.workers.consumer import Consumer, Failure, Handle
from remediator.workers.courier import Courier
from remediator.workers.lookout import Lookout
from remediator.workers.means import Means
from remediator.workers.pace import DEFAULT_PACE, Pace
from remediator.workers.runner import Runner
from remediator.workers.timekeeper import ClockWatch, Timekeeper

CLERKS = 2
STEPS_AT_ONCE = 16
PAGES_AT_ONCE = 8
NOTICES_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """Everything a replica needs from outside. ``rules`` answers the newest compiled policy."""

    store: Store
    intake: IntakeStore
    runtime: Runtime
    observer: Observer
    rules: Callable[[], Classifier]
    channel: Callable[[ChannelSpec], Channel]
    reader: ClusterReader | None
    executor: Executor | None
    ceiling: Mode
    replica: str
    """Unique for every start of every process: the name of its consumers and the owner of its leases."""
    metrics: Metrics | None = None
    alert_rules: AlertRules | None = None
    alertmanagers: Alertmanagers | None = None
    settled: Millis = SETTLED
    """So long an Alertmanager must have been up before what it does not list counts."""
    http: HttpProber | None = None
    programs: ProgramRunner | None = None
    sender: HttpSender | None = None
    silencer: Silencer | None = None
    checks: Mapping[str, CheckPlugin] = field(default_factory=lambda: CHECKS)
    diagnoses: Mapping[str, DiagnosisPlugin] = field(default_factory=lambda: DIAGNOSES)


class Crew:
    """The workers of one replica. ``duties`` are run side by side for as long as it lives."""

    def __init__(self, ports: Ports, journey: type[Journey] = Journey, pace: Pace = DEFAULT_PACE) -> None:
        self._pace = pace
        self.clock = ClockWatch(ports.runtime)
        self.journey = journey(
            intake=ports.intake,
            queues=ports.store,
            incidents=ports.store,
            rules=ports.rules,
            observer=ports.observer,
            consumer=ports.replica,
            saw_time=self.clock.saw,
        )
        self._ports = ports
        runner = Runner(self._means())
        self.courier = Courier(
            incidents=ports.store, policy=self._policy, channel=ports.channel, runtime=ports.runtime
        )
        self.consumers = {
            "clerk": self._consumer(
                [Queue.URGENT, Queue.NORMAL],
                Clerk(self.journey, ports.runtime).handle,
                CLERKS,
                Clerk.batch,
            ),
            "runner": self._consumer([Queue.EFFECTS], self._one_by_one(runner.perform), STEPS_AT_ONCE, 1),
            "courier": self._consumer(
                [Queue.OUTBOX], self._one_by_one(self.courier.deliver), PAGES_AT_ONCE, 1
            ),
            "notices": self._consumer(
                [Queue.NOTICES], self._one_by_one(self.courier.deliver), NOTICES_AT_ONCE, 1
            ),
        }
        self._timekeeper = Timekeeper(ports.store, ports.runtime, ports.observer)

    def duties(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What is to be run, by name. None of them ever returns."""
        duties: dict[str, Callable[[], Awaitable[None]]] = {"timekeeper": self._timekeeper.run}
        for name, consumer in self.consumers.items():
            duties[name] = consumer.run
            duties[f"{name}/heartbeat"] = consumer.keep_alive
            duties[f"{name}/heir"] = consumer.inherit
        return duties

    def _policy(self) -> Policy:
        return self._ports.rules().policy

    def _means(self) -> Means:
        ports = self._ports
        return Means(
            incidents=ports.store,
            guards=ports.store,
            reader=ports.reader,
            executor=ports.executor,
            policy=self._policy,
            ceiling=ports.ceiling,
            clock_trouble=self.clock.trouble,
            observer=ports.observer,
            replica=ports.replica,
            lease=self._pace.lease,
            metrics=ports.metrics,
            alert_rules=ports.alert_rules,
            lookout=self._lookout,
            http=ports.http,
            programs=ports.programs,
            sender=ports.sender,
            silencer=ports.silencer,
            checks=ports.checks,
            diagnoses=ports.diagnoses,
        )

    def _lookout(self, incident: Incident) -> Lookout | None:
        ports = self._ports
        if ports.alertmanagers is None:
            return None
        return Lookout(incident, ports.store, ports.alertmanagers, ports.settled)

    def _consumer(self, queues: Sequence[Queue], handle: Handle, at_once: int, batch: int) -> Consumer:
        return Consumer(
            store=self._ports.store,
            runtime=self._ports.runtime,
            observer=self._ports.observer,
            queues=queues,
            name=self._ports.replica,
            handle=handle,
            at_once=at_once,
            batch=batch,
            operator=lambda: self._policy().operator,
            pace=self._pace,
        )

    def _one_by_one(self, performer: Perform) -> Handle:
        async def handle(deliveries: Sequence[Delivered]) -> Sequence[Failure]:
            for delivery in deliveries:
                await self.journey.perform(delivery, performer)
            return ()

        return handle
