"""Request bodies and options: parsing them, and refusing them as the real server does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from remediator.testing.apiserver.access import Asked, User
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.shapes import Mismatch, decode
from remediator.testing.apiserver.statuses import ApiError, Cause, bad_request, invalid_options, json_quote

_MEDIA = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
_APPLY = "application/apply-patch+yaml"
_OPTIONS = {
    "create": "CreateOptions",
    "update": "UpdateOptions",
    "patch": "PatchOptions",
    "delete": "DeleteOptions",
    "deletecollection": "DeleteOptions",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request after authentication: who asks what, with which options and body."""

    user: User
    asked: Asked
    query: Mapping[str, str]
    content_type: str
    accept: str
    body: bytes
    agent: str = ""
    """The User-Agent; its first word names the owner of what is written, unless ``fieldManager`` does."""
    warnings: list[str] = field(default_factory=list)

    @property
    def media(self) -> str:
        """The content type without its parameters."""
        return self.content_type.partition(";")[0].strip()

    @property
    def is_apply(self) -> bool:
        """Whether this is a server-side apply."""
        return self.asked.verb == "patch" and self.media == _APPLY

    @property
    def manager(self) -> str:
        """Who owns what this request writes."""
        return self.query.get("fieldManager") or self.agent.partition("/")[0]

    @property
    def dry_run(self) -> bool:
        """Whether nothing may take effect. Raises ApiError 422 for anything but ``All``."""
        return self.check_dry_run(self.query["dryRun"].split(",") if "dryRun" in self.query else [])

    def check_dry_run(self, values: list[str]) -> bool:
        """Whether these values ask for a dry run. Raises ApiError 422 for anything but ``All``."""
        if values and values != ["All"]:
            shown = ", ".join(f'"{value}"' for value in values)
            cause = Cause.unsupported("dryRun", f"[]string{{{shown}}}", '"All"')
            raise invalid_options(_OPTIONS[self.asked.verb], cause)
        return bool(values)

    @property
    def strict(self) -> bool:
        """Whether unknown fields are errors."""
        return self.query.get("fieldValidation") == "Strict"


def parse_json(body: bytes, encoding: str = "utf-8") -> Any:
    """The value. Raises ValueError with the text of Go's parser, where that is simple."""
    text = body.decode(encoding, "replace")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
            raise ValueError("unexpected end of JSON input") from error
        found = text[error.pos]
        shown = found if found.isprintable() else f"\\u{ord(found):04x}"
        raise ValueError(f"invalid character '{shown}' looking for beginning of value") from error


def parse_object(request: Request, kind: Kind) -> Json:
    """The object in a create or update. Raises ApiError 415 or 400."""
    if request.media not in {"", "application/json"}:
        why = f"the body of the request was in an unknown format - accepted media types include: {_MEDIA}"
        raise ApiError(415, "UnsupportedMediaType", why)
    try:
        obj = parse_json(request.body)
    except ValueError as error:
        shown = request.body.decode("utf-8", "replace") or "<empty>"
        why = f"couldn't get version/kind; json parse error: {error} ({shown})"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.name}): {why}"
        ) from error
    if not isinstance(obj, dict):
        why = (
            "couldn't get version/kind; json parse error: json: cannot unmarshal into Go value of type struct"
        )
        raise bad_request(f"the object provided is unrecognized (must be of type {kind.name}): {why}")
    check_kind(obj, kind.name, kind.api_version)
    return obj


def check_kind(obj: Json, name: str, api_version: str) -> None:
    """Raises ApiError 400 when the body is an object of another kind or version."""
    found, version = obj.get("kind", name), obj.get("apiVersion", api_version)
    short = str(version).rpartition("/")[2]
    subject = f'{found} in version "{short}" cannot be handled as a {name}: '
    if found != name:
        package = api_version.partition("/")[0] if "/" in api_version else "core"
        raise bad_request(f"{subject}converting (v1.{found}) to ({package}.{name}): unknown conversion")
    if version != api_version:
        scheme = "pkg/api/legacyscheme/scheme.go:30"
        why = f'no kind "{found}" is registered for version "{version}" in scheme "{scheme}"'
        raise bad_request(subject + why)


def decode_object(request: Request, kind: Kind, obj: Json) -> Json:
    """The object with the right types and without unknown fields. Raises ApiError 400."""
    try:
        decoded = decode(obj, kind.type_name)
    except Mismatch as mismatch:
        version = kind.version
        subject = f'{kind.name} in version "{version}" cannot be handled as a {kind.name}'
        raise bad_request(f"{subject}: {mismatch}") from mismatch
    if decoded.unknown and request.strict:
        listed = ", ".join(f'unknown field "{path}"' for path in decoded.unknown)
        subject = f'{kind.name} in version "{kind.version}" cannot be handled as a {kind.name}'
        raise bad_request(f"{subject}: strict decoding error: {listed}")
    warn_unknown(request, decoded.unknown)
    return decoded.obj


def warn_unknown(request: Request, unknown: list[str]) -> None:
    """Note a warning for every dropped field, unless the client asked for silence."""
    if request.query.get("fieldValidation") != "Ignore":
        request.warnings.extend(
            f"299 - {json_quote(f'unknown field {json_quote(path)}')}" for path in unknown
        )


@dataclass(frozen=True, kw_only=True)
class DeleteOptions:
    """How to delete: from the body, or else from the query."""

    dry_run: bool
    grace: int | None
    propagation: str
    unsaid: bool
    """Whether the propagation is the default."""
    uid: str | None
    resource_version: str | None

    @classmethod
    def of(cls, request: Request, *, default: str = "Background") -> DeleteOptions:
        """``default``: the propagation when the request names none. Raises ApiError 400 or 422."""
        body: Json = parse_json(request.body) if request.body.strip() else {}
        if (kind := body.get("kind", "DeleteOptions")) != "DeleteOptions":
            scheme = "pkg/apis/meta/internalversion/scheme/register.go:27"
            version = body.get("apiVersion", "")
            why = f'no kind "{kind}" is registered for version "{version}" in scheme "{scheme}"'
            raise ApiError(500, "", why)
        return cls.made(request, body, default=default)

    @classmethod
    def made(cls, request: Request, body: Json, *, default: str = "Background") -> DeleteOptions:
        """The options that stand in a body, or else in the query. Raises ApiError 422 or ValueError."""
        preconditions = body.get("preconditions") or {}
        grace = body.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
        said = body.get("propagationPolicy") or request.query.get("propagationPolicy")
        propagation = str(said or default)
        if propagation not in {"Foreground", "Background", "Orphan"}:
            known = '"Foreground", "Background", "Orphan", "nil"'
            raise invalid_options(
                "DeleteOptions", Cause.unsupported("propagationPolicy", f'"{propagation}"', known)
            )
        return cls(
            dry_run=request.dry_run or request.check_dry_run(body.get("dryRun") or []),
            grace=None if grace is None else max(0, int(grace)),
            propagation=propagation,
            unsaid=not said,
            uid=preconditions.get("uid"),
            resource_version=preconditions.get("resourceVersion"),
        )
