"""Workloads in the fake API server: rollouts, behaviours, dry runs, and the ledger that counts them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from remediator.testing.apiserver import Behaviour, FakeApiServer, Pace
from remediator.testing.apiserver.kinds import DEPLOYMENTS, PODS
from tests.contract.recordings.calls import RESTART, WEB, call, now, rolled_out, until

FAST = Pace(second=0.01)


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    made = FakeApiServer(pace=FAST)
    made.deployment("shop", "web", replicas=2)
    async with made:
        await made.settled()
        yield made


async def test_a_restart_takes_time_and_comes_to_an_end(server: FakeApiServer) -> None:
    status, body = await call(server, "PATCH", WEB, RESTART)
    assert status == 200
    assert not rolled_out(body)
    await server.settled()
    assert rolled_out(now(server))
    assert server.ledger.restarts("shop", "web") == 1


async def test_a_dry_run_has_no_effect(server: FakeApiServer) -> None:
    before, revision = now(server), server.cluster.store.revision
    status, body = await call(server, "PATCH", WEB, RESTART, dryRun="All")
    assert (status, body["metadata"]["generation"]) == (200, before["metadata"]["generation"] + 1)
    assert (await call(server, "DELETE", WEB, dryRun="All"))[0] == 200
    assert (now(server), server.cluster.store.revision, list(server.ledger)) == (before, revision, [])


async def test_a_failed_test_of_a_fence_changes_nothing(server: FakeApiServer) -> None:
    """A json-patch is all or nothing: 422, and the operations before the test are undone."""
    patch = [
        {"op": "add", "path": "/metadata/annotations/remediator~1epoch", "value": "2"},
        {"op": "test", "path": "/metadata/uid", "value": "somebody else"},
    ]
    assert (await call(server, "PATCH", WEB, patch))[0] == 422
    assert "remediator/epoch" not in now(server)["metadata"]["annotations"]
    patch[1]["value"] = now(server)["metadata"]["uid"]
    assert (await call(server, "PATCH", WEB, patch))[0] == 200
    assert now(server)["metadata"]["annotations"]["remediator/epoch"] == "2"
    assert [effect.template_changed for effect in server.ledger] == [False]


@pytest.mark.parametrize(
    ("behaviour", "broken", "healed"),
    [
        (Behaviour.heals_on_rollout(), True, True),
        (Behaviour.stays_broken(), True, False),
        (Behaviour.never_ready(), True, False),
        (Behaviour.bad_rollout(), False, False),
        (Behaviour.healthy(), False, True),
    ],
)
async def test_behaviours(server: FakeApiServer, behaviour: Behaviour, broken: bool, healed: bool) -> None:
    server.behave("shop", "web", behaviour)
    await server.settled()
    assert (now(server)["status"].get("readyReplicas", 0) == 0) == broken
    await call(server, "PATCH", WEB, RESTART)
    await server.settled()
    assert rolled_out(now(server)) == healed


async def test_a_crashing_pod_says_so(server: FakeApiServer) -> None:
    server.behave("shop", "web", Behaviour.heals_on_rollout())
    pods = server.cluster.store.list(PODS, "shop")
    states = [pod["status"]["containerStatuses"][0] for pod in pods]
    assert {state["state"]["waiting"]["reason"] for state in states} == {"CrashLoopBackOff"}
    assert all(state["restartCount"] > 0 and not state["ready"] for state in states)


async def test_deleting_a_pod_heals_what_heals_on_replacement(server: FakeApiServer) -> None:
    server.behave("shop", "web", Behaviour.heals_on_replacement())
    for pod in server.cluster.store.list(PODS, "shop"):
        path = f"/api/v1/namespaces/shop/pods/{pod['metadata']['name']}"
        options = {"preconditions": {"uid": pod["metadata"]["uid"]}}
        assert (await call(server, "DELETE", path, options))[0] == 200
    await server.settled()
    assert now(server)["status"]["readyReplicas"] == 2


async def test_a_behaviour_given_before_the_workload_exists(server: FakeApiServer) -> None:
    server.behave("shop", "later", Behaviour.heals_on_rollout())
    server.deployment("shop", "later", replicas=1)
    await server.settled()
    found = server.get(DEPLOYMENTS, "shop", "later")
    assert found is not None
    assert "readyReplicas" not in found["status"]
    await call(server, "PATCH", WEB.replace("web", "later"), RESTART)
    await server.settled()
    healed = server.get(DEPLOYMENTS, "shop", "later")
    assert healed is not None
    assert rolled_out(healed)


async def test_a_rollout_that_makes_no_progress_times_out(server: FakeApiServer) -> None:
    server.behave("shop", "web", Behaviour.bad_rollout())
    await call(server, "PATCH", WEB, {"spec": {"progressDeadlineSeconds": 10}})
    await call(server, "PATCH", WEB, RESTART)

    def reason() -> str:
        return next(
            str(one["reason"]) for one in now(server)["status"]["conditions"] if one["type"] == "Progressing"
        )

    await until(lambda: reason() == "ProgressDeadlineExceeded")


async def test_a_namespace_takes_its_content_with_it(server: FakeApiServer) -> None:
    status, body = await call(server, "DELETE", "/api/v1/namespaces/shop")
    assert (status, body["status"]["phase"]) == (200, "Terminating")
    await server.settled()
    assert (await call(server, "GET", "/api/v1/namespaces/shop"))[0] == 404
    assert server.cluster.store.list(PODS, "shop") == []


async def test_time_is_passed_in() -> None:
    """With a sleep of the test's own, nothing happens until the test lets it."""
    gate = asyncio.Event()

    async def sleep(_: float) -> None:
        await gate.wait()

    async with FakeApiServer(sleep=sleep) as made:
        made.deployment("shop", "web")
        await asyncio.sleep(0.1)
        assert now(made)["status"] == {}
        gate.set()
        await made.settled()
        assert rolled_out(now(made))
