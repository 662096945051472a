"""Who may speak to the daemon: credentials, roles and the Host header.

Only digests of tokens are kept, and digests are what is compared: in constant time, and without telling how
long a token is. No token can reach a log, an error or a ``repr``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from remediator.core.errors import SettingsError

LOOPBACK_HOSTS = frozenset(("localhost", "127.0.0.1", "::1"))
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?")
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Denial:
    """Why a request is not served: the HTTP status, and what to tell."""

    status: int
    error: str
    hint: str
    challenge: str | None = None  # for WWW-Authenticate


class Role(StrEnum):
    """What a principal may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Whether this role may do what ``other`` may."""
        order = tuple(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Who asks. ``name`` is the author of what it does."""

    name: str
    role: Role


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRule:
    """Which Host headers are ours; ``allowed`` None means any well-formed one.

    A page in somebody's browser can make its own name resolve to us (DNS rebinding), but not change the Host
    header that the browser then sends.
    """

    allowed: frozenset[str] | None

    def check(self, headers: Mapping[str, str]) -> Denial | None:
        """A denial with status 403, or None."""
        name = _host_name(headers.get("Host", ""))
        if name is not None and (self.allowed is None or name in self.allowed):
            return None
        return Denial(
            status=403,
            error="the Host header names another server",
            hint="use the address the daemon listens on, or add the name to its allowed hosts",
        )


@lru_cache(maxsize=256)
def _host_name(header: str) -> str | None:
    """The name or address in a Host header, without its port; None if it is malformed."""
    found = _HOST.fullmatch(header)
    return (found[1] or found[2]).lower().rstrip(".") if found else None


def host_rule(bound: str, *, names: Iterable[str] = (), credentials: bool = False) -> HostRule:
    """The rule for a listener bound to the address ``bound``: loopback names, that address, and ``names``.

    Where every request must carry credentials that a web page cannot know, and no names are given, any name
    will do: a service in a cluster has too many to list them.
    """
    given = frozenset(name.lower() for name in names)
    if credentials and not given and not is_loopback(bound):
        return HostRule(allowed=None)
    return HostRule(allowed=LOOPBACK_HOSTS | given | {bound.lower()})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``. A name other than localhost is not trusted to be."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class WebhookAuth:
    """Credentials of a webhook: a bearer token, or basic authentication with the token as password.

    ``token`` None asks for none; ``certificate`` asks for a verified client certificate, too.
    """

    def __init__(self, token: str | None, *, certificate: bool = False) -> None:
        self._certificate = certificate
        self._digest = _digest(token) if token else None
        self._bearer = _digest(f"Bearer {token}") if token else b""  # the usual header needs no parsing

    def renew(self, token: str) -> None:
        """From now on it is this one. It cannot come to ask for none."""
        self._digest, self._bearer = _digest(token), _digest(f"Bearer {token}")

    def __repr__(self) -> str:
        return f"WebhookAuth(token={'set' if self._digest else 'none'}, certificate={self._certificate})"

    @property
    def required(self) -> bool:
        """Whether a request must prove anything at all."""
        return self._digest is not None or self._certificate

    @property
    def certificate(self) -> bool:
        """Whether a request must come with a verified client certificate."""
        return self._certificate

    def check(self, headers: Mapping[str, str], *, certificate: bool = False) -> Denial | None:
        """A denial with status 401 or 403, or None. ``certificate``: the client showed a verified one."""
        if self._certificate and not certificate:
            return Denial(
                status=401,
                error="a client certificate is required",
                hint="set tls_config.cert_file and key_file in the http_config of the receiver",
            )
        if self._digest is None:
            return None
        header = headers.get("Authorization")
        if header is not None and hmac.compare_digest(_digest(header), self._bearer):
            return None
        secret = _secret(header)
        if secret is None:
            return Denial(
                status=401,
                error="credentials are required",
                hint="set http_config.authorization.credentials, or basic_auth with the token as password",
                challenge='Bearer realm="remediator", Basic realm="remediator"',
            )
        return None if hmac.compare_digest(_digest(secret), self._digest) else _WRONG


_WRONG = Denial(
    status=403, error="the credentials are wrong", hint="compare the token with the one the daemon was given"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Entry:
    digest: bytes = field(repr=False)
    principal: Principal


class ApiAuth:
    """Credentials of the operations interface: who holds which token, with which role."""

    def __init__(self, entries: Iterable[_Entry] = ()) -> None:
        self._entries = tuple(entries)

    def __repr__(self) -> str:
        return f"ApiAuth({', '.join(each.principal.name for each in self._entries)})"

    @classmethod
    def parse(cls, text: str | None) -> ApiAuth:
        """From one token, or from lines of ``name role token`` with # comments; None or "" asks for nothing.

        A single token is that of an administrator named ``api``. Raises SettingsError, which names the line
        but nothing that is on it.
        """
        lines = [(at, line.split()) for at, line in enumerate((text or "").splitlines(), start=1)]
        kept = [(at, words) for at, words in lines if words and not words[0].startswith("#")]
        if len(kept) == 1 and len(kept[0][1]) == 1:
            return cls(
                [_Entry(digest=_digest(kept[0][1][0]), principal=Principal(name="api", role=Role.ADMIN))]
            )
        entries = [_entry(at, words) for at, words in kept]
        if len({each.digest for each in entries}) != len(entries):
            raise SettingsError("API_TOKEN: two names share one token; give each its own")
        return cls(entries)

    def renew(self, text: str) -> None:
        """From now on it is these tokens. Raises SettingsError, also where there is none among them."""
        fresh = ApiAuth.parse(text)
        if not fresh.required:
            raise SettingsError("API_TOKEN: there is no token in it, and anybody could ask for anything")
        self._entries = fresh._entries  # noqa: SLF001  # of its own class

    @property
    def required(self) -> bool:
        """Whether a request must prove anything at all."""
        return bool(self._entries)

    def check(self, headers: Mapping[str, str]) -> Principal | Denial:
        """Who asks; or a denial with status 401 or 403. With no tokens set: the administrator ``local``."""
        if not self._entries:
            return Principal(name="local", role=Role.ADMIN)
        secret = _secret(headers.get("Authorization"))
        if secret is None:
            return Denial(
                status=401,
                error="credentials are required",
                hint="send the header Authorization: Bearer with a token from API_TOKEN",
                challenge='Bearer realm="remediator"',
            )
        digest, found = _digest(secret), None
        for each in self._entries:  # all of them, always: the time must not tell which one came close
            if hmac.compare_digest(digest, each.digest):
                found = each.principal
        return found or _WRONG


def _entry(at: int, words: list[str]) -> _Entry:
    if len(words) != 3 or _NAME.fullmatch(words[0]) is None:
        raise SettingsError(
            f"API_TOKEN line {at}: write a name, a role and a token with blanks between them; "
            "a name has at most 63 letters, digits, and any of . _ @ -"
        )
    if words[1] not in tuple(Role):
        raise SettingsError(f"API_TOKEN line {at}: the role must be one of {', '.join(Role)}")
    return _Entry(digest=_digest(words[2]), principal=Principal(name=words[0], role=Role(words[1])))


def _secret(header: str | None) -> str | None:
    """What an Authorization header offers; None if it offers nothing that we understand."""
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    scheme, value = scheme.lower(), value.strip()
    if scheme == "bearer":
        return value
    if scheme != "basic":
        return None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode("utf-8", "surrogateescape"), digest_size=32).digest()
