"""Claims and usage as the adapter reads them: from recorded answers, and from the fake API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from remediator.actions import ACTIONS
from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.kubernetes.claims import claim_of
from remediator.adapters.kubernetes.faults import Answer, Call, refusal
from remediator.adapters.kubernetes.usage import usage_of
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.changes import EvictPod
from remediator.core.cluster import read_snapshot
from remediator.core.errors import NotFound, Refused, Retryable
from remediator.core.holdings import Claim
from remediator.core.plugins import Sight
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant, parse_stamp, stamp_instant
from remediator.diagnoses import DIAGNOSES
from remediator.testing.apiserver import ADMIN, TOKEN, FakeApiServer, Pace, User
from remediator.testing.apiserver.access import Rule

_FOLDER = Path(__file__).parent / "recordings"
RECORDED: dict[str, Any] = {
    entry["name"]: entry["response"]
    for file in ("policy.jsonl", "meta.jsonl")
    for entry in map(json.loads, (_FOLDER / file).read_text().splitlines())
    if "name" in entry
}
DB = WorkloadRef(kind="statefulset", namespace="shop", name="db")


def recorded(name: str) -> Any:
    """What a real API server answered."""
    return RECORDED[name]["body"]


def test_recorded_claims_are_read_as_they_stand() -> None:
    """Bound, waiting, growing, and on the way out."""
    assert claim_of(recorded("pvc-get-bound")) == Claim(
        name="data", phase="Bound", capacity="1Gi", wanted="1Gi", storage_class="manual"
    )
    assert claim_of(recorded("pvc-get-pending")) == Claim(
        name="stuck", phase="Pending", wanted="5Gi", storage_class="manual"
    )
    growing = claim_of(recorded("pvc-get-after-expand-request"))
    assert (growing.capacity, growing.wanted) == ("1Gi", "2Gi")
    assert claim_of(recorded("pvc-delete-in-use-protection")).terminating


def test_a_server_without_metrics_says_that_it_knows_no_such_page() -> None:
    """As recorded: text and no object, which the reader takes for no metrics API."""
    answer = RECORDED["metrics-api-absent-404"]
    call = Call(method="GET", path="/", doing="list pods", repeatable=True)
    refused = refusal(call, Answer(status=answer["status"], body=answer["body"]))
    assert isinstance(refused, NotFound)


def test_what_metrics_server_answers_is_read() -> None:
    """Its own form: nanocores and kibibytes. Source: ``metrics-server/docs``."""
    found = usage_of(
        {
            "metadata": {"name": "web-a"},
            "timestamp": "2026-11-23T04:50:53Z",
            "window": "15.071s",
            "containers": [
                {"name": "web", "usage": {"cpu": "156340n", "memory": "22104Ki"}},
                {"name": "proxy", "usage": {"cpu": "1", "memory": "1Mi"}},
            ],
        }
    )
    assert found.at == stamp_instant(parse_stamp("2026-11-23T04:50:53Z"))
    assert found.cpu == Decimal("1.00015634")
    assert found.memory == 22104 * 1024 + 2**20


def stateful_set() -> dict[str, Any]:
    """A database with a claim for each of its pods."""
    labels = {"app": "db"}
    resources = {"requests": {"storage": "1Gi"}}
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources}}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": 0,
            "serviceName": "db",
            "selector": {"matchLabels": labels},
            "volumeClaimTemplates": [claim],
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "db", "image": "registry.local/db:v1"}]},
            },
        },
    }


def claimed(name: str) -> dict[str, Any]:
    """A claim that no volume fits."""
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "slow", "resources": resources},
    }


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """A cluster with a workload ``web`` of two pods, and somebody who may read that and nothing else."""
    user = User(name="reader", rules=(Rule(groups=frozenset(("apps",)), verbs=frozenset(("get",))),))
    users = {TOKEN: ADMIN, "reader": user}
    async with FakeApiServer(pace=Pace(second=0.01), users=users) as running:
        running.deployment("shop", "web")
        await running.settled()
        yield running


@pytest.fixture
async def cluster(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Kubernetes]:
    """Our way into it."""
    runtime = AsyncioRuntime()
    made = await connect(str(server.kubeconfig(tmp_path / "kubeconfig")), runtime=runtime)
    yield made
    await made.close()
    runtime.close()


async def test_a_stateful_set_that_runs_nothing_still_has_its_claims(
    server: FakeApiServer, cluster: Kubernetes
) -> None:
    """That is when they are asked for: it was scaled to nothing, and is the data there?"""
    server.create(stateful_set())
    for name in ("data-db-0", "data-db-12", "data-db-x", "data-dba-0", "other"):
        server.create(claimed(name))
    seen = await cluster.reader.workload(DB)
    found = await cluster.reader.claims(seen, await cluster.reader.pods(seen))
    assert [(one.name, one.phase, one.wanted) for one in found] == [
        ("data-db-0", "Pending", "1Gi"),
        ("data-db-12", "Pending", "1Gi"),
    ]


async def test_a_claim_that_is_named_and_not_there_is_told(
    server: FakeApiServer, cluster: Kubernetes
) -> None:
    """The usual reason why a pod waits for ever."""
    made = stateful_set()
    volumes = [
        {"name": "a", "persistentVolumeClaim": {"claimName": "shared"}},
        {"name": "b", "emptyDir": {}},
    ]
    made["spec"]["template"]["spec"]["volumes"] = volumes
    made["spec"]["volumeClaimTemplates"] = []
    server.create(made)
    seen = await cluster.reader.workload(DB)
    assert [(one.name, one.phase) for one in await cluster.reader.claims(seen, ())] == [("shared", "Missing")]


async def test_usage_is_that_of_the_workloads_pods_or_there_is_no_api(
    server: FakeApiServer, cluster: Kubernetes
) -> None:
    ref = WorkloadRef(kind="deployment", namespace="shop", name="web")
    seen = await cluster.reader.workload(ref)
    with pytest.raises(NotFound, match=r"^no metrics API here \(metrics.k8s.io\)"):
        await cluster.reader.usage(seen)
    server.deployment("shop", "other")
    await server.settled()
    server.set_usage("shop", "web", cpu="250m", memory="64Mi")
    server.set_usage("shop", "other", cpu="1", memory="1Gi")
    pods = await cluster.reader.pods(seen)
    found = await cluster.reader.usage(seen)
    assert [one.pod for one in found] == sorted(pod.name for pod in pods)
    assert {(one.cpu, one.memory) for one in found} == {(Decimal("0.25"), Decimal(64 * 2**20))}
    plugin = DIAGNOSES["top"]
    sight = Sight(cluster=cluster.reader, target=ref, firing=1)
    told = await plugin.look(plugin.params.model_validate({}), sight)
    assert told[0] == "top: 2 pods use 128Mi of memory and 500m of cpu"


async def test_the_hungriest_pod_is_the_one_that_is_meant(server: FakeApiServer, cluster: Kubernetes) -> None:
    """By what was measured of it; a pod that runs and was not measured yet is waited for."""
    ref = WorkloadRef(kind="deployment", namespace="shop", name="web")
    seen = await cluster.reader.workload(ref)
    one, other = sorted(pod.name for pod in await cluster.reader.pods(seen))
    server.set_usage("shop", one, cpu="250m", memory="64Mi")
    action = ACTIONS["evict_pod"]
    params = action.params.model_validate({"which": "most_memory"})

    async def plan() -> str:
        now = await read_snapshot(cluster.reader, seen, action.needs | params.needs)
        [change] = action.plan(params, now, at=Instant(0))
        assert isinstance(change, EvictPod)
        return change.pod

    with pytest.raises(Retryable, match=f"{other} was not measured"):
        await plan()
    server.set_usage("shop", other, cpu="1m", memory="1Gi")
    assert await plan() == other


async def test_who_may_not_read_usage_is_told_what_to_grant(server: FakeApiServer, tmp_path: Path) -> None:
    runtime = AsyncioRuntime()
    path = server.kubeconfig(tmp_path / "reader", token="reader")
    reader = await connect(str(path), runtime=runtime)
    server.set_usage("shop", "web", cpu="250m", memory="64Mi")
    seen = await reader.reader.workload(WorkloadRef(kind="deployment", namespace="shop", name="web"))
    with pytest.raises(Refused, match=r"grant it: list pods.metrics.k8s.io in namespace shop"):
        await reader.reader.usage(seen)
    await reader.close()
    runtime.close()
