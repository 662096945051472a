"""What a mutant is, and how numbers and times are changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from remediator.core.policies import (
    Policy,
    QueryBound,
    Raise,
    RaiseCondition,
    ServicesAffected,
    StillOpen,
)
from remediator.core.times import Millis, format_duration

Change = tuple[str, str]
"""What is changed, in words, and what a test could look at to notice it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mutant:
    """A policy with one thing changed.

    ``touches``: section and name of the object: only tests in which it has a say can notice. None: only tests
    can whose alerts are classified otherwise.
    """

    section: str
    subject: str
    where: str
    change: str
    hint: str
    policy: Policy
    touches: tuple[str, str] | None

    def as_data(self) -> dict[str, object]:
        """As plain values."""
        path, line, column = self.where.rsplit(":", 2)
        return {
            "section": self.section,
            "subject": self.subject,
            "path": path,
            "line": int(line),
            "column": int(column),
            "change": self.change,
            "hint": self.hint,
        }


def spans(key: str, span: int) -> Iterator[tuple[str, Millis]]:
    """A duration halved and doubled, each in words."""
    for other in (span // 2, span * 2):
        if other != span and other > 0:
            yield f"{key} {format_duration(span)} -> {format_duration(other)}", Millis(other)


def counts(key: str, count: int, least: int = 1) -> Iterator[tuple[str, int]]:
    """A count that is one less and one more."""
    for other in (count - 1, count + 1):
        if other >= least:
            yield f"{key} {count} -> {other}", other


def bounds(key: str, bound: float) -> Iterator[tuple[str, float]]:
    """A threshold halved and doubled; zero becomes one."""
    for other in (bound / 2, bound * 2) if bound else (1.0,):
        yield f"{key} {bound:g} -> {other:g}", other


def raises_changed(raises: tuple[Raise, ...]) -> Iterator[tuple[Raise, str, tuple[Raise, ...]]]:
    """Every way to change one of them: the one, in words, and all of them then."""
    for number, each in enumerate(raises):
        others = raises[:number], raises[number + 1 :]
        yield each, f"raise to {each.to} removed", (*others[0], *others[1])
        for words, when in _conditions(each.when):
            yield each, words, (*others[0], replace(each, when=when), *others[1])


def _conditions(when: RaiseCondition) -> Iterator[tuple[str, RaiseCondition]]:
    match when:
        case StillOpen(after=after):
            yield from ((words, StillOpen(after=other)) for words, other in spans("raise after", after))
        case QueryBound(above=float() as above):
            yield from ((words, replace(when, above=b)) for words, b in bounds("raise above", above))
        case QueryBound(below=float() as below):
            yield from ((words, replace(when, below=b)) for words, b in bounds("raise below", below))
        case ServicesAffected(at_least=count):
            for words, other in counts("services_affected", count, 2):
                yield words, ServicesAffected(at_least=other)
        case _:
            pass


RAISE_HINT = (
    "keep an incident open past that moment, or give the query a value near the bound, and expect raised_to"
)
