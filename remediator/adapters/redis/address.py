"""Where Redis is and who we are there, read from its URL and the settings beside it.

No password shows in a repr or an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from remediator.adapters.redis.tls import Tls
from remediator.core.errors import SettingsError

SCHEMES = ("redis", "rediss", "unix")
PORT = 6379
_PLAIN = Tls()


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One server and our login. ``place``: host and port, or the path of a unix socket."""

    scheme: str
    place: Mapping[str, Any]
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = _PLAIN

    @classmethod
    def parse(
        cls, url: str, *, username: str | None = None, password: str | None = None, tls: Tls = _PLAIN
    ) -> Address:
        """Read ``redis://``, ``rediss://`` (TLS) or ``unix://`` URLs, with what is set beside them.

        Raises SettingsError: unreadable, or one thing said in two places.
        """
        try:
            parts = urlsplit(url)
            found = cls(
                scheme=parts.scheme,
                place=_place(parts),
                db=_database(parts),
                username=_decoded(parts.username),
                password=_decoded(parts.password),
                tls=tls,
            )
        except ValueError:
            # from None, and without the URL: the library's message may quote a piece of the password.
            raise SettingsError(
                "REDIS_URL cannot be read; write redis://[user:password@]host:port/db, rediss:// for TLS, or "
                "unix:///path/to/socket?db=0, with special characters of the password percent-encoded, or "
                "the password as it is in REDIS_PASSWORD"
            ) from None
        if tls != _PLAIN and found.scheme != "rediss":
            raise SettingsError("REDIS_CA, REDIS_CERT and REDIS_KEY need a rediss:// URL; no other has TLS")
        return found._known_as(username, password)

    def _known_as(self, username: str | None, password: str | None) -> Address:
        for name, here, beside in (
            ("REDIS_USERNAME", self.username, username),
            ("REDIS_PASSWORD", self.password, password),
        ):
            if here is not None and beside is not None:
                raise SettingsError(f"{name} is set, and REDIS_URL has one, too; keep one of them")
        return replace(self, username=self.username or username, password=self.password or password)

    def at(self, host: str, port: int) -> Address:
        """The same login and TLS at another node."""
        return replace(self, place={"host": host, "port": port})


def _place(parts: SplitResult) -> dict[str, Any]:
    """Raises ValueError."""
    if parts.scheme not in SCHEMES or parts.fragment:
        raise ValueError
    if parts.scheme != "unix":
        return {"host": unquote(parts.hostname or "localhost"), "port": parts.port or PORT}
    if parts.hostname or not parts.path:
        raise ValueError
    return {"path": unquote(parts.path)}


def _database(parts: SplitResult) -> int:
    """Raises ValueError, and SettingsError for what others write into a URL and we do not take from there."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    if any(name.startswith("ssl_") for name in query):
        raise SettingsError(
            "REDIS_URL takes no ssl_ parameters; set REDIS_CA, REDIS_CERT and REDIS_KEY. The certificate of "
            "Redis and its host name are always verified"
        )
    path = "" if parts.scheme == "unix" else parts.path.strip("/")
    numbers = [*query.values(), *([path] if path else [])]
    if query.keys() - {"db"} or len(numbers) > 1:
        raise ValueError
    db = int(numbers[0]) if numbers else 0
    if db < 0:
        raise ValueError
    return db


def _decoded(text: str | None) -> str | None:
    """Raises ValueError where the bytes are no text."""
    return unquote(text, errors="strict") if text else None
