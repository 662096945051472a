"""Watches: a stream of changes, one JSON object a line, from a resourceVersion on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator

from aiohttp import web

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.reading import selection
from remediator.testing.apiserver.statuses import ApiError, Cause, expired, invalid_options
from remediator.testing.apiserver.store import Event

BOOKMARK_EVERY = 60.0
_DEFAULT_TIMEOUT = 1800.0
_INITIAL_END = "k8s.io/initial-events-end"


async def serve_watch(
    http: web.Request, request: Request, kind: Kind, cluster: Cluster, closing: asyncio.Event
) -> web.StreamResponse:
    """Answer a watch until its timeout, the client's leaving or the server's end. Raises ApiError at once."""
    start = _start(request, cluster)
    chosen = selection(request, kind)
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    )
    response.enable_chunked_encoding()
    await response.prepare(http)
    try:
        async for line in _lines(request, kind, cluster, start, chosen, closing):
            await response.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        await response.write_eof()
    except ConnectionError:
        pass  # the client left: that is how most watches end
    return response


def _start(request: Request, cluster: Cluster) -> int | None:
    """The version to start after, or None to start with what is there."""
    if request.query.get("sendInitialEvents") == "true" and "resourceVersionMatch" not in request.query:
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
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
        gone = expired(f"too old resource version: {start} ({store.oldest})")
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
    closed = asyncio.ensure_future(closing.wait())
    try:
        while not closing.is_set() and (left := end - cluster.clock()) > 0:
            getting = asyncio.ensure_future(waiting.get())
            done, _ = await asyncio.wait(
                {getting, closed}, timeout=min(left, BOOKMARK_EVERY), return_when=asyncio.FIRST_COMPLETED
            )
            if getting in done:
                yield getting.result()
                continue
            getting.cancel()
            if bookmarks and not done and left > BOOKMARK_EVERY:
                yield None
    finally:
        closed.cancel()


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
        meta["annotations"] = {_INITIAL_END: "true"}
    return {
        "type": "BOOKMARK",
        "object": {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta},
    }
