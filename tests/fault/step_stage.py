"""One step on a real executor and a fake API server: killed at any call, put off, and performed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from remediator.adapters.kubernetes import Call, Kubernetes, Limits, connect
from remediator.core.alerts import Fingerprint
from remediator.core.cluster import EFFECT_ANNOTATION, ClusterReader, Executor, Pod
from remediator.core.decision import Facts
from remediator.core.incident import Attempt, IncidentId, Phase
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL
from remediator.core.journal import Act, Acted, ActResult
from remediator.core.policies import Mode, Policy, Rate, RateLimits, Step
from remediator.core.programs import ProgramRunner
from remediator.core.requests import HttpSender
from remediator.core.roots import Root
from remediator.core.store import GuardStore, IncidentStore, Loaded
from remediator.core.times import MINUTE, SECOND, Instant, Millis
from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.means import Means
from remediator.workers.step import StepPerformer
from tests.core.builders import WEB, policy
from tests.core.test_decide import Life, opened
from tests.fault.kubernetes_scene import QUICK, Impatient

LEASE = Millis(30 * SECOND)
STEPS = {
    "restart": Step(action="restart"),
    "scale": Step(action="scale", params={"to": 5}),
    "rollback": Step(action="rollback"),
    "set_image": Step(action="set_image", params={"image": "registry.local/web:v9"}),
    "set_resources": Step(action="set_resources", params={"limits": {"memory": "1Gi"}}),
    "isolate": Step(action="isolate", params={"for": "30m"}),
    "restore": Step(action="restore"),
    "hpa": Step(action="hpa", params={"min": 3}),
    "job": Step(action="job", params={"from": "tidy", "timeout": "5m"}),
    "delete_pod": Step(action="delete_pod", params={"which": "not_ready", "at_most": 2}),
    "evict_pod": Step(action="evict_pod", params={"which": "not_ready", "at_most": 2}),
}
EFFECTS = {**dict.fromkeys(STEPS, 1), "delete_pod": 2, "evict_pod": 2}
AFTER = {"job": Phase.SETTLING}
"""Where the attempt stands when a step was performed: it verifies, unless said otherwise."""
PLACES = {"hpa": "/horizontalpodautoscalers/web", "job": "/jobs/tidy-"}
"""What a step changes, on the API server: the Deployment, unless said otherwise."""
ISOLATED = {ISOLATED_REPLICAS: "4", ISOLATED_UNTIL: "2026-11-23T05:00:00.000Z"}


def call_of(action: str, where: str) -> str:
    """The call by which a step does what others do by ``where``: a job is claimed as it is made."""
    return "prepare" if (action, where) == ("job", "claim") else where


class Killed(BaseException):
    """The process is no more: nothing it does from here on happens."""


@dataclass
class Fuse:
    """Kills at the ``at``-th boundary of a call: even ones come before a call, odd ones after it.

    ``after``: or after so many calls of that name, however they ended; ``ahead``: or just before that one.
    """

    at: int | None = None
    after: tuple[str, int] = ("", 1)
    ahead: tuple[str, int] = ("", 1)
    calls: list[str] = field(default_factory=list)
    dead: bool = False
    before: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    """What happens in the world just before the first call of that name; ``apply#2``: before the second."""

    def wrap(self, port: object) -> Any:
        """The port, with the fuse in it."""
        return _Wired(port, self)

    def burn(self, *, after: bool) -> None:
        """Die here, if this is the place."""
        name, count = self.after if after else self.ahead
        there = self.calls[-1] == name and self.calls.count(name) == count
        if there or self.at == 2 * (len(self.calls) - 1) + after:
            self.dead = True
            raise Killed


class _Wired:
    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        async def call(*args: object, **kwargs: object) -> object:
            if self._fuse.dead:
                raise Killed
            self._fuse.calls.append(name)
            self._fuse.burn(after=False)
            count = self._fuse.calls.count(name)
            happens = self._fuse.before.get(name if count == 1 else f"{name}#{count}")
            if happens is not None:
                await happens()
            try:
                return await getattr(self._port, name)(*args, **kwargs)
            finally:
                if not self._fuse.dead:
                    self._fuse.burn(after=True)

        return call


@dataclass
class _Waits:
    """The incident, which waits for the step."""

    life: Life

    async def load(self, incident: IncidentId, fingerprints: Sequence[Fingerprint]) -> Loaded:
        facts = Facts(firing=len(self.life.members))
        return Loaded(at=self.life.at, incident=self.life.incident, facts=facts)

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        return tuple(root for root in self.life.roots if root.about in names)


@dataclass(kw_only=True)
class StepStage:
    """The world of one step. ``life`` decides what follows from its outcomes, as the daemon would."""

    server: FakeApiServer
    cluster: Kubernetes
    life: Life
    store: MemoryStore
    uids: dict[str, str]
    """The UID of each pod that was there at first, by its name."""
    outcomes: list[Acted] = field(default_factory=list)
    replicas: int = 0
    sender: HttpSender | None = None
    equip: Callable[[Means, Fuse], Means] = lambda means, fuse: means
    """What a replica has beside, with the fuse in it."""

    @property
    def attempt(self) -> Attempt:
        return self.life.now.attempts[-1]

    def effect(self) -> Act:
        """What the incident waits for."""
        effects = [effect for decision in self.life.decisions for effect in decision.effects]
        found = next(effect for effect in effects if effect.id == self.attempt.pending)
        assert isinstance(found, Act)
        return found

    def performer(self, fuse: Fuse) -> StepPerformer:
        """A replica of its own."""
        return StepPerformer(self.means(fuse))

    def means(self, fuse: Fuse) -> Means:
        """What a replica of its own works with."""
        self.replicas += 1
        means = Means(
            incidents=cast(IncidentStore, _Waits(self.life)),
            guards=cast(GuardStore, fuse.wrap(self.store)),
            reader=cast(ClusterReader, fuse.wrap(self.cluster.reader)),
            executor=cast(Executor, fuse.wrap(self.cluster.executor)),
            programs=cast(ProgramRunner, fuse.wrap(self.cluster.programs)),
            sender=None if self.sender is None else cast(HttpSender, fuse.wrap(self.sender)),
            policy=lambda: self.life.policy,
            ceiling=Mode.AUTO,
            clock_trouble=lambda: None,
            observer=Silent(),
            replica=f"replica-{self.replicas}",
            lease=LEASE,
        )
        return self.equip(means, fuse)

    async def perform(self, fuse: Fuse | None = None) -> Acted | None:
        """Once, by a replica of its own; None when it was killed: its lease runs out."""
        try:
            outcome = await self.performer(fuse or Fuse()).act(self.effect(), self.life.now, self.attempt)
        except Killed:
            self.life.at = Instant(self.life.at + LEASE)
            return None
        self.outcomes.append(outcome)
        self.life.tell(outcome)
        return outcome

    async def finish(self) -> Acted:
        """Perform it again and again, as it is put off, until that is over."""
        for _ in range(20):
            if "act" in self.life.timers:
                self.life.ring("act")
            outcome = await self.perform()
            if outcome is not None and outcome.result is not ActResult.RETRY:
                await self.server.settled()
                return outcome
        raise AssertionError(f"it is put off for ever: {self.outcomes}")

    @property
    def removed(self) -> list[str]:
        """The UIDs of the pods that were asked away; of those that were not there at first, their names."""
        return [self.uids.get(effect.name, effect.name) for effect in self._effects("pods")]

    @property
    def effects(self) -> int:
        """How often the step took effect."""
        mark = EFFECT_ANNOTATION.replace("/", "~1")
        kinds = ("deployments", "horizontalpodautoscalers", "jobs")
        changed = [effect for kind in kinds for effect in self._effects(kind)]
        marked = [one for one in changed if mark in str(one.body)]
        return len(marked) + len(self._effects("pods"))

    @property
    def made_jobs(self) -> int:
        """How many jobs were made."""
        return sum(effect.verb == "create" for effect in self._effects("jobs"))

    def _effects(self, resource: str) -> list[Any]:
        return [effect for effect in self.server.ledger if effect.resource == resource]

    async def pods(self) -> list[Pod]:
        """Those of ``web`` that stay, by name."""
        await self.server.settled()
        found = await self.cluster.reader.pods(await self.cluster.reader.workload(WEB))
        return sorted((pod for pod in found if not pod.terminating), key=lambda pod: pod.name)

    async def meant(self) -> frozenset[str]:
        """The pods that the journal names."""
        [first, *_] = self.life.decisions[0].effects
        assert isinstance(first, Act)
        intent = await self.store.intended(first.step_id)
        assert intent is not None
        return intent.pods


def _policy(*steps: Step) -> Policy:
    of = policy()
    runbook = replace(of.runbooks["restart"], steps=steps)
    often = Rate(count=100, per=Millis(60 * MINUTE))
    guards = replace(of.guards, rate=RateLimits(cluster=often, service=often, target=often))
    return replace(of, runbooks={"restart": runbook}, guards=guards)


@asynccontextmanager
async def staged(
    directory: Path, *steps: Step, replicas: int = 4, limits: Limits = QUICK, lag: float = 0.001
) -> AsyncIterator[StepStage]:
    """``web`` is broken, whatever is done; its runbook has these steps and the first is waited for.

    Where that is a program or a request, its pods are ready: it is broken otherwise.
    """
    runtime, ahead = Impatient(), [0]
    pace = Pace(ready_after=0.002, stop_after=0.002, lag=lag)
    async with FakeApiServer(
        pace=pace, wall=lambda: datetime.now(UTC) + timedelta(minutes=ahead[0])
    ) as server:
        server.deployment("shop", "web", replicas=replicas)
        await server.settled()
        cluster = await connect(
            str(server.kubeconfig(directory / "kubeconfig")), runtime=runtime, limits=limits
        )
        if any(step.action == "rollback" for step in steps):
            ahead[0] = 1
            await _release(cluster)
        if any(step.action == "hpa" for step in steps):
            server.create(autoscaler("web"))
        if any(step.action == "job" for step in steps):
            server.create(cron_job("tidy"))
        if steps[0].action == "restore":
            await patch(cluster, {"metadata": {"annotations": ISOLATED}, "spec": {"replicas": 0}})
        if steps[0].action not in ("exec", "http", "silence"):
            server.behave("shop", "web", Behaviour.stays_broken())
        await server.settled()
        server.ledger.clear()
        server.requests.clear()
        life = opened(_policy(*steps))
        stage = StepStage(
            server=server, cluster=cluster, life=life, store=MemoryStore(lambda: stage.life.at), uids={}
        )
        stage.uids.update({pod.name: pod.uid for pod in await stage.pods()})
        server.requests.clear()
        try:
            yield stage
        finally:
            await cluster.close()
            runtime.close()


def cron_job(name: str, **template: object) -> dict[str, Any]:
    """One that makes Jobs of one pod; ``template`` adds to their specification."""
    pod = {"containers": [{"name": "main", "image": "registry.local/tidy:v1"}], "restartPolicy": "Never"}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": True,
            "jobTemplate": {"spec": {"template": {"spec": pod}, "backoffLimit": 0, **template}},
        },
    }


def autoscaler(name: str, target: str = "web") -> dict[str, Any]:
    """One that scales a Deployment between one pod and five."""
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"scaleTargetRef": scaled, "minReplicas": 1, "maxReplicas": 5},
    }


async def _release(cluster: Kubernetes) -> None:
    containers = [{"name": "web", "image": "registry.local/web:v2"}]
    await patch(cluster, {"spec": {"template": {"spec": {"containers": containers}}}})


async def patch(cluster: Kubernetes, body: dict[str, Any]) -> None:
    """Somebody else changes ``web``."""
    path, media = "/apis/apps/v1/namespaces/shop/deployments/web", "application/strategic-merge-patch+json"
    await cluster.api.call(Call(method="PATCH", path=path, doing="change it", body=body, media=media))
