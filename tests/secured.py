"""Redis behind TLS and an ACL: authorities, certificates, and a server that asks for both sides' proof."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import trustme

from remediator.adapters.redis.address import Address
from remediator.adapters.redis.permissions import rule
from remediator.adapters.redis.tls import Tls
from tests.servers import RedisServer, free_port, redis_server

KIND = "redis-7.0"
"""The one that is built with TLS."""
PASSWORD = "p@ss/w:rd%21?#[é]+&"
"""Whatever a URL would stumble over."""
LONG_AGO = (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """A certificate chain and its key, PEM files."""

    cert: Path
    key: Path


class Authority:
    """Issues certificates into a folder. ``ca`` is its own."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._name = folder, name
        self._authority = trustme.CA(organization_name=name)
        self.ca = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self, *hosts: str, expired: bool = False) -> Pair:
        """For these names and addresses; good for servers and clients."""
        begins, ends = LONG_AGO if expired else (None, None)
        issued = self._authority.issue_cert(*hosts, not_before=begins, not_after=ends)
        stem = f"{self._name}-{hosts[0]}{'-expired' if expired else ''}"
        pair = Pair(cert=self._folder / f"{stem}.pem", key=self._folder / f"{stem}.key")
        issued.private_key_pem.write_to_path(str(pair.key))
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        return pair


def tls_settings(authority: Authority, shown: Pair, *, ask: bool = True) -> dict[str, str]:
    """Of a server that shows ``shown`` and, with ``ask``, wants a certificate of ``authority``."""
    return {
        "tls-port": str(free_port()),
        "tls-cert-file": str(shown.cert),
        "tls-key-file": str(shown.key),
        "tls-ca-cert-file": str(authority.ca),
        "tls-auth-clients": "yes" if ask else "no",
    }


def tls_url(server: RedisServer, login: str = "") -> str:
    """Where it speaks TLS."""
    return f"rediss://{login}127.0.0.1:{server.settings['tls-port']}"


def add_user(server: RedisServer, name: str, prefix: str, *, password: str = PASSWORD) -> None:
    """An ACL user that is granted what docs/redis.md says for ``prefix``, and nothing more."""
    more = ("waitaof",) if server.kind == "valkey-9" else ()
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", name, "reset", "on", f">{password}")
        client.execute_command("ACL", "SETUSER", name, *rule(prefix, more=more).split())


def revoke(server: RedisServer, name: str, *rules: str) -> None:
    """Change what that user may; connections stand."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", name, *rules)


class Secured:
    """One Redis behind TLS that wants client certificates; a user of its own for every prefix."""

    def __init__(self, server: RedisServer, tls: Tls) -> None:
        self.server, self.tls = server, tls

    def address(self, prefix: str) -> Address:
        """What the user of that prefix connects to. Makes the user."""
        add_user(self.server, f"user-{prefix}", prefix)
        return Address.parse(tls_url(self.server), username=f"user-{prefix}", password=PASSWORD, tls=self.tls)


@contextmanager
def secured_server(folder: Path) -> Iterator[Secured]:
    """For the length of a block."""
    authority = Authority(folder / "certificates")
    served, ours = authority.issue("127.0.0.1"), authority.issue("client")
    with redis_server(KIND, folder / "server", tls_settings(authority, served)) as server:
        yield Secured(server, Tls(ca=authority.ca, cert=ours.cert, key=ours.key))
