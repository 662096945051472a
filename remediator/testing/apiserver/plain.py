"""Paths without a resource: version, health, discovery, OpenAPI."""

from __future__ import annotations

from aiohttp import web

from remediator.testing.apiserver import discovery, metrics, openapi
from remediator.testing.apiserver.answers import NO_CACHE, json_response
from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.statuses import method_not_allowed, unsupported

NOT_FOUND_PAGE = "404 page not found\n"
_ONLY_REAL = ("/openapi", "/.well-known", "/metrics", "/healthz/", "/livez/", "/readyz/", "/logs")


def plain(request: Request, method: str, measured: metrics.Metrics) -> web.Response:
    """The document at the path. Raises ApiError 405, or 501 for what only a real server has."""
    path = request.asked.path.rstrip("/")
    found = discovery.document(path, request.accept)
    if measured.installed:
        found = metrics.discovery(path) or metrics.added(found)
    if found is None:
        found = openapi.document(path)
    if found is None:
        if path.startswith(_ONLY_REAL) or not path:
            raise unsupported(f"the path {request.asked.path}")
        return web.Response(status=404, text=NOT_FOUND_PAGE, headers=NO_CACHE)
    if method not in {"GET", "HEAD"}:
        raise method_not_allowed()
    if "verbose" in request.query and isinstance(found, str):
        raise unsupported("a verbose answer on health")
    if isinstance(found, str):
        return web.Response(text=found, headers=NO_CACHE)
    if path == "/openapi/v2" and openapi.PROTOBUF in request.accept:
        headers = NO_CACHE | {"Content-Type": openapi.PROTOBUF_TYPE}
        return web.Response(body=openapi.protobuf(), headers=headers)
    response = json_response(found)
    if found.get("kind") == "APIGroupDiscoveryList":
        response.headers["Content-Type"] = f"application/json;{discovery.AGGREGATED_FORM}"
    return response
