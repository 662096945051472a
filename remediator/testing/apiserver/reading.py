"""Get and list: selectors, pages, and the reduced forms clients may ask for."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass

from remediator.testing.apiserver.bodies import Request, parse_json
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json, key_of
from remediator.testing.apiserver.selectors import parse_fields, parse_labels
from remediator.testing.apiserver.statuses import (
    ApiError,
    Cause,
    bad_request,
    expired,
    invalid_options,
)
from remediator.testing.apiserver.store import Store

_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - objects "
    "that were created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list."
)


def selection(request: Request, kind: Kind) -> Callable[[Json], bool]:
    """Which objects the selectors of the request let through. Raises ApiError 400."""
    labels = parse_labels(request.query.get("labelSelector", ""))
    fields = parse_fields(request.query.get("fieldSelector", ""), kind)
    name = request.asked.name
    return lambda obj: (
        labels.matches(obj["metadata"].get("labels", {}))
        and fields.matches(obj)
        and (not name or obj["metadata"]["name"] == name)
    )


def check_version(request: Request, store: Store) -> None:
    """Raises ApiError as the server does for a resourceVersion it cannot serve."""
    text = request.query.get("resourceVersion", "")
    if not text:
        if "resourceVersionMatch" in request.query:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            raise invalid_options("ListOptions", Cause.forbidden("resourceVersionMatch", why))
        return
    if not text.isdecimal():
        why = f'strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{text}": {why}')
    if request.query.get("resourceVersionMatch") == "Exact" and int(text) < store.oldest:
        raise expired("The resourceVersion for the provided list is too old.")
    if int(text) > store.revision:
        large = "Too large resource version"
        causes = [{"reason": "ResourceVersionTooLarge", "message": large}]
        message = f"Timeout: {large}: {text}, current: {store.revision}"
        details = {"causes": causes, "retryAfterSeconds": 1}
        raise ApiError(504, "Timeout", message, details=details, retry_after=1)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Where a page starts (exclusive of everything before ``start``) and how long it may be (0: no limit)."""

    limit: int
    start: str
    revision: int


def _page(request: Request, store: Store, namespace: str) -> Page:
    limit, token = request.query.get("limit", "0") or "0", request.query.get("continue", "")
    try:
        size = int(limit)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{limit}": invalid syntax') from error
    if not token:
        version = request.query.get("resourceVersion", "")
        exact = request.query.get("resourceVersionMatch") == "Exact" and version.isdecimal()
        revision = int(version) if exact else store.revision
        return Page(limit=0 if version == "0" else size, start="", revision=revision)
    if request.query.get("resourceVersion"):
        raise bad_request("specifying resource version is not allowed when using continue")
    try:
        decoded = parse_json(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), "latin-1")
        start, revision = str(decoded["start"]).lstrip("/"), int(decoded["rv"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise bad_request(f"invalid continue token: continue key is not valid: {error}") from error
    if 0 <= revision < store.oldest:
        gone = expired(_EXPIRED)
        gone.continue_token = _token(start, -1)
        raise gone
    return Page(limit=size, start=start, revision=store.revision if revision < 0 else revision)


def _token(start: str, revision: int) -> str:
    raw = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def list_objects(request: Request, kind: Kind, store: Store) -> Json:
    """The list, or a page of it. Raises ApiError."""
    namespace = request.asked.namespace
    page = _page(request, store, namespace)
    if not request.query.get("continue"):
        check_version(request, store)
    chosen = selection(request, kind)

    def place(obj: Json) -> str:
        return obj["metadata"]["name"] if namespace or not kind.namespaced else "/".join(key_of(obj))

    present = store.at(page.revision, kind, namespace if kind.namespaced else "")
    found = [obj for obj in present if place(obj) >= page.start]
    found = sorted(filter(chosen, found), key=place)
    meta: Json = {"resourceVersion": str(page.revision)}
    if page.limit and len(found) > page.limit:
        meta["continue"] = _token(place(found[page.limit - 1]) + "\0", page.revision)
        if not request.query.get("labelSelector") and not request.query.get("fieldSelector"):
            meta["remainingItemCount"] = len(found) - page.limit
        found = found[: page.limit]
    return list_of(kind, found, meta)


def list_of(kind: Kind, found: list[Json], meta: Json) -> Json:
    """A list; its items do not repeat their kind."""
    items = [
        {name: value for name, value in kind.outward(obj).items() if name not in {"kind", "apiVersion"}}
        for obj in found
    ]
    return {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}


def partial_list(whole: Json) -> Json:
    """A list whose items are reduced to their metadata."""
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
    return head | {"metadata": whole["metadata"], "items": list(map(partial, whole["items"]))}


def partial(obj: Json) -> Json:
    """The object reduced to its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
