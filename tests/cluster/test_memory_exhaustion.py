"""Memory exhaustion, from the alert on: the hungriest pod goes, its logs are kept before; or nobody guesses.

A cluster may have no metrics API. Then which pod it is is unknown, nothing is changed and people are paged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from remediator.core.alerts import Fingerprint
from remediator.core.decision import Facts
from remediator.core.errors import NotFound, Retryable
from remediator.core.incident import Attempt, IncidentId, Outcome, Phase
from remediator.core.journal import PageKind
from remediator.core.policies import Mode, Policy
from remediator.core.store import GuardStore, IncidentStore, Loaded
from remediator.core.times import SECOND, Millis
from remediator.policy.load import read_policies
from remediator.testing.memory import MemoryStore
from remediator.testing.simulation.world import Silent
from remediator.workers.means import Means
from remediator.workers.runner import Runner
from tests.cluster.world import PATIENCE, World, until
from tests.core.builders import fired
from tests.core.test_decide import Life

pytestmark = pytest.mark.cluster
POLICY = """
severities: {SEV-2: {summary: bad, page: {unless_verified_within: 15m}, escalation: e}}
services: {web: {namespace: NAMESPACE, workload: deployment/web}}
rules:
  - {name: leak, match: [alertname="Leak"], severity: SEV-2, mode: auto, service: web, runbooks: [r]}
guards: {namespaces: [NAMESPACE]}
runbooks:
  r:
    diagnose: [{top: {}}]
    steps: [{evict_pod: {which: most_memory}}]
    verify: [{ready: {within: 5m}}, {alert: {state: resolved, within: 5m}}]
escalations: {e: [{level: 1, channels: [oncall]}]}
channels: {oncall: {pagerduty: {routing_key: {env: KEY}}}}
"""


@dataclass
class _Waits:
    """The incident, which waits for the effect."""

    life: Life

    async def load(self, incident: IncidentId, fingerprints: Sequence[Fingerprint]) -> Loaded:
        facts = Facts(firing=len(self.life.members))
        return Loaded(at=self.life.at, incident=self.life.incident, facts=facts)


def _policy(world: World) -> Policy:
    loaded = read_policies({"p.yaml": POLICY.replace("NAMESPACE", world.namespace)})
    assert loaded.policy is not None, loaded.findings
    return loaded.policy


async def _attempt(world: World, life: Life) -> Attempt:
    """What becomes of the attempt. The alert resolves as soon as everything was done."""
    runner = Runner(
        Means(
            incidents=cast(IncidentStore, _Waits(life)),
            guards=cast(GuardStore, MemoryStore(lambda: life.at)),
            reader=world.cluster.reader,
            executor=world.cluster.executor,
            policy=lambda: life.policy,
            ceiling=Mode.AUTO,
            clock_trouble=lambda: None,
            observer=Silent(),
            replica="replica",
            lease=Millis(30 * SECOND),
        )
    )
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        attempt = life.now.attempts[-1]
        if attempt.phase is Phase.ENDED:
            return attempt
        if attempt.phase is Phase.VERIFYING:
            life.members.clear()
        if attempt.pending is None:
            await asyncio.sleep(0.05)  # a cluster changes by itself; nothing tells us when
            life.ring("act" if "act" in life.timers else "poll")
            continue
        made = [effect for decision in life.decisions for effect in decision.effects]
        outcome = await runner.perform(next(one for one in made if one.id == attempt.pending))
        assert outcome is not None
        life.tell(outcome)
    raise AssertionError(f"after {PATIENCE} s it has not ended: {life.now.attempts[-1]}")


async def _hungriest(world: World) -> str | None:
    """The pod that uses the most memory, once both are measured; None where there is no metrics API."""
    seen = await world.cluster.reader.workload(world.ref())

    async def look() -> tuple[str, ...] | None:
        try:
            found = await world.cluster.reader.usage(seen)
        except NotFound:
            return ()
        except Retryable:
            return None
        ordered = sorted(found, key=lambda one: -one.memory)
        return tuple(one.pod for one in ordered) if len(found) == 2 else None

    measured = await until(look, "both pods are measured, or nothing is")
    return measured[0] if measured else None


async def test_the_hungriest_pod_is_evicted_or_it_is_unknown_and_people_are_paged(world: World) -> None:
    """Either way logs of what might have gone are durable before anything is done."""
    reader = world.cluster.reader
    seen = await world.create(world.ref())
    wanted = await _hungriest(world)
    before = {pod.uid for pod in await reader.pods(seen)}
    life = Life(_policy(world))
    life.tell(fired(life.policy, alertname="Leak"))
    attempt = await _attempt(world, life)
    kept = [piece.source for made in life.decisions for one in made.evidence for piece in one.pieces]
    assert {"workload", "pods", "events", "top", "rollout_history"} <= set(kept)
    pages = [one for one in life.pages if one.kind is PageKind.TRIGGER]
    after = await reader.pods(seen)
    if wanted is None:
        assert attempt.outcome is Outcome.BLOCKED
        assert "use is unknown: no metrics API here (metrics.k8s.io)" in attempt.reason
        assert {pod.uid for pod in after} == before
        assert len(pages) == 1
    else:
        assert attempt.outcome is Outcome.VERIFIED
        assert pages == []
        assert any(change.startswith("evict") for change in attempt.changes)
        assert len(before & {pod.uid for pod in after}) == 1
