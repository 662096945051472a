"""URLs that are asked, and how: what the check and the diagnosis ``http`` have in common.

URLs are read by yarl, the parser of the client that asks them, so that nothing can mean one host to what is
checked and another to what connects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator
from yarl import URL

from remediator.core.plugins import HttpAnswer, Params, Sight, objection
from remediator.core.policies import Service
from remediator.core.templated import UrlTemplate

LONGEST_URL = 2000
PROBE_WITHIN = 5.0
"""Seconds for one answer."""

_PLACEHOLDER = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)(?:{_LABEL}\.)*{_LABEL}\.?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_AFTER_HOST = re.compile(r"[/?#]")
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


def address_literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is, in its one canonical form; None for a name and for anything dubious."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def authority(url: str) -> str:
    """``host:port`` of a URL that may be asked, lower case, with the scheme's port where it names none.

    Raises ValueError, saying what is wrong: hosts that a resolver would read as numbers (``2130706433``,
    ``0x7f.1``), user names, fragments, anything but ASCII, and segments of dots that move within the path.
    """
    if len(url) > LONGEST_URL:
        raise ValueError(f"a URL has at most {LONGEST_URL} characters")
    if _UNPRINTABLE.search(url) or "\\" in url:
        raise ValueError("a URL is printable ASCII without blanks and backslashes; percent-encode the rest")
    if "@" in _AFTER_HOST.split(url.partition("://")[2], 1)[0]:
        raise ValueError("a URL that is asked carries no user name or password")
    try:
        parsed = URL(url)
        host, port = parsed.raw_host, parsed.port
    except (ValueError, IndexError):  # the latter is what yarl forgot about empty brackets
        raise ValueError("that is no URL") from None
    if parsed.scheme not in ("http", "https") or not host or not port:
        raise ValueError("that is no http:// or https:// URL with a host")
    if "#" in url:
        raise ValueError("a URL that is asked has no fragment")
    if _moves(url):
        raise ValueError("a path must not hold segments of dots")
    literal = address_literal(host)
    if literal is None and (_HOST.fullmatch(host) is None or _NUMBER.fullmatch(_last_label(host))):
        raise ValueError("its host is neither a name nor an address in its usual form")
    return f"[{host}]:{port}" if isinstance(literal, IPv6Address) else f"{host}:{port}"


def _moves(url: str) -> bool:
    path = url.partition("://")[2].partition("?")[0].lower().replace("%2e", ".")
    return any(segment in (".", "..") for segment in path.split("/")[1:])


def _last_label(host: str) -> str:
    return host.rstrip(".").rpartition(".")[2]


def template_authority(template: str) -> str:
    """``authority`` of a URL with templates in its path. Raises ValueError."""
    return authority(_PLACEHOLDER.sub("x", template))


def catalog_hosts(services: Iterable[Service]) -> frozenset[str]:
    """The ``host:port`` of every health URL."""
    return frozenset(authority(service.health) for service in services if service.health is not None)


def _url(text: str) -> str:
    before, placeholder, _ = text.partition("{{")
    if placeholder and before.partition("://")[2].count("/") == 0:
        raise objection("P016", "a template may stand in the path of a URL, never in its host")
    try:
        template_authority(text)
    except ValueError as error:
        raise objection("P013", f"{error}; write a URL such as http://web.shop:8080/health") from None
    return text


def _path(text: str) -> str:
    try:
        if not text.startswith("/"):
            raise ValueError("a path begins with a slash")
        template_authority(f"http://host{text}")
    except ValueError as error:
        raise objection("P013", f"{error}; write a path such as /health/ready") from None
    return text


_STATUS = re.compile(r"[1-5][0-9]{2}|[1-5]xx", re.ASCII)


def _statuses(value: object) -> list[str]:
    """One status, one range or a list of them, as texts."""
    listed = value if isinstance(value, list) else [value]
    texts = [str(each) for each in listed if isinstance(each, int | str) and not isinstance(each, bool)]
    if not listed or len(texts) != len(listed) or not all(map(_STATUS.fullmatch, texts)):
        raise objection("P013", "no status of HTTP; write 200, 2xx or a list such as [200, 204]")
    return list(dict.fromkeys(texts))


_ONE = {"anyOf": [{"type": "integer", "minimum": 100, "maximum": 599}, {"type": "string"}]}
Statuses = Annotated[
    list[str],
    BeforeValidator(_statuses),
    WithJsonSchema({"anyOf": [*_ONE["anyOf"], {"type": "array", "items": _ONE, "minItems": 1}]}),
]


def expected(status: int, statuses: Sequence[str]) -> bool:
    """Whether a status of an answer is one of these, or in one of their ranges."""
    return str(status) in statuses or f"{str(status)[0]}xx" in statuses


class ProbeParams(Params):
    """What is asked: the service's own health URL, unless something else is named."""

    url: Annotated[UrlTemplate, AfterValidator(_url)] | None = Field(
        default=None,
        description="The URL to ask, whose host must be that of a health URL in the catalog. Default: the "
        "service's own.",
    )
    path: Annotated[UrlTemplate, AfterValidator(_path)] | None = Field(
        default=None, description="Another path, and query, on the host of the service's health URL."
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.url is not None and self.path is not None:
            raise objection("P013", "url and path exclude each other; write the path within the url")
        return self


def probe_url(params: ProbeParams, service: Service | None) -> str | None:
    """The URL to ask; None where the catalog names none for the service."""
    if params.url is not None:
        return params.url
    health = service.health if service is not None else None
    if health is None or params.path is None:
        return health
    return str(URL(health).origin()) + params.path


async def probe(params: ProbeParams, sight: Sight) -> tuple[str, HttpAnswer] | str:
    """The URL and what it answers, or why there is nothing to ask. Raises Refused and Retryable."""
    url = probe_url(params, sight.service)
    if url is None:
        return "the service has no health URL in the catalog"
    if sight.http is None:
        return "nothing is configured to ask URLs with"
    return url, await sight.http.get(url, hosts=sight.hosts, within=PROBE_WITHIN)
