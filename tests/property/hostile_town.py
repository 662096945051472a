"""A town that has whatever is asked for, and keeps all that reaches it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from remediator.core.alertmanagers import Answers, Listed, Listing, State
from remediator.core.alerts import Alert
from remediator.core.changes import ClusterChange, Fence, IsolateWorkload, RestoreWorkload, RunJob
from remediator.core.changes import SetAutoscalerBounds as Bounds
from remediator.core.cluster import EPOCH_ANNOTATION, Autoscaler, Container, Pod, Revision, Workload
from remediator.core.incident import Incident
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.jobs import Job
from remediator.core.objects import HPA, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.probing import authority
from remediator.core.programs import Ended, Program
from remediator.core.requests import HttpReply, HttpRequest
from remediator.core.silencing import WantedSilence
from remediator.core.store import ListingStore
from remediator.core.times import DAY, Millis
from remediator.workers.lookout import Lookout
from tests.property.test_hostile_labels import (
    INCIDENT,
    Witness,
)


@dataclass
class Town(Witness):
    """Every workload has pods, revisions and memories as the actions want them; what reaches it is kept."""

    isolated: set[WorkloadRef] = field(default_factory=set)
    scaled: set[WorkloadRef] = field(default_factory=set)
    """Those that have an autoscaler: made by somebody once their isolation is over."""
    claimed: set[ObjectRef] = field(default_factory=set)
    ran: list[Program] = field(default_factory=list)
    sent: list[HttpRequest] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    silenced: Silenced = field(default_factory=lambda: Silenced(()))

    def _workload(self, ref: WorkloadRef, **annotations: str) -> Workload:
        away = ref in self.isolated
        memory = {ISOLATED_REPLICAS: "2", ISOLATED_UNTIL: "2026-11-23T05:00:00.000Z"} if away else {}
        of = super()._workload(ref, **{**memory, **annotations})
        return replace(
            of, desired=0 if away else 2, containers=(Container(name="main", image="registry.local/app:v1"),)
        )

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The first is well, the second is not; the third is none of its own, whatever it is labelled."""
        self.looked_at.add(workload.ref)
        ref = workload.ref
        own = f"replicaset/{ref.name}-5d9c7" if ref.kind == "deployment" else f"{ref.kind}/{ref.name}"
        return tuple(
            Pod(
                name=f"{ref.name}-{number}",
                phase="Running",
                ready=number == 0,
                restarts=0,
                uid=f"{ref.path}/{number}",
                containers=("main",),
                controller=maker,
            )
            for number, maker in enumerate([own, own, "replicaset/stranger-1"])
        )

    async def logs(self, namespace: str, pod: str, container: str, **asked: object) -> tuple[str, ...]:
        of, _, number = pod.rpartition("-")
        assert (namespace, of) in {(ref.namespace, ref.name) for ref in self.looked_at}
        assert (number in "012", container) == (True, "main")
        return ()

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        self.looked_at.add(workload.ref)
        return tuple(
            Revision(number=number, name=f"it-{number}", uid=f"r{number}", current=number == 2)
            for number in (2, 1)
        )

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        self.looked_at.add(workload.ref)
        if workload.ref not in self.scaled:
            return ()
        ref = ObjectRef(kind=HPA, namespace=workload.ref.namespace, name=f"of-{workload.ref.name}")
        return (Autoscaler(ref=ref, uid=ref.path, least=1, most=5),)

    async def claim(self, target: ObjectRef, uid: str, fence: Fence) -> Workload:
        assert uid == target.path
        self.claimed.add(target)
        ref = WorkloadRef(kind=target.kind, namespace=target.namespace, name=target.name)
        return self._workload(ref, **{EPOCH_ANNOTATION: str(fence.epoch)})

    async def prepare(self, change: RunJob, fence: Fence) -> Job:
        assert INCIDENT.match(fence.effect)
        return await super().prepare(change, fence)

    async def apply(self, change: ClusterChange, fence: Fence) -> None:
        await super().apply(change, fence)
        match change:
            case IsolateWorkload():
                self.isolated.add(change.target)
            case RestoreWorkload():
                self.isolated.discard(change.target)
                self.scaled.add(change.target)
            case Bounds():
                self.scaled.discard(change.target)
            case _:
                pass

    # --- core.programs.ProgramRunner and core.requests.HttpSender ---

    async def permit(self, what: Program | HttpRequest, *, hosts: Collection[str] = ()) -> None:
        if isinstance(what, Program):
            self.touched.add(what.of)
        else:
            assert authority(what.url) in hosts

    async def run(self, program: Program) -> Ended:
        self.ran.append(program)
        return Ended(exit_code=0)


@dataclass
class Silenced:
    """``core.silencing.Silencer``, and Alertmanagers that list these alerts: what is silenced is kept."""

    listed: Sequence[Alert]
    made: list[WantedSilence] = field(default_factory=list)

    async def permit(self) -> None:
        return

    async def stands(self, wanted: WantedSilence) -> bool:
        return wanted in self.made

    async def create(self, wanted: WantedSilence) -> None:
        self.made.append(wanted)

    async def is_over(self, wanted: WantedSilence) -> bool:
        return wanted not in self.made

    async def end(self, wanted: WantedSilence) -> None:
        raise AssertionError("nothing is taken back")

    async def poll(self) -> Answers:
        return await self.ask(())

    async def ask(self, names: Collection[str]) -> Answers:
        alerts = tuple(Listed(alert=alert, state=State.ACTIVE) for alert in self.listed)
        return (Listing(who="am:9093", up_for=Millis(DAY), alerts=alerts),)

    def lookout(self, store: ListingStore) -> Callable[[Incident], Lookout]:
        """What it says of an incident's alerts."""
        return lambda incident: Lookout(incident, store, self)


@dataclass
class Sends:
    """``core.requests.HttpSender``: what reaches the network."""

    town: Town

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        assert authority(request.url) in hosts

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        assert authority(request.url) in hosts
        self.town.sent.append(request)
        self.town.keys.append(key)
        return HttpReply(status=204, text="")
