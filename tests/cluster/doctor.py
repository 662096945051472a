"""Who answers for the readiness of pods: on every cluster alike, whatever their image.

The pods of these tests have a readiness gate, a condition that somebody outside must set. The doctor does:
which pods are well is a test's word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from remediator.core.errors import NotFound, RemediatorError
from tests.cluster.world import Json, World

GATE = "remediator.example/well"
EVERY = 0.1
"""Seconds between two rounds."""
STRATEGIC = "application/strategic-merge-patch+json"
Word: TypeAlias = Callable[[Json], bool]


class Doctor:
    """Says of each pod whether it is well. ``words``: by the label ``app``; of others every pod is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.words: dict[str, Word] = {}

    async def ill(self, app: str) -> None:
        """The pods that are there now never become well again; others are."""
        present = {pod["metadata"]["uid"] for pod in await self._pods(app)}
        self.words[app] = lambda pod: pod["metadata"]["uid"] not in present

    def all_ill(self, app: str) -> None:
        """Whatever pod there will be."""
        self.words[app] = lambda _: False

    def ill_with(self, app: str, annotation: str) -> None:
        """Pods whose template has this annotation."""
        self.words[app] = lambda pod: annotation not in pod["metadata"].get("annotations", {})

    async def _pods(self, app: str = "") -> list[Json]:
        query = f"?labelSelector=app%3D{app}" if app else ""
        found: list[Json] = (await self._world.send("GET", f"{self._path}{query}"))["items"]
        return found

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._world.namespace}/pods"

    async def look(self) -> None:
        """One round."""
        for pod in await self._pods():
            word = self.words.get(pod["metadata"].get("labels", {}).get("app", ""))
            wanted = str(word is None or word(pod))
            conditions = pod["status"].get("conditions", ())
            said = next((one["status"] for one in conditions if one["type"] == GATE), None)
            if said != wanted and "deletionTimestamp" not in pod["metadata"]:
                body = {"status": {"conditions": [{"type": GATE, "status": wanted}]}}
                with suppress(NotFound):  # it went meanwhile
                    await self._world.send(
                        "PATCH", f"{self._path}/{pod['metadata']['name']}/status", body, STRATEGIC
                    )

    async def rounds(self) -> None:
        """For ever: pods come and go by themselves, and nothing tells us when."""
        while True:
            with suppress(RemediatorError):  # a cluster that is busy is asked again
                await self.look()
            await asyncio.sleep(EVERY)


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[Doctor]:
    """A doctor on rounds for the length of a block."""
    doctor = Doctor(world)
    rounds = asyncio.create_task(doctor.rounds())
    try:
        yield doctor
    finally:
        rounds.cancel()
        with suppress(asyncio.CancelledError):
            await rounds
