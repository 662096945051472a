"""An isolation that no incident knows of is told to the operator, and touched by nobody."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.cluster import ClusterReader, Workload
from remediator.core.decision import Decision, Facts
from remediator.core.errors import Retryable
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, say_until
from remediator.core.policies import Policy, Step, WorkloadRef
from remediator.core.store import Commit, CommitResult, Queue
from remediator.core.times import MINUTE, Instant, Millis
from remediator.policy.templates import compile_template
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.forgotten import ForgottenIsolations, isolatable
from tests.core.builders import NOW, WEB, policy
from tests.core.test_actions import workload
from tests.core.test_decide import opened
from tests.core.test_locating import POD


@dataclass
class Cluster:
    """One workload, or none that can be read."""

    seen: Workload
    fails: bool = False
    asked: list[WorkloadRef] = field(default_factory=list)

    async def workload(self, ref: WorkloadRef) -> Workload:
        self.asked.append(ref)
        if self.fails:
            raise Retryable("busy")
        return self.seen


def isolating(*, namespaces: tuple[str, ...] = ("shop",)) -> Policy:
    of = policy()
    step = Step(action="isolate", params={"for": "30m"})
    books = {**of.runbooks, "restart": replace(of.runbooks["restart"], steps=(step,))}
    return replace(of, runbooks=books, guards=replace(of.guards, namespaces=namespaces))


def isolated(*, until: int = NOW - 20 * MINUTE, desired: int = 0, had: str = "4") -> Workload:
    kept = {ISOLATED_REPLICAS: had, ISOLATED_UNTIL: say_until(Instant(until))}
    return replace(workload(), desired=desired, annotations=kept)


async def told(cluster: Cluster, of: Policy | None = None, store: MemoryStore | None = None) -> list[str]:
    """What the operator's notices say after two looks."""
    store = store if store is not None else MemoryStore(lambda: NOW)
    forgotten = ForgottenIsolations(
        reader=cast(ClusterReader, cluster),
        policy=lambda: of if of is not None else isolating(),
        incidents=store,
        notices=store,
        runtime=AsyncioRuntime(),
        observer=Silent(),
    )
    for _ in range(2):
        await forgotten.look()
    return [one.data for one in await store.take([Queue.NOTICES], "me", 10, Millis(0))]


async def test_what_nobody_ends_is_told_once() -> None:
    """With until when it was, and what it had is said by the workload."""
    (notice,) = await told(Cluster(isolated()))
    assert "deployment/web in shop stays isolated, no incident knows of it" in notice
    assert say_until(Instant(NOW - 20 * MINUTE)) in notice


@pytest.mark.parametrize(
    "seen",
    [
        isolated(until=NOW - 14 * MINUTE),
        isolated(desired=3),
        isolated(had="many"),
        replace(isolated(), annotations={}),
    ],
)
async def test_what_is_not_overdue_or_not_isolated_is_nothing_to_tell(seen: Workload) -> None:
    """Its incident ends it first; whoever scaled it up has ended it; nonsense says nothing."""
    assert await told(Cluster(seen)) == []


async def test_what_cannot_be_read_is_looked_at_again() -> None:
    cluster = Cluster(isolated(), fails=True)
    assert await told(cluster) == []
    assert cluster.asked == [WEB, WEB]


async def test_only_what_a_rule_may_isolate_and_touch_is_looked_at() -> None:
    """A runbook that isolates nothing, or a namespace that is not allowed: nothing is read at all."""
    for of in (policy(), isolating(namespaces=("other",))):
        cluster = Cluster(isolated())
        assert await told(cluster, of) == []
        assert cluster.asked == []
        assert isolatable(of) == ()


async def test_what_an_incident_still_has_to_end_is_its_own_to_tell() -> None:
    """It is paused there, and people have been paged for it."""
    store, life = MemoryStore(lambda: NOW), opened(isolating())
    life.acted()
    known = Decision(incident=life.now)
    commit = Commit(before=None, decision=known, facts=Facts(), fingerprints=frozenset(), settles=())
    assert await store.commit(commit) is CommitResult.COMMITTED
    assert life.now.isolations
    assert await told(Cluster(isolated()), store=store) == []


async def test_what_a_rule_may_isolate_by_the_names_of_its_alerts_is_looked_at_too() -> None:
    """Whichever service the rule is for: its alerts may name any pod. Its incident may be of no service."""
    of = isolating()
    first, *rest = of.rules
    of = replace(of, rules=(replace(first, target=POD, service=compile_template("unknown")), *rest))
    assert [service.name for service in isolatable(of)] == ["web"]
    (notice,) = await told(Cluster(isolated()), of)
    assert "deployment/web in shop stays isolated" in notice
    store, life = MemoryStore(lambda: NOW), opened(isolating())
    life.acted()
    stranger = Decision(incident=life.now.evolve(service="unknown"))
    commit = Commit(before=None, decision=stranger, facts=Facts(), fingerprints=frozenset(), settles=())
    assert await store.commit(commit) is CommitResult.COMMITTED
    assert await told(Cluster(isolated()), of, store) == []
