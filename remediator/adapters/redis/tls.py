"""TLS towards Redis: what we trust and show, and what a failed handshake means.

The server's certificate and its host name are always verified. Files are read anew when they change, so
that a renewed certificate needs no restart.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from remediator.core.errors import SettingsError

Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tls:
    """PEM files. ``ca``: the only authority to trust; None trusts those of the system. ``cert`` and ``key``
    are what we show, both or neither."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class Contexts:
    """The context for the files as they are now; made anew only when they have changed."""

    def __init__(self) -> None:
        self._made: tuple[Tls, Stamp, ssl.SSLContext] | None = None

    def get(self, tls: Tls) -> ssl.SSLContext:
        """Raises SettingsError, which names the file and says nothing of what it holds."""
        stamp = _stamp(tls)
        if self._made is None or self._made[:2] != (tls, stamp):
            self._made = (tls, stamp, _context(tls))
        return self._made[2]


def _stamp(tls: Tls) -> Stamp:
    """Differs when a file was written or replaced."""
    found = []
    for name, path in (("REDIS_CA", tls.ca), ("REDIS_CERT", tls.cert), ("REDIS_KEY", tls.key)):
        if path is None:
            continue
        try:
            status = path.stat()
        except OSError as error:
            raise SettingsError(f"{name} {path} cannot be read ({error.strerror or error})") from None
        found.append((status.st_mtime_ns, status.st_ino, status.st_size))
    return tuple(found)


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"REDIS_CA {tls.ca} cannot be used ({error}); give the authority's certificate as a PEM file"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.cert is not None and tls.key is not None:
        try:
            context.load_cert_chain(tls.cert, tls.key, password=_no_passphrase)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"REDIS_CERT {tls.cert} and REDIS_KEY {tls.key} cannot be used ({error}); give a PEM "
                "certificate chain and its key"
            ) from None
    return context


def _no_passphrase() -> str:
    """Instead of OpenSSL's question on the terminal, where a daemon has nobody to answer it."""
    raise SettingsError("REDIS_KEY is encrypted; give the key without a passphrase")


_EXPIRED, _NOT_YET, _WRONG_HOST, _WRONG_ADDRESS = 10, 9, 62, 64
"""X509_V_ERR_* of OpenSSL's x509_vfy.h."""

_ALERTS = {
    "CERTIFICATE_REQUIRED": "Redis wants to see a client certificate; set REDIS_CERT and REDIS_KEY",
    "HANDSHAKE_FAILURE": "Redis refuses the TLS handshake; if it wants a client certificate, set REDIS_CERT "
    "and REDIS_KEY",
    "UNKNOWN_CA": "Redis does not trust the authority of our client certificate; correct REDIS_CERT, or the "
    "authorities that Redis trusts",
    "CERTIFICATE_EXPIRED": "our client certificate has expired; renew what REDIS_CERT names",
    "BAD_CERTIFICATE": "Redis refuses our client certificate; correct REDIS_CERT",
    "PROTOCOL_VERSION": "Redis and we share no version of TLS; let it speak 1.2 or 1.3",
    "WRONG_VERSION_NUMBER": "what answers does not speak TLS; give REDIS_URL the TLS port of Redis, or write "
    "redis:// where encryption is not wanted",
}


def meaning(error: ssl.SSLError) -> str:
    """What went wrong and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrust(error)
    reason = error.reason or ""
    for name, text in _ALERTS.items():
        if name in reason:
            return text
    return f"the TLS connection to Redis failed ({reason or type(error).__name__}); see the log of Redis"


def _distrust(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code in (_WRONG_HOST, _WRONG_ADDRESS):
        return (
            "the certificate of Redis is for another host than REDIS_URL names; use a name that is in the "
            "certificate, or have one issued for this host"
        )
    if code == _EXPIRED:
        return "the certificate of Redis, or of its authority, has expired; renew it"
    if code == _NOT_YET:
        return "the certificate of Redis is not valid yet; look at its dates and at our clock"
    return (
        f"the certificate of Redis is not trusted ({error.verify_message}); set REDIS_CA to the certificate "
        "of the authority that signed it"
    )
