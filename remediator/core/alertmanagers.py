"""What Alertmanagers say when they are asked, and what may be concluded from it. Pure.

A webhook tells of a change; a listing tells how things are. Being listed is proof that an alert fires. Not
being listed proves little: an Alertmanager keeps alerts in memory alone and is empty after a restart, one of
a pair may be cut off, and a route may send an alert elsewhere. ``absence`` says when it may be believed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from remediator.core.alerts import Alert, Fingerprint
from remediator.core.matchers import Matcher
from remediator.core.text import plain
from remediator.core.times import MINUTE, Instant, Millis, Stamp, format_duration

SETTLED = Millis(10 * MINUTE)
"""So long an Alertmanager must have been up before what it does not list counts. Prometheus repeats what
fires every minute (`--rules.alert.resend-delay`) or at every evaluation of its group, whichever is longer."""
ABSENT_FOR = Millis(2 * MINUTE)
"""So long no Alertmanager must have listed an alert before it is taken for over."""
MOST_NAMES = 8
"""Names of alerts that a question is narrowed by; of more everything is asked."""
OURS = "remediator"
"""Who creates our own silences."""


class State(StrEnum):
    """What Alertmanager makes of an alert that fires."""

    ACTIVE = "active"
    SUPPRESSED = "suppressed"
    UNPROCESSED = "unprocessed"
    """It has just arrived."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """A silence. Times are Alertmanager's own; ``state`` is active, pending or expired."""

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: Stamp
    ends_at: Stamp
    created_by: str
    comment: str
    state: str

    @property
    def ours(self) -> bool:
        """Whether a step of a runbook created it: those name the step in their comment."""
        return self.created_by == OURS and self.comment.startswith(f"{OURS}: ")

    def __str__(self) -> str:
        return f"silenced by {plain(self.created_by, 40)} until {self.ends_at[:19]}Z"


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An alert that an Alertmanager lists. What suppresses it: silences and muting intervals, other alerts.

    What cannot be read of a silence is a silence of somebody all the same.
    """

    alert: Alert
    state: State
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What one Alertmanager answered. ``who``: its address without user and password.

    ``up_for``: since it started. ``unusable``: fingerprints of alerts that cannot be understood otherwise.
    """

    who: str
    up_for: Millis
    alerts: tuple[Listed, ...] = ()
    silences: Mapping[str, Silence] = field(default_factory=dict)
    unusable: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Unanswered:
    """One that did not answer, or not in a way that can be understood, and why."""

    who: str
    why: str

    def __str__(self) -> str:
        return f"Alertmanager {self.who}: {self.why}"


Answers = tuple[Listing | Unanswered, ...]


class Alertmanagers(Protocol):
    """All that are configured, asked side by side. An answer for each of them, in their order; never raises.

    An answer that is not whole is no answer.
    """

    async def poll(self) -> Answers:
        """The alerts that are routed to our receiver, with the silences they are under."""

    async def ask(self, names: Collection[str]) -> Answers:
        """The alerts of these names, wherever they are routed, with the silences they are under.

        No names: all alerts.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """An alert that fires as a member of an incident, as far as deliveries told.

    ``listed_at``: when an Alertmanager last listed it, by the store's clock; None: none ever did. ``labels``
    are known from then on.
    """

    fingerprint: Fingerprint
    starts_at: Stamp
    listed_at: Instant | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


def unanswered(answers: Answers) -> tuple[Unanswered, ...]:
    """Those that did not answer."""
    return tuple(each for each in answers if isinstance(each, Unanswered))


def listed(answers: Answers) -> dict[Fingerprint, list[Listed]]:
    """What is listed, by whichever of them."""
    found: dict[Fingerprint, list[Listed]] = {}
    for answer in answers:
        for one in answer.alerts if isinstance(answer, Listing) else ():
            found.setdefault(one.alert.fingerprint, []).append(one)
    return found


def listed_members(members: Iterable[Member], answers: Answers) -> tuple[Alert, ...]:
    """Those of the members that are listed, as they are listed, by fingerprint."""
    known = listed(answers)
    prints = sorted({one.fingerprint for one in members} & known.keys())
    return tuple(known[fingerprint][0].alert for fingerprint in prints)


def doubt(answers: Answers, settled: Millis = SETTLED) -> str:
    """Why nothing follows from what is not listed; empty: it does."""
    if not answers:
        return "no Alertmanager is configured"
    for answer in answers:
        if isinstance(answer, Unanswered):
            return str(answer)
        if answer.up_for < settled:
            up = format_duration(answer.up_for // 1000 * 1000)
            return f"Alertmanager {answer.who} is up for {up} only, and may not know of every alert yet"
    return ""


def absence(
    members: Iterable[Member],
    answers: Answers,
    at: Instant,
    *,
    absent_for: Millis = ABSENT_FOR,
    settled: Millis = SETTLED,
) -> tuple[Member, ...]:
    """Members that are over, whether or not that was delivered. They must have been read before the answers.

    Only when every Alertmanager answered, has been up for long enough and does not list them, and if one
    listed them once: what never came from these Alertmanagers is not missing in them.
    """
    if doubt(answers, settled):
        return ()
    known = {
        *listed(answers),
        *(mark for each in answers if isinstance(each, Listing) for mark in each.unusable),
    }
    return tuple(
        one
        for one in members
        if one.fingerprint not in known and one.listed_at is not None and at - one.listed_at >= absent_for
    )


def narrowed(names: Iterable[str]) -> frozenset[str]:
    """What to narrow a question by; empty: by nothing, since one is unknown or there are too many."""
    known = frozenset(names)
    return frozenset() if "" in known or len(known) > MOST_NAMES else known


def suppressors(answers: Answers, members: Collection[Fingerprint]) -> Suppression:
    """What keeps the alerts of an incident quiet, in any of the Alertmanagers."""
    silenced: dict[str, None] = {}
    quiet: set[Fingerprint] = set()
    loud: set[Fingerprint] = set()
    own: set[Fingerprint] = set()
    for answer in answers:
        if not isinstance(answer, Listing):
            continue
        for one in answer.alerts:
            if one.alert.fingerprint not in members:
                continue
            foreign = [each for each in one.silenced_by if not _is_ours(answer, each)]
            if len(foreign) < len(one.silenced_by):
                own.add(one.alert.fingerprint)
            for each in foreign:
                silence = answer.silences.get(each)
                silenced[str(silence) if silence else f"silenced by {plain(each, 40)}"] = None
            if foreign or one.inhibited_by or one.muted_by or _unexplained(one):
                quiet.add(one.alert.fingerprint)
            else:
                loud.add(one.alert.fingerprint)
    return Suppression(silenced=tuple(silenced), quiet=len(quiet), loud=len(loud - quiet), own=len(own))


def _is_ours(listing: Listing, silence: str) -> bool:
    known = listing.silences.get(silence)
    return known is not None and known.ours


def _unexplained(one: Listed) -> bool:
    """It is suppressed, and nobody says by what."""
    return one.state is State.SUPPRESSED and not (one.silenced_by or one.inhibited_by or one.muted_by)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suppression:
    """How an incident's alerts stand. ``silenced``: by which silences of people, in words.

    ``quiet``: alerts that are silenced, inhibited or muted in one Alertmanager at least; ``loud``: those that
    are listed and are not. ``own``: alerts that a step of a runbook silenced, which count as if it had not.
    """

    silenced: tuple[str, ...] = ()
    quiet: int = 0
    loud: int = 0
    own: int = 0


def merge_active(answers: Answers) -> Sequence[Alert]:
    """Alerts that are active wherever they are listed: what is suppressed in one of a pair is not.

    What only a step of ours silenced is: Alertmanager does not tell us of it meanwhile, so we must ask.
    """
    found: dict[Fingerprint, Alert] = {}
    suppressed: set[Fingerprint] = set()
    for answer in answers:
        if not isinstance(answer, Listing):
            continue
        for one in answer.alerts:
            found.setdefault(one.alert.fingerprint, one.alert)
            if not _is_active(answer, one):
                suppressed.add(one.alert.fingerprint)
    return [alert for fingerprint, alert in found.items() if fingerprint not in suppressed]


def _is_active(listing: Listing, one: Listed) -> bool:
    if one.state is not State.SUPPRESSED:
        return one.state is State.ACTIVE
    only_silenced = bool(one.silenced_by) and not (one.inhibited_by or one.muted_by)
    return only_silenced and all(_is_ours(listing, each) for each in one.silenced_by)
