"""What is said of a panel and how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SEVERITIES = {"SEV-1": "dark-red", "SEV-2": "red", "SEV-3": "orange", "SEV-4": "yellow"}
COLORS: Mapping[str, Mapping[str, str]] = {
    "outcome": {
        "verified": "green", "undone": "blue", "failed": "red", "left": "dark-red", "unknown": "purple",
        "blocked": "orange", "observed": "light-blue", "suggested": "light-purple", "abandoned": "gray",
        "accepted": "green", "retry": "orange", "refused": "red", "approved": "green", "rejected": "red",
        "expired": "orange", "lost": "red", "done": "green", "skipped": "gray", "withheld": "light-blue",
    },
    "how": {"verified": "green", "paged": "red", "alone": "gray"},
    "what": {"right": "green", "needless": "orange", "unclear": "gray", "held_back": "blue"},
    "verdict": {"allows": "green", "blocks": "orange", "withholds": "light-blue", "asks": "purple"},
    "disposition": {
        "new": "orange", "resolved": "green", "duplicate": "gray", "stale": "light-gray",
        "unmatched": "purple", "dead_letter": "red",
    },
    "severity": SEVERITIES,
    "kind": {"bug": "red", "expected": "gray"},
}  # fmt: skip
"""The same value of a label has the same colour on every panel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a panel is for. ``pages``: of ``docs/``, such as ``runbooks/RemediatorBacklog.md``."""

    title: str
    shows: str
    do: str
    pages: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The description."""
        return f"{self.shows}\n\n**What to do:** {self.do}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How it looks. ``unit``: Grafana's name of it; ``span``: of 24 columns; ``height``: in its rows."""

    unit: str = "short"
    span: int = 8
    height: int = 8
    decimals: int | None = None
    first: str = "green"
    levels: tuple[tuple[float, str], ...] = ()
    """Colours from a value on, above ``first``."""
    highest: float | None = None
    """Where the scale ends."""
    empty: str = ""
    """Said where there is nothing, and that is no fault."""
    at_least: str = ""
    """The shortest way between two points: of what is counted, how much a bar stands for."""


COUNT = Look(span=4, height=4, decimals=0, first="text")
"""A number that is neither good nor bad."""
NONE_IS_GOOD = Look(span=4, height=4, decimals=0, levels=((1, "red"),))
"""A number that should be 0."""
GOOD_SHARE = Look(
    unit="percentunit", highest=1, first="red", levels=((0.5, "orange"), (0.8, "green")), decimals=0
)
"""A share of which more is better."""
KEPT = replace(GOOD_SHARE, empty="none yet")
"""The same of what may not have happened yet."""
HOURLY = Look(at_least="1h", decimals=0)
"""Bars of what happens seldom: each stands for an hour, or more where the range is long."""
OFTEN = Look(at_least="1m")
"""Bars of what should not happen: the minute counts."""
PLAIN = Look()
RANKED = Look(decimals=0, first="orange")
"""How often, where often is not good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A table of one label's values by another's."""

    rows: str
    columns: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Columns:
    """A table of series, a row each. ``named``: headings; ``hidden``: labels that are the same in all."""

    named: Mapping[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    link: tuple[str, str] = ("", "")
    """A heading, and where its values lead."""
