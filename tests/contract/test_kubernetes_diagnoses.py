"""What diagnoses find in a cluster with controllers: from the crash of a container to what people read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.cluster import ClusterReader, Pod
from remediator.core.plugins import Sight
from remediator.core.policies import WorkloadRef
from remediator.diagnoses import DIAGNOSES
from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace, Program, Run
from tests.cluster.world import until

WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
LOG = "connecting to postgres://app:hunter2@db/shop\npanic: no route to host\n"


CRASHES = Program(runs=(Run(ready=False, ends_after=1, exit_code=137, reason="OOMKilled", log=LOG),))
"""Never ready: whenever somebody looks, the pods are in trouble."""


@pytest.fixture
async def sight(tmp_path: Path) -> AsyncIterator[Sight]:
    """A cluster in which both pods of a workload crash again and again."""
    runtime = AsyncioRuntime()
    async with FakeApiServer(pace=Pace(second=0.01)) as server:
        server.deployment("shop", "web")
        await server.settled()
        server.behave("shop", "web", Behaviour.runs(CRASHES))
        cluster = await connect(str(server.kubeconfig(tmp_path / "kubeconfig")), runtime=runtime)

        async def look() -> bool | None:
            return True if all(pod.restarts >= 2 for pod in await _pods(cluster.reader)) else None

        await until(look, "both pods have crashed twice")
        yield Sight(cluster=cluster.reader, target=WEB, firing=1)
        await cluster.close()
    runtime.close()


async def _pods(reader: ClusterReader) -> tuple[Pod, ...]:
    return await reader.pods(await reader.workload(WEB))


async def look(name: str, sight: Sight, **params: object) -> list[str]:
    """What a diagnosis finds."""
    plugin = DIAGNOSES[name]
    return list(await plugin.look(plugin.params.model_validate(params), sight))


async def test_pods_say_why_they_ended(sight: Sight) -> None:
    """Both, with what killed them."""
    head, *lines = await look("pods", sight)
    assert head == "2 pods, 2 not ready"
    assert len(lines) == 2
    assert all("last ended OOMKilled (exit 137)" in line for line in lines)


async def test_logs_show_the_last_words_and_no_password(sight: Sight) -> None:
    """Of each pod, of this run or the one before: they are all alike."""
    lines = await look("logs", sight, match="panic|postgres")
    assert [line for line in lines if line.startswith("  ")] == [
        "  connecting to postgres://[redacted]@db/shop",
        "  panic: no route to host",
    ] * 2
    assert sum("2 of 2 lines match" in line for line in lines) == 2


async def test_events_begin_with_the_crash_loop(sight: Sight) -> None:
    """Both pods' in one line; what went well comes after."""
    lines = await look("events", sight)
    assert lines[0].startswith("Warning BackOff, ")
    assert "Back-off restarting failed container web" in lines[0]
    warnings = [line.startswith("Warning ") for line in lines]
    assert warnings == sorted(warnings, reverse=True)
    assert any(line.startswith("ScalingReplicaSet, deployment/web, once at ") for line in lines)


async def test_the_history_has_the_first_revision(sight: Sight) -> None:
    """With its image, and that nothing of it is ready."""
    [line] = await look("rollout_history", sight)
    assert line.startswith("revision 1 (now), made at ")
    assert line.endswith(", 0 of 2 pods ready: registry.local/web:v1")
