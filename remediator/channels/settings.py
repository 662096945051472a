"""What policy files may say of each kind of channel. Secrets are references, never values."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from remediator.core.policies import SecretRef

_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_HOW = "write {env: NAME} or {file: /path/to/it}"


def _refuse(code: str, why: str) -> PydanticCustomError:
    """An error that never repeats the value: it may be the secret itself."""
    return PydanticCustomError(code, "{why}", {"why": why})


def _secret(value: object) -> SecretRef:
    if not isinstance(value, dict):
        what = "is empty" if value is None else "is a secret and must not stand in a policy file"
        raise _refuse("P019", f"{what}; {_HOW}")
    if len(value) != 1 or not set(value) <= {"env", "file"}:
        raise _refuse("P019", f"a secret is named by either env or file; {_HOW}")
    ((kind, name),) = value.items()
    if not isinstance(name, str):
        raise _refuse("P019", f"the name of the secret must be text; {_HOW}")
    if kind == "env":
        if _ENV.fullmatch(name) is None:
            raise _refuse("P019", f"that is not the name of an environment variable; {_HOW}")
        return SecretRef(env=name)
    if not name.startswith("/"):
        raise _refuse("P019", f"the path of a secret's file must be absolute; {_HOW}")
    return SecretRef(file=name)


def _url(value: object) -> str:
    how = "write a URL such as https://events.pagerduty.com"
    if not isinstance(value, str):
        raise _refuse("P013", f"must be text; {how}")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise _refuse("P013", f"not a URL; {how}") from None
    if parts.scheme != "https" or not parts.hostname:
        raise _refuse("P013", f"not an https URL, and a key must not travel readable; {how}")
    if parts.username is not None or parts.password is not None:
        raise _refuse("P019", f"a URL must not carry a user name or password; {how}")
    return value


Secret = Annotated[
    SecretRef,
    PlainValidator(_secret),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": False,
        }
    ),
]
Url = Annotated[str, PlainValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]


class ChannelSettings(BaseModel):
    """Base of every channel's settings: strict, frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class PagerDutySettings(ChannelSettings):
    """Settings of ``pagerduty``: the Events API v2."""

    routing_key: Secret = Field(description="The integration key of a service, as a reference to a secret.")
    url: Url | None = Field(default=None, description="The Events API to use, if not PagerDuty's own.")


CHANNEL_SETTINGS: dict[str, type[ChannelSettings]] = {"pagerduty": PagerDutySettings}
