"""How many healthy pods a change takes away, and the two guards that hold it to that (guards 8 and 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.changes import (
    Change,
    DeletePod,
    EvictPod,
    IsolateWorkload,
    RestartWorkload,
    RestoreWorkload,
    RollBackWorkload,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
)
from remediator.core.cluster import Budget, Pod, Workload
from remediator.core.disruption import healthy_taken
from remediator.core.errors import Refused, Retryable
from remediator.core.incident import EffectId
from remediator.core.policies import GuardPolicy, Mode, Share, Step, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import ask_guard
from remediator.guards.disruption_budget import DisruptionBudget
from remediator.guards.population import Population
from tests.core.builders import NOW, WEB, policy
from tests.core.test_decide import opened

SET = WorkloadRef(kind="statefulset", namespace="shop", name="web")
RESTART = RestartWorkload(target=WEB, uid="w", at=NOW)
BACK = RollBackWorkload(
    target=WEB, uid="w", generation=1, seen=2, revision=1, source="web-1", source_uid="r"
)  # fmt: skip


def workload(
    desired: int,
    ready: int,
    ref: WorkloadRef = WEB,
    *,
    total: int | None = None,
    updated: int | None = None,
    max_unavailable: int = 0,
    heedless: bool = False,
) -> Workload:
    """Rolled out, unless said otherwise."""
    total = desired if total is None else total
    return Workload(
        ref=ref,
        uid="w",
        generation=1,
        observed_generation=1,
        desired=desired,
        total=total,
        updated=total if updated is None else updated,
        ready=ready,
        available=ready,
        max_unavailable=max_unavailable,
        heedless=heedless,
    )


def scale(seen: int, replicas: int) -> ScaleWorkload:
    return ScaleWorkload(target=WEB, uid="w", seen=seen, replicas=replicas)


IMAGE = SetContainerImage(target=WEB, uid="w", container="web", index=0, seen="web:1", image="web:2")
RESOURCES = SetContainerResources(target=WEB, uid="w", container="web", index=0, seen=None, resources={})
ISOLATE = IsolateWorkload(target=WEB, uid="w", seen=4, until=NOW)


def restore(seen: int, replicas: int) -> RestoreWorkload:
    return RestoreWorkload(target=WEB, uid="w", seen=seen, replicas=replicas, memory="4")


def bounds(least: int, most: int) -> SetAutoscalerBounds:
    return SetAutoscalerBounds(
        target=WEB, uid="h", name="web", seen_least=2, seen_most=9, least=least, most=most
    )


def delete(*names: str) -> tuple[Change, ...]:
    return tuple(DeletePod(target=WEB, uid="w", pod=name, pod_uid=name) for name in names)


def evict(*names: str) -> tuple[Change, ...]:
    return tuple(EvictPod(target=WEB, uid="w", pod=name, pod_uid=name) for name in names)


def pods(ready: int, others: int = 0) -> tuple[Pod, ...]:
    """Pods r0, r1, … that are ready and u0, u1, … that are not."""
    named = [(f"r{n}", True) for n in range(ready)] + [(f"u{n}", False) for n in range(others)]
    return tuple(Pod(name=name, phase="Running", ready=ok, restarts=0, uid=name) for name, ok in named)


@pytest.mark.parametrize(
    ("changes", "seen", "taken"),
    [
        ((RESTART,), workload(4, 4, max_unavailable=1), 1),
        ((RESTART,), workload(4, 4), 0),
        ((RESTART,), workload(4, 4, max_unavailable=4), 4),
        ((RESTART,), workload(4, 3, max_unavailable=1), 0),
        ((RESTART,), workload(4, 0, max_unavailable=4), 0),
        ((BACK,), workload(4, 4, max_unavailable=2), 2),
        # the next in order goes, though another is down
        ((RESTART,), workload(3, 2, SET, max_unavailable=1, heedless=True), 1),
        ((BACK,), workload(3, 2, SET, max_unavailable=1, heedless=True), 1),
        ((RESTART,), workload(3, 0, SET, max_unavailable=1, heedless=True), 0),
        ((scale(4, 1),), workload(4, 4), 3),
        ((scale(4, 3),), workload(4, 2), 0),
        ((scale(4, 1),), workload(4, 2), 1),
        ((scale(2, 5),), workload(2, 2), 0),
        ((scale(4, 0),), workload(4, 0), 0),
        # of a StatefulSet the last pods go, ready or not
        ((scale(4, 3),), workload(4, 2, SET), 1),
        ((scale(4, 1),), workload(4, 2, SET), 2),
        ((scale(4, 3),), workload(4, 3, SET, total=3), 1),
        ((scale(2, 5),), workload(2, 2, SET), 0),
        # between two ReplicaSets of a rollout it is shared out
        ((scale(10, 5),), workload(10, 8, total=13, updated=5), 8),
        (delete("r0"), workload(4, 2), 1),
        (delete("u0"), workload(4, 2), 0),
        (delete("r0", "r1", "u0"), workload(4, 2), 2),
        (evict("r0", "gone"), workload(4, 2), 1),
        ((), workload(4, 4), 0),
        # a rollout, as a restart
        ((IMAGE,), workload(4, 4, max_unavailable=1), 1),
        ((RESOURCES,), workload(4, 4, max_unavailable=2), 2),
        ((IMAGE,), workload(4, 0, max_unavailable=4), 0),
        # all of them, as scaling to nothing
        ((ISOLATE,), workload(4, 4), 4),
        ((ISOLATE,), workload(4, 1), 1),
        ((ISOLATE,), workload(4, 0), 0),
        ((ISOLATE,), workload(4, 2, SET), 2),
        ((restore(0, 4),), workload(0, 0), 0),
        ((restore(2, 2),), workload(2, 2), 0),
        # a lower maximum is scaling down, a higher minimum is scaling up
        ((bounds(1, 3),), workload(4, 4), 1),
        ((bounds(1, 3),), workload(4, 3), 0),
        ((bounds(6, 9),), workload(4, 4), 0),
        ((bounds(1, 4),), workload(4, 4), 0),
    ],
)
def test_only_what_is_healthy_now_counts(changes: tuple[Change, ...], seen: Workload, taken: int) -> None:
    """What is down already costs nothing, and neither does scaling up."""
    assert healthy_taken(changes, seen, pods(2, 2)) == taken


COUNTS = st.integers(min_value=0, max_value=30)


@st.composite
def situations(draw: st.DrawFn) -> tuple[tuple[Change, ...], Workload, tuple[Pod, ...]]:
    """Any workload, in the middle of anything, and any changes of it."""
    ref = replace(WEB, kind=draw(st.sampled_from(["deployment", "statefulset", "daemonset"])))
    seen = workload(
        draw(COUNTS), draw(COUNTS), ref,
        total=draw(COUNTS), updated=draw(COUNTS), max_unavailable=draw(COUNTS),
    )  # fmt: skip
    there = pods(seen.ready, draw(COUNTS))
    single = [change for pod in there for change in (*delete(pod.name), *evict(pod.name))]
    numbers = st.builds(scale, st.just(seen.desired), COUNTS)
    choice = st.sampled_from([RESTART, BACK, IMAGE, RESOURCES, ISOLATE, *single])
    others = st.builds(restore, st.just(seen.desired), COUNTS) | st.builds(bounds, st.just(1), COUNTS)
    return tuple(draw(st.lists(st.one_of(choice, numbers, others), max_size=6))), seen, there


@given(situations())
def test_never_less_than_none_and_never_more_than_are_ready(
    situation: tuple[tuple[Change, ...], Workload, tuple[Pod, ...]],
) -> None:
    """Whatever the API server tells, and however many changes there are."""
    changes, seen, there = situation
    taken = healthy_taken(changes, seen, there)
    assert 0 <= taken <= seen.ready
    assert healthy_taken(changes, replace(seen, ready=0), pods(0)) == 0
    assert healthy_taken((), seen, there) == 0


@given(situations())
def test_no_change_makes_another_cheaper(
    situation: tuple[tuple[Change, ...], Workload, tuple[Pod, ...]],
) -> None:
    """More changes never count for less."""
    changes, seen, there = situation
    counted = [healthy_taken(changes[:n], seen, there) for n in range(len(changes) + 1)]
    assert counted == sorted(counted)


@given(COUNTS, COUNTS, st.integers(0, 30))
def test_a_stateful_set_loses_what_its_ordinals_say(desired: int, replicas: int, down: int) -> None:
    """However the pods that are not ready lie, no more ready ones go than are counted."""
    down = min(down, desired)
    ready = desired - down
    for first in range(down + 1):  # so many of the first and the others of the last are not ready
        alive = range(first, desired - (down - first))
        lost = sum(ordinal >= replicas for ordinal in alive)
        seen = workload(desired, ready, SET)
        assert lost <= healthy_taken((scale(desired, replicas),), seen, ())


# --- the guards ---


@dataclass
class Facts:
    """What the guards see."""

    changes: tuple[Change, ...] | Exception
    seen: Workload
    found: tuple[Pod, ...] = ()
    over: tuple[Budget, ...] | Exception = ()

    async def plan(self) -> Sequence[Change]:
        if isinstance(self.changes, Exception):
            raise self.changes
        return self.changes

    async def workload(self, target: WorkloadRef) -> Workload:
        return self.seen

    async def pods(self) -> Sequence[Pod]:
        return self.found

    async def budgets(self) -> Sequence[Budget]:
        if isinstance(self.over, Exception):
            raise self.over
        return self.over


async def judged(guard: Population | DisruptionBudget, facts: Facts, bound: Share | None = None) -> Verdict:
    """What the guard says, asked as a step asks it."""
    incident = opened().now
    attempt = incident.active
    assert attempt is not None
    asked = replace(policy(), guards=GuardPolicy(namespaces=("shop",), max_unavailable=bound))
    request = ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action="restart"), effect=EffectId("e"),
        at=NOW, policy=asked, ceiling=Mode.AUTO,
    )  # fmt: skip
    return await ask_guard(guard, request, cast(GuardPorts, facts))


def percent(value: int) -> Share:
    return Share(value=value, percent=True)


def count(value: int) -> Share:
    return Share(value=value, percent=False)


ROLLING = workload(4, 3, total=5, updated=2)


@pytest.mark.parametrize(
    ("changes", "seen", "bound", "allowed", "text"),
    [
        (delete("r0"), workload(4, 4), None, True, "guards.max_unavailable is not set"),
        (delete("r0"), workload(4, 4), percent(25), True, "1 of 4 unavailable, at most 1 allowed"),
        (delete("r0"), workload(4, 4), percent(24), False, "1 of 4 unavailable, at most 0 allowed (24%)"),
        (delete("r0"), workload(4, 3), percent(49), False, "2 of 4 unavailable, at most 1 allowed (49%)"),
        (delete("r0"), workload(4, 3), percent(50), True, "2 of 4 unavailable, at most 2 allowed"),
        (delete("r0"), workload(4, 4), count(0), False, "1 of 4 unavailable, at most 0 allowed (0)"),
        (delete("r0", "r1"), workload(4, 4), count(1), False, "2 of 4 unavailable, at most 1 allowed (1)"),
        (delete("u0"), workload(4, 0), count(0), True, "no healthy pod is taken away"),
        ((scale(1, 4),), workload(1, 1), count(0), True, "no healthy pod is taken away"),
        ((scale(4, 1),), workload(4, 4), count(2), False, "3 of 4 unavailable, at most 2 allowed (2)"),
        ((RESTART,), workload(4, 4, max_unavailable=1), count(1), True, "1 of 4 unavailable"),
        ((RESTART,), workload(4, 4, max_unavailable=4), percent(40), False, "4 of 4 unavailable"),
        ((RESTART,), workload(4, 0, max_unavailable=4), count(0), True, "no healthy pod is taken away"),
        ((ISOLATE,), workload(4, 4), percent(99), False, "4 of 4 unavailable, at most 3 allowed (99%)"),
        ((ISOLATE,), workload(4, 1), percent(100), True, "4 of 4 unavailable, at most 4 allowed"),
        ((ISOLATE,), workload(4, 0), count(0), True, "no healthy pod is taken away"),
        ((IMAGE,), workload(4, 4, max_unavailable=4), percent(40), False, "4 of 4 unavailable"),
        (delete("r0"), workload(1, 1), percent(99), False, "1 of 1 unavailable, at most 0 allowed (99%)"),
        (delete("r0"), workload(1, 2, total=2, updated=2), percent(100), True, "1 of 1 unavailable"),
    ],
)
async def test_population_leaves_enough_healthy_pods(
    changes: tuple[Change, ...], seen: Workload, bound: Share | None, allowed: bool, text: str
) -> None:
    """What is down already counts with what would be taken away; shares are rounded down."""
    verdict = await judged(Population(), Facts(changes, seen, pods(2, 2)), bound)
    assert verdict.allowed is allowed
    assert verdict.retry_after == (None if allowed or seen.rolled_out else 10_000)
    assert verdict.text.startswith(text)


async def test_population_asks_again_while_a_rollout_is_under_way() -> None:
    """It may be over in a moment; a workload that has all its pods stays as it is."""
    verdict = await judged(Population(), Facts(delete("r0"), ROLLING, pods(2)), count(1))
    assert (verdict.allowed, verdict.retry_after) == (False, 10_000)


def budget(allowed: int, name: str = "b") -> Budget:
    return Budget(name=name, allowed=allowed, healthy=4, wanted=3)


@pytest.mark.parametrize(
    ("changes", "over", "allowed", "text"),
    [
        (delete("r0"), (), True, "no budget selects its pods"),
        (delete("r0"), (budget(1),), True, "budget b lets 1 go, 1 would be taken away"),
        (delete("r0"), (budget(0),), False, "budget b lets 0 go, 1 would be taken away"),
        (delete("r0", "r1"), (budget(1),), False, "budget b lets 1 go, 2 would be taken away"),
        (delete("u0"), (budget(0),), True, "no healthy pod is taken away"),
        (delete("r0"), (budget(3, "a"), budget(0)), False, "budget b lets 0 go"),
        (delete("r0"), (budget(3, "a"), budget(1)), True, "budget b lets 1 go"),
        ((scale(4, 2),), (budget(1),), False, "budget b lets 1 go, 2 would be taken away"),
        ((RESTART,), (budget(1),), False, "budget b lets 1 go, 2 would be taken away"),
        ((scale(4, 8),), (budget(0),), True, "no healthy pod is taken away"),
        (evict("u0"), (budget(0),), True, "budget b lets 0 go, 0 would be taken away"),
        (evict("r0"), (budget(0),), False, "budget b lets 0 go, 1 would be taken away"),
        (evict("u0"), (), True, "no budget selects its pods"),
        ((ISOLATE,), (budget(3),), False, "budget b lets 3 go, 4 would be taken away"),
        ((ISOLATE,), (budget(4),), True, "budget b lets 4 go, 4 would be taken away"),
        ((IMAGE,), (budget(1),), False, "budget b lets 1 go, 2 would be taken away"),
        ((RESOURCES,), (budget(2),), True, "budget b lets 2 go, 2 would be taken away"),
        ((bounds(1, 2),), (budget(1),), False, "budget b lets 1 go, 2 would be taken away"),
        ((restore(0, 4),), (budget(0),), True, "no healthy pod is taken away"),
        (evict("u0"), (budget(9, "a"), budget(9)), False, "budgets a, b select the same pods"),
    ],
)
async def test_budgets_hold_every_change(
    changes: tuple[Change, ...], over: tuple[Budget, ...], allowed: bool, text: str
) -> None:
    """The API server holds evictions to them and nothing else."""
    seen = workload(4, 4, max_unavailable=2)
    verdict = await judged(DisruptionBudget(), Facts(changes, seen, pods(2, 2), over))
    assert verdict.allowed is allowed
    assert verdict.text.startswith(text)
    spent = not allowed and "select the same pods" not in text
    assert verdict.retry_after == (10_000 if spent else None)


@pytest.mark.parametrize("guard", [Population(), DisruptionBudget()])
async def test_what_cannot_be_read_blocks(guard: Population | DisruptionBudget) -> None:
    """A plan that is refused blocks for good, one that cannot be made now for the moment."""
    seen = workload(4, 4)
    refused = await judged(guard, Facts(Refused("no pod is not ready"), seen), count(1))
    assert (refused.allowed, refused.retry_after) == (False, None)
    assert "no pod is not ready" in refused.text
    later = await judged(guard, Facts(Retryable("busy", delay=7000), seen), count(1))
    assert (later.allowed, later.retry_after) == (False, 7000)


async def test_budgets_that_may_not_be_read_block() -> None:
    """Whoever may not list them cannot know that there are none."""
    facts = Facts(delete("r0"), workload(4, 4), pods(2), Refused("grant it: list poddisruptionbudgets"))
    verdict = await judged(DisruptionBudget(), facts)
    assert (verdict.allowed, verdict.retry_after) == (False, None)
    assert "grant it" in verdict.text
