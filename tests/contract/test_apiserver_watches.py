"""What watches see while pods and workloads change: the states of a real cluster, in their order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import aiohttp
import pytest

from remediator.testing.apiserver import ADMIN, Behaviour, FakeApiServer, Pace, Program, Run
from remediator.testing.apiserver.kinds import EVENTS, PODS
from remediator.testing.apiserver.objects import deleting
from tests.contract.recordings.replay import TOKENS
from tests.contract.recordings.scenes import Scene
from tests.contract.recordings.watched import Seen, State, told

Direction: TypeAlias = Callable[[Scene], Awaitable[None]]
PACE = Pace(stop_after=0.1, second=0.02, spread=0.05)


def comes_to(live: Seen, wanted: Seen, *, endless: bool) -> bool:
    """Whether the live objects went through the recorded states; ``endless``: and maybe more since.

    A real kubelet writes the newest status it knows of a pod, so between two recorded states of a pod there
    may be one that only another pod of the recording was seen in.
    """
    left = list(live.sequences)
    known = [state for states in wanted.sequences for state in states]
    for states in wanted.sequences:
        for found in left:
            begun = found[: len(states)] if endless else found
            skips = wanted.watch == "pods" and not endless
            if begun == states or (skips and all(one in known for one in found) and within(states, found)):
                left.remove(found)
                break
        else:
            return False
    return not left


def within(few: list[State], many: list[State]) -> bool:
    """Whether the first is the second without some of its members."""
    rest = iter(many)
    return all(one in rest for one in few)


async def requested(scene: Scene) -> None:
    """The recorded requests."""
    await scene.send_requests()


async def guarded(scene: Scene) -> None:
    """The same with a budget that was there already, in no list of the recording."""
    meta = {"name": "web", "namespace": scene.namespace}
    spec = {"minAvailable": "50%", "selector": {"matchLabels": {"app": "web"}}}
    head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
    scene.server.create({**head, "metadata": meta, "spec": spec})
    await scene.server.settled()
    await scene.send_requests()


def behaving(name: str, behaviour: Behaviour) -> Direction:
    """The same of a workload that behaves so."""

    async def direct(scene: Scene) -> None:
        scene.server.behave(scene.namespace, name, behaviour)
        await scene.send_requests()

    return direct


def running(name: str, *runs: Run) -> Direction:
    """The same of a workload with this program."""
    return behaving(name, Behaviour.runs(Program(runs=runs)))


CRASH = Run(ends_after=1, exit_code=7)
MEMORY = Run(ends_after=4, exit_code=137, reason="OOMKilled")
SCENES: dict[str, Direction] = {
    "daemonset-rollout-restart": requested,
    "deployment-create-3-replicas": requested,
    "deployment-delete-background": guarded,
    "deployment-delete-one-pod": requested,
    "deployment-rollback-from-image-pull-failure": requested,
    "deployment-rollout-image-pull-failure": requested,
    "deployment-rollout-never-ready": behaving("web", Behaviour.bad_rollout()),
    "deployment-rollout-restart": requested,
    "deployment-scale-0-to-3": requested,
    "deployment-scale-3-to-0": requested,
    "eviction": requested,
    "job-failure": running("j-failure", Run(ends_after=0, exit_code=3)),
    "job-success": running("j-success", Run(ends_after=1)),
    "pod-crash-loop": running("web", CRASH),
    "pod-liveness-restart": running("web", Run(hangs_after=6), Run()),
    "pod-oom-kill": running("web", MEMORY, Run()),
    "statefulset-rollout-restart": requested,
    "statefulset-scale-0-to-1": requested,
    "statefulset-scale-1-to-3": requested,
}
ENDLESS = {"pod-crash-loop"}
NODES = ("node-not-ready", "node-ready-again")


@pytest.mark.parametrize("name", SCENES)
async def test_the_states_of_every_object(name: str) -> None:
    """Workloads, their ReplicaSets and pods, Jobs and budgets; and Events tell of it for the same reasons."""
    server = FakeApiServer(users={TOKENS["admin"]: ADMIN}, pace=PACE)
    async with server, aiohttp.ClientSession() as session:
        scene = Scene.of(name, server, session)
        await scene.prepare()
        before = server.cluster.store.revision
        await play(scene, SCENES[name], endless=name in ENDLESS)
        await server.settled()
        events = [
            one
            for one in server.cluster.store.list(EVENTS)
            if int(one["metadata"]["resourceVersion"]) > before
        ]
    recorded = (entry for entry in scene.recording if entry["kind"] == "event")
    assert told(entry["object"] for entry in recorded if entry["watch"] == "events") <= told(events)


async def play(scene: Scene, direct: Direction, *, endless: bool = False) -> None:
    """Watch, do what was done, and wait until the watches have seen it all."""
    opened = {watch: asyncio.Event() for watch in scene.wanted}
    watches = [asyncio.create_task(scene.watch(watch, event)) for watch, event in opened.items()]
    try:
        await asyncio.gather(*(event.wait() for event in opened.values()))
        await direct(scene)

        def missing() -> list[str]:
            return [
                watch
                for watch, wanted in scene.wanted.items()
                if not comes_to(scene.live[watch], wanted, endless=endless)
            ]

        try:
            await scene.until(lambda: not missing())
        except TimeoutError:
            for watch in missing():
                assert scene.live[watch].sequences == scene.wanted[watch].sequences, watch
            raise
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def node_dies(scene: Scene) -> None:
    """Its kubelet is killed; later a pod that it still runs is deleted, in vain, and then by force."""
    scene.server.kill_kubelet("node2")
    live, wanted = scene.live["deployments"], scene.wanted["deployments"]
    quick, web = sorted(wanted.sequences, key=len)
    await scene.until(lambda: quick in live.sequences)
    pods = scene.server.cluster.store.list(PODS, scene.namespace)
    lost = next(pod for pod in pods if pod["spec"]["nodeName"] == "node2" and not deleting(pod))
    path = f"/api/v1/namespaces/{scene.namespace}/pods/{lost['metadata']['name']}"
    assert (await scene.replay.send({"method": "DELETE", "path": path}))[0] == 200
    await scene.until(lambda: web in live.sequences)
    force = {"method": "DELETE", "path": path, "query": {"gracePeriodSeconds": "0"}}
    assert (await scene.replay.send(force))[0] == 200


async def node_is_back(scene: Scene) -> None:
    """Its kubelet is started again."""
    scene.server.start_kubelet("node2")


async def test_a_node_dies_and_comes_back() -> None:
    """It is unknown and tainted, some of its pods are replaced; then it confirms what it has missed."""
    server = FakeApiServer(users={TOKENS["admin"]: ADMIN}, pace=PACE)
    async with server, aiohttp.ClientSession() as session:
        before = Scene.of(NODES[0], server, session)
        await before.prepare()
        await play(before, node_dies)
        await play(Scene.of(NODES[1], server, session), node_is_back)
