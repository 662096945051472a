"""Changes to JSON and back, as the journal keeps them: so that they can be taken back, after a crash too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from remediator.core.changes import Change
from remediator.core.errors import Permanent

LONGEST = 32_768
"""Characters of one step's changes that are kept. A change names what it found, which others wrote."""


_KINDS: dict[str, TypeAdapter[Any]] = {cls.__name__: TypeAdapter(cls) for cls in get_args(Change)}


def changes_json(changes: Sequence[Change]) -> str:
    """The changes as one JSON list; empty where they are too long to be kept."""
    pairs = [
        [name, _KINDS[name].dump_python(one, mode="json")] for one in changes for name in [type(one).__name__]
    ]
    text = json.dumps(pairs, separators=(",", ":"))
    return text if len(text) <= LONGEST else ""


def changes_from(text: str) -> tuple[Change, ...]:
    """Reverse of ``changes_json``. Raises Permanent for what is none, or of a version that is not known."""
    try:
        return tuple(_KINDS[kind].validate_python(value) for kind, value in json.loads(text))
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise Permanent("what was changed cannot be read in the journal: another version wrote it") from error
