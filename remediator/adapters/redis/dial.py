"""How every connection to Redis is opened, whoever opens it: the same login, the same TLS.

Both are read anew for each connection, so that a rotated password or certificate is found without a restart.
Where Redis is does not change while we run: half of the connections would be at another store.
"""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.tls import Contexts
from remediator.core.errors import SettingsError, StoreUnavailable

CONNECT_WITHIN = 0.9
"""Seconds, the TLS handshake included. Less than an examination may take, so that it can tell what failed."""

AnyConnection = Connection | UnixDomainSocketConnection
_CLASSES: dict[str, type[AnyConnection]] = {
    "unix": UnixDomainSocketConnection,
    "rediss": SSLConnection,
    "redis": Connection,
}


class Dialer:
    """Opens connections to the address that ``read`` tells first, with the login that it tells each time."""

    def __init__(self, read: Callable[[], Address]) -> None:
        """Raises SettingsError: the address, a secret's file or a TLS file cannot be read."""
        self._read = read
        self._contexts = Contexts()
        self.address = read()
        if self.address.scheme == "rediss":
            self._contexts.get(self.address.tls)

    @classmethod
    def to(cls, url: str) -> Dialer:
        """To a URL that says everything. Raises SettingsError."""
        return cls(lambda: Address.parse(url))

    def dial(self, address: Address, name: str) -> AnyConnection:
        """A connection, not yet open, that the server will know as ``name``. Raises StoreUnavailable."""
        try:
            login = self._read()
            context = self._contexts.get(address.tls) if address.scheme == "rediss" else None
        except SettingsError as error:  # a file was fine when we started
            raise StoreUnavailable(str(error)) from None
        connection = _CLASSES[address.scheme](
            **address.place,
            db=address.db,
            username=login.username,
            password=login.password,
            socket_connect_timeout=CONNECT_WITHIN,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            driver_info=None,
            client_name=name,
        )
        if isinstance(connection, SSLConnection):
            # The library's own would trust every authority of the system beside ours, and be made each time.
            connection.ssl_context.context = context
        return connection
