"""How a rule stands with the store, as decisions and guards read it."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.core.times import Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Lowering:
    """A rule is trusted with less than its file says, until a person lifts it. ``why``: for people."""

    rule: str
    why: str
    at: Instant


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Of the rule whose attempt is in progress. ``in_a_row``: so many attempts for it failed, none since
    was verified."""

    rule: str
    in_a_row: int = 0
    lowered: bool = False
