"""Deadlines of pages and of severities: whoever must be told by a time is, whatever befell meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from remediator.core.incident import Outcome, Status
from remediator.core.journal import PageKind
from remediator.core.policies import StillOpen, severity_rank
from remediator.testing.simulation.history import (
    Committed,
    Died,
    Froze,
    History,
    Jumped,
    PagerGot,
)
from remediator.testing.simulation.policies import DEADLINE
from remediator.testing.simulation.scenario import Scenario

SLACK = 30.0
"""Seconds by which a page may be late although nobody died or froze meanwhile: lost answers, slow pagers."""
SUCCESSION = 35.0
"""Seconds that each death may add: until it is restarted, and until its work is inherited."""


def deadlines(history: History, scenario: Scenario) -> Iterator[str]:
    """Whoever must be paged by a time is: at the latest that long after, in the worst of weather.

    One that waits for another incident leaves that to the other one.
    """
    opened: dict[str, Committed] = {}
    over: dict[str, float] = {}
    first_page = _first_pages(history)
    for commit in history.of(Committed):
        if commit.status is Status.RESOLVED or any(o is Outcome.VERIFIED for _, o in commit.ended):
            over.setdefault(commit.incident, commit.at)
        elif commit.status is not Status.HELD:
            opened.setdefault(commit.incident, commit)
    waited = {commit.incident for commit in history.of(Committed) if commit.attached}
    for incident, commit in opened.items():
        if incident in waited:
            continue
        allowed = {"SEV-1": 0.0, "SEV-2": DEADLINE / 1000}.get(commit.severity)
        if allowed is None:
            continue
        due = commit.at + allowed
        latest = due + SLACK + hindered(history, commit.at, due + SLACK)
        if over.get(incident, 1e9) > latest and first_page.get(incident, 1e9) > latest:
            when = f"at {first_page[incident]:.1f}" if incident in first_page else "never"
            yield f"P18: {incident} ({commit.severity}) was to be paged by {due:.1f} and was {when}"


def only_rises(history: History) -> Iterator[str]:
    """A severity never falls, whatever comes late, twice or in another order."""
    worst: dict[str, str] = {}
    for commit in history.of(Committed):
        before = worst.setdefault(commit.incident, commit.severity)
        if severity_rank(commit.severity) > severity_rank(before):
            yield f"P5: {commit.incident} fell from {before} to {commit.severity}"
        worst[commit.incident] = commit.severity


def raised(history: History, scenario: Scenario) -> Iterator[str]:
    """What is still open after its time is more severe; and what pages at once has been paged."""
    first_page = _first_pages(history)
    for opening in openings(history):
        start = opening[0]
        for each in scenario.policy.severities[start.severity].raises:
            if isinstance(each.when, StillOpen):
                due = start.at + each.when.after / 1000
                latest = due + SLACK + hindered(history, start.at, due + SLACK)
                if _over_at(opening) > latest and _at_least(opening, each.to) > latest:
                    yield f"P12: {start.incident} was to be {each.to} by {due:.1f} and was not"
        raised_at = _at_least(opening, "SEV-1")
        latest = raised_at + SLACK + hindered(history, raised_at, raised_at + SLACK)
        waited = any(commit.attached for commit in opening)
        if not waited and _over_at(opening) > latest and first_page.get(start.incident, 1e9) > latest:
            yield f"P18: {start.incident} was raised to SEV-1 at {raised_at:.1f} and nobody was paged"


def openings(history: History) -> Iterator[list[Committed]]:
    """The commits of each opening of each incident, from the first that is no longer held."""
    openings: dict[tuple[str, int], list[Committed]] = {}
    for commit in history.of(Committed):
        key = (commit.incident, commit.reopened)
        if key in openings or commit.status not in (Status.HELD, Status.RESOLVED):
            openings.setdefault(key, []).append(commit)
            earlier = openings.get((commit.incident, commit.reopened - 1), [])
            if earlier and earlier[-1].status is not Status.RESOLVED:
                earlier.append(replace(commit, status=Status.RESOLVED))  # that opening is over in any case
    return iter(openings.values())


def _over_at(opening: Sequence[Committed]) -> float:
    return next((commit.at for commit in opening if commit.status is Status.RESOLVED), 1e9)


def _at_least(opening: Sequence[Committed], severity: str) -> float:
    """When it first was that severe."""
    wanted = severity_rank(severity)
    return next((commit.at for commit in opening if severity_rank(commit.severity) <= wanted), 1e9)


def hindered(history: History, start: float, end: float) -> float:
    """By how much deaths and freezes may have put things off; each that falls in the delay adds to it."""
    added = 0.0
    for record in history.records:
        if isinstance(record, (Died, Froze, Jumped)) and start <= record.at <= end + added:
            added += SUCCESSION if isinstance(record, Died) else abs(record.seconds)
    return added


def _first_pages(history: History) -> dict[str, float]:
    first: dict[str, float] = {}
    for got in history.of(PagerGot):
        if got.kind is PageKind.TRIGGER and "/asks/" not in got.dedup_key and "/lowered" not in got.dedup_key:
            first.setdefault(got.dedup_key.split("/")[0], got.at)
    return first
