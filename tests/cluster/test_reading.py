"""Reading a cluster: snapshots, pods, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from remediator.adapters.kubernetes import Kubernetes, Limits, connect
from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.errors import NotFound, Refused
from remediator.core.policies import WorkloadRef
from tests.cluster.world import KINDS, World

pytestmark = pytest.mark.cluster


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rolled_out_workload_reads_as_such(world: World, kind: str) -> None:
    """Every kind's counts agree once its rollout is done."""
    seen = await world.create(world.ref(kind=kind))
    raw = await world.raw(seen.ref)
    assert seen.uid == raw["metadata"]["uid"]
    assert seen.desired == seen.total == seen.updated == seen.ready == seen.available
    assert seen.desired == (raw["status"]["desiredNumberScheduled"] if kind == "daemonset" else 2)
    assert not seen.paused
    assert seen.epoch == 0


async def test_what_is_not_there_is_not_found(world: World) -> None:
    """A workload that does not exist and a namespace that does not exist are both NotFound."""
    reader = world.cluster.reader
    with pytest.raises(NotFound, match="nobody"):
        await reader.workload(world.ref("nobody"))
    with pytest.raises(NotFound):
        await reader.workload(WorkloadRef(kind="deployment", namespace="remediator-no-such", name="web"))


@pytest.mark.parametrize("kind", KINDS)
async def test_named_workloads_are_read_with_one_list(world: World, kind: str) -> None:
    """As each would be read by itself; of a name that nobody has nothing is told, nor of other kinds."""
    reader = world.cluster.reader
    seen = [await world.create(world.ref(name, kind)) for name in ("web", "cart")]
    await world.create(world.ref("other", kind))
    listed = await reader.workloads(kind, world.namespace, frozenset(("web", "cart", "nobody")))
    assert sorted(each.ref.name for each in listed) == ["cart", "web"]
    by_name = {each.ref.name: each for each in listed}
    for one in seen:
        again = by_name[one.ref.name]
        assert (again.uid, again.desired, again.ready) == (one.uid, one.desired, one.ready)
    assert await reader.workloads(kind, world.namespace, frozenset(("nobody",))) == ()


async def test_a_paused_deployment_says_so(world: World) -> None:
    """``spec.paused`` is in the snapshot: a restart would not roll out."""
    seen = await world.create(world.ref())
    await world.send(
        "PATCH", world.path(seen.ref), {"spec": {"paused": True}}, "application/merge-patch+json"
    )
    assert (await world.cluster.reader.workload(seen.ref)).paused


async def test_pods_are_those_its_selector_selects(world: World) -> None:
    """matchLabels and matchExpressions both count, and other workloads' pods do not."""
    expressions = [
        {"key": "app", "operator": "In", "values": ["web", "front"]},
        {"key": "legacy", "operator": "DoesNotExist"},
    ]
    seen = await world.create(
        world.ref(), selector={"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    )
    await world.create(world.ref("other"))
    pods = await world.cluster.reader.pods(seen)
    assert len(pods) == 2
    assert all(pod.name.startswith("web-") for pod in pods)
    assert all((pod.ready, pod.phase, pod.state, pod.restarts) == (True, "Running", "", 0) for pod in pods)
    assert all(pod.node for pod in pods)


async def test_pods_come_page_by_page(world: World, kubeconfig: Path, runtime: AsyncioRuntime) -> None:
    """With one pod a page, all are found, each once."""
    seen = await world.create(world.ref(), replicas=3)
    slow = await connect(str(kubeconfig), runtime=runtime, limits=Limits(page=1))
    try:
        names = [pod.name for pod in await slow.reader.pods(seen)]
    finally:
        await slow.close()
    assert len(names) == len(set(names)) == 3


async def test_pods_of_a_workload_that_was_replaced_are_not_found(world: World) -> None:
    """The same name is not the same object."""
    first = await world.create(world.ref())
    await world.gone(first.ref)
    await world.create(first.ref)
    with pytest.raises(NotFound, match="another of the same name"):
        await world.cluster.reader.pods(first)


async def test_the_banner_names_address_and_version(cluster: Kubernetes) -> None:
    """It says which cluster this is."""
    await cluster.ready()
    told = await cluster.describe()
    assert told.startswith(cluster.api.host)
    assert "Kubernetes v1." in told


@pytest.mark.parametrize("user", [{}, {"token": "nobody-has-this-token"}], ids=["nobody", "wrong token"])
async def test_who_may_not_read_is_refused(
    world: World, kubeconfig: Path, runtime: AsyncioRuntime, tmp_path: Path, user: dict[str, str]
) -> None:
    """Without rights reading and changing are refused, and no token is in the reason."""
    seen = await world.create(world.ref())
    stranger = await connect(str(_as(user, kubeconfig, tmp_path)), runtime=runtime)
    try:
        with pytest.raises(Refused, match="could not read deployment/web") as refused:
            await stranger.reader.workload(seen.ref)
    finally:
        await stranger.close()
    assert "nobody-has-this-token" not in str(refused.value)


def _as(user: dict[str, str], kubeconfig: Path, directory: Path) -> Path:
    """The kubeconfig with the same cluster and another user."""
    yaml = YAML(typ="safe", pure=True)
    config: dict[str, Any] = yaml.load(kubeconfig.read_text())
    for entry in config["clusters"]:
        if ca := entry["cluster"].get("certificate-authority"):
            entry["cluster"]["certificate-authority"] = str(kubeconfig.parent / ca)
    for entry in config["users"]:
        entry["user"] = user
    written = directory / "stranger"
    with written.open("w") as file:
        yaml.dump(config, file)
    return written
