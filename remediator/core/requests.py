"""Requests that let a service of the catalog do something, by HTTP."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from remediator.core.policies import SecretRef
from remediator.core.redact import redact
from remediator.core.text import plain
from remediator.core.times import Millis

_SHOWN = 160


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpRequest:
    """What is sent. ``body``: JSON, or empty; ``token``: where the bearer token is read, if one is sent.

    ``within``: milliseconds after which nobody waits for an answer any more.
    """

    method: str
    url: str
    body: str = ""
    token: SecretRef | None = None
    within: Millis

    def __str__(self) -> str:
        return plain(redact(f"{self.method} {self.url}"), _SHOWN)


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpReply:
    """An answer. ``text`` is the beginning of its body, bounded."""

    status: int
    text: str


class HttpSender(Protocol):
    """Lets services act. It asks nobody whether they may."""

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        """Find out, without sending anything, whether it could be sent.

        Raises Refused when its ``host:port`` is none of ``hosts``, or the token cannot be read.
        """

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        """Send it, once; a redirect is an answer and is not followed. ``key``: its idempotency key.

        Raises Refused and Retryable when it surely was not sent, and Unknown when it may have been.
        """
