"""Subresources of pods that do something: logs, exec, eviction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from remediator.testing.apiserver.access import Asked
from remediator.testing.apiserver.answers import json_response
from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.controllers.pods import owners
from remediator.testing.apiserver.evicting import evict
from remediator.testing.apiserver.executing import Commands, Execution
from remediator.testing.apiserver.kinds import PODS
from remediator.testing.apiserver.streaming import LogAnswers
from remediator.testing.apiserver.writing import Writer

SUBRESOURCES = {("log", "get"), ("exec", "get"), ("exec", "create"), ("eviction", "create")}
"""Subresource and verb."""


def also_asked(asked: Asked) -> Asked | None:
    """What else a request takes: a WebSocket into a pod begins with a GET, and takes ``create`` since 1.35.

    Source: ``AuthorizePodWebsocketUpgradeCreatePermission`` of KEP-4006.
    """
    return replace(asked, verb="create") if (asked.subresource, asked.verb) == ("exec", "get") else None


@dataclass(frozen=True, kw_only=True)
class PodSubresources:
    """Answers requests for these subresources."""

    writer: Writer
    logs: LogAnswers
    commands: Commands

    async def answer(self, http: web.Request, request: Request) -> web.StreamResponse:
        """What the subresource answers. Raises ApiError."""
        match request.asked.subresource:
            case "log":
                return await self.logs.answer(http, request, self.writer.present(request, PODS))
            case "exec":
                pod = self.writer.present(request, PODS)
                execution = Execution(
                    request=request,
                    pod=pod,
                    owners=owners(self.writer.cluster, pod),
                    arguments=tuple(http.query.getall("command", ())),
                    commands=self.commands,
                )
                return await execution.answer(http)
            case _:
                return json_response(await evict(self.writer, request), status=201)
