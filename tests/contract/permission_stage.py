"""Attempts of a policy on a fake API server, by a service account that has exactly the Roles it is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl

from remediator.adapters.kubernetes import Call, Kubernetes, connect
from remediator.core.access import Access
from remediator.core.alerts import Fingerprint
from remediator.core.decision import Facts
from remediator.core.incident import Attempt, EffectId, IncidentId, Phase
from remediator.core.isolation import ISOLATED_REPLICAS
from remediator.core.jobs import job_name
from remediator.core.journal import Locate, PlanApproved
from remediator.core.policies import Mode, Policy
from remediator.core.roots import Root
from remediator.core.store import GuardStore, IncidentStore, Loaded
from remediator.core.times import SECOND, Instant, Millis, Stamp
from remediator.policy.manifests import Account, Role, manifests
from remediator.testing.apiserver import (
    ADMIN,
    TOKEN,
    Behaviour,
    FakeApiServer,
    Output,
    Pace,
    Program,
    User,
)
from remediator.testing.apiserver.paths import parse
from remediator.testing.apiserver.subresources import also_asked
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.means import Means
from remediator.workers.runner import Runner
from tests.core.builders import fired
from tests.core.test_decide import Life
from tests.fault.kubernetes_scene import Impatient
from tests.fault.step_stage import cron_job

ACCOUNT = Account(namespace="ops", name="remediator")
USER = "system:serviceaccount:ops:remediator"
TOKEN_OF_ACCOUNT = "token-of-the-service-account"
PROGRAM = ("/app/breakers", "reset")
"""What can be run in every pod."""
FIRST_JOB = job_name("tidy", EffectId("2026-11-23-0213-web/1/0"))
"""What the first step of the first attempt runs."""
KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}


@dataclass
class _Waits:
    """The incident, which waits for the effect."""

    life: Life

    async def load(self, incident: IncidentId, fingerprints: Sequence[Fingerprint]) -> Loaded:
        return Loaded(
            at=self.life.at, incident=self.life.incident, facts=Facts(firing=len(self.life.members))
        )

    async def open_about(self, names: Sequence[str]) -> tuple[Root, ...]:
        return tuple(root for root in self.life.roots if root.about in names)


@dataclass(kw_only=True)
class Stage:
    """A cluster, and the daemon's way into it."""

    server: FakeApiServer
    cluster: Kubernetes

    async def attempt(self, policy: Policy, *, helps: bool = True, **labels: str) -> Attempt:
        """What becomes of the attempt that an alert with these labels starts, with its findings.

        The alert resolves as soon as everything was done, if that ``helps``.
        """
        life = Life(policy)
        event = fired(policy, **labels)
        later = replace(event.alert, starts_at=Stamp("2040-01-01T00:00:00.000000000Z"))  # than any pod
        life.tell(replace(event, alert=later))
        if "hold" in life.timers:
            life.ring("hold")
        runner = Runner(self._means(life))
        asked = [one for made in life.decisions for one in made.effects if isinstance(one, Locate)]
        for question in asked:  # its answer starts the attempt
            found = await runner.perform(question)
            assert found is not None
            life.tell(found)
        findings: tuple[str, ...] = ()
        for _ in range(100):
            attempt = life.now.attempts[-1]
            findings = findings or (*attempt.findings, *_unread(life))
            if attempt.phase is Phase.ENDED:
                return replace(attempt, findings=findings)
            if attempt.phase is Phase.VERIFYING and helps:
                life.members.clear()
            if attempt.request is not None:
                life.tell(PlanApproved(by="somebody", digest=attempt.request.plan.digest))
                continue
            if attempt.pending is None:
                life.at = Instant(life.at + 10 * SECOND)  # who polls is asked less often
                life.ring("act" if "act" in life.timers else "poll")
                continue
            effect = next(
                one for made in reversed(life.decisions) for one in made.effects if one.id == attempt.pending
            )
            outcome = await runner.perform(effect)
            assert outcome is not None
            await self.server.settled()
            life.tell(outcome)
        raise AssertionError(f"it never ends: {life.now.attempts[-1]}")

    def _means(self, life: Life) -> Means:
        return Means(
            incidents=cast(IncidentStore, _Waits(life)),
            guards=cast(GuardStore, MemoryStore(lambda: life.at)),
            reader=self.cluster.reader,
            executor=self.cluster.executor,
            programs=self.cluster.programs,
            policy=lambda: life.policy,
            ceiling=Mode.AUTO,
            clock_trouble=lambda: None,
            observer=Silent(),
            replica="replica",
            lease=Millis(30 * SECOND),
        )

    def asked(self) -> frozenset[Access]:
        """What every request so far took: a WebSocket into a pod both ``get`` and ``create``."""
        parsed = [parse(one.method, one.path, dict(parse_qsl(one.query))) for one in self.server.requests]
        return frozenset(
            Access(
                namespace=asked.namespace,
                group=asked.group,
                resource=asked.resource_path,
                verb=asked.verb,
                name=asked.name,
            )
            for asked in (*parsed, *filter(None, map(also_asked, parsed)))
        )


def _unread(life: Life) -> tuple[str, ...]:
    """What was to be kept as evidence, and could not be read."""
    kept = (piece for made in life.decisions for one in made.evidence for piece in one.pieces)
    return tuple(piece.trouble for piece in kept if piece.trouble)


@asynccontextmanager
async def staged(
    directory: Path, roles: Iterable[Role], *workloads: tuple[str, str, str], step: str = ""
) -> AsyncIterator[Stage]:
    """These workloads (kind, namespace, name) at their second revision, each with a Service of its name.

    ``step``: the action that is to be performed, for which they are made ready.
    """
    pace, ahead = Pace(ready_after=0.002, stop_after=0.002, lag=0.001), [0]
    account = User(name=USER, rules=())
    runtime = Impatient()
    async with FakeApiServer(
        pace=pace,
        users={TOKEN: ADMIN, TOKEN_OF_ACCOUNT: account},
        wall=lambda: datetime.now(UTC) + timedelta(minutes=ahead[0]),
    ) as server:
        for workload in workloads:
            for manifest in made(*workload):
                server.create(manifest)
            server.set_usage(*workload[1:], cpu="100m", memory="64Mi")
        await server.settled()
        ahead[0] = 1
        admin = await connect(str(server.kubeconfig(directory / "admin")), runtime=runtime)
        for workload in workloads:
            await _release(admin, *workload)
            if step == "restore":
                kept = {"metadata": {"annotations": {ISOLATED_REPLICAS: "3"}}, "spec": {"replicas": 0}}
                await _patch(admin, kept, *workload)
            if step == "job":
                server.create(cron_job("tidy"))
                server.behave("shop", FIRST_JOB, Behaviour.runs(Program.crashes(after=0, log="boom\n")))
            if step == "hpa":
                server.create(_scaler(*workload))
        await admin.close()
        await server.settled()
        for manifest in manifests(roles, ACCOUNT):
            server.create(manifest)
        path = server.kubeconfig(directory / "account", token=TOKEN_OF_ACCOUNT)
        cluster = await connect(str(path), runtime=runtime)
        for _, namespace, name in workloads:
            server.set_command(namespace, name, PROGRAM, Output(stdout="reset"))
        server.requests.clear()
        try:
            yield Stage(server=server, cluster=cluster)
        finally:
            await cluster.close()
            runtime.close()


def made(kind: str, namespace: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A workload that gives up one pod in a rollout before the new one is ready, and a Service."""
    labels = {"app": name}
    containers = [{"name": name, "image": f"registry.local/{name}:v1"}]
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    pod = {"containers": containers, "volumes": volumes}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    match kind:
        case "deployment":
            spec |= {"replicas": 3, "strategy": rolling}
        case "statefulset":
            spec |= {"replicas": 3, "serviceName": name}
        case _:
            spec |= {"updateStrategy": rolling}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    workload = {"apiVersion": "apps/v1", "kind": KINDS[kind], "metadata": meta, "spec": spec}
    ports = [{"port": 80}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": meta,
        "spec": {"selector": labels, "ports": ports},
    }
    return workload, service


def _scaler(kind: str, namespace: str, name: str) -> dict[str, Any]:
    """An autoscaler of the workload, between one pod and nine."""
    target = {"apiVersion": "apps/v1", "kind": KINDS[kind], "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": f"{name}-{kind}", "namespace": namespace},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9},
    }


async def _release(cluster: Kubernetes, kind: str, namespace: str, name: str) -> None:
    containers = [{"name": name, "image": f"registry.local/{name}:v2"}]
    await _patch(cluster, {"spec": {"template": {"spec": {"containers": containers}}}}, kind, namespace, name)


async def _patch(cluster: Kubernetes, body: dict[str, Any], kind: str, namespace: str, name: str) -> None:
    await cluster.api.call(
        Call(
            method="PATCH",
            path=f"/apis/apps/v1/namespaces/{namespace}/{kind}s/{name}",
            doing="change it",
            body=body,
            media="application/strategic-merge-patch+json",
        )
    )
