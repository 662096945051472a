"""Leases, events, jobs, nodes and what bounds pods: the fake answers as a real API server did."""

from __future__ import annotations

from typing import Any

from remediator.testing.apiserver import FakeApiServer, Pace
from tests.contract.recordings.replay import Json, Replay, Step, load, replay_file
from tests.contract.recordings.steps import USERS, at_once, given, put


def recorded(file: str, name: str) -> Json:
    """The body of a recorded answer."""
    body: Json = next(entry for entry in load(file) if entry["name"] == name)["response"]["body"]
    return body


async def test_leases() -> None:
    """Taken, renewed, lost, released: with every refusal on the way."""
    server = FakeApiServer(users=USERS)
    server.namespace("policylab")
    server.restore(recorded("leases", "node-lease-get"))
    await replay_file("leases", server, before={}, instead={})


def event(number: int) -> Json:
    """One of the events that are in no recorded list."""
    involved = {"kind": "ReplicaSet", "namespace": "podlab", "name": f"other-{number}"}
    meta = {"name": f"zz-{number}", "namespace": "podlab"}
    head: Json = {"kind": "Event", "apiVersion": "v1", "metadata": meta, "type": "Normal"}
    return head | {"involvedObject": involved, "reason": "SuccessfulCreate"}


async def test_events() -> None:
    """Found by what they are about, why and how bad; written in both forms."""
    server = FakeApiServer(users=USERS)
    told: dict[str, Any] = {}
    listed = [
        entry
        for entry in load("events")
        if entry["response"]["status"] == 200 and entry["request"]["path"].endswith("/events")
    ]
    for entry in listed:
        if entry["request"]["path"].startswith("/api/v1"):
            put(server, entry["response"]["body"])
            told |= {item["metadata"]["uid"]: item for item in entry["response"]["body"]["items"]}
    in_podlab = sum(item["metadata"]["namespace"] == "podlab" for item in told.values())
    for number in range(181 - in_podlab):
        server.create(event(number))
    again = [entry["name"] for entry in listed if entry["request"]["path"].startswith("/api/v1")]
    await replay_file("events", server, before=dict.fromkeys(again, given), instead={})


async def test_jobs() -> None:
    """Made from a CronJob's template, refused, deleted with and without their pods."""
    server = FakeApiServer(users=USERS, pace=Pace(ready_after=3600, stop_after=3600))
    server.namespace("policylab")
    states = [
        entry["name"]
        for entry in load("jobs")
        if entry["request"]["method"] == "GET" and entry["response"]["status"] == 200
    ]
    made_here = {"cronjob-get", "job-get-just-created", "job-get-foreground-deleting"}
    made_here |= {"pods-after-default-delete", "job-get-after-suspend", "job-list-label-selector"}
    before: dict[str, Step] = {
        **dict.fromkeys(set(states) - made_here, given),
        "job-get-foreground-deleting": at_once,
        "job-get-just-created": at_once,
        "log-of-job-pod": logged,
    }
    await replay_file("jobs", server, before=before, instead={})


async def logged(replay: Replay, recorded: Json) -> None:
    """The failed pod has said why."""
    replay.server.set_log("policylab", recorded["request"]["path"].split("/")[-2], "bad\n")
