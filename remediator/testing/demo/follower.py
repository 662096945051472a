"""Follows what happens: the timelines that the daemon tells over its API, and what PagerDuty receives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby
from textwrap import shorten
from typing import Any

import aiohttp

from remediator.testing.demo.errors import DemoError
from remediator.testing.demo.narrator import Line, Narrator
from remediator.testing.demo.stage import PEOPLE, Stage
from remediator.testing.pagerduty import Event

EVERY = 0.15
"""Seconds between two looks."""

Json = dict[str, Any]


class Follower:
    """Prints each entry of each timeline once, as it appears; knows every incident as last seen."""

    def __init__(self, stage: Stage, narrator: Narrator) -> None:
        self._stage, self._narrator = stage, narrator
        self._incidents: dict[str, Json] = {}
        self._told: dict[str, int] = {}
        self._events = 0
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        """For ever. Raises DemoError when the daemon does not answer."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Print what is new, in the order in which it happened."""
        async with self._changed:
            listed = await self.ask("GET", "/v1/incidents")
            fresh: list[Line] = []
            for incident in reversed(listed["items"]):
                timeline = await self.ask("GET", f"/v1/incidents/{incident['id']}/timeline")
                known = self._told.get(incident["id"], 0)
                fresh += _lines(incident["service"], timeline["items"][known:])
                self._told[incident["id"]] = len(timeline["items"])
                self._incidents[incident["id"]] = incident
            fresh += self._pages()
            for line in sorted(fresh, key=lambda line: line.at):
                self._narrator.line(line)
            self._changed.notify_all()

    async def ask(self, method: str, path: str, *, token: str | None = None) -> Json:
        """JSON of the daemon's operations API, asked by its administrator by default. Raises DemoError."""
        url = f"{self._stage.daemon.addresses.operations}{path}"
        headers = {"Authorization": f"Bearer {token or self._stage.keys.you}"}
        try:
            async with self._stage.http.request(method, url, headers=headers) as answer:
                said: Json = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"the daemon does not answer: {type(error).__name__}: {error}") from None
        if answer.status >= 300:
            raise DemoError(f"{method} {path} was answered {answer.status}: {said}")
        return said

    def of(self, service: str) -> Json | None:
        """The newest incident of a service, as last seen."""
        found = [each for each in self._incidents.values() if each["service"] == service]
        return found[-1] if found else None

    async def until(self, service: str, what: str, holds: Callable[[Json], bool], within: float) -> Json:
        """The incident of a service as soon as that holds. Raises DemoError after ``within`` seconds."""
        try:
            async with asyncio.timeout(within), self._changed:
                while (found := self.of(service)) is None or not holds(found):
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise DemoError(f"{service}: {what} did not come about within {within:.0f} s") from None

    def _pages(self) -> list[Line]:
        """What PagerDuty received. It is looked at last: a delivery in a timeline has its event here."""
        fresh = self._stage.pager.events[self._events :]
        self._events += len(fresh)
        return [
            Line(
                at=time.time() - (time.monotonic() - event.at),
                who="PagerDuty",
                what=f"← {event.action}",
                text=f"{PEOPLE[self._stage.channel(event.routing_key)]}: {_about(event)}",
            )
            for event in fresh
        ]


def _about(event: Event) -> str:
    """What it says to people, cut to what fits a phone: the timeline has it all."""
    return (
        shorten(event.body["payload"]["summary"], 80, placeholder=" ...")
        if event.action == "trigger"
        else event.dedup_key
    )


def _lines(service: str, entries: list[Json]) -> Iterator[Line]:
    """Entries of one timeline. Guards that allow a step share a line: each has its own in the timeline."""
    for allowing, group in groupby(entries, key=_allows):
        if allowing:
            guards = list(group)
            names = ", ".join(str(entry["data"]["guard"]).replace("_", " ") for entry in guards)
            text = f"{len(guards)} guards allow it: {names}"
            yield Line(at=_seconds(guards[-1]["at"]), who=service, what="guard", text=text)
            continue
        for entry in group:
            yield Line(at=_seconds(entry["at"]), who=service, what=_what(entry), text=entry["text"])


def _allows(entry: Json) -> bool:
    return bool(entry["kind"] == "guard" and entry["data"].get("verdict") == "allows")


def _what(entry: Json) -> str:
    """The kind of an entry, in words; of an attempt's end, how it ended."""
    if entry["kind"] == "attempt_ended":
        return str(entry["data"]["outcome"])
    if entry["kind"] == "guard":
        return "guard blocks"
    return str(entry["kind"]).replace("_", " ")


def _seconds(at: str) -> float:
    """Since the epoch."""
    return datetime.fromisoformat(at).timestamp()
