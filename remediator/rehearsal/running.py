"""Runs tests, and remembers what each of them covers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remediator.core.classify import Classifier
from remediator.rehearsal.cases import Case
from remediator.rehearsal.coverage import Collector, Point
from remediator.rehearsal.playing import Played, play

Touched = frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One test, played. ``touched``: section and name of every object of the policy that had a say."""

    played: Played
    points: frozenset[Point]
    touched: Touched


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Every test, in the order of the files."""

    tests: tuple[Ran, ...]

    @property
    def failed(self) -> tuple[Played, ...]:
        """Those that did not pass."""
        return tuple(each.played for each in self.tests if not each.played.passed)

    @property
    def points(self) -> frozenset[Point]:
        """Everything that any of them covers."""
        return frozenset().union(*(each.points for each in self.tests))


def run_cases(
    cases: Sequence[Case], rules: Classifier, on_done: Callable[[Played], None] = lambda played: None
) -> Run:
    """Play them one after the other; ``on_done`` hears of each."""
    tests = []
    for case in cases:
        collector = Collector(policy=rules.policy)
        played = play(case, rules, (collector,))
        on_done(played)
        tests.append(
            Ran(played=played, points=frozenset(collector.points), touched=frozenset(collector.touched))
        )
    return Run(tests=tuple(tests))
