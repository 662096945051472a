"""Watches: a stream of changes, one JSON object a line, from a resourceVersion on."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import EVENTS, Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.reading import selection
from remediator.testing.apiserver.statuses import ApiError, Cause, expired, invalid_options
from remediator.testing.apiserver.store import Event

BOOKMARK_EVERY = 60.0
_LAST_BOOKMARK = 2.0
"""Seconds before its end in which a watch is told how far it has come."""
_SOON = 0.1
_DEFAULT_TIMEOUT = 1800.0
_INITIAL_END = "k8s.io/initial-events-end"
_BLUEPRINT = "kubernetes.io/initial-events-list-blueprint"
"""The list, without its items, that the initial events stand for."""


@dataclass(eq=False)
class OpenWatch:
    """A watch that somebody has open; ``silent``: nothing is sent on it any more."""

    http: web.Request
    silent: bool = False

    def cut(self) -> None:
        """Break its connection off."""
        if self.http.transport is not None:
            self.http.transport.abort()


async def serve_watch(
    http: web.Request,
    request: Request,
    kind: Kind,
    cluster: Cluster,
    closing: asyncio.Event,
    watches: set[OpenWatch],
) -> web.StreamResponse:
    """Answer a watch until its timeout, the client's leaving or the server's end. Raises ApiError at once.

    It is among ``watches`` for as long.
    """
    start = _start(request, cluster)
    chosen = selection(request, kind)
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    )
    response.enable_chunked_encoding()
    await response.prepare(http)
    watch = OpenWatch(http)
    watches.add(watch)
    try:
        async for line in _lines(request, kind, cluster, start, chosen, closing):
            if watch.silent:
                await closing.wait()
                break
            await response.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        await response.write_eof()
    except ConnectionError:
        pass  # the client left: that is how most watches end
    finally:
        watches.discard(watch)
    return response


def _start(request: Request, cluster: Cluster) -> int | None:
    """The version to start after, or None to start with what is there."""
    if request.query.get("sendInitialEvents") == "true" and "resourceVersionMatch" not in request.query:
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid_options("ListOptions", Cause.forbidden("resourceVersionMatch", why))
    if "resourceVersionMatch" in request.query and request.query.get("sendInitialEvents") != "true":
        why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        raise invalid_options("ListOptions", Cause.forbidden("resourceVersionMatch", why))
    text = request.query.get("resourceVersion", "")
    if text and not text.isdecimal():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{text}": {why}')
    if text in {"", "0"} or request.query.get("sendInitialEvents") == "true":
        return None
    return int(text)


async def _lines(
    request: Request,
    kind: Kind,
    cluster: Cluster,
    start: int | None,
    chosen: Callable[[Json], bool],
    closing: asyncio.Event,
) -> AsyncIterator[Json]:
    store, namespace = cluster.store, request.asked.namespace if kind.namespaced else ""
    if start is not None and start < store.oldest - 1:
        # A server keeps no cache of Events, so it is etcd that refuses.
        uncached = "The resourceVersion for the provided watch is too old."
        cached = f"too old resource version: {start} ({store.oldest})"
        gone = expired(uncached if kind.base is EVENTS else cached)
        yield {"type": "ERROR", "object": gone.body()}
        return
    waiting: asyncio.Queue[Event] = asyncio.Queue()
    backlog = list(store.since(start)) if start is not None else []
    initial = store.list(kind, namespace) if start is None else []
    stop = store.subscribe(waiting.put_nowait)
    try:
        for obj in filter(chosen, initial):
            yield {"type": "ADDED", "object": kind.outward(obj)}
        if request.query.get("sendInitialEvents") == "true":
            yield _bookmark(kind, store.revision, initial_end=True)
        for event in backlog:
            for line in _line(event, kind, namespace, chosen):
                yield line
        async for found in _until_timeout(request, cluster, waiting, closing):
            if found is None:
                yield _bookmark(kind, store.revision)
                continue
            for line in _line(found, kind, namespace, chosen):
                yield line
    finally:
        stop()


async def _until_timeout(
    request: Request, cluster: Cluster, waiting: asyncio.Queue[Event], closing: asyncio.Event
) -> AsyncIterator[Event | None]:
    """Events as they come; None where a bookmark is due."""
    bookmarks = request.query.get("allowWatchBookmarks") == "true"
    end = cluster.clock() + float(request.query.get("timeoutSeconds", _DEFAULT_TIMEOUT))
    due = _next_bookmark(cluster.clock(), end)
    closed = asyncio.ensure_future(closing.wait())
    try:
        while not closing.is_set() and (left := end - cluster.clock()) > 0:
            getting = asyncio.ensure_future(waiting.get())
            done, _ = await asyncio.wait(
                {getting, closed},
                timeout=max(0.0, min(left, due - cluster.clock()) if bookmarks else left),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if getting in done:
                yield getting.result()
                continue
            getting.cancel()
            if bookmarks and not done and cluster.clock() >= due:
                yield None
                due = _next_bookmark(cluster.clock(), end)
    finally:
        closed.cancel()


def _next_bookmark(now: float, end: float) -> float:
    """When to tell how far a watch has come: every minute and shortly before its end; then never."""
    last = end - _LAST_BOOKMARK
    return min(now + BOOKMARK_EVERY, last) if last > now + _SOON else math.inf


def _line(event: Event, kind: Kind, namespace: str, chosen: Callable[[Json], bool]) -> Iterator[Json]:
    """The event as this watch sees it: an object that leaves the selection is deleted for it."""
    if event.kind is not kind.base or (namespace and event.key[0] != namespace):
        return
    now = event.type != "DELETED" and chosen(event.obj)
    before = event.old is not None and chosen(event.old)
    if now:
        yield {"type": "MODIFIED" if before else "ADDED", "object": kind.outward(event.obj)}
    elif before:
        assert event.old is not None
        version = {"resourceVersion": str(event.revision)}
        last = {**event.old, "metadata": event.old["metadata"] | version}
        yield {"type": "DELETED", "object": kind.outward(last)}


def _bookmark(kind: Kind, revision: int, *, initial_end: bool = False) -> Json:
    meta: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        empty: Json = {
            "kind": f"{kind.name}List",
            "apiVersion": kind.api_version,
            "metadata": {},
            "items": None,
        }
        text = json.dumps(empty, separators=(",", ":")) + "\n"
        meta["annotations"] = {_INITIAL_END: "true", _BLUEPRINT: base64.b64encode(text.encode()).decode()}
    return {
        "type": "BOOKMARK",
        "object": {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta},
    }
