"""``traces``: where the service's traces of the time around the incident are."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import Field

from remediator.core.plugins import Params, Permission, Sight
from remediator.core.spans import Span
from remediator.core.text import plain
from remediator.core.times import MINUTE, format_instant

LONGEST = 250
"""Characters of a link: a finding is a line, and half a link leads nowhere."""
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

QueryKey = Annotated[str, Field(min_length=1, max_length=40, pattern="^[A-Za-z0-9_.-]+$")]


class TracesParams(Params):
    """Parameters of ``traces``."""

    link: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        default="traces", description="The name under `links` of the service that leads to its traces."
    )
    before: Span = Field(
        default=15 * MINUTE, description="How long before the incident opened the window begins."
    )
    start: QueryKey = Field(
        default="start", description="The name in the link's query of the time at which the window begins."
    )
    end: QueryKey = Field(default="end", description="That of the time at which it ends, which is now.")
    unit: Literal["s", "ms", "us", "ns"] = Field(
        default="us", description="In which unit since 1970 both are written; Jaeger wants `us`."
    )


class Traces:
    """The link to the service's traces around the time the incident began.

    It is the link of the catalog and, in its query, when the window begins and ends: as Jaeger wants it,
    unless you say otherwise. Nothing is asked there.
    """

    name: ClassVar[str] = "traces"
    params: ClassVar[type[Params]] = TracesParams
    permissions: ClassVar[tuple[Permission, ...]] = ()
    example: ClassVar[str] = "traces: {}"

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """One line."""
        assert isinstance(params, TracesParams)
        if sight.service is None:
            return ("traces: the service is not in the catalog, so no link is known",)
        link = sight.service.links.get(params.link)
        if link is None:
            name = plain(sight.service.name, 63)
            return (f"traces: service {name} has no link named {plain(params.link, 63)} in the catalog",)
        return (f"traces: {_windowed(link, params, sight)}",)


def _windowed(link: str, params: TracesParams, sight: Sight) -> str:
    """The link with the window in its query, or in words beside it where it does not fit."""
    if len(link) > LONGEST:
        return f"the link in the catalog has more than {LONGEST} characters: see it there"
    if plain(link, LONGEST) != link or not link.startswith(("https://", "http://")):
        return "the link in the catalog is no web address of one line"
    if sight.at is None or sight.opened_at is None:
        return link
    begin, end = sight.opened_at - params.before, sight.at
    try:
        made = _with_window(link, params, begin, end)
    except ValueError:
        return "the link in the catalog is no web address"
    if len(made) <= LONGEST:
        return made
    return f"{link} from {format_instant(sight.opened_at)} on"


def _with_window(link: str, params: TracesParams, begin: int, end: int) -> str:
    """Values of those names that the link has already are taken out. Raises ValueError."""
    parts = urlsplit(link)
    kept = [
        (key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
        if key not in (params.start, params.end)
    ]
    times = [(params.start, begin), (params.end, end)]
    query = [*kept, *((key, str(each * _PER_SECOND[params.unit] // 1000)) for key, each in times)]
    return urlunsplit(parts._replace(query=urlencode(query)))
