"""``core.requests.HttpSender``: lets services of the catalog act, under the same rules as they are probed.

A request is sent once: the library's own repetition of idempotent methods is switched off. What matters is
whether it may have arrived: it surely did not while there was no connection; after that only an answer tells.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from remediator.adapters.bodies import read_beginning
from remediator.adapters.probe import LARGEST_BODY, Objection, checked_session, checked_url, objectionable
from remediator.core.errors import Refused, RemediatorError, Retryable, Unknown
from remediator.core.policies import SecretRef
from remediator.core.requests import HttpReply, HttpRequest
from remediator.core.text import plain

KEY = "Idempotency-Key"
_ENDING = 1.0
"""Seconds beyond the library's own deadline, which tells what is lost from what was answered."""
_GATEWAYS = (502, 504)
"""What answers so did not hear what became of it either."""


class Sender:
    """Sends requests. Make one with ``Sender.opened``."""

    def __init__(self, session: aiohttp.ClientSession, secret: Callable[[SecretRef], str]) -> None:
        self._session, self._secret = session, secret

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        secret: Callable[[SecretRef], str],
        *,
        resolver: AbstractResolver | None = None,
        objection: Objection = objectionable,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[Sender]:
        """One for the length of a block. ``secret`` reads tokens when needed; the rest as ``Prober``."""
        async with checked_session(resolver=resolver, objection=objection, tls=tls) as session:
            # aiohttp sends a PUT or a DELETE again when its connection is lost; no public switch stops it.
            session._retry_connection = False  # noqa: SLF001
            yield cls(session, secret)

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        """``core.requests.HttpSender.permit``."""
        checked_url(request.url, hosts)
        self._headers(request, "")

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        """``core.requests.HttpSender.send``."""
        url, headers = checked_url(request.url, hosts), self._headers(request, key)
        within = request.within / 1000
        try:
            async with (
                asyncio.timeout(within + _ENDING),
                self._session.request(
                    request.method,
                    URL(url),
                    data=request.body.encode() or None,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=within, connect=within / 2, sock_connect=within / 2),
                ) as response,
            ):
                reply = HttpReply(status=response.status, text=await _text(response))
        except TimeoutError as error:
            raise _lost(request, f"no answer within {within:g}s", error) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _lost(request, plain(str(error), 200) or type(error).__name__, error) from None
        if reply.status in _GATEWAYS:
            raise Unknown(f"{request}: a gateway answered {reply.status}; whether it was done is unknown")
        return reply

    def _headers(self, request: HttpRequest, key: str) -> dict[str, str]:
        headers = {KEY: key}
        if request.body:
            headers["Content-Type"] = "application/json"
        if request.token is not None:
            token = self._secret(request.token)
            if not token.isascii() or not token.isprintable():
                raise Refused(f"the token in {request.token} cannot stand in a header")
            headers["Authorization"] = f"Bearer {token}"
        return headers


async def _text(response: aiohttp.ClientResponse) -> str:
    """The beginning of its body. The answer is known by then: a body that breaks off changes nothing."""
    try:
        return (await read_beginning(response, LARGEST_BODY)).decode("utf-8", "replace")
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""


def _lost(request: HttpRequest, why: str, error: Exception) -> RemediatorError:
    unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    if unsent:
        return Retryable(f"{request} could not be sent: {why}")
    return Unknown(f"{request}: {why}; whether it was done is unknown")
