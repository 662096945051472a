"""Commands in containers: both protocols, and every way in which they fail, as a real API server answered."""

from __future__ import annotations

from remediator.testing.apiserver import FakeApiServer, Pace
from remediator.testing.apiserver.executing import Command, Output
from tests.contract.recordings.replay import Json, Replay, load, replay_file
from tests.contract.recordings.steps import USERS, at_once, put
from tests.contract.recordings.streams import executed


def shell(command: Command) -> Output | None:
    """What a shell would do with the recorded commands."""
    match command.arguments[-1]:
        case "echo out; echo err >&2":
            return Output(stdout="out\n", stderr="err\n")
        case "exit 3":
            return Output(exit_code=3)
        case "kill -9 $$":
            return Output(exit_code=137)
    return None


def recorded_pod(name: str) -> Json:
    """The pod of a recorded answer."""
    body: Json = next(entry for entry in load("pods") if entry["name"] == name)["response"]["body"]
    return body


def named(pod: Json, namespace: str, name: str) -> Json:
    """The same pod somewhere else."""
    meta = {"name": name, "namespace": namespace, "uid": f"uid-{name}"}
    return pod | {"metadata": meta | {"creationTimestamp": pod["metadata"]["creationTimestamp"]}}


async def replayed(replay: Replay, recorded: Json) -> str:
    """One exec; ``cat`` is sent something to print."""
    stdin = b"hello\n" if ["stdin", "true"] in recorded["request"]["query"] else b""
    return await executed(replay, recorded, stdin)


async def test_exec() -> None:
    """Printed, failed, not found, not running, not understood."""
    server = FakeApiServer(users=USERS, pace=Pace(ready_after=3600, stop_after=3600))
    for name in ("get-ready", "get-crashloopbackoff", "get-unschedulable-pvc", "get-missing-volume"):
        put(server, recorded_pod(name))
    put(server, recorded_pod("get-two-containers-one-crashing"))
    put(server, named(recorded_pod("get-completed"), "podlab", "done2"))
    put(server, named(recorded_pod("get-ready"), "policylab", "run"))
    put(server, named(recorded_pod("get-crashloopbackoff"), "policylab", "crash"))
    for namespace, pod in (("podlab", "ready"), ("policylab", "run")):
        server.set_command(namespace, pod, ("echo", "hi"), Output(stdout="hi\n"))
        server.set_command(namespace, pod, ("sh", "-c"), shell)
        server.set_command(namespace, pod, ("cat",), lambda one: Output(stdout=one.stdin.decode()))
    execs = [entry["name"] for entry in load("pods") if entry["request"].get("upgrade")]
    await replay_file(
        "pods",
        server,
        before=dict.fromkeys([entry["name"] for entry in load("pods")], at_once),
        instead={},
        compare=dict.fromkeys(execs, replayed),
        only=lambda name: name.startswith("exec"),
    )
