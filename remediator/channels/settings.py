"""What policy files may say of each kind of channel. Secrets are references, never values."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from remediator.core.secret_refs import Secret, refuse_unsaid
from remediator.core.templated import PlainTemplate
from remediator.core.values import IS


def _url(value: object) -> str:
    how = "write a URL such as https://events.pagerduty.com"
    if not isinstance(value, str):
        raise refuse_unsaid("P013", f"must be text; {how}")
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise refuse_unsaid("P013", f"not a URL; {how}") from None
    if parts.scheme != "https" or not parts.hostname:
        raise refuse_unsaid("P013", f"not an https URL, and a key must not travel readable; {how}")
    if parts.username is not None or parts.password is not None:
        raise refuse_unsaid("P019", f"a URL must not carry a user name or password; {how}")
    return value


Url = Annotated[
    str,
    PlainValidator(_url),
    WithJsonSchema({"type": "string", "format": "uri", "examples": ["https://events.pagerduty.com"]}),
]


def _matching(pattern: str, what: str) -> PlainValidator:
    """Text of that form. The text is not repeated: it may be a secret at the wrong place."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise refuse_unsaid("P013", f"that is not possible here; write {what}")
        return value

    return PlainValidator(check)


def _shaped(description: str, example: str) -> WithJsonSchema:
    own = {"description": description, IS: description, "examples": [example]}
    return WithJsonSchema({"type": "string", **own})


SlackChannel = Annotated[
    str,
    _matching(r"#[a-z0-9._-]{1,80}|[CG][A-Z0-9]{8,20}", "one such as '#incidents', in quotes, or its id"),
    _shaped("A Slack channel.", "#incidents"),
]
JiraProject = Annotated[
    str,
    _matching(r"[A-Z][A-Z0-9_]{1,40}", "the key of a project, such as FINTECH"),
    _shaped("The key of a Jira project.", "FINTECH"),
]
Address = Annotated[
    str,
    _matching(
        r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}",
        "an address such as sre@example.com",
    ),
    _shaped("A mail address.", "sre@example.com"),
]
Server = Annotated[
    str,
    _matching(r"[A-Za-z0-9.-]{1,253}:[0-9]{1,5}", "a host and a port, such as mail.example.com:587"),
    _shaped("A host and a port.", "mail.example.com:587"),
]
ShortText = Annotated[str, Field(min_length=1, max_length=200)]


class ChannelSettings(BaseModel):
    """Base of every channel's settings: strict, frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class PagerDutySettings(ChannelSettings):
    """Settings of ``pagerduty``: the Events API v2."""

    routing_key: Secret = Field(description="The integration key of a service, as a reference to a secret.")
    url: Url | None = Field(default=None, description="The Events API to use, if not PagerDuty's own.")


class SlackSettings(ChannelSettings):
    """Settings of ``slack``: messages in a channel, with buttons."""

    channel: SlackChannel = Field(description="The channel, such as `#incidents`, or its id.")
    token: Secret = Field(description="The token of the app's bot, as a reference to a secret.")


class StatusPageSettings(ChannelSettings):
    """Settings of ``statuspage``: what customers may read, for severities that allow it."""

    page: ShortText = Field(description="The id of the page.")
    component: Annotated[PlainTemplate, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="The name of the component that is affected; it may hold templates."
    )
    token: Secret = Field(description="The key of the API, as a reference to a secret.")
    url: Url | None = Field(default=None, description="The API to use, if not Statuspage's own.")


class JiraSettings(ChannelSettings):
    """Settings of ``jira``: a ticket for every incident."""

    project: JiraProject = Field(description="The key of the project.")
    type: ShortText = Field(default="Task", description="The type of the issues.")
    url: Url | None = Field(default=None, description="Jira's address. Default: the daemon's own setting.")
    user: ShortText | None = Field(
        default=None, description="The user that the token is of. Default: the daemon's own setting."
    )
    token: Secret | None = Field(
        default=None,
        description="The API token, as a reference to a secret. Default: the daemon's own.",
    )


class EmailSettings(ChannelSettings):
    """Settings of ``email``: a mail for every page, over TLS."""

    to: Annotated[list[Address], Field(min_length=1, max_length=50)] = Field(description="Who gets it.")
    sender: Address = Field(alias="from", description="Whom it is from.")
    server: Server = Field(description="The mail server, as `host:port`.")
    user: ShortText | None = Field(default=None, description="The user to log in as. Default: no login.")
    password: Secret | None = Field(default=None, description="The password, as a reference to a secret.")


def _address_or_secret(value: object) -> str:
    return "secret" if isinstance(value, dict) else "address"


class WebhookSettings(ChannelSettings):
    """Settings of ``webhook``: a POST of JSON for every page."""

    url: Annotated[
        Annotated[Url, Tag("address")] | Annotated[Secret, Tag("secret")], Discriminator(_address_or_secret)
    ] = Field(description="Where it is sent, or a reference to a secret where the address itself is one.")
    token: Secret | None = Field(
        default=None, description="A bearer token that is sent along, as a reference to a secret."
    )


class AppriseSettings(ChannelSettings):
    """Settings of ``apprise``: any of the services that Apprise knows."""

    url: Secret = Field(description="The Apprise URL, as a reference to a secret: it holds credentials.")


CHANNEL_SETTINGS: dict[str, type[ChannelSettings]] = {
    "pagerduty": PagerDutySettings,
    "slack": SlackSettings,
    "statuspage": StatusPageSettings,
    "jira": JiraSettings,
    "email": EmailSettings,
    "webhook": WebhookSettings,
    "apprise": AppriseSettings,
}
SENDABLE = frozenset(("pagerduty",))
"""Kinds of channels that this version can send to; a page to any other is refused, and the next is asked."""
