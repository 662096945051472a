"""Server-side apply: who owns which field, as a real API server keeps it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from remediator.testing.apiserver import TOKEN, FakeApiServer
from tests.contract.recordings.calls import WEB, call, now
from tests.contract.recordings.replay import Json, load

APPLY = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/apply-patch+yaml"}
HEAD = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


@pytest.fixture
async def server() -> AsyncIterator[FakeApiServer]:
    """With one Deployment that nobody applied."""
    async with FakeApiServer() as running:
        running.deployment("shop", "web", replicas=1)
        await running.settled()
        yield running


async def apply(
    server: FakeApiServer, manager: str, config: Any, path: str = WEB, **query: str
) -> tuple[int, Json]:
    """One apply; a text is sent as it is."""
    data = config if isinstance(config, str) else json.dumps(config)
    params = {"fieldManager": manager, **query}
    async with (
        aiohttp.ClientSession(headers=APPLY) as session,
        session.patch(server.url + path, params=params, data=data) as answer,
    ):
        return answer.status, await answer.json()


def wanting(**spec: Any) -> Json:
    """A configuration that wants some of the spec."""
    return {**HEAD, "spec": spec}


def entries(obj: Json) -> list[Json]:
    """Who applied what, without the time."""
    found = [entry for entry in obj["metadata"]["managedFields"] if entry["operation"] == "Apply"]
    return [{key: value for key, value in entry.items() if key != "time"} for entry in found]


def recorded(name: str) -> Json:
    """A recorded exchange."""
    return next(entry for entry in load("workloads") if entry["name"] == name)


async def test_an_apply_owns_what_it_says(server: FakeApiServer) -> None:
    """Fields, members of lists by their keys, and nothing that was filled in: as recorded."""
    exchange = recorded("apply-creates")
    status, made = await apply(
        server, "remediator2", exchange["request"]["body"], exchange["request"]["path"]
    )
    assert status == 201
    assert entries(made) == entries(exchange["response"]["body"])


async def test_the_same_value_is_shared_and_another_is_taken(server: FakeApiServer) -> None:
    """Sharing needs no force; forcing takes the field from the other, whose entry is then gone."""
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}}
    await apply(server, "remediator", scale | {"spec": {"replicas": 3}}, f"{WEB}/scale", force="true")
    status, shared = await apply(server, "remediator2", wanting(replicas=3))
    assert status == 200
    both = recorded("apply-same-value-shared-ownership")["response"]["body"]
    assert sorted(map(str, entries(shared))) == sorted(map(str, entries(both)))
    status, refused = await apply(server, "remediator2", wanting(replicas=2))
    assert (status, refused["reason"]) == (409, "Conflict")
    status, forced = await apply(server, "remediator2", wanting(replicas=2), force="true")
    assert (status, forced["spec"]["replicas"]) == (200, 2)
    assert entries(forced) == entries(recorded("apply-force")["response"]["body"])


async def test_what_nobody_wants_any_more_is_removed(server: FakeApiServer) -> None:
    """A field that its only owner leaves out goes; one that another owns as well stays."""
    labels = {"app": "web", "tier": "a", "team": "b"}
    await apply(server, "first", {**HEAD, "metadata": {"name": "web", "labels": labels}}, force="true")
    both = {**HEAD, "metadata": {"name": "web", "labels": {"team": "b"}}}
    await apply(server, "second", both)
    left = {**HEAD, "metadata": {"name": "web", "labels": {"app": "web"}}}
    _, after = await apply(server, "first", left)
    assert after["metadata"]["labels"] == {"app": "web", "team": "b"}


async def test_members_of_a_list_have_owners_of_their_own(server: FakeApiServer) -> None:
    """Two managers set variables of one container; when one wants none, the other's stays."""

    def variables(*names: str) -> Json:
        env = [{"name": name, "value": "1"} for name in names]
        return wanting(template={"spec": {"containers": [{"name": "web", "env": env}]}})

    await apply(server, "first", variables("A"))
    await apply(server, "second", variables("B"))
    container = now(server)["spec"]["template"]["spec"]["containers"][0]
    assert [one["name"] for one in container["env"]] == ["A", "B"]
    assert container["image"] == "registry.local/web:v1"
    await apply(server, "first", wanting(template={"spec": {"containers": [{"name": "web"}]}}))
    env = now(server)["spec"]["template"]["spec"]["containers"][0]["env"]
    assert [one["name"] for one in env] == ["B"]


async def test_a_patch_takes_a_field_from_whoever_applied_it(server: FakeApiServer) -> None:
    """The next apply with another value is in conflict with the manager of the patch."""
    await apply(server, "first", wanting(replicas=2))
    status, _ = await call(server, "PATCH", WEB, {"spec": {"replicas": 4}}, fieldManager="hand")
    assert status == 200
    status, refused = await apply(server, "first", wanting(replicas=2))
    assert status == 409
    cause = refused["details"]["causes"][0]
    assert cause["field"] == ".spec.replicas"
    assert cause["message"].startswith('conflict with "hand" using apps/v1')


async def test_many_conflicts_are_told_by_manager(server: FakeApiServer) -> None:
    """One line for each manager and one for each of its fields."""
    await apply(server, "a", wanting(replicas=2, minReadySeconds=1))
    _, refused = await apply(server, "b", wanting(replicas=3, minReadySeconds=2))
    lines = ['conflicts with "a":', "- .spec.minReadySeconds", "- .spec.replicas"]
    assert refused["message"] == "Apply failed with 2 conflicts: " + "\n".join(lines)


async def test_an_apply_may_be_yaml_and_dry(server: FakeApiServer) -> None:
    """YAML is read as YAML; a dry run answers what would be and changes nothing."""
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 5}\n"
    status, answer = await apply(server, "me", text, dryRun="All")
    assert (status, answer["spec"]["replicas"]) == (200, 5)
    assert now(server)["spec"]["replicas"] == 1
    status, refused = await apply(server, "me", "a: [")
    assert (status, refused["reason"]) == (400, "BadRequest")


async def test_an_apply_that_changes_nothing_writes_nothing(server: FakeApiServer) -> None:
    """The second of two equal applies leaves the version as it is."""
    _, first = await apply(server, "me", wanting(replicas=1))
    await server.settled()
    version = now(server)["metadata"]["resourceVersion"]
    _, second = await apply(server, "me", wanting(replicas=1))
    assert first["metadata"]["managedFields"] == second["metadata"]["managedFields"]
    assert now(server)["metadata"]["resourceVersion"] == version
