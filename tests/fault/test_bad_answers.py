"""What the world may lack or have changed by then ends in a clear verdict and a page; never in a guess.

The whole journey is walked each time. What is told names what is missing, or what is not as it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Call
from remediator.core.classify import Classifier
from remediator.core.incident import Outcome
from remediator.core.journal import Kind
from remediator.core.policies import Check
from remediator.core.times import SECOND, Millis
from remediator.testing.apiserver import Fault, FaultKind
from tests.fault.effect_scenes import SCENES, Scene
from tests.fault.effects import Home, at_home
from tests.fault.step_stage import Fuse, autoscaler

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
Trouble = Callable[[Home], Awaitable[None]]


async def delete(home: Home, path: str) -> None:
    """Somebody else does."""
    await home.struck.stage.cluster.api.call(Call(method="DELETE", path=path, doing="delete it"))
    await home.struck.stage.server.settled()


async def nothing(home: Home) -> None:
    """What is missing was never there."""


async def no_target(home: Home) -> None:
    await delete(home, f"{DEPLOYMENTS}/web?propagationPolicy=Foreground")


async def two_autoscalers(home: Home) -> None:
    home.struck.stage.server.create(autoscaler("second"))


async def two_budgets(home: Home) -> None:
    for name in ("one", "two"):
        home.struck.stage.server.create({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "web"}}},
        })  # fmt: skip
    await home.struck.stage.server.settled()


async def another_web(home: Home) -> None:
    """The Deployment is deleted and made again: of the same name, and not the same."""
    await no_target(home)
    home.struck.stage.server.deployment("shop", "web", replicas=4)
    await home.struck.stage.server.settled()


async def other_pods(home: Home) -> None:
    """All four pods are replaced. The new ones were not meant: they stay, however broken they are."""
    for name in home.struck.stage.uids:
        await delete(home, f"/api/v1/namespaces/shop/pods/{name}")


def forbidden(method: str, path: str, verb: str, resource: str) -> Trouble:
    """What the API server says of a verb that is not granted."""
    said = f'User "remediator" cannot {verb} resource "{resource}" in the namespace "shop"'

    async def strike(home: Home) -> None:
        home.struck.stage.server.faults.add(
            Fault(kind=FaultKind.STATUS, method=method, path_regex=path, status=403, times=None, message=said)
        )

    return strike


def step_of(name: str, **params: object) -> Scene:
    step = SCENES[name].step
    return replace(SCENES[name], step=replace(step, params={**step.params, **params}))


def when(check: Check) -> Scene:
    return replace(SCENES["scale"], step=replace(SCENES["scale"].step, when=check))


UP = Check(check="promql", params={"query": "up", "above": 0.0})


async def proven_by_metrics(home: Home) -> None:
    """By those alone."""
    of = home.struck.stage.life.policy
    proof = (replace(UP, within=Millis(3 * SECOND)),)
    books = {name: replace(book, verify=proof) for name, book in of.runbooks.items()}
    home.struck.stage.life.policy = replace(of, runbooks=books)
    home.rules = Classifier(home.struck.stage.life.policy)


@dataclass(frozen=True, kw_only=True)
class Case:
    """``trouble`` strikes before anything is done, or just before the first call of ``before``."""

    scene: Scene
    trouble: Trouble
    says: str
    before: str = ""
    outcome: Outcome = Outcome.BLOCKED
    changed: int = 0


CASES = {
    "no metrics API": Case(
        scene=step_of("delete_pod", which="most_memory"), trouble=nothing, says="metrics.k8s.io"
    ),
    "no Prometheus": Case(scene=when(UP), trouble=nothing, says="no Prometheus is configured"),
    "no Prometheus to verify it": Case(
        scene=SCENES["scale"],
        trouble=proven_by_metrics,
        says="no Prometheus is configured",
        outcome=Outcome.FAILED,
        changed=1,
    ),
    "may not read the target": Case(
        scene=SCENES["restart"],
        trouble=forbidden("GET", "/deployments/web", "get", "deployments"),
        says='cannot get resource "deployments"',
    ),
    "may not list pods": Case(
        scene=SCENES["delete_pod"],
        trouble=forbidden("GET", "/pods$", "list", "pods"),
        says='cannot list resource "pods"',
    ),
    "may not change it": Case(
        scene=SCENES["scale"],
        trouble=forbidden("PATCH", "/deployments/web", "patch", "deployments"),
        says='cannot patch resource "deployments"',
    ),
    "may not run programs": Case(
        scene=SCENES["exec"],
        trouble=forbidden("GET", "/exec", "create", "pods/exec"),
        says="grant it: create and get pods/exec in namespace shop",
        outcome=Outcome.FAILED,
    ),
    "no target": Case(
        scene=SCENES["restart"], trouble=no_target, says="deployment/web does not exist in namespace shop"
    ),
    "target deleted after the plan": Case(
        scene=SCENES["restart"],
        trouble=no_target,
        before="intend",
        says='deployments.apps "web" not found',
        outcome=Outcome.FAILED,
    ),
    "target made anew after the plan": Case(
        scene=SCENES["scale"],
        trouble=another_web,
        before="intend",
        says="another of the same name took its place",
        outcome=Outcome.FAILED,
    ),
    "target made anew before the call": Case(
        scene=SCENES["scale"],
        trouble=another_web,
        before="apply",
        says="another of the same name took its place",
        outcome=Outcome.FAILED,
    ),
    "target deleted after the change": Case(
        scene=SCENES["scale"],
        trouble=no_target,
        before="settle",
        says='deployments.apps "web" not found',
        outcome=Outcome.FAILED,
        changed=1,
    ),
    "two autoscalers": Case(scene=SCENES["hpa"], trouble=two_autoscalers, says="which one is meant"),
    "two budgets": Case(
        scene=SCENES["evict_pod"], trouble=two_budgets, says="budgets one, two select the same pods"
    ),
    "pods replaced after the plan": Case(
        scene=SCENES["delete_pod"],
        trouble=other_pods,
        before="apply",
        says="ready",
        outcome=Outcome.FAILED,
        changed=4,
    ),
    "pods replaced before an eviction": Case(
        scene=SCENES["evict_pod"],
        trouble=other_pods,
        before="apply",
        says="ready",
        outcome=Outcome.FAILED,
        changed=4,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_it_ends_in_a_verdict_and_a_page(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    async with at_home(tmp_path, case.scene) as home:

        async def strike() -> None:
            await case.trouble(home)

        if not case.before:
            await strike()
        assert await home.live(Fuse(before={case.before: strike}))
        attempt = await home.attempt()
        assert attempt.outcome is case.outcome
        assert case.says in attempt.reason
        assert any(case.says in text for text in await home.told(Kind.ATTEMPT_ENDED))
        assert home.count == case.changed
        assert set(home.struck.stage.removed) <= set(home.struck.stage.uids.values())
        assert len(home.asked) == 1
