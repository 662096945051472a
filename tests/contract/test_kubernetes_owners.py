"""Objects that alerts name, found on an API server with the workload that owns them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remediator.adapters.kubernetes import Kubernetes, connect
from remediator.adapters.kubernetes.snapshots import named_of
from remediator.core.errors import NotFound, Refused
from remediator.core.finding import find
from remediator.core.incident import EffectId
from remediator.core.journal import Located
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.times import HOUR, Instant
from remediator.testing.apiserver import FakeApiServer, Pace
from tests.cluster.world import manifest
from tests.fault.kubernetes_scene import Impatient

NAMES = {"deployment": "web", "statefulset": "db", "daemonset": "agent"}
LATER = Instant(int(datetime.now(UTC).timestamp() * 1000) + HOUR)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    async with FakeApiServer(pace=Pace(ready_after=0.002, stop_after=0.002, lag=0.001)) as made:
        for kind, name in NAMES.items():
            made.create(manifest(WorkloadRef(kind=kind, namespace="shop", name=name), {}))
        await made.settled()
        yield made


@pytest.fixture
async def cluster(server: FakeApiServer, tmp_path: Path) -> AsyncIterator[Kubernetes]:
    runtime = Impatient()
    made = await connect(str(server.kubeconfig(tmp_path / "kubeconfig")), runtime=runtime)
    yield made
    await made.close()
    runtime.close()


async def looked(cluster: Kubernetes, kind: str, name: str, began: Instant = LATER) -> Located:
    return await find(EffectId("e"), ObjectRef(kind=kind, namespace="shop", name=name), began, cluster.reader)


@pytest.mark.parametrize(("kind", "name"), NAMES.items())
async def test_a_pod_leads_to_its_workload_and_the_workload_to_itself(
    cluster: Kubernetes, kind: str, name: str
) -> None:
    ref = WorkloadRef(kind=kind, namespace="shop", name=name)
    workload = await cluster.reader.workload(ref)
    [pod, *_] = await cluster.reader.pods(workload)
    for found in (await looked(cluster, "pod", pod.name), await looked(cluster, kind, name)):
        assert (found.owner, found.uid) == (ref, workload.uid)


async def test_a_replicaset_leads_to_its_deployment(cluster: Kubernetes) -> None:
    workload = await cluster.reader.workload(WorkloadRef(kind="deployment", namespace="shop", name="web"))
    [revision] = await cluster.reader.revisions(workload)
    found = await looked(cluster, "replicaset", revision.name)
    assert found.owner == workload.ref


async def test_what_is_gone_and_what_took_its_place_lead_nowhere(cluster: Kubernetes) -> None:
    assert "does not exist" in (await looked(cluster, "pod", "web-gone")).reason
    workload = await cluster.reader.workload(WorkloadRef(kind="deployment", namespace="shop", name="web"))
    [pod, *_] = await cluster.reader.pods(workload)
    found = await looked(cluster, "pod", pod.name, Instant(LATER - 24 * HOUR))
    assert "was made after the alert began" in found.reason


async def test_a_kind_that_is_not_looked_for_and_a_name_that_is_none_are_refused(cluster: Kubernetes) -> None:
    for ref in (
        ObjectRef(kind="secret", namespace="shop", name="web"),
        ObjectRef(kind="pod", namespace="shop", name="../secrets/web"),
    ):
        with pytest.raises(Refused):
            await cluster.reader.named(ref)
    with pytest.raises(NotFound):
        await cluster.reader.named(ObjectRef(kind="pod", namespace="shop", name="web-1"))


def test_a_controller_of_a_strangers_group_keeps_it_in_its_kind() -> None:
    """A Job of Volcano is no Job of Kubernetes, and an owner that is no controller owns nothing."""
    ref = ObjectRef(kind="pod", namespace="shop", name="a")

    def owned(**owner: object) -> Anchor | None:
        meta = {"uid": "u", "ownerReferences": [{"name": "x", "uid": "v", **owner}]}
        return named_of(ref, {"metadata": meta}).controller

    def kind(**owner: object) -> str | None:
        found = owned(**owner)
        return found.ref.kind if found is not None else None

    assert kind(kind="Job", apiVersion="batch/v1", controller=True) == "job"
    assert kind(kind="Job", apiVersion="batch.volcano.sh/v1alpha1", controller=True) == "job.batch.volcano.sh"
    assert kind(kind="ReplicaSet", apiVersion="apps/v1", controller=True) == "replicaset"
    assert kind(kind="ReplicaSet", apiVersion="apps/v1") is None
