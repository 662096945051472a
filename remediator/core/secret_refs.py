"""References to secrets, as policy files write them: where a secret is read, never the secret itself."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.core.policies import SecretRef
from remediator.core.values import IS

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HOW = "write {env: NAME} or {file: /path/to/it}"


def refuse_unsaid(code: str, why: str) -> PydanticCustomError:
    """An error that never repeats the value: it may be the secret itself."""
    return PydanticCustomError(code, "{why}", {"why": why})


def _secret(value: object) -> SecretRef:
    if not isinstance(value, dict):
        what = "is empty" if value is None else "is a secret and must not stand in a policy file"
        raise refuse_unsaid("P019", f"{what}; {_HOW}")
    if len(value) != 1 or not set(value) <= {"env", "file"}:
        raise refuse_unsaid("P019", f"a secret is named by either env or file; {_HOW}")
    ((kind, name),) = value.items()
    if not isinstance(name, str):
        raise refuse_unsaid("P019", f"the name of the secret must be text; {_HOW}")
    if kind == "env":
        if _ENV.fullmatch(name) is None:
            raise refuse_unsaid("P019", f"that is not the name of an environment variable; {_HOW}")
        return SecretRef(env=name)
    if not name.startswith("/"):
        raise refuse_unsaid("P019", f"the path of a secret's file must be absolute; {_HOW}")
    return SecretRef(file=name)


def _shown(reference: SecretRef) -> dict[str, str]:
    """As the files write it."""
    return {"env": reference.env} if reference.env is not None else {"file": reference.file or ""}


Secret = Annotated[
    SecretRef,
    PlainValidator(_secret),
    PlainSerializer(_shown, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "description": "Where a secret is read when it is needed: never the secret itself.",
            IS: "A reference to a secret.",
            "properties": {
                "env": {"type": "string", "description": "The name of an environment variable."},
                "file": {"type": "string", "description": "The absolute path of a file."},
            },
            "examples": [{"env": "SLACK_TOKEN"}, {"file": "/run/secrets/slack"}],
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    ),
]
