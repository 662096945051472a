"""What a workload claims and uses, on every cluster: also on one that measures nothing."""

from __future__ import annotations

import pytest

from remediator.checks import CHECKS
from remediator.core.errors import NotFound
from remediator.core.holdings import PodUsage
from remediator.core.plugins import Sight
from remediator.core.times import MINUTE, Millis
from remediator.diagnoses import DIAGNOSES
from tests.cluster.world import Json, World, manifest, until

pytestmark = pytest.mark.cluster


def _claim(world: World, name: str) -> Json:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "remediator-test-no-such-class",
        "resources": {"requests": {"storage": "1Mi"}},
    }
    meta = {"name": name, "namespace": world.namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


async def _look(world: World, name: str, kind: str = "deployment") -> list[str]:
    plugin = DIAGNOSES[name]
    sight = Sight(cluster=world.cluster.reader, target=world.ref(kind=kind), firing=1)
    return list(await plugin.look(plugin.params.model_validate({}), sight))


async def test_the_claims_of_a_database_that_is_scaled_to_nothing_are_told(world: World) -> None:
    """Its own, by their names, and no others; that nobody binds them is said."""
    ref = world.ref(kind="statefulset")
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    made = manifest(ref, {}, replicas=0, volumeClaimTemplates=[template])
    await world.send("POST", world.collection(ref.kind), made)
    claims = f"/api/v1/namespaces/{world.namespace}/persistentvolumeclaims"
    for name in ("data-web-0", "data-web-1", "data-other-0"):
        await world.send("POST", claims, _claim(world, name))
    seen = await world.cluster.reader.workload(ref)

    async def look() -> list[str] | None:
        found = await world.cluster.reader.claims(seen, ())
        return [one.name for one in found] if all(one.phase == "Pending" for one in found) else None

    assert await until(look, "the claims wait for a volume") == ["data-web-0", "data-web-1"]
    assert await _look(world, "pvcs", "statefulset") == [
        f"data-web-{n}: Pending, 1Mi wanted, class remediator-test-no-such-class, used by no pod"
        for n in (0, 1)
    ]


async def test_a_claim_that_pods_wait_for_is_told_as_missing(world: World) -> None:
    ref = world.ref()
    made = manifest(ref, {}, replicas=1)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "nobody-made-me"}}
    made["spec"]["template"]["spec"]["volumes"] = [volume]
    await world.send("POST", world.collection(ref.kind), made)
    [line] = await _look(world, "pvcs")
    assert line.startswith("nobody-made-me: there is no claim of that name")


async def test_what_pods_use_is_measured_or_there_is_no_metrics_api(world: World) -> None:
    """Both are answers; the first takes a new pod a minute or so."""
    seen = await world.create(world.ref())
    try:
        await world.cluster.reader.usage(seen)
    except NotFound as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert refused == "no metrics API here (metrics.k8s.io): install metrics-server"
        assert await _look(world, "top") == [f"top: {refused}"]
        return

    async def look() -> tuple[PodUsage, ...] | None:
        found = await world.cluster.reader.usage(seen)
        return found if len(found) == 2 else None

    measured = await until(look, "both pods are measured")
    assert all(one.memory > 0 and one.at > 0 for one in measured)
    assert (await _look(world, "top"))[0].startswith("top: 2 pods use ")


async def test_lines_can_be_counted_since_a_time(world: World) -> None:
    """Nothing matches in a log that was read: the check holds."""
    seen = await world.create(world.ref())
    pod = (await world.cluster.reader.pods(seen))[0].name
    recent = await world.cluster.reader.logs(world.namespace, pod, "web", tail=5, since=Millis(MINUTE))
    assert isinstance(recent, tuple)
    plugin = CHECKS["logs"]
    params = plugin.params.model_validate({"match": "no such words anywhere"})
    sight = Sight(cluster=world.cluster.reader, target=seen.ref, firing=0)
    found = await plugin.ask(params, sight)
    assert found.holds is True
    assert found.observed.startswith("0 lines of 2 pods match in the last 5m")
