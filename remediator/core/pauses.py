"""The kill switch as values: what a pause is about, and what a change is about, so that the two can meet.

There are many pauses at a time, at most one of each scope. A change is stopped by every pause whose scope it
meets. The same holds for whatever touches a target without a step of its own, such as an undo, or the end of
something that was done for a time: it asks with the ``Subject`` of the change it would take back, and when
a pause stops it, what is left in place is for whoever asked to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from remediator.core.text import plain
from remediator.core.times import Instant, format_instant

MOST_PAUSES = 1000
"""So many scopes can be paused at a time: more than a person overlooks, and a bound on what is kept."""


class ScopeKind(StrEnum):
    """What a pause can be about."""

    ALL = "all"
    NAMESPACE = "namespace"
    SERVICE = "service"
    RULE = "rule"
    RUNBOOK = "runbook"


NAMED_KINDS = tuple(kind for kind in ScopeKind if kind is not ScopeKind.ALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseScope:
    """What a pause is about. ``name`` is empty for all changes, and only for those."""

    kind: ScopeKind = ScopeKind.ALL
    name: str = ""

    def __post_init__(self) -> None:
        if (self.kind is ScopeKind.ALL) != (not self.name):
            raise ValueError(f"a scope of kind {self.kind} {'has no' if self.name else 'needs a'} name")

    def __str__(self) -> str:
        return "all changes" if self.kind is ScopeKind.ALL else f"{self.kind} {self.name}"

    @property
    def path(self) -> str:
        """``all`` or ``service/web``: the same text for the same scope."""
        return self.kind.value if self.kind is ScopeKind.ALL else f"{self.kind}/{self.name}"

    @classmethod
    def of_path(cls, path: str) -> Self:
        """The scope with that ``path``. Raises ValueError."""
        kind, _, name = path.partition("/")
        return cls(kind=ScopeKind(kind), name=name)


EVERYTHING = PauseScope()


@dataclass(frozen=True, kw_only=True, slots=True)
class Pause:
    """No change that meets ``scope`` is made. ``until`` None: until it is lifted."""

    scope: PauseScope = EVERYTHING
    reason: str
    by: str
    since: Instant
    until: Instant | None = None

    def __str__(self) -> str:
        what = "" if self.scope == EVERYTHING else f"{self.scope} is "
        until = "" if self.until is None else f" until {format_instant(self.until)}"
        return f"{what}paused by {plain(self.by, 60)}{until}: {plain(self.reason)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What one change is about. Empty: there is none, such as the namespace of a service without one."""

    namespace: str = ""
    service: str = ""
    rule: str = ""
    runbook: str = ""

    def scopes(self) -> tuple[PauseScope, ...]:
        """Every scope that it meets, the widest first."""
        names = {
            ScopeKind.NAMESPACE: self.namespace,
            ScopeKind.SERVICE: self.service,
            ScopeKind.RULE: self.rule,
            ScopeKind.RUNBOOK: self.runbook,
        }
        return (EVERYTHING, *(PauseScope(kind=kind, name=name) for kind, name in names.items() if name))


def in_order(pauses: Sequence[Pause]) -> tuple[Pause, ...]:
    """The widest first, those of one kind by name."""
    kinds = list(ScopeKind)
    return tuple(sorted(pauses, key=lambda each: (kinds.index(each.scope.kind), each.scope.name)))
