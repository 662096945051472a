"""In what two replays of one record differ: alert by alert on the way, incident by incident at their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from remediator.core.alerts import Alert
from remediator.core.policies import Rule
from remediator.core.times import Instant
from remediator.policy.explain import skeleton
from remediator.rehearsal.backtest.tally import Example, Note, Tally, example_of

EXAMPLES = 3
"""Of each kind of difference."""
LISTED = 5
"""Incidents that are named, of each kind of difference."""
KINDS = 1000
"""Kinds that are told apart; what comes after them is counted together."""


@dataclass(kw_only=True, slots=True)
class Group:
    """Alerts that are alike: how many, and the first of them."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, alert: Alert, at: Instant) -> None:
        """One more."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example_of(alert, at))


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """From one rule and severity to another; None where no rule matches."""

    rule: str | None
    severity: str | None
    to_rule: str | None
    to_severity: str | None


class Moves:
    """Alerts that two policies classify differently."""

    def __init__(self) -> None:
        self.found: dict[Move, Group] = {}
        self.others = 0

    def see(self, alert: Alert, at: Instant, before: Rule | None, after: Rule | None) -> None:
        """A new alert, and the rule of either policy that wins it."""
        move = Move(
            rule=before.name if before is not None else None,
            severity=before.severity if before is not None else None,
            to_rule=after.name if after is not None else None,
            to_severity=after.severity if after is not None else None,
        )
        if (move.rule, move.severity) == (move.to_rule, move.to_severity):
            return
        if len(self.found) >= KINDS and move not in self.found:
            self.others += 1
            return
        self.found.setdefault(move, Group()).add(alert, at)


class Unmatched:
    """Alerts that no rule matches, by the rule that one would begin with."""

    def __init__(self) -> None:
        self.found: dict[str, Group] = {}
        self.others = 0

    def see(self, alert: Alert, at: Instant) -> None:
        """One of them."""
        rule = skeleton(alert.labels)
        if len(self.found) >= KINDS and rule not in self.found:
            self.others += 1
            return
        self.found.setdefault(rule, Group()).add(alert, at)


Pair = tuple[Note, tuple[Note, ...]]
"""An incident, and its counterparts: incidents of the other replay that an alert of it belongs to."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """How many incidents, and the first of them."""

    count: int
    first: tuple[Pair, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What one replay has and the other has not.

    ``incidents``: those without a counterpart. The others have one. ``paged``: with more pages than their
    counterparts; ``sooner``: with a page that is there before theirs; ``raised``: more severe than they ever
    are, or sooner so; ``attempted``: with an attempt, or an outcome of one, that they do not have. An attempt
    that ends otherwise is gained.
    """

    incidents: Listed
    paged: Listed
    sooner: Listed
    raised: Listed
    attempted: Listed

    @property
    def any(self) -> bool:
        """Whether there is anything at all."""
        parts = (self.incidents, self.paged, self.sooner, self.raised, self.attempted)
        return any(each.count for each in parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """``gained``: only with the candidate. ``lost``: only with the current policy."""

    gained: Difference
    lost: Difference


def pair_up(current: Tally, candidate: Tally) -> None:
    """Incidents in which the alerts that joined since the last call met. To be called after every line."""
    for fingerprint in {*current.joined, *candidate.joined}:
        one, other = current.home.get(fingerprint), candidate.home.get(fingerprint)
        if one is not None and other is not None:
            one.partners.add(other.id)
            other.partners.add(one.id)
    current.joined.clear()
    candidate.joined.clear()


def compare(current: Tally, candidate: Tally) -> Comparison:
    """After both replays have come to their end."""
    gained = _beyond(candidate, current, lambda more, less: bool(more))
    return Comparison(
        gained=gained, lost=_beyond(current, candidate, lambda more, less: bool(more and not less))
    )


_Attempts = Counter[tuple[str, str]]


def _beyond(mine: Tally, other: Tally, told: Callable[[_Attempts, _Attempts], bool]) -> Difference:
    """``told``: whether attempts that only mine has, beside those that only the other has, belong here."""
    pairs = [(note, _counterparts(note, other)) for note in mine.notes.values() if note.opened_at is not None]
    met = [pair for pair in pairs if pair[1]]
    return Difference(
        incidents=_listed(pair for pair in pairs if not pair[1]),
        paged=_listed(pair for pair in met if len(pair[0].pages) > sum(len(o.pages) for o in pair[1])),
        sooner=_listed(pair for pair in met if _is_sooner(*pair)),
        raised=_listed(pair for pair in met if _is_raised_sooner(*pair)),
        attempted=_listed(
            (note, others)
            for note, others in met
            if told(_attempts([note]) - _attempts(others), _attempts(others) - _attempts([note]))
        ),
    )


def _counterparts(note: Note, other: Tally) -> tuple[Note, ...]:
    found = (other.notes.get(name) for name in sorted(note.partners))
    return tuple(each for each in found if each is not None and each.opened_at is not None)


def _is_sooner(note: Note, others: tuple[Note, ...]) -> bool:
    """Whether anybody is first asked, or a channel is asked for the first, second… time, before they are."""
    mine, theirs = _times([note]), _times(others)
    return any(
        at < other
        for channel, times in mine.items()
        for at, other in zip(times, theirs.get(channel, ()), strict=False)
    )


ANYBODY = ""


def _times(notes: Iterable[Note]) -> dict[str, list[Instant]]:
    """When each channel was paged, and when the first of all was."""
    pages = sorted(page for note in notes for page in note.pages)
    times: dict[str, list[Instant]] = {ANYBODY: [at for at, _, _ in pages[:1]]}
    for at, _, channel in pages:
        times.setdefault(channel, []).append(at)
    return times


def _is_raised_sooner(note: Note, others: tuple[Note, ...]) -> bool:
    for at, severity, _ in note.raised:
        known = [since for each in others if (since := each.severe_since(severity)) is not None]
        if not known or at < min(known):
            return True
    return False


def _attempts(notes: Iterable[Note]) -> _Attempts:
    return Counter(attempt for note in notes for attempt in note.attempts)


def _listed(pairs: Iterable[Pair]) -> Listed:
    first: list[Pair] = []
    count = 0
    for pair in pairs:
        count += 1
        if len(first) < LISTED:
            first.append(pair)
    return Listed(count=count, first=tuple(first))
