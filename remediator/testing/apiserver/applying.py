"""Server-side apply: a manager says what it wants, and owns that and nothing else."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from remediator.testing.apiserver.access import Access
from remediator.testing.apiserver.bodies import Request, check_kind, decode_object, parse_json
from remediator.testing.apiserver.kinds import Kind
from remediator.testing.apiserver.managers import APPLY, manager_of
from remediator.testing.apiserver.merging import applied
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import Cause, bad_request, invalid_options
from remediator.testing.apiserver.writing import Writer, check_names


def configuration(request: Request) -> Json:
    """What the manager wants, as it was sent. Raises ApiError 400 or 422."""
    if not request.query.get("fieldManager"):
        message = "Required value: is required for apply patch"
        cause = Cause(field="fieldManager", message=message, reason="FieldValueRequired")
        raise invalid_options("PatchOptions", cause)
    config = _parsed(request.body)
    if not isinstance(config, dict):
        raise bad_request("error decoding YAML: the configuration is no object")
    if config.get("metadata", {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    for key in ("apiVersion", "kind"):
        if not config.get(key):
            raise bad_request(f"invalid object type: {key} must be set")
    return config


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ValueError:
        try:
            return YAML(typ="safe", pure=True).load(io.BytesIO(body))
        except YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error


def apply(writer: Writer, access: Access, request: Request, kind: Kind) -> tuple[Json, int]:
    """The object in its stored form, and 201 if it is new. Raises ApiError 4xx."""
    dry_run = request.dry_run
    config = configuration(request)
    check_kind(config, kind.name, kind.api_version)
    wanted = decode_object(request, kind, config)
    check_names(request, wanted)
    manager = manager_of(request, kind, APPLY, writer.cluster.timestamp())
    force = request.query.get("force") in {"true", "1"}
    old = writer.find(request, kind)
    if old is None:
        access.authorize(request.user, replace(request.asked, verb="create"))
        new = applied(wanted, None, kind.type_name, manager, force=force)
        return writer.add(request, kind, new, dry_run=dry_run), 201
    new = applied(wanted, kind.outward(old), kind.type_name, manager, force=force)
    return writer.replace(request, kind, kind.inward(new), old, dry_run=dry_run, body=config), 200
