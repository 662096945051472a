"""Logs over HTTP: at once, or followed until the container ends or the client leaves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import PODS
from remediator.testing.apiserver.logs import Line, Logs, Options, dead_kubelet
from remediator.testing.apiserver.machines import address_of
from remediator.testing.apiserver.objects import Json, key_of
from remediator.testing.apiserver.statuses import ApiError

_HEADERS = {"Cache-Control": "no-cache, private"}


@dataclass(frozen=True, kw_only=True)
class LogAnswers:
    """Answers log requests."""

    cluster: Cluster
    logs: Logs
    closing: asyncio.Event

    async def answer(self, http: web.Request, request: Request, pod: Json) -> web.StreamResponse:
        """The text; no content for a pod without a node. Raises ApiError 4xx, or 500 for a dead node."""
        options = self.logs.options(request, pod)
        node = pod["spec"].get("nodeName")
        if not node:
            return web.Response(status=204, headers=_HEADERS)
        if node in self.cluster.dead_nodes:
            raise dead_kubelet(address_of(self.cluster, node), pod, options.container)
        if options.follow and not options.previous:
            return await self._follow(http, pod, options)
        response = web.Response(text=self.logs.read(pod, options), headers=_HEADERS)
        response.charset = None
        return response

    async def _follow(self, http: web.Request, pod: Json, options: Options) -> web.StreamResponse:
        lines = self.logs.lines(pod, options)
        response = web.StreamResponse(headers=_HEADERS | {"Content-Type": "text/plain"})
        response.enable_chunked_encoding()
        await response.prepare(http)
        changed = asyncio.Event()
        stops = [self.logs.subscribe(changed.set), self.cluster.store.subscribe(lambda _: changed.set())]
        closed = asyncio.ensure_future(self.closing.wait())
        try:
            await response.write(options.shown(options.chosen(lines)).encode())
            while not self.closing.is_set():
                over = not self._runs(pod, options.container)
                lines = await self._more(response, pod, options, lines)
                if over:
                    break
                waiting = asyncio.ensure_future(changed.wait())
                await asyncio.wait({waiting, closed}, return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                changed.clear()
            await response.write_eof()
        except ConnectionError:
            pass  # the client left: that is how most of these end
        finally:
            closed.cancel()
            for stop in stops:
                stop()
        return response

    async def _more(
        self, response: web.StreamResponse, pod: Json, options: Options, seen: list[Line]
    ) -> list[Line]:
        """Write what has been added; a log that begins anew is written from its start."""
        try:
            now = self.logs.lines(self.cluster.store.get(PODS, key_of(pod)) or pod, options)
        except ApiError:
            return seen
        fresh = now[len(seen) :] if now[: len(seen)] == seen else now
        if fresh:
            await response.write(options.shown(fresh).encode())
        return now

    def _runs(self, pod: Json, container: str) -> bool:
        present = self.cluster.store.get(PODS, key_of(pod))
        if present is None or present["metadata"]["uid"] != pod["metadata"]["uid"]:
            return False
        statuses = present["status"].get("containerStatuses", ())
        return any(one["name"] == container and "running" in one["state"] for one in statuses)
