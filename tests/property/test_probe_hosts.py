"""Whatever is written as a URL, only hosts of the catalog are asked, at addresses that services have."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.adapters.probe import objectionable
from remediator.core.probing import address_literal, authority

IPV4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
BAD = st.one_of(
    st.integers(0, 2**24 - 1).map(lambda n: ipaddress.IPv4Address((127 << 24) + n)),
    st.integers(0, 2**16 - 1).map(lambda n: ipaddress.IPv4Address((169 << 24) + (254 << 16) + n)),
    st.integers(0, 2**28 - 1).map(lambda n: ipaddress.IPv4Address((0b1110 << 28) + n)),
    st.integers(0, 2**28 - 1).map(lambda n: ipaddress.IPv4Address((0b1111 << 28) + n)),
    st.integers(0, 2**24 - 1).map(ipaddress.IPv4Address),
)
WITHIN_IPV6 = ("::ffff:", "::", "64:ff9b::")
"""Prefixes under which 32 bits of IPv4 travel in IPv6."""


@given(BAD)
def test_no_way_to_write_a_bad_address_makes_it_a_good_one(address: ipaddress.IPv4Address) -> None:
    assert objectionable(address) is not None
    for prefix in WITHIN_IPV6:
        assert objectionable(ipaddress.ip_address(f"{prefix}{address}")) is not None
    assert objectionable(ipaddress.IPv6Address((0x2002 << 112) + (int(address) << 80))) is not None
    teredo = (0x20010000 << 96) + (0x08080808 << 64) + (int(address) ^ 0xFFFFFFFF)
    assert objectionable(ipaddress.IPv6Address(teredo)) is not None


@given(
    st.one_of(st.sampled_from(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.96.0.0/11"])), st.data()
)
def test_addresses_of_clusters_are_fine(network: str, data: st.DataObject) -> None:
    """Pods and services live in private networks: these are whom a probe is for."""
    own = ipaddress.ip_network(network)
    number = data.draw(st.integers(0, own.num_addresses - 1))
    address = own[number]
    assert objectionable(address) is None
    assert objectionable(ipaddress.ip_address(f"::ffff:{address}")) is None
    assert objectionable(ipaddress.ip_address(f"fd12:3456::{number % 65535 + 1:x}")) is None


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    """Ways to write an address that ``inet_aton``, and so a resolver, understands."""
    number, (a, b, c, d) = int(address), address.packed
    return [
        str(number), hex(number), hex(number).upper(), oct(number).replace("o", ""),
        f"{a}.{(b << 16) + (c << 8) + d}", f"{a}.{b}.{(c << 8) + d}", f"{hex(a)}.{b}.{c}.{d}",
        f"0{oct(a)[2:]}.{b}.{c}.{d}", f"{a}.{b}.{c}.{hex(d)}", f"{a}.{b}.{c}.0{oct(d)[2:]}",
        f"{a}.{b}.{c}.{d}.",
    ]  # fmt: skip


@given(IPV4)
@example(ipaddress.IPv4Address("127.0.0.1"))
def test_an_address_is_written_in_one_way(address: ipaddress.IPv4Address) -> None:
    """Every other way that a resolver would take is no host at all."""
    for text in spellings(address):
        socket.inet_aton(text.rstrip("."))  # a resolver would read it
        if text == str(address):
            continue
        with pytest.raises(ValueError, match="host"):
            authority(f"http://{text}/")
    assert authority(f"http://{address}/") == f"{address}:80"


HOSTS = st.one_of(
    st.sampled_from([
        "web.shop", "web.shop.", "WEB.shop", "web.shop:8080", "10.1.2.3", "[::1]", "[::ffff:10.1.2.3]",
        "[fe80::1%25eth0]", "user@web.shop", "web.shop@evil.example", "web.shop:80@evil.example",
        "web.shop#@evil.example", "web.shop\\@evil.example", "evil.example\\.web.shop",
        "web.shop%00.evil.example", "web.shop%2f@evil.example", "web.shop?@evil.example", "web。shop",
        "ｗeb.shop", "ⓦeb.shop", "web.shop\u200b", "wеb.shop", "xn--wb-mia.shop",
        "web.shop\r\nHost: evil.example", "web.shop\t", " web.shop", "web..shop", ".web.shop",
        "web.shop:99999", "web.shop:", "web.shop:8080:80", "[web.shop]", "127。0。0。1", "①②⑦.0.0.1",
        "0x7f.1", "localhost", "-web.shop", "w" * 64 + ".shop",
    ]),
    st.text(max_size=30),
    st.text("abc.:@[]/\\#?%0127xX\u3002\uff0e", max_size=20),
)  # fmt: skip
CATALOG = frozenset(("web.shop:80", "web.shop:8080", "10.1.2.3:80"))


@settings(max_examples=2000)
@given(
    st.sampled_from(["http://", "https://", "HTTP://", "//", "ftp://", ""]),
    HOSTS,
    st.text("a/.?#%2eE@\\", max_size=8),
)
@example("http://", "[]@", "")
@example("http://", "@A", "")
@example("http://", "[]", "")
def test_what_passes_names_a_host_of_the_catalog_to_every_parser(scheme: str, host: str, path: str) -> None:
    """Python's own parser, which has other weaknesses than the client's, reads the same host from it."""
    url = f"{scheme}{host}/{path}"
    try:
        named = authority(url)
    except ValueError:
        return
    parsed = urlsplit(url)
    port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
    own = f"[{ipaddress.ip_address(parsed.hostname or '')}]" if "[" in parsed.netloc else parsed.hostname
    assert named == f"{own}:{port}"
    assert (parsed.username, parsed.password, parsed.fragment) == (None, None, "")
    assert not {".", ".."} & set(parsed.path.lower().replace("%2e", ".").split("/"))
    if named in CATALOG:
        assert parsed.hostname in ("web.shop", "10.1.2.3")


def test_the_property_is_not_true_for_want_of_hosts() -> None:
    assert authority("http://web.shop/x") == "web.shop:80"
    assert authority("HTTPS://WEB.Shop./x?a=%2e") == "web.shop.:443"
    assert authority("http://[0:0::1]:8/") == "[::1]:8"
    assert str(address_literal("10.1.2.3")) == "10.1.2.3"
    assert address_literal("web.shop") is None
