"""Kubernetes objects as plain JSON, and the few questions everything here asks of them.

Objects are dicts as they travel on the wire. Those in the store are never changed in place: whoever wants
another state takes a ``clone`` and hands it back.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Key: TypeAlias = tuple[str, str]
"""Namespace and name; the namespace is empty for cluster-wide objects."""
Wall: TypeAlias = Callable[[], datetime]

_SAFE = "bcdfghjklmnpqrstvwxz2456789"


def clone(value: Json) -> Json:
    """An independent copy."""
    return copy.deepcopy(value)


def key_of(obj: Json) -> Key:
    """Where the store keeps it."""
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def utc_now() -> datetime:
    """The wall clock, for the timestamps in objects."""
    return datetime.now(UTC)


def timestamp(at: datetime) -> str:
    """RFC 3339 in whole seconds, as the API server writes times."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def owner_uid(obj: Json) -> str | None:
    """The uid of the controller that owns it, if one does."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None


def owner_reference(owner: Json) -> Json:
    """What a controller writes into the objects it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def condition(obj: Json, of: str) -> Json | None:
    """The status condition of that type."""
    for entry in obj.get("status", {}).get("conditions", ()):
        if entry["type"] == of:
            found: Json = entry
            return found
    return None


def deleting(obj: Json) -> bool:
    """Whether its deletion was asked for."""
    return "deletionTimestamp" in obj["metadata"]


def digest(value: object) -> str:
    """A short name for a value, in the alphabet Kubernetes uses for hashes and name suffixes.

    Not the hash that a real controller computes (that one depends on Go's memory layout), but as stable.
    """
    number = zlib.crc32(repr(_canonical(value)).encode())
    return "".join(_SAFE[int(digit) * 2 + index % 2] for index, digit in enumerate(f"{number:010d}"))


def _canonical(value: object) -> object:
    if isinstance(value, dict):
        return sorted((key, _canonical(inner)) for key, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return [_canonical(inner) for inner in value]
    return value
