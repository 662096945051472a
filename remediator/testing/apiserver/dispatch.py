"""One request from its arrival to its answer, in the order of a real API server.

Known, faulty, authenticated, authorised, routed: a wrong token is 401 before a wrong path is 404.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from remediator.testing.apiserver import discovery, metrics, reviews
from remediator.testing.apiserver.access import Access, Asked, authenticate
from remediator.testing.apiserver.answers import NO_CACHE, json_response
from remediator.testing.apiserver.applying import apply
from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.cluster import Cluster, Sleep
from remediator.testing.apiserver.faults import Fault, Faults
from remediator.testing.apiserver.forms import Form, preferred
from remediator.testing.apiserver.kinds import PODS, SERVED, Kind
from remediator.testing.apiserver.ledger import Arrival
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.paths import parse
from remediator.testing.apiserver.plain import NOT_FOUND_PAGE, plain
from remediator.testing.apiserver.reading import check_version, list_objects, partial, partial_list
from remediator.testing.apiserver.scaling import handle_scale
from remediator.testing.apiserver.statuses import (
    ApiError,
    method_not_allowed,
    no_such_resource,
    unsupported,
)
from remediator.testing.apiserver.striking import fail_after, fail_before
from remediator.testing.apiserver.subresources import SUBRESOURCES, PodSubresources, also_asked
from remediator.testing.apiserver.tables import table
from remediator.testing.apiserver.watching import OpenWatch, serve_watch
from remediator.testing.apiserver.writing import Writer

_BY_RESOURCE = {(kind.group, kind.version, kind.plural): kind for kind in SERVED}


@dataclass(kw_only=True)
class Dispatcher:
    """Answers everything under ``/``. ``requests`` grows by one with every arrival."""

    cluster: Cluster
    writer: Writer
    access: Access
    faults: Faults
    pods: PodSubresources
    metrics: metrics.Metrics
    sleep: Sleep
    closing: asyncio.Event
    requests: list[Arrival] = field(default_factory=list)
    watches: set[OpenWatch] = field(default_factory=set)

    async def handle(self, http: web.Request) -> web.StreamResponse:
        """The one handler."""
        body = await http.read()
        self._note(http, body)
        fault = self.faults.strike(http.method, http.path)
        early = await fail_before(fault, http, sleep=self.sleep, closing=self.closing, refuse=_refuse)
        if early is not None:
            return early
        try:
            response = await self._answer(http, body)
        except ApiError as error:
            response = status_response(error)
        return await fail_after(fault, http, response, closing=self.closing)

    def _note(self, http: web.Request, body: bytes) -> None:
        self.requests.append(
            Arrival(
                at=time.monotonic(),
                method=http.method,
                path=http.path,
                query=http.query_string,
                content_type=http.headers.get("Content-Type", ""),
                user_agent=http.headers.get("User-Agent", ""),
                body=body.decode("utf-8", "replace"),
            )
        )

    async def _answer(self, http: web.Request, body: bytes) -> web.StreamResponse:
        user = authenticate(self.access.users, http.headers.get("Authorization"))
        asked = parse(http.method, http.path, http.query)
        self.access.authorize(user, asked)
        if kept := also_asked(asked):
            self.access.authorize(user, kept)
        request = Request(
            user=user,
            asked=asked,
            query=http.query,
            content_type=http.headers.get("Content-Type", ""),
            accept=http.headers.get("Accept", ""),
            body=body,
            agent=http.headers.get("User-Agent", ""),
        )
        if not asked.resource:
            return plain(request, http.method, self.metrics)
        if asked.group == metrics.GROUP and self.metrics.installed:
            return json_response(metrics.answer(self.metrics, self.cluster, request))
        if reviews.is_review(asked):
            return self._review(request)
        kind = find_kind(asked)
        form = preferred(request.accept, asked.verb)
        if asked.verb == "watch":
            return await serve_watch(http, request, kind, self.cluster, self.closing, self.watches)
        if kind is PODS and (asked.subresource, asked.verb) in SUBRESOURCES:
            return await self.pods.answer(http, request)
        return self._resource(request, kind, form)

    def _review(self, request: Request) -> web.Response:
        if request.asked.verb != "create":
            raise method_not_allowed()
        now = self.cluster.timestamp()
        return json_response(reviews.answer(self.access, request, now), status=201)

    def _resource(self, request: Request, kind: Kind, form: Form) -> web.Response:
        asked = request.asked
        if asked.subresource == "scale" and kind.scalable:
            return json_response(handle_scale(self.writer, request, kind), warnings=request.warnings)
        if asked.resource_path == "pods/ephemeralcontainers" and asked.verb == "get":
            return json_response(self.writer.present(request, kind))
        if asked.subresource not in {"", "status"}:
            raise _no_subresource(kind, asked)
        if asked.subresource == "status" and not kind.status_subresource:
            raise no_such_resource()
        return self._object(request, kind, form)

    def _object(self, request: Request, kind: Kind, form: Form) -> web.Response:
        verb, status = request.asked.verb, 200
        _check_verb(kind, request.asked)
        answer: Any
        match verb:
            case "get":
                check_version(request, self.cluster.store)
                answer = kind.outward(self.writer.present(request, kind))
                answer = self._shaped(kind, answer, form)
            case "list":
                answer = list_objects(request, kind, self.cluster.store)
                answer = self._shaped(kind, answer, form)
            case "create":
                answer, status = kind.outward(self.writer.create(request, kind)), 201
            case "update":
                answer = kind.outward(self.writer.update(request, kind))
            case "patch" if request.is_apply:
                answer, status = apply(self.writer, self.access, request, kind)
                answer = kind.outward(answer)
            case "patch":
                answer = kind.outward(self.writer.patch(request, kind))
            case "delete":
                answer = self.writer.delete(request, kind)
            case "deletecollection":
                answer = self._delete_collection(request, kind)
            case _:
                raise method_not_allowed()
        return json_response(answer, status=status, warnings=request.warnings)

    def _shaped(self, kind: Kind, answer: Json, form: Form) -> Json:
        """An object or a list in the form the client prefers."""
        match form:
            case Form.WHOLE:
                return answer
            case Form.PARTIAL:
                return partial_list(answer) if "items" in answer else partial(answer)
            case Form.TABLE:
                alone = {"resourceVersion": answer["metadata"]["resourceVersion"]}
                meta = answer["metadata"] if "items" in answer else alone
                return table(kind, answer.get("items", [answer]), meta, self.cluster.timestamp())

    def _delete_collection(self, request: Request, kind: Kind) -> Any:
        names = {
            item["metadata"]["name"] for item in list_objects(request, kind, self.cluster.store)["items"]
        }
        namespace = request.asked.namespace
        found = [one for one in self.cluster.store.list(kind, namespace) if one["metadata"]["name"] in names]
        return self.writer.delete_all(request, kind, found)


def find_kind(asked: Asked) -> Kind:
    """The kind behind a path. Raises ApiError 404, or 501 for what only a real server has."""
    kind = _BY_RESOURCE.get((asked.group, asked.version, asked.resource))
    if kind is not None:
        return kind
    if discovery.find(asked.group, asked.version, asked.resource) is not None:
        raise unsupported(f"the resource {asked.resource} of API group {asked.group!r}")
    if discovery.known_group(asked.group):
        raise no_such_resource()
    raise web.HTTPNotFound(text=NOT_FOUND_PAGE, headers=NO_CACHE)


def _check_verb(kind: Kind, asked: Asked) -> None:
    """Raises ApiError 405 for a verb the resource has not, 501 for one that only a real server knows."""
    misplaced = (asked.verb == "create" and asked.name) or (
        asked.verb in {"update", "patch"} and not asked.name
    )
    real = discovery.find(kind.group, kind.version, kind.plural)
    if misplaced or (real is not None and asked.verb not in real.verbs):
        raise method_not_allowed()
    if asked.verb not in kind.verbs:
        raise unsupported(f"to {asked.verb} {kind.plural}")


def _no_subresource(kind: Kind, asked: Asked) -> ApiError:
    if discovery.find(kind.group, kind.version, asked.resource_path) is not None:
        return unsupported(f"the subresource {asked.resource_path}")
    return no_such_resource()


def status_response(error: ApiError) -> web.Response:
    """A refusal."""
    response = json_response(error.body(), status=error.code)
    response.headers.update(error.headers)
    return response


def _refuse(fault: Fault) -> web.Response:
    return status_response(fault.error())
