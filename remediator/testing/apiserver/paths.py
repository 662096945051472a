"""From a method and a path to what is asked: ``RequestInfo`` of the API server, for the paths it has."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.testing.apiserver.access import Asked

_VERBS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_NAMESPACE_PARTS = {"status", "finalize"}


def parse(method: str, path: str, query: Mapping[str, str]) -> Asked:
    """What the request asks for. A path outside ``/api`` and ``/apis`` has no resource."""
    plain = Asked(verb=method.lower(), path=path)
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    watching = query.get("watch") in {"true", "1"}
    if rest[0] == "watch" and len(rest) > 1:
        watching, rest = True, rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _NAMESPACE_PARTS:
            rest = rest[2:]
    resource, name, subresource, *extra = [*rest, "", ""][: max(3, len(rest))]
    verb = _VERBS.get(method, method.lower())
    if method in {"GET", "HEAD"} and not name:
        verb = "watch" if watching else "list"
    elif method in {"GET", "HEAD"} and watching and not subresource:
        verb = "watch"
    elif method == "DELETE" and not name:
        verb = "deletecollection"
    return Asked(
        verb=verb,
        path=path,
        group=group,
        version=version,
        resource=resource,
        subresource=subresource,
        namespace=namespace,
        name=name,
        extra=tuple(extra),
    )
