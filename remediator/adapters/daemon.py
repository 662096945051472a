"""The operations interface of a running daemon, from the side of who asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from remediator.adapters.bodies import read_beginning
from remediator.core.errors import NotFound, Refused, Retryable, SettingsError, Unknown
from remediator.core.text import plain

WITHIN = 15.0
"""Seconds for one question."""
LARGEST_ANSWER = 16 << 20
_CHANGES_NOTHING = frozenset(("GET", "HEAD"))


class DaemonApi:
    """Asks one daemon. Make one with ``DaemonApi.connected``."""

    def __init__(self, session: aiohttp.ClientSession, base: URL, within: float) -> None:
        self._session, self._base, self._within = session, base, within

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, token: str | None = None, within: float = WITHIN
    ) -> AsyncIterator[DaemonApi]:
        """One for the length of a block. It connects when it is first asked. Raises SettingsError.

        ``within``: seconds for one question.
        """
        if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
            raise SettingsError("the token is not one word of printable ASCII: is it several of them?")
        base = URL(url)
        if base.user is not None or base.password is not None:
            raise SettingsError("the daemon's URL names a user; put the token into a file of its own")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=within),
            headers=headers,
            auto_decompress=False,
        ) as session:
            yield cls(session, base, within)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> Any:
        """The JSON of a success.

        Raises Refused and NotFound with what the daemon says, Retryable when it was not reached or cannot
        answer now, and Unknown when no answer tells whether a change of its state was heard.
        """
        try:
            async with (
                asyncio.timeout(self._within),
                self._session.request(
                    method, self._base / path, params=query, json=body, allow_redirects=False
                ) as response,
            ):
                raw = await read_beginning(response, LARGEST_ANSWER + 1)
        except aiohttp.ClientConnectorError as error:
            raise Retryable(plain(f"no daemon answers at {self._base}: {error}", 400)) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            why = (
                f"did not answer within {self._within:g} s" if isinstance(error, TimeoutError) else "hung up"
            )
            text = f"the daemon at {self._base} {why}"
            if method in _CHANGES_NOTHING:
                raise Retryable(text) from None
            raise Unknown(f"{text}, and may have heard it all the same") from None
        return _data(response.status, raw)


def _data(status: int, raw: bytes) -> Any:
    try:
        data = json.loads(raw) if len(raw) <= LARGEST_ANSWER else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise Refused(f"what answers (status {status}) does not speak like a daemon: does the URL name it?")
    if status in (200, 202):  # 202: durable, and not heard of by the incident yet
        return data
    text = plain(": ".join(str(data[each]) for each in ("error", "hint") if data.get(each)), 500)
    if status == 404:
        raise NotFound(text)
    if status >= 500:
        raise Retryable(text or f"the daemon answers {status}")
    raise Refused(text or f"the daemon answers {status}")
