"""A listener: one address, one application or handler, and the limits that keep strangers from holding it.

* More connections than ``max_connections``: 503 at once, closed, and no task is spent on it.
* A connection on which no request has its headers complete within ``idle`` seconds of being opened, or of the
  last answer, is closed. aiohttp's keep-alive timer does that: it starts when the connection is made and no
  byte resets it, so it bounds slow headers as well as idleness.
* A body is read by ``read_body``, which bounds its size and its time.
* Whatever is not HTTP is answered 400 and counted.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog
from aiohttp import HttpVersion11, hdrs, web

from remediator.core.errors import SettingsError
from remediator.http.auth import is_loopback

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers a request of any method and path."""
Observe = Callable[[int, float], None]
"""Told of each answer: its HTTP status and how many seconds it took."""

_log = structlog.get_logger(__name__)
_REFUSAL_BODY = b'{"error": "too many connections", "hint": "close idle connections, or try again later"}'
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_REFUSAL_BODY), _REFUSAL_BODY)
)
_MAX_REFUSALS = 128
_REFUSAL_LINGER = 1.0  # seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of a listener. Times are in seconds."""

    max_connections: int = 1024
    idle: float = 20.0  # to send a request's headers, and between requests
    linger: float = 5.0  # to go on reading what nobody wants, so that the client sees our answer
    handshake: float = 10.0  # of TLS
    stop: float = 10.0  # for running requests, when the listener stops
    max_line_bytes: int = 8190
    max_header_bytes: int = 8190
    max_headers: int = 64


class BodyError(Exception):
    """A body that will not be read. ``status`` is 400, 408 or 413."""

    def __init__(self, status: int, error: str, hint: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint


async def read_body(request: web.BaseRequest, *, limit: int, within: float) -> bytes:
    """The whole body: at most ``limit`` bytes, within so many seconds. Raises BodyError."""
    content = request.content
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    try:
        if content.is_eof():  # the usual case: it came with the headers
            body = content.read_nowait()
        else:
            body = await _read_slowly(request, limit, within)
    except TimeoutError:
        raise BodyError(
            408, f"the body did not arrive within {within:g} s", "send it faster, or send less"
        ) from None
    except (web.RequestPayloadError, ConnectionError) as error:
        raise BodyError(
            400, f"the body broke off: {type(error).__name__}", "send as many bytes as announced"
        ) from error
    if len(body) > limit:
        raise _too_large(limit)
    return body


async def invite_body(request: web.BaseRequest) -> None:
    """Let a client go on that asks before it sends its body (``Expect: 100-continue``, as curl does).

    For handlers without aiohttp's routing, which would do it before anybody looked at the credentials. Raises
    BodyError.
    """
    asks = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if not asks or request.version < HttpVersion11 or request.content.is_eof():
        return
    try:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    except ConnectionError as error:
        raise BodyError(400, "the client went away", "wait for the answer") from error
    request.writer.output_size = 0  # the answer itself has not begun


async def _read_slowly(request: web.BaseRequest, limit: int, within: float) -> bytes:
    body = bytearray()
    async with asyncio.timeout(within):
        while len(body) <= limit and (chunk := await request.content.readany()):
            body += chunk
    return bytes(body)


def _too_large(limit: int) -> BodyError:
    return BodyError(413, f"the body is larger than {limit} bytes", "lower max_alerts in the receiver")


def parse_listen(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``, ``[address]:port`` or ``:port``, which means all addresses.

    Raises SettingsError.
    """
    host, colon, port = listen.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (
        not colon
        or not port.isascii()
        or not port.isdigit()
        or int(port) > 65535
        or (":" in bare and bare == host)
    ):
        raise SettingsError(f"{listen!r} is no address to listen on; write host:port, such as 127.0.0.1:9095")
    return bare, int(port)


def check_exposure(listen: str, token: str | None, client_ca: str | Path | None) -> None:
    """Refuse to take webhooks from the network without knowing who sends them. Raises SettingsError."""
    host, _ = parse_listen(listen)
    if token or client_ca or is_loopback(host):
        return
    raise SettingsError(
        f"LISTEN is {listen!r}, which other machines can reach, and nothing proves who sends: anybody could "
        "make the daemon act. Set WEBHOOK_TOKEN, or TLS_CERT, TLS_KEY and CLIENT_CA for "
        "client certificates, or listen on 127.0.0.1"
    )


def tls_context(cert: str | Path, key: str | Path, client_ca: str | Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer from PEM files. Raises SettingsError.

    With ``client_ca``, a client certificate that is shown must be valid; whether one must be shown is up to
    the path (``WebhookAuth``), because others that share the listener cannot have any.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_ca is not None:
        context.verify_mode = ssl.CERT_OPTIONAL
    load_certificates(context, cert, key, client_ca)
    return context


def load_certificates(
    context: ssl.SSLContext, cert: str | Path, key: str | Path, client_ca: str | Path | None
) -> None:
    """From now on it shows that certificate. Raises SettingsError.

    An authority is added to those that are trusted: it takes a new context to trust one no longer.
    """
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"TLS_CERT {cert} and TLS_KEY {key} cannot be used ({error}); "
            "give a PEM certificate chain and its key"
        ) from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(f"CLIENT_CA {client_ca} cannot be used ({error}); give a PEM file") from error


class Listener:
    """Serves one application, or one handler without aiohttp's routing, on one address."""

    def __init__(
        self,
        serves: web.Application | Handler,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        observe: Observe | None = None,
    ) -> None:
        """``port`` 0 takes a free one. ``observe`` is told of answers that never reach the application."""
        self._host = host
        self._port = port
        self._tls = tls
        self._limits = limits or Limits()
        self._observe = observe or (lambda _code, _seconds: None)
        self._serves = serves
        self._runner: web.BaseRunner | None = None
        self._server: asyncio.Server | None = None
        self._refused: set[_Refusal] = set()

    @property
    def address(self) -> tuple[str, int]:
        """The address it is bound to. Raises RuntimeError before ``start``."""
        if self._server is None or not self._server.sockets:
            raise RuntimeError("the listener is not started")
        host, port = self._server.sockets[0].getsockname()[:2]
        return host, port

    async def start(self) -> None:
        """Bind and accept. Raises SettingsError if the address cannot be had."""
        self._runner = runner = _runner(self._serves, self._limits.stop)
        await runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._connect,
                self._host or None,
                self._port,
                ssl=self._tls,
                ssl_handshake_timeout=self._limits.handshake if self._tls else None,
                backlog=self._limits.max_connections,
                reuse_address=True,
            )
        except OSError as error:
            await runner.cleanup()
            raise SettingsError(
                f"cannot listen on {self._host or '*'}:{self._port} ({error.strerror or error}); "
                "choose an address of this machine and a free port"
            ) from error

    async def stop(self) -> None:
        """Accept no more, let running requests finish within ``Limits.stop`` seconds, then close."""
        if self._server is not None:
            self._server.close()
        for refusal in tuple(self._refused):
            refusal.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _connect(self) -> asyncio.Protocol:
        assert self._runner is not None
        manager = self._runner.server
        assert manager is not None
        if len(manager.connections) >= self._limits.max_connections:
            self._observe(503, 0.0)
            return _Refusal(self._refused)
        return _Connection(manager, self._limits, self._observe)


def _runner(serves: web.Application | Handler, stop: float) -> web.BaseRunner:
    if isinstance(serves, web.Application):
        return web.AppRunner(serves, shutdown_timeout=stop)
    return web.ServerRunner(web.Server(serves), shutdown_timeout=stop)


class _Refusal(asyncio.Protocol):
    """Answers 503 before anything was asked, and closes.

    While few are refused, it closes once the client has: closing on unread bytes would reset the connection
    and could lose the answer.
    """

    def __init__(self, others: set[_Refusal]) -> None:
        self._others = others
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = stream = cast(
            "asyncio.Transport", transport
        )  # uvloop's is one in all but its bases
        stream.write(_REFUSAL)
        if len(self._others) >= _MAX_REFUSALS or not stream.can_write_eof():
            stream.close()
            return
        self._others.add(self)
        stream.write_eof()
        asyncio.get_running_loop().call_later(_REFUSAL_LINGER, self.close)

    def connection_lost(self, exc: Exception | None) -> None:
        self._others.discard(self)

    def close(self) -> None:
        """Wait no longer."""
        if self._transport is not None:
            self._transport.close()


class _Connection(web.RequestHandler):
    """aiohttp's connection, with our limits, and with errors that are JSON and counted."""

    __slots__ = ("_observe",)

    def __init__(self, manager: web.Server, limits: Limits, observe: Observe) -> None:
        super().__init__(
            manager,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.idle,
            lingering_time=limits.linger,
            max_line_size=limits.max_line_bytes,
            max_field_size=limits.max_header_bytes,
            max_headers=limits.max_headers,
            auto_decompress=False,  # a compressed body is refused, not unpacked
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to say "none"
        )
        self._observe = observe

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP, and to an error that no handler caught."""
        if status < 500:
            error, hint = (
                (message or "the request is not HTTP").splitlines()[0][:200],
                "send an HTTP/1.1 request",
            )
        else:
            _log.error("request failed", path=request.path, exc_info=exc)
            error, hint = "the daemon failed at this request", "look into its log, and try again"
        self._observe(status, 0.0)
        response = web.Response(
            status=status,
            body=json.dumps({"error": error, "hint": hint}).encode(),
            content_type="application/json",
        )
        response.force_close()
        return response
