"""From a PATCH request and an object to the object it asks for."""

from __future__ import annotations

import json
from typing import Any

from remediator.testing.apiserver.bodies import Request, parse_json, warn_unknown
from remediator.testing.apiserver.kinds.pod_template import QUANTITY, bad_quantities
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.patches import json_patch, merge_patch, strategic_merge
from remediator.testing.apiserver.shapes import Mismatch, decode
from remediator.testing.apiserver.statuses import (
    ApiError,
    Cause,
    bad_request,
    invalid_options,
    invalid_patch,
    unsupported,
)

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_CBOR = "application/apply-patch+cbor"


def patched_object(request: Request, old: Json, type_name: str) -> tuple[Json, Any]:
    """The patched object, decoded, and the patch. Raises ApiError 400, 415, 422 or 501."""
    media = request.media
    if media == _CBOR:
        raise unsupported("server-side apply in CBOR")
    if media not in {JSON_PATCH, MERGE_PATCH, STRATEGIC}:
        raise ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})
    if "force" in request.query:
        cause = Cause.forbidden("force", "may not be specified for non-apply patch")
        raise invalid_options("PatchOptions", cause)
    try:
        patch = parse_json(request.body)
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from error
    if media == JSON_PATCH:
        new = json_patch(old, patch)
    elif media == MERGE_PATCH:
        new = merge_patch(old, patch)
    else:
        new = strategic_merge(old, patch, type_name)
    return _decoded(request, new, patch, type_name, strategic=media == STRATEGIC), patch


def _decoded(request: Request, new: Json, patch: Any, type_name: str, *, strategic: bool) -> Json:
    shown = go_map(patch) if strategic else go_json(new)
    try:
        decoded = decode(new, type_name)
    except Mismatch as mismatch:
        why = f"unrecognized type: {mismatch.wanted}" if strategic and mismatch.wanted else str(mismatch)
        raise invalid_patch(shown, why) from mismatch
    if decoded.unknown and request.strict:
        listed = ", ".join(f'unknown field "{path}"' for path in decoded.unknown)
        raise invalid_patch(shown, f"strict decoding error: {listed}")
    warn_unknown(request, decoded.unknown)
    template = (
        decoded.obj.get("spec", {}).get("template", {}) if isinstance(decoded.obj.get("spec"), dict) else {}
    )
    if bad_quantities(template.get("spec", {})):
        raise invalid_patch(shown, f"quantities must match the regular expression '{QUANTITY.pattern}'")
    return decoded.obj


def go_map(value: Any) -> str:
    """A value as Go prints it with %v."""
    match value:
        case dict():
            return "map[" + " ".join(f"{key}:{go_map(value[key])}" for key in sorted(value)) + "]"
        case list():
            return "[" + " ".join(map(go_map, value)) + "]"
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case other:
            return str(other)


def go_json(value: Json) -> str:
    """An object as compact JSON."""
    return json.dumps(value, separators=(",", ":"))
