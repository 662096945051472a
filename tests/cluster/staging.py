"""Workloads, Services and Alertmanager's alerts as the default policies speak of them, on any cluster."""

from __future__ import annotations

from remediator.testing.apiserver import FakeApiServer, Output
from tests.cluster.doctor import GATE
from tests.cluster.scene import Scene
from tests.cluster.world import World, manifest, template, until

DATABASE = "postgres"
COUNTED = "transactions: 42"
PSQL = "/usr/local/bin/psql"


async def deploy(
    world: World, name: str, *, replicas: int = 2, kind: str = "deployment", programs: bool = False
) -> None:
    """A workload whose pods wait for the doctor, and its Service. ``programs``: what ``database`` wrote."""
    ref = world.ref(name, kind)
    body = manifest(ref, {}, replicas=replicas)
    pod = template(body)["spec"]
    pod["readinessGates"] = [{"conditionType": GATE}]
    [container] = pod["containers"]
    container["name"] = name
    if programs:
        pod["volumes"] = [{"name": "programs", "configMap": {"name": "programs", "defaultMode": 0o755}}]
        container["volumeMounts"] = [{"name": "programs", "mountPath": PSQL, "subPath": "psql"}]
    await world.send("POST", world.collection(kind), body)
    meta = {"name": name, "namespace": world.namespace}
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    await world.send("POST", f"/api/v1/namespaces/{world.namespace}/services", service)
    if replicas:
        await world.rolled_out(ref)


async def database(world: World, fake: FakeApiServer | None, *, holds: str) -> None:
    """A database that was scaled to zero. ``holds``: what its psql prints.

    On a real cluster that is a script in a ConfigMap, for which the image needs /bin/sh.
    """
    meta = {"name": "programs", "namespace": world.namespace}
    data = {"psql": f"#!/bin/sh\necho '{holds}'\n"}
    programs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
    await world.send("POST", f"/api/v1/namespaces/{world.namespace}/configmaps", programs)
    await deploy(world, DATABASE, replicas=0, kind="statefulset", programs=True)
    if fake is not None:
        fake.set_command(world.namespace, DATABASE, ("psql",), Output(stdout=f"{holds}\n"))


async def uids(world: World, name: str, kind: str = "deployment") -> set[str]:
    """The pods that are there and not on their way out."""
    seen = await world.cluster.reader.workload(world.ref(name, kind))
    return {pod.uid for pod in await world.cluster.reader.pods(seen) if not pod.terminating}


async def fail(scene: Scene, *names: str) -> None:
    """The pods that are there are ready no more, and never will be; others are well."""
    for name in names:
        await scene.doctor.ill(name)
    reader, world = scene.world.cluster.reader, scene.world

    async def look() -> bool | None:
        seen = [await reader.workload(world.ref(name)) for name in names]
        return True if not any(one.ready for one in seen) else None

    await until(look, f"{' and '.join(names)} are down")
