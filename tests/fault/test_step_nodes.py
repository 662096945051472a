"""P7 and P13 of steps on nodes: killed at any call, put off, stopped between two evictions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.kubernetes import Call, Kubernetes, connect
from remediator.core.classify import Classifier, describe_match
from remediator.core.incident import Outcome, Phase
from remediator.core.journal import Acted, ActResult, Fired, Locate, Located
from remediator.core.nodes import CORDONED_AT
from remediator.core.objects import NODE
from remediator.core.pauses import PauseScope, ScopeKind
from remediator.core.policies import Policy, Rate, RateLimits, Share, Step, TargetSelector, WorkloadRef
from remediator.core.times import MINUTE, Instant, Millis
from remediator.policy.templates import compile_template
from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace
from remediator.testing.apiserver.behaviour import Health
from remediator.testing.apiserver.kinds import NODES, PODS
from remediator.testing.apiserver.machines import register
from remediator.testing.memory import MemoryStore
from remediator.workers.draining import Draining
from remediator.workers.step import StepPerformer
from tests.core.builders import alert, policy
from tests.core.test_decide import Life
from tests.fault.kubernetes_scene import QUICK, Impatient
from tests.fault.step_stage import Fuse, StepStage

CORDON, UNCORDON, DRAIN = (Step(action=name) for name in ("cordon", "uncordon", "drain"))
BY_NODE = TargetSelector(kind=NODE, selector=compile_template("{{ labels.node }}"))
NAME = "worker-1"
PATH = f"/api/v1/nodes/{NAME}"
PATIENT = replace(QUICK, connect=2.0, request=5.0, operation=10.0)
"""Nothing here is about an API server that is slow."""
AROUND = ("intend", "claim", "apply")


@dataclass(kw_only=True)
class NodeStage(StepStage):
    """The world of one step on ``worker-1``."""

    def performer(self, fuse: Fuse) -> StepPerformer:
        return StepPerformer(self.means(fuse), Draining)

    @property
    def node(self) -> Any:
        return self.server.cluster.store.get(NODES, ("", NAME))

    @property
    def cordoned(self) -> bool:
        return bool(self.node["spec"].get("unschedulable"))

    @property
    def writes(self) -> list[str]:
        """How the node's specification was changed, in order: by us, for the controller only taints it."""
        bodies = [str(one.body) for one in self.server.ledger if one.resource == "nodes"]
        return [body for body in bodies if CORDONED_AT.replace("/", "~1") in body]

    @property
    def there(self) -> list[str]:
        """The pods of ``web`` that run on the node and stay there."""
        found = [one for one in self.server.cluster.store.list(PODS, "shop") if is_on(one)]
        return sorted(one["metadata"]["uid"] for one in found if "deletionTimestamp" not in one["metadata"])

    async def patch_node(self, body: dict[str, Any]) -> None:
        """Somebody else changes the node."""
        media = "application/merge-patch+json"
        await self.cluster.api.call(
            Call(method="PATCH", path=PATH, doing="change it", body=body, media=media)
        )

    def wait(self) -> None:
        """Until it is tried again."""
        assert "act" in self.life.timers, self.outcomes
        self.life.ring("act")


def is_on(pod: Any) -> bool:
    return bool(pod["spec"].get("nodeName") == NAME)


def node_policy(*steps: Step, share: Share | None = None) -> Policy:
    """A rule whose target is a node, and its runbook."""
    of = policy()
    often = Rate(count=100, per=Millis(60 * MINUTE))
    first, *rest = of.rules
    rule = replace(first, target=BY_NODE, group_by=("target",), service=compile_template("unknown"))
    guards = replace(
        of.guards, rate=RateLimits(cluster=often, service=often, target=often), max_unavailable=share
    )
    runbook = replace(of.runbooks["restart"], steps=steps)
    return replace(of, rules=(rule, *rest), runbooks={"restart": runbook}, guards=guards)


def life_of(of: Policy, uid: str) -> Life:
    """An incident about the node, which was found."""
    life = Life(of)
    one = replace(alert("aa"), labels={"alertname": "ServiceDown", "node": NAME})
    match = Classifier(of).match(one.labels)
    assert match is not None
    life.tell(Fired(alert=one, match=describe_match(match.rule, one.labels)))
    [asked] = [effect for d in life.decisions for effect in d.effects if isinstance(effect, Locate)]
    life.tell(Located(effect=asked.id, owner=WorkloadRef(kind=NODE, namespace="", name=NAME), uid=uid))
    return life


@asynccontextmanager
async def staged(
    directory: Path, *steps: Step, replicas: int = 6, share: Share | None = None
) -> AsyncIterator[NodeStage]:
    """``worker-1`` runs some of the pods of ``web``; other nodes run the rest."""
    runtime = Impatient()
    async with FakeApiServer(pace=Pace(ready_after=0.002, stop_after=0.002, lag=0.001)) as server:
        register(server.cluster, NAME, 11)
        server.deployment("shop", "web", replicas=replicas)
        await server.settled()
        cluster = await connect(
            str(server.kubeconfig(directory / "kubeconfig")), runtime=runtime, limits=PATIENT
        )
        if steps[0].action == "uncordon":
            await cordon_as_us(cluster)
        await server.settled()
        server.ledger.clear()
        node = server.cluster.store.get(NODES, ("", NAME))
        assert node is not None
        life = life_of(node_policy(*steps, share=share), node["metadata"]["uid"])
        stage = NodeStage(
            server=server, cluster=cluster, life=life, store=MemoryStore(lambda: stage.life.at), uids={}
        )
        stage.uids.update({pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods_of(server)})
        try:
            yield stage
        finally:
            await cluster.close()
            runtime.close()


def pods_of(server: FakeApiServer) -> list[Any]:
    return [one for one in server.cluster.store.list(PODS, "shop") if is_on(one)]


async def cordon_as_us(cluster: Kubernetes) -> None:
    body = {"metadata": {"annotations": {CORDONED_AT: "then"}}, "spec": {"unschedulable": True}}
    media, query = "application/merge-patch+json", (("fieldManager", "remediator"),)
    await cluster.api.call(
        Call(method="PATCH", path=PATH, doing="cordon it", body=body, media=media, query=query)
    )


# --- killed ---


async def killed_at(directory: Path, step: Step, at: int) -> str:
    """Die there, be succeeded, and see what happened. The call at which it died; empty when it never did."""
    async with staged(directory, step) as stage:
        before = set(stage.there)
        fuse = Fuse(at=at)
        outcome = await stage.perform(fuse)
        died = outcome is None
        if died:
            await stage.server.settled()
            outcome = await stage.finish()
        assert outcome is not None
        assert outcome.result is ActResult.DONE, stage.outcomes
        assert len(stage.writes) == 1, (fuse.calls, stage.writes)
        assert stage.cordoned is (step.action != "uncordon")
        if step.action == "drain":
            assert not stage.there
            removed = [uid for uid in stage.removed if uid in before]
            assert sorted(removed) == sorted(before), "each of them once"
            assert set(stage.removed) == before, "and no other"
        assert stage.attempt.changes, "something was changed, and that is told"
        assert stage.attempt.phase is (Phase.SETTLING if step.action == "drain" else Phase.VERIFYING)
        return fuse.calls[-1] if died else ""


async def boundaries(directory: Path, step: Step) -> list[tuple[int, str]]:
    """Every boundary of a call in an undisturbed run, with the call's name."""
    async with staged(directory, step) as stage:
        fuse = Fuse()
        outcome = await stage.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE, outcome
        return [(2 * n + side, name) for n, name in enumerate(fuse.calls) for side in (0, 1)]


@pytest.mark.parametrize("step", [CORDON, UNCORDON, DRAIN], ids=lambda step: step.action)
async def test_P7_killed_around_intent_claim_and_change(tmp_path: Path, step: Step) -> None:
    """Before and after each of them; of a drain around every eviction."""
    tried = [at for at, name in await boundaries(tmp_path, step) if name in AROUND]
    assert len(tried) >= 6
    for at in tried:
        assert await killed_at(tmp_path, step, at) in AROUND


@pytest.mark.full
@pytest.mark.parametrize("step", [CORDON, UNCORDON, DRAIN], ids=lambda step: step.action)
async def test_P7_killed_at_every_call(tmp_path: Path, step: Step) -> None:
    for at, name in await boundaries(tmp_path, step):
        assert await killed_at(tmp_path, step, at) == name


# --- a drain, pod by pod ---


SLOW = Behaviour(replaced=Health.UNREADY)
"""Pods that replace others are not ready before we say so."""


async def drained(stage: NodeStage) -> Acted:
    """Perform it as often as it is put off; each time what was evicted is replaced first."""
    for _ in range(20):
        stage.server.behave("shop", "web", Behaviour.healthy())
        await stage.server.settled()
        stage.server.behave("shop", "web", SLOW)
        stage.wait()
        before = len(stage.removed)
        outcome = await stage.perform()
        assert outcome is not None
        assert len(stage.removed) <= before + 1
        if outcome.result is not ActResult.RETRY:
            return outcome
    raise AssertionError(f"it is put off for ever: {stage.outcomes}")


async def test_healthy_pods_go_as_the_policy_leaves_room_for_them(tmp_path: Path) -> None:
    """Of six pods one may be missing: the second goes only when the first is replaced."""
    async with staged(tmp_path, DRAIN, share=Share(value=1, percent=False)) as stage:
        stage.server.behave("shop", "web", SLOW)
        meant = set(stage.there)
        assert len(meant) > 1
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.RETRY
        assert "have to wait: deployment/web: 2 of 6 unavailable with one more" in outcome.reason
        assert len(stage.removed) == 1
        outcome = await drained(stage)
        assert outcome.result is ActResult.DONE, stage.outcomes
        assert sorted(stage.removed) == sorted(meant)
        assert stage.attempt.phase is Phase.SETTLING
        evicted = [text for text in stage.attempt.changes if text.startswith("evict pod ")]
        assert len(evicted) == len(meant), "each is told once"


async def test_P13_a_pause_between_two_evictions_stops_the_rest(tmp_path: Path) -> None:
    """Also one of the namespace, or of the service, that only the pods are of."""
    async with staged(tmp_path, DRAIN) as stage:
        meant = stage.there

        async def pause() -> None:
            scope = PauseScope(kind=ScopeKind.SERVICE, name="web")
            await stage.store.pause("hands off", "ada", None, scope)

        outcome = await stage.perform(Fuse(before={"apply": pause}))
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED
        assert "service web is paused by ada" in outcome.reason
        assert stage.cordoned
        assert stage.there == meant


@pytest.mark.parametrize("crashed", [False, True])
async def test_a_node_that_somebody_uncordons_meanwhile_is_left_to_them(
    tmp_path: Path, crashed: bool
) -> None:
    async with staged(tmp_path, DRAIN, share=Share(value=1, percent=False)) as stage:
        stage.server.behave("shop", "web", SLOW)
        fuse = Fuse(after=("apply", 1)) if crashed else Fuse()
        outcome = await stage.perform(fuse)
        assert outcome is None or outcome.result is ActResult.RETRY
        await stage.server.settled()
        await stage.patch_node({"spec": {"unschedulable": None}})
        left = stage.there
        if not crashed:
            stage.wait()
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.BLOCKED, outcome
        assert "was uncordoned meanwhile: nothing more is evicted" in outcome.reason
        assert (stage.there, stage.cordoned) == (left, False)


async def test_a_drain_waits_for_a_budget_for_as_long_as_it_says_and_has_failed_then(tmp_path: Path) -> None:
    """The others are not held up by one that must wait. Nothing is ever deleted."""
    async with staged(tmp_path, replace(DRAIN, params={"timeout": "7m"})) as stage:
        stage.server.create(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
            }
        )
        await stage.server.settled()
        meant, began = stage.there, stage.life.at
        while True:
            outcome = await stage.perform()
            assert outcome is not None
            assert outcome.result is ActResult.RETRY, outcome
            if "act" not in stage.life.timers:
                break
            stage.wait()
        assert Instant(began + 6 * MINUTE) < stage.life.at <= Instant(began + 7 * MINUTE)
        assert stage.attempt.outcome is Outcome.FAILED
        assert "drain was not over within 7m" in stage.attempt.reason
        assert stage.there == meant
        assert not [one for one in stage.server.ledger if one.verb == "delete"]


async def test_P7_an_answer_that_is_lost_is_looked_for_on_the_node(tmp_path: Path) -> None:
    """It was cordoned, and nobody heard of it: found by the effect's mark."""
    async with staged(tmp_path, CORDON) as stage:
        assert await stage.perform(Fuse(after=("apply", 1))) is None
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.DONE
        assert "found done after its answer was lost" in outcome.reason
        assert len(stage.writes) == 1
