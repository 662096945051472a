"""Reading what belongs to a workload: revisions, budgets, events, logs, endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from remediator.core.cluster import ClusterEvent, Pod, Revision
from remediator.core.errors import NotFound, Refused
from tests.cluster.world import KINDS, Json, World, manifest, template, until

pytestmark = pytest.mark.cluster
STRATEGIC = "application/strategic-merge-patch+json"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_of_the_template_is_a_revision(world: World, kind: str) -> None:
    """The newest comes first and is the current one; images and UIDs are told."""
    seen = await world.create(world.ref(kind=kind))
    [first] = await world.cluster.reader.revisions(seen)
    changed = {"spec": {"template": {"metadata": {"annotations": {"example.com/change": "1"}}}}}
    await world.send("PATCH", world.path(seen.ref), changed, STRATEGIC)
    done = await world.rolled_out(seen.ref)

    async def look() -> tuple[Revision, ...] | None:
        found = await world.cluster.reader.revisions(done)
        return found if len(found) == 2 and found[0].pods in (2, None) else None

    newest, oldest = await until(look, "the change is a revision")
    assert (newest.current, oldest.current) == (True, False)
    assert newest.number == oldest.number + 1
    assert (oldest.name, oldest.uid, oldest.images) == (first.name, first.uid, first.images)
    assert newest.images == oldest.images
    assert newest.created_at >= oldest.created_at > 0
    assert (newest.pods, newest.ready) == ((2, 2) if kind == "deployment" else (None, None))


@pytest.mark.parametrize(
    ("kind", "spec", "taken"),
    [
        ("deployment", {"replicas": 4}, 1),
        ("deployment", {"strategy": {"type": "Recreate"}}, 2),
        ("statefulset", {}, 1),
        ("statefulset", {"updateStrategy": {"type": "OnDelete"}}, 0),
        ("daemonset", {}, 1),
    ],
)
async def test_what_a_rollout_takes_away_is_told(
    world: World, kind: str, spec: dict[str, Any], taken: int
) -> None:
    """With what the server fills in where nothing is said."""
    seen = await world.create(world.ref(kind=kind), **spec)
    assert seen.max_unavailable == taken


async def test_pods_carry_what_tells_them_apart(world: World) -> None:
    """UID, containers, when they were made."""
    seen = await world.create(world.ref())
    pods = await world.cluster.reader.pods(seen)
    assert len({pod.uid for pod in pods}) == 2
    assert all((pod.containers, pod.suspect, pod.terminating) == (("web",), "", False) for pod in pods)
    assert all(pod.created_at > 0 for pod in pods)


async def test_budgets_are_those_over_its_pods(world: World) -> None:
    """By labels, by expressions and by an empty selector; others' budgets are not told."""
    seen = await world.create(world.ref())
    assert await world.cluster.reader.budgets(seen) == ()
    by_rule = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}
    selectors: dict[str, Json] = {"labels": {"matchLabels": {"app": "web"}}, "rules": by_rule, "all": {}}
    for name, selector in {**selectors, "others": {"matchLabels": {"app": "other"}}}.items():
        await world.send("POST", _policy(world), _budget(world, name, selector))

    async def look() -> set[str] | None:
        found = await world.cluster.reader.budgets(seen)
        counted = all((one.healthy, one.wanted, one.allowed) == (2, 1, 1) for one in found)
        return {one.name for one in found} if counted else None

    assert await until(look, "the budgets are counted") == set(selectors)


def _policy(world: World) -> str:
    return f"/apis/policy/v1/namespaces/{world.namespace}/poddisruptionbudgets"


def _budget(world: World, name: str, selector: Json) -> Json:
    meta = {"name": name, "namespace": world.namespace}
    spec = {"minAvailable": 1, "selector": selector}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}


async def test_events_are_about_the_workload_its_revision_and_its_pods(world: World) -> None:
    """Newest first, and none of anybody else's."""
    seen = await world.create(world.ref())
    await world.create(world.ref("other"))
    pods = await world.cluster.reader.pods(seen)
    wanted = {"deployment/web", *(f"pod/{pod.name}" for pod in pods)}

    async def look() -> tuple[ClusterEvent, ...] | None:
        found = await world.cluster.reader.events(seen, pods)
        about = {event.about for event in found}
        revision = {one for one in about if one.startswith("replicaset/web-")}
        return found if wanted <= about and revision else None

    found = await until(look, "there are events about all of them")
    assert {event.about for event in found if "other" in event.about} == set()
    assert [event.at for event in found] == sorted((event.at for event in found), reverse=True)
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled"} <= {event.reason for event in found}
    assert not any(event.warning for event in found if event.reason == "Scheduled")


async def test_many_pods_events_are_read_as_well_as_few(world: World) -> None:
    """However many are asked about, the events of each are there."""
    seen = await world.create(world.ref(), replicas=10)
    pods = await world.cluster.reader.pods(seen)

    async def look() -> set[str] | None:
        found = {event.about for event in await world.cluster.reader.events(seen, pods)}
        return found if len(found) >= 12 else None

    about = await until(look, "there are events about all of them")
    assert {f"pod/{pod.name}" for pod in pods} <= about


async def test_endpoints_are_counted(world: World) -> None:
    """Those that are ready for requests."""
    await world.create(world.ref())
    service = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    meta = {"name": "front", "namespace": world.namespace}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service}
    await world.send("POST", f"/api/v1/namespaces/{world.namespace}/services", body)

    async def look() -> bool | None:
        try:
            found = await world.cluster.reader.endpoints(world.namespace, "front")
        except NotFound:
            return None
        return True if (found.ready, found.not_ready) == (2, 0) else None

    assert await until(look, "both pods are behind the service")
    with pytest.raises(NotFound):
        await world.cluster.reader.endpoints(world.namespace, "nobody")


async def test_logs_of_what_never_ran_are_not_found(world: World) -> None:
    """A run before the first, a container and a pod that do not exist; and one that runs has its log."""
    seen = await world.create(world.ref())
    pod = (await world.cluster.reader.pods(seen))[0].name
    logs = world.cluster.reader.logs
    assert isinstance(await logs(world.namespace, pod, "web", tail=5), tuple)
    with pytest.raises(NotFound, match="previous terminated container"):
        await logs(world.namespace, pod, "web", tail=5, previous=True)
    with pytest.raises(NotFound, match="is not valid for pod"):
        await logs(world.namespace, pod, "nobody", tail=5)
    with pytest.raises(NotFound):
        await logs(world.namespace, "nobody", "web", tail=5)


async def test_a_pod_without_a_node_has_no_lines(world: World) -> None:
    """It waits for a node that does not exist: there is no log, and nothing is wrong with asking."""
    ref = world.ref()
    waiting = manifest(ref, {}, replicas=1)
    template(waiting)["spec"]["nodeSelector"] = {"example.com/no-such": "node"}
    await world.send("POST", world.collection(ref.kind), waiting)

    async def look() -> Pod | None:
        found = await world.cluster.reader.pods(await world.cluster.reader.workload(ref))
        return found[0] if found and found[0].state else None

    pod = await until(look, "there is a pod that waits")
    assert (pod.state, pod.node, pod.suspect) == ("Unschedulable", "", "")
    assert await world.cluster.reader.logs(world.namespace, pod.name, "web", tail=5) == ()


async def test_what_belongs_to_a_replaced_workload_is_not_found(world: World) -> None:
    """The same name is not the same object."""
    first = await world.create(world.ref())
    await world.gone(first.ref)
    await world.create(first.ref)
    reader = world.cluster.reader
    for ask in (reader.revisions, reader.budgets):
        with pytest.raises(NotFound, match="another of the same name"):
            await ask(first)
    with pytest.raises(NotFound, match="another of the same name"):
        await reader.events(first, ())


async def test_names_that_are_none_never_reach_a_path(world: World) -> None:
    """Of pods, containers, services and namespaces alike."""
    reader = world.cluster.reader
    asks = (
        reader.logs(world.namespace, "../secrets/x", "web", tail=1),
        reader.logs(world.namespace, "web/log?x", "web", tail=1),
        reader.logs(world.namespace, "web", "web&follow=true", tail=1),
        reader.logs("..", "web", "web", tail=1),
        reader.endpoints(world.namespace, "../../secrets"),
        reader.endpoints("kube-system/secrets", "web"),
    )
    for ask in asks:
        with pytest.raises(Refused, match="cannot be the name"):
            await ask
