"""Where Redis is, read from its URL. The password never shows in a repr or an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import parse_url

from remediator.core.errors import SettingsError

SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """One server. ``options`` are the library's own: host, port, path, db, user, password, TLS files."""

    scheme: str
    options: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``redis://``, ``rediss://`` (TLS) or ``unix://`` URLs. Raises SettingsError."""
        try:
            scheme = urlsplit(url).scheme
            options = dict(parse_url(url)) if scheme in SCHEMES else None
        except ValueError:
            options = None
        if options is None:
            # from None, and without the URL: the library's message may quote a piece of the password.
            raise SettingsError(
                "REDIS_URL cannot be read; write redis://[user:password@]host:port/db, rediss:// for TLS, or "
                "unix:///path/to/socket, with special characters of the password percent-encoded"
            ) from None
        options.pop("connection_class", None)
        return cls(scheme=scheme, options=options)

    def at(self, host: str, port: int) -> Address:
        """The same user, password and TLS at another node."""
        return replace(self, options={**self.options, "host": host, "port": port})
