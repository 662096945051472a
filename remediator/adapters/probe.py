"""``core.plugins.HttpProber``: asks services of the catalog, and nobody else, whatever it is told to ask.

The host must be the catalog's. Its name is resolved once, every address is held to ``objectionable``, and
the connection goes to exactly these: what the name means a moment later does not matter. Proxies and cookies
are nobody's here, certificates are verified, and a redirect is an answer.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from remediator.adapters.bodies import read_beginning
from remediator.core.errors import Refused, Retryable
from remediator.core.plugins import HttpAnswer
from remediator.core.probing import authority
from remediator.core.text import plain

LARGEST_BODY = 16 * 1024
"""Bytes of a body that are looked at."""
AT_ONCE = 32

Address = IPv4Address | IPv6Address
Objection = Callable[[Address], str | None]

_METADATA = frozenset(
    map(
        ip_address,
        ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fd00:42::42"),
    )
)
"""Where clouds tell a machine its credentials, beside 169.254.0.0/16: Azure, Alibaba, Oracle, AWS, Google,
Scaleway."""
_THIS_NETWORK = ip_network("0.0.0.0/8")
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_COMPATIBLE = ip_network("::/96")


def objectionable(address: Address) -> str | None:
    """What an address is that no service has; None for all others. Addresses within addresses count too."""
    for each in _meanings(address):
        if each.is_loopback:
            return "the daemon's own machine"
        if each.is_link_local or each in _METADATA:
            return "link-local or a cloud's metadata"
        if each.is_multicast or each.is_unspecified or (each.is_reserved and isinstance(each, IPv4Address)):
            return "multicast, unspecified or reserved"
        if isinstance(each, IPv4Address) and each in _THIS_NETWORK:
            return "this network"
    return None


def _meanings(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses to which it may be translated on the way."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        yield IPv4Address(int(address) & 0xFFFFFFFF)


class _CheckedResolver(AbstractResolver):
    """Resolves names to addresses that services have. What it answers is what is connected to."""

    def __init__(self, inner: AbstractResolver, objection: Objection) -> None:
        self._inner, self._objection = inner, objection

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises Refused when a single one of them is objectionable."""
        found = await self._inner.resolve(host, port, family)
        for each in found:
            try:
                trouble = self._objection(ip_address(each["host"]))
            except ValueError:
                trouble = "no address"
            if trouble is not None:
                shown = plain(each["host"], 60)
                raise Refused(f"{plain(host, 80)} resolves to {shown} ({trouble}); nothing is asked there")
        return found

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._inner.close()


@asynccontextmanager
async def checked_session(
    *, resolver: AbstractResolver | None, objection: Objection, tls: ssl.SSLContext | None
) -> AsyncIterator[aiohttp.ClientSession]:
    """What asks services, for the length of a block: it connects to nothing that ``objection`` objects to."""
    connector = aiohttp.TCPConnector(
        resolver=_CheckedResolver(resolver or aiohttp.ThreadedResolver(), objection),
        use_dns_cache=False,
        force_close=True,
        limit=AT_ONCE,
        ssl=tls if tls is not None else True,
    )
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "remediator", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield session


def checked_url(url: str, hosts: Collection[str]) -> str:
    """The URL, if its host is one of these. Raises Refused."""
    try:
        host = authority(url)
    except ValueError as error:
        raise Refused(plain(f"{url[:200]} is not asked: {error}", 300)) from None
    if host not in hosts:
        raise Refused(f"{plain(host, 80)} is no health URL's host in the catalog; nothing is asked there")
    return url


class Prober:
    """Asks URLs. Make one with ``Prober.opened``."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        *,
        resolver: AbstractResolver | None = None,
        objection: Objection = objectionable,
        tls: ssl.SSLContext | None = None,
    ) -> AsyncIterator[Prober]:
        """One for the length of a block. ``tls``: whom to trust, if not the machine's authorities."""
        async with checked_session(resolver=resolver, objection=objection, tls=tls) as session:
            yield cls(session)

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        """``core.plugins.HttpProber.get``."""
        checked_url(url, hosts)
        try:
            # an address that is written out needs no resolver: that the catalog names it is its permission
            async with (
                asyncio.timeout(within),
                self._session.get(
                    URL(url), allow_redirects=False, timeout=aiohttp.ClientTimeout(total=within)
                ) as response,
            ):
                body = await read_beginning(response, LARGEST_BODY)
        except TimeoutError:
            raise Retryable(f"{plain(url, 120)} did not answer within {within:g}s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Retryable(
                plain(f"{url[:200]} cannot be asked: {error or type(error).__name__}", 300)
            ) from None
        return HttpAnswer(status=response.status, text=plain(body.decode("utf-8", "replace"), LARGEST_BODY))
