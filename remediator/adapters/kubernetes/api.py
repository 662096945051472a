"""Requests to the API server: every one with a deadline, over few connections, and none repeated blindly.

Bodies are plain JSON: making the library's model objects of them costs more than everything else together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from remediator import __version__
from remediator.adapters.kubernetes.config import Login
from remediator.adapters.kubernetes.faults import (
    Answer,
    Call,
    Expired,
    lost,
    parse_retry_after,
    refusal,
    refused_upgrade,
)
from remediator.adapters.kubernetes.library import load
from remediator.core.errors import Refused, RemediatorError, Retryable, SettingsError, Unknown
from remediator.core.ports import Runtime

LARGEST_ANSWER = 32 * 2**20
JSON_PATCH = "application/json-patch+json"
TIMEOUT, ERROR = "timeout", "error"
"""In place of a status where there is none: no answer in time, or no connection that held."""
CLOSE_WITHIN = 1.0
"""Seconds for the other side of a WebSocket to say goodbye."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long things may take (seconds), and how many.

    ``operation`` bounds one call of the reader or the executor with all that it sends; it stays below the
    lease under which changes are made. ``request`` bounds one request and its answer, ``connect`` the wait
    for a connection, the pool's included. ``probe`` is the patience of a readiness probe and of the banner.
    ``page`` objects of a list are read at a time: parsing half a megabyte keeps others waiting for 10 ms.
    """

    connect: float = 3.0
    request: float = 10.0
    operation: float = 15.0
    probe: float = 1.0
    backoff: float = 0.2
    tries: int = 3
    claims: int = 8
    connections: int = 8
    page: int = 100


Answered = Callable[[str, int | str, float], None]
"""Is told of a request that is over: its method, the status or ``timeout`` or ``error``, and its seconds."""


def _nobody(verb: str, code: int | str, seconds: float) -> None:
    """Nobody is told."""


class Deadline(Protocol):
    """When an operation must be over."""

    def left(self) -> float:
        """Seconds that remain; never negative."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Until:
    at: float
    runtime: Runtime

    def left(self) -> float:
        """Seconds that remain; never negative."""
        return max(self.at - self.runtime.monotonic(), 0.0)


class Api:
    """One API server. Build it inside a running event loop; close it at the end."""

    def __init__(self, login: Login, runtime: Runtime, limits: Limits, answered: Answered = _nobody) -> None:
        """Raises SettingsError when the certificates cannot be used."""
        self._login, self._runtime, self.limits, self._answered = login, runtime, limits, answered
        login.configuration.connection_pool_maxsize = limits.connections
        try:
            self._rest = load().rest_client(login.configuration)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise SettingsError(
                f"the certificates for {login.host} cannot be used ({type(error).__name__}: {error}); "
                "they must be PEM files that we can read"
            ) from error
        # aiohttp sends a DELETE again by itself when its connection is lost; no public switch stops it.
        self._rest.pool_manager._retry_connection = False  # noqa: SLF001

    @property
    def host(self) -> str:
        """The API server's URL."""
        return self._login.host

    async def close(self) -> None:
        """Give the connections back."""
        await self._rest.close()

    def deadline(self, seconds: float | None = None) -> Deadline:
        """The end of an operation that starts now; by default ``limits.operation`` from now."""
        span = self.limits.operation if seconds is None else seconds
        return _Until(at=self._runtime.monotonic() + span, runtime=self._runtime)

    async def call(self, call: Call, deadline: Deadline | None = None) -> Any:
        """The answer's JSON. What is repeatable is tried a few times, anything else is sent once.

        Raises NotFound, Refused, Retryable, and Unknown for what is not repeatable.
        """
        answer = await self._tried(call, deadline or self.deadline())
        if not isinstance(answer.body, dict):
            raise _no_object(call, self.host)
        return answer.body

    async def text(self, call: Call, deadline: Deadline | None = None) -> str:
        """The answer's text, where the call asks for text; empty for 204. Raises what ``call`` does."""
        answer = await self._tried(call, deadline or self.deadline())
        return str(answer.body)

    @asynccontextmanager
    async def websocket(
        self, call: Call, protocols: Sequence[str], deadline: Deadline
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket, for the length of a block. Opened once; only a token that had rotated is sent anew.

        Raises NotFound, Refused and Retryable, when the server surely did nothing, and Unknown.
        """
        authorization = await self._login.authorization(deadline.left())
        try:
            socket = await self._upgraded(call, protocols, authorization, deadline)
        except aiohttp.WSServerHandshakeError as error:
            if error.status != 401 or not await self._login.renew(authorization, deadline.left()):
                raise refused_upgrade(call, error.status) from error
            try:
                socket = await self._upgraded(call, protocols, self._login.current(), deadline)
            except aiohttp.WSServerHandshakeError as again:
                raise refused_upgrade(call, again.status) from again
        async with socket:
            yield socket

    async def _upgraded(
        self, call: Call, protocols: Sequence[str], authorization: str | None, deadline: Deadline
    ) -> aiohttp.ClientWebSocketResponse:
        seconds = min(self.limits.request, deadline.left())
        if seconds <= 0:
            raise Retryable(f"could not {call.doing}: no time was left for it")
        headers = {"User-Agent": f"remediator/{__version__}"}
        if authorization is not None:
            headers["Authorization"] = authorization
        ways = {
            "proxy": self._rest.proxy,
            "proxy_headers": self._rest.proxy_headers,
            "server_hostname": self._rest.server_hostname,
        }
        begun = self._runtime.monotonic()
        code: int | str = 101
        try:
            async with asyncio.timeout(seconds):
                socket: aiohttp.ClientWebSocketResponse = await self._rest.pool_manager.ws_connect(
                    URL(f"{self.host}{call.path}?{urlencode(call.query)}", encoded=True),
                    protocols=protocols,
                    headers=headers,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN),
                    **{key: value for key, value in ways.items() if value},
                )
        except aiohttp.WSServerHandshakeError as error:
            code = error.status
            raise
        except TimeoutError as error:
            code = TIMEOUT
            raise lost(call, TimeoutError(f"no answer within {seconds:.1f} s")) from error
        except (aiohttp.ClientError, OSError) as error:
            code = ERROR
            raise lost(call, error) from error
        finally:
            self._answered("websocket", code, self._runtime.monotonic() - begun)
        return socket

    async def _tried(self, call: Call, deadline: Deadline) -> Answer:
        tries = self.limits.tries if call.repeatable else 1
        for number in range(1, tries):
            try:
                return await self._checked(call, deadline)
            except Expired:
                raise  # the same page would be gone again
            except Retryable as error:
                pause = self._pause(number, error.delay)
                if pause >= deadline.left():
                    raise
                await self._runtime.sleep(pause)
        return await self._checked(call, deadline)

    def _pause(self, number: int, named: int | None) -> float:
        """Seconds: what the server named, or growing; never the same for all clients at once."""
        chance = self._runtime.random()
        if named is not None:
            return named / 1000 + chance * self.limits.backoff
        return float(self.limits.backoff * 2 ** (number - 1) * (0.5 + chance))

    async def _checked(self, call: Call, deadline: Deadline) -> Answer:
        authorization = await self._login.authorization(deadline.left())
        answer = await self._once(call, authorization, deadline)
        if answer.status == 401 and await self._login.renew(authorization, deadline.left()):
            # A token that had just rotated. 401 comes before anything is done, so a write may go again too.
            answer = await self._once(call, self._login.current(), deadline)
        if not 200 <= answer.status < 300:
            raise refusal(call, answer)
        return answer

    async def _once(self, call: Call, authorization: str | None, deadline: Deadline) -> Answer:
        seconds = min(self.limits.request, deadline.left())
        if seconds <= 0:
            raise Retryable(f"could not {call.doing}: no time was left for it")
        connect = min(self.limits.connect, seconds)
        headers = {
            "Accept": "*/*" if call.text else "application/json",
            "Content-Type": call.media,
            "User-Agent": f"remediator/{__version__}",
        }
        if authorization is not None:
            headers["Authorization"] = authorization
        begun = self._runtime.monotonic()
        code: int | str = ERROR
        try:
            response = await self._rest.request(
                call.method,
                self.host + call.path,
                query_params=list(call.query),
                headers=headers,
                body=call.body,
                _preload_content=False,
                _request_timeout=aiohttp.ClientTimeout(total=seconds, connect=connect, sock_connect=connect),
            )
            async with response:
                code = response.status
                return Answer(
                    status=response.status,
                    body=_parsed(await _body(call, response), text=call.text and response.status < 300),
                    retry_after=parse_retry_after(response.headers.get("Retry-After")),
                )
        except TimeoutError as error:
            code = TIMEOUT
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise lost(call, error) from error
            raise lost(call, TimeoutError(f"no answer within {seconds:.1f} s")) from error
        except (aiohttp.ClientError, OSError) as error:
            code = ERROR
            raise lost(call, error) from error
        finally:
            self._answered(call.method.lower(), code, self._runtime.monotonic() - begun)


async def _body(call: Call, response: aiohttp.ClientResponse) -> bytes:
    """Raises Refused or Unknown for an answer that no API server gives."""
    data = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        data += chunk
        if len(data) > LARGEST_ANSWER:
            text = f"could not {call.doing}: the answer is larger than {LARGEST_ANSWER >> 20} MiB"
            raise Refused(text) if call.repeatable else Unknown(text)
    return bytes(data)


def _parsed(data: bytes, *, text: bool) -> Any:
    if not text:  # a log may well be valid JSON
        try:
            return json.loads(data)
        except (ValueError, RecursionError):  # a proxy's page, or plain text
            pass
    return data.decode("utf-8", "replace")


def _no_object(call: Call, host: str) -> RemediatorError:
    text = f"could not {call.doing}: {host} answered something that is no Kubernetes object"
    return Refused(f"{text}; is it an API server?") if call.repeatable else Unknown(text)
