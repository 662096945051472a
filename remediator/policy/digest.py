"""A name for the exact content of a policy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum

from pydantic import BaseModel

from remediator.core.matchers import Matcher
from remediator.core.policies import Policy
from remediator.policy.templates import LabelTemplate

_PLACES = frozenset(("where", "digest", "render", "lowered", "rules_by_name", "zone"))
"""Fields that say where something stands, or how it is read: they do not change what a file says."""


def digest_of(policy: Policy) -> str:
    """16 hexadecimal digits of the SHA-256 of everything the policy says, whatever file says it."""
    text = json.dumps(canonical(policy), ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: object) -> object:
    """Anything that policy files can say, as plain JSON-like values. Raises TypeError for anything else."""
    if isinstance(value, Matcher):
        return str(value)
    if isinstance(value, LabelTemplate):
        return value.source
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, BaseModel):
        given = ((name, field.alias or name) for name, field in type(value).model_fields.items())
        return {key: canonical(getattr(value, name)) for name, key in given}
    if is_dataclass(value) and not isinstance(value, type):
        names = [each.name for each in fields(value) if each.name not in _PLACES]
        return [type(value).__name__, {name: canonical(getattr(value, name)) for name in names}]
    if isinstance(value, Mapping):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"a policy holds a {type(value).__name__}, which has no canonical form")
