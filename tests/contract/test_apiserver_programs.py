"""What a test can make the programs, nodes and connections of the fake cluster do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from remediator.testing.apiserver import (
    TOKEN,
    Behaviour,
    Command,
    FakeApiServer,
    Fault,
    FaultKind,
    Output,
    Pace,
    Program,
    Run,
)
from remediator.testing.apiserver.kinds import EVENTS, JOBS, PODS
from tests.contract.recordings.calls import RESTART, WEB, Json, call, now, rolled_out, until

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    made = FakeApiServer(pace=Pace(second=0.01))
    made.deployment("shop", "web", replicas=1)
    async with made:
        await made.settled()
        yield made


def pods(server: FakeApiServer) -> list[Json]:
    """The pods of the namespace."""
    return server.cluster.store.list(PODS, "shop")


def container(server: FakeApiServer) -> Json:
    """The status of the only container."""
    found: Json = pods(server)[0]["status"]["containerStatuses"][0]
    return found


def reasons(server: FakeApiServer, kind: str) -> set[str]:
    """Why Events were written about objects of that kind."""
    events = server.cluster.store.list(EVENTS, "shop")
    return {event["reason"] for event in events if event["involvedObject"]["kind"] == kind}


async def job(server: FakeApiServer, *, behaviour: Behaviour | None = None, **spec: Any) -> None:
    """Create the Job ``task``."""
    if behaviour is not None:
        server.behave("shop", "task", behaviour)
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "task:v1"}]}}
    meta = {"name": "task", "namespace": "shop"}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"template": template, **spec}}
    assert (await call(server, "POST", "/apis/batch/v1/namespaces/shop/jobs", body))[0] == 201


def status_of_job(server: FakeApiServer) -> Json:
    """The status of ``task``."""
    found = server.get(JOBS, "shop", "task")
    assert found is not None
    status: Json = found["status"]
    return status


def concluded(server: FakeApiServer) -> str:
    """Why the Job is over, or nothing."""
    found = [
        one for one in status_of_job(server).get("conditions", ()) if one["type"] in {"Complete", "Failed"}
    ]
    return str(found[0]["reason"]) if found else ""


async def test_a_crash_loop_moves_its_logs_on_and_ends_with_a_rollout(server: FakeApiServer) -> None:
    crashing = Program(runs=(Run(ends_after=1, exit_code=7, log="first\n"), Run(log="second\n")))
    server.behave("shop", "web", Behaviour(present=crashing))
    await until(lambda: container(server)["restartCount"] == 1)
    path = f"/api/v1/namespaces/shop/pods/{pods(server)[0]['metadata']['name']}/log"
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        texts = [
            await (await session.get(server.url + path, params={"previous": previous})).text()
            for previous in ("false", "true")
        ]
    assert texts == ["second\n", ""]
    assert container(server)["lastState"]["terminated"]["exitCode"] == 7
    await call(server, "PATCH", WEB, RESTART)
    await server.settled()
    assert rolled_out(now(server))
    assert container(server)["restartCount"] == 0


async def test_an_image_that_can_be_pulled_again(server: FakeApiServer) -> None:
    server.break_image("registry.local/web:v2")
    image = {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "registry.local/web:v2"}]}}}
    }
    await call(server, "PATCH", WEB, image)
    await until(lambda: "BackOff" in reasons(server, "Pod"))
    assert {"Failed", "Pulling"} <= reasons(server, "Pod")
    assert not rolled_out(now(server))
    server.mend_image("registry.local/web:v2")
    await until(lambda: rolled_out(now(server)))


async def test_a_pod_that_fits_nowhere_waits_for_a_node(server: FakeApiServer) -> None:
    cordon, free = {"spec": {"unschedulable": True}}, {"spec": {"unschedulable": None}}
    for node in ("node1", "node2"):
        await call(server, "PATCH", f"/api/v1/nodes/{node}", cordon)
    await call(server, "PATCH", f"{WEB}/scale", {"spec": {"replicas": 2}})
    await until(lambda: "FailedScheduling" in reasons(server, "Pod"))
    await call(server, "PATCH", "/api/v1/nodes/node1", free)
    await until(lambda: now(server)["status"].get("readyReplicas") == 2)


async def test_a_job_tries_again_until_its_limit(server: FakeApiServer) -> None:
    await job(server, behaviour=Behaviour.runs(Program.crashes()), backoffLimit=1)
    await until(lambda: concluded(server) == "BackoffLimitExceeded")
    assert (status_of_job(server)["failed"], len(pods(server))) == (2, 3)
    assert {"SuccessfulCreate", "BackoffLimitExceeded"} <= reasons(server, "Job")


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"parallelism": 2, "completions": 3}, "CompletionsReached"),
        ({"activeDeadlineSeconds": 5}, "DeadlineExceeded"),
    ],
)
async def test_how_a_job_ends(server: FakeApiServer, spec: Json, reason: str) -> None:
    endless = Behaviour.runs(Program()) if reason == "DeadlineExceeded" else None
    await job(server, behaviour=endless, **spec)
    await until(lambda: concluded(server) == reason)
    assert status_of_job(server).get("succeeded", 0) == (3 if reason == "CompletionsReached" else 0)


async def test_a_job_that_is_over_goes_after_its_time(server: FakeApiServer) -> None:
    await job(server, ttlSecondsAfterFinished=1)
    await until(lambda: server.get(JOBS, "shop", "task") is None and len(pods(server)) == 1)


async def test_a_command_decides_by_what_it_was_sent(server: FakeApiServer) -> None:
    """A function answers for a workload's pods; a command nobody spoke of is not in the container."""

    def answer(command: Command) -> Output | None:
        return Output(stdout=command.stdin.decode().upper(), exit_code=4) if command.stdin else None

    server.set_command("shop", "web", ("tr",), answer)
    name = pods(server)[0]["metadata"]["name"]
    path = f"{server.url}/api/v1/namespaces/shop/pods/{name}/exec"
    frames: dict[str, list[bytes]] = {}
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        for program in ("tr", "other"):
            query = [("command", program), ("stdin", "true"), ("stdout", "true")]
            protocols = ("v5.channel.k8s.io",)
            async with session.ws_connect(path, params=query, protocols=protocols) as socket:
                await socket.send_bytes(b"\x00hello")
                await socket.send_bytes(b"\xff\x00")
                frames[program] = [message.data async for message in socket]
    assert frames["tr"][:2] == [b"\x01", b"\x01HELLO"]
    assert json.loads(frames["tr"][2][1:])["details"]["causes"] == [{"reason": "ExitCode", "message": "4"}]
    assert "executable file not found" in json.loads(frames["other"][1][1:])["message"]


async def test_usage_is_there_once_it_was_said(server: FakeApiServer) -> None:
    name = pods(server)[0]["metadata"]["name"]
    path = "/apis/metrics.k8s.io/v1beta1"
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        assert (await session.get(server.url + path)).status == 404
    server.set_usage("shop", "web", cpu="250m", memory="64Mi")
    server.set_node_usage("node1", cpu="1500m", memory="3Gi")
    _, one = await call(server, "GET", f"{path}/namespaces/shop/pods/{name}")
    _, nodes = await call(server, "GET", f"{path}/nodes")
    assert one["containers"] == [{"name": "web", "usage": {"cpu": "250m", "memory": "64Mi"}}]
    assert [item["metadata"]["name"] for item in nodes["items"]] == ["node1"]
    assert (await call(server, "GET", f"{path}/nodes/node2"))[0] == 404
    with pytest.raises(ValueError, match="lots"):
        server.set_node_usage("node1", cpu="lots", memory="1Gi")


@pytest.mark.parametrize(
    ("kind", "error"),
    [(FaultKind.TRUNCATED, aiohttp.ClientPayloadError), (FaultKind.HALF_OPEN, TimeoutError)],
)
async def test_an_answer_that_stops_in_its_middle(
    server: FakeApiServer, kind: FaultKind, error: type[Exception]
) -> None:
    """The mutation has happened; a watch gets no further than its headers."""
    server.faults.add(Fault(kind=kind, method="PATCH"))
    with pytest.raises(error):
        await asyncio.wait_for(call(server, "PATCH", WEB, RESTART), 0.5)
    assert server.ledger.restarts("shop", "web") == 1
    server.faults.add(Fault(kind=kind, path_regex="/pods$"))
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{server.url}/api/v1/pods", params={"watch": "true"}) as answer,
    ):
        assert answer.status == 200
        with pytest.raises(error):
            await asyncio.wait_for(answer.content.readline(), 0.5)


async def test_open_watches_fall_silent_or_break_off(server: FakeApiServer) -> None:
    query = {"watch": "true", "resourceVersion": str(server.cluster.store.revision)}
    path = WEB.rpartition("/")[0]
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(server.url + path, params=query) as answer,
    ):
        assert server.silence_watches() == 1
        await call(server, "PATCH", WEB, RESTART)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer.content.readline(), 0.3)
        assert server.cut_watches() == 1
        with pytest.raises(aiohttp.ClientPayloadError):
            await asyncio.wait_for(answer.content.readline(), 2)


async def test_another_process_directs_it_over_http(server: FakeApiServer) -> None:
    name = pods(server)[0]["metadata"]["name"]
    said = {
        "behave": {"namespace": "shop", "name": "web", "program": {"runs": [{"hangs_after": 3}]}},
        "images": {"image": "registry.local/web:v1", "answer": "gone"},
        "command": {"namespace": "shop", "name": "web", "arguments": ["ps"], "stdout": "1 init\n"},
        "usage": {"namespace": "shop", "name": "web", "cpu": "1", "memory": "1Gi"},
        "log": {"namespace": "shop", "pod": name, "text": "more\n", "append": True},
        "kubelet": {"node": "node1", "alive": False},
        "watches": {"do": "cut"},
    }
    odd = {
        "behave": {"namespace": "shop", "name": "web", "program": {"runs": [{"odd": 1}]}},
        "usage": {"name": "x"},
    }
    async with aiohttp.ClientSession() as session:
        for what, body in said.items():
            assert (await session.post(f"{server.url}/-/fake/{what}", json=body)).status == 200, what
        for what, body in odd.items():
            assert (await session.post(f"{server.url}/-/fake/{what}", json=body)).status == 400, what
    assert server.cluster.behaviours.broken_images == {"registry.local/web:v1": "gone"}
    assert server.cluster.dead_nodes == {"node1"}
    assert server.metrics.installed
    assert (await call(server, "GET", "/apis/metrics.k8s.io/v1beta1/pods"))[1]["items"] != []
