"""One HTTP API that speaks JSON: bounded answers, deadlines, credentials that nobody gets to see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from remediator.adapters.bodies import read_beginning, retry_after
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, SettingsError
from remediator.core.text import plain
from remediator.core.times import MINUTE

AT_ONCE = 8
"""Questions at the same time; more of them wait for their turn, within their own deadline."""
AGAIN_AFTER_429 = MINUTE
KEPT_SECRETS = 4
"""Older tokens that must not be repeated either: an answer may be of a question asked before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a success says. ``date``: the peer's own clock, as HTTP writes it; empty where it does not say."""

    json: Any
    date: str


@asynccontextmanager
async def open_session(
    url: str, *, setting: str, token: str | None, url_first: bool, trouble: str, within: float
) -> AsyncIterator[tuple[aiohttp.ClientSession, URL, tuple[str, ...]]]:
    """What asks a server, its address without credentials, and what must never be repeated of it.

    ``setting`` says where it is. ``url_first``: credentials in the URL count before the token. ``trouble``:
    how the refusal of credentials begins. ``within``: seconds for one question. Raises SettingsError.
    """
    try:
        given = URL(url)
        named = given.user is not None or given.password is not None
        basic = aiohttp.encode_basic_auth(given.user or "", given.password or "") if named else ""
    except ValueError:  # whose text may quote a password
        raise SettingsError(f"{setting} is no URL, or its user has a colon") from None
    bearer = f"Bearer {token}" if token else ""
    authorization = (basic or bearer) if url_first else (bearer or basic)
    if not _is_header(authorization):
        raise SettingsError(f"{trouble} not one line of printable ASCII")
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if authorization:
        headers["Authorization"] = authorization
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=within),
        headers=headers,
        auto_decompress=False,
    ) as session:
        yield (
            session,
            given.with_user(None),
            (token or "", given.password or "", basic.removeprefix("Basic ")),
        )


def renew_token(session: aiohttp.ClientSession, token: str, trouble: str) -> None:
    """From now on the server is shown this one. Raises SettingsError. ``trouble`` as for ``open_session``."""
    if not _is_header(token):
        raise SettingsError(f"{trouble} not one line of printable ASCII")
    session.headers["Authorization"] = f"Bearer {token}"


def _is_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


class Peer:
    """Asks one server. Make one with ``Peer.connected``. ``shown``: its address, without its credentials.

    ``name``: what it is, such as Alertmanager; ``setting``: which setting says where it is.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base: URL, secrets: Iterable[str], name: str, setting: str
    ) -> None:
        self._session, self._base, self._name, self._setting = session, base, name, setting
        self._secrets = tuple(secret for secret in secrets if secret)
        self.shown = f"{base.raw_authority}{base.raw_path.rstrip('/')}"

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, token: str | None, name: str, setting: str, within: float
    ) -> AsyncIterator[Peer]:
        """One for the length of a block. It connects when it is first asked. Raises SettingsError.

        ``within``: seconds for one question, whatever the server does.
        """
        trouble = f"the credentials of {setting} are"
        opening = open_session(
            url, setting=setting, token=token, url_first=True, trouble=trouble, within=within
        )
        async with opening as (session, base, secrets):
            yield cls(session, base, secrets, name, setting)

    def renew(self, token: str) -> None:
        """From now on it is shown this token. Raises SettingsError."""
        renew_token(self._session, token, f"the credentials of {self._setting} are")
        self._secrets = (token, *self._secrets[:KEPT_SECRETS])

    async def ask(self, method: str, path: str, largest: int, **sent: Any) -> Answer:
        """What a success of at most ``largest`` bytes says. Raises NotFound (404), Refused and Retryable."""
        try:
            async with self._session.request(
                method, self._base / path, allow_redirects=False, **sent
            ) as response:
                body = await read_beginning(response, largest + 1)
        except TimeoutError:
            raise Retryable("it did not answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Retryable(f"it cannot be reached: {self._said(error or type(error).__name__)}") from None
        if response.status != 200:
            raise self._refusal(response, body)
        if len(body) > largest:
            raise Refused(f"its answer is larger than {largest} bytes")
        try:
            said = json.loads(body) if body.strip() else None
        except (ValueError, RecursionError):
            raise self.stranger() from None
        return Answer(json=said, date=response.headers.get("Date", ""))

    def stranger(self) -> Refused:
        """What is raised when an answer is none of such a server."""
        return Refused(f"what answers is not {self._name}; look at {self._setting} and at proxies in between")

    def _refusal(self, response: aiohttp.ClientResponse, body: bytes) -> RemediatorError:
        status = response.status
        words = f"it answered {status}: {self._said(body[:2000].decode('utf-8', 'replace'))}"
        if status == 429:
            return Retryable(words, delay=retry_after(response) or AGAIN_AFTER_429)
        if status >= 500 or status == 408:
            return Retryable(words, delay=retry_after(response))
        if status == 404:
            return NotFound(f"{words}; look at {self._setting}")
        return Refused(f"{words}; look at {self._setting}" if status in (401, 403) else words)

    def _said(self, text: object) -> str:
        """What a server says, should it quote what it was sent. Before anything is cut off."""
        said = str(text)
        for secret in self._secrets:
            said = said.replace(secret, "(a secret)")
        return plain(said, 200)
