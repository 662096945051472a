"""Steps between recorded exchanges: what happens in the cluster before one is replayed, or instead of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from remediator.testing.apiserver import ADMIN, FakeApiServer, User
from remediator.testing.apiserver.kinds import DEPLOYMENTS, Kind
from tests.contract.recordings.replay import TOKENS, Json, Replay, load, settle

NO_RIGHTS = User(name="alice", uid="u-alice", groups=("dev",), rules=())
USERS = {TOKENS["admin"]: ADMIN, TOKENS["alice"]: NO_RIGHTS}


def recorded_body(file: str, name: str) -> Json:
    """The body of a recorded request."""
    body: Json = next(entry for entry in load(file) if entry["name"] == name)["request"]["body"]
    return body


async def at_once(_: Replay, __: Json) -> None:
    """No time for the controllers."""


async def hold(replay: Replay, recorded: Json) -> None:
    """The controllers finish, and then do not see what comes next."""
    await settle(replay, recorded)
    replay.gate.opened.clear()


async def until(
    replay: Replay,
    name: str,
    holds: Callable[[Json], bool],
    kind: Kind = DEPLOYMENTS,
    namespace: str = "shop",
) -> None:
    """Let the controllers go on up to a status, and no further."""
    seen = asyncio.Event()

    def look(_: object = None) -> None:
        if holds((replay.server.get(kind, namespace, name) or {})["status"]):
            replay.gate.opened.clear()
            seen.set()

    stop = replay.server.cluster.store.subscribe(look)
    replay.gate.opened.set()
    look()
    await asyncio.wait_for(seen.wait(), 5)
    stop()


def deployment(namespace: str, name: str, **spec: Any) -> Json:
    """The recorded Deployment under another name."""
    text = json.dumps(recorded_body("workloads", "deployment-create"))
    body: Json = json.loads(text.replace('"app": "web"', f'"app": "{name}"'))
    body["metadata"] |= {"name": name, "namespace": namespace}
    body["spec"] |= spec
    return body


def put(server: FakeApiServer, body: Json) -> None:
    """Put an object, or all of a list, into the cluster as it was recorded."""
    if "items" not in body:
        server.restore(body)
        return
    head = {"kind": body["kind"].removesuffix("List"), "apiVersion": body["apiVersion"]}
    for item in body["items"]:
        server.restore(head | item)


async def given(replay: Replay, recorded: Json) -> None:
    """The objects that the exchange reads are there, as they were recorded: states nobody asked for."""
    await settle(replay, recorded)
    put(replay.server, replay.translate(recorded["response"]["body"]))


async def present(replay: Replay, recorded: Json) -> None:
    """As ``given``, without time for the controllers."""
    put(replay.server, recorded["response"]["body"])


async def wrote(replay: Replay, recorded: Json) -> None:
    """The container has written what the exchange reads."""
    namespace, _, name, _ = recorded["request"]["path"].split("/")[-4:]
    replay.server.set_log(namespace, name, recorded["response"]["body"])


async def frozen(replay: Replay, recorded: Json) -> None:
    """As ``given``, and the controllers no longer look: what they would make of it is not the question."""
    replay.gate.opened.clear()
    put(replay.server, replay.translate(recorded["response"]["body"]))
