"""What happened in a rehearsal, as it is heard: an observer, and the journey with somebody looking on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from remediator.core.alerts import Disposition
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.incident import Incident, IncidentId, Status
from remediator.core.journal import (
    Act,
    Acted,
    Diagnose,
    Effect,
    EndIsolation,
    EndSilences,
    Notice,
    Outcomes,
    Page,
    Paged,
    PageKind,
    PageResult,
    Undo,
    Verify,
    Weigh,
)
from remediator.core.store import Delivered
from remediator.core.text import plain
from remediator.core.times import Instant
from remediator.core.verdicts import Verdict
from remediator.journey import Journey, Perform

EFFECT: ContextVar[Effect | None] = ContextVar("effect", default=None)
"""The effect that is being performed."""
PERFORMED = Diagnose | Act | Undo | EndIsolation | EndSilences | Verify | Weigh


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSent:
    """A channel took a page. ``level`` 0: the operator; ``incident`` empty: a notice of the daemon's own."""

    at: Instant
    incident: IncidentId
    channel: str
    level: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A guard was asked for a step of that incident."""

    at: Instant
    incident: str
    verdict: Verdict


class Watcher(Protocol):
    """Who is told what happens, as it happens. Every method may do nothing."""

    def committed(self, at: Instant, decision: Decision, matches: Sequence[Match]) -> None:
        """A decision was committed; ``matches``: the rules that won on the way."""

    def judged(self, judged: Judged) -> None:
        """A guard was asked."""

    def performed(self, at: Instant, effect: Effect, outcome: Outcomes | None) -> None:
        """A step, a round of checks or a diagnosis came back. None: nobody waited for it any more."""

    def paged(self, page: PageSent) -> None:
        """A channel took a page."""


class Watch:
    """``core.ports.Observer`` for a stage. Keeps what it hears, and tells the watchers."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self.now: Callable[[], Instant] = lambda: Instant(0)
        self.watchers = tuple(watchers)
        self.dispositions: Counter[Disposition] = Counter()
        self.pages: list[PageSent] = []
        self.verdicts: list[Judged] = []
        self.changes: dict[IncidentId, list[str]] = {}
        """All that was changed for each incident, in words: it keeps the last of that alone."""
        self.troubles: list[str] = []
        self.asked: dict[IncidentId, tuple[int, ...]] = {}
        self.weighed: dict[IncidentId, tuple[int, ...]] = {}
        """What the answers of an incident's checks, and of what would raise it, last depended on."""
        self.shifts = 0
        """How often an incident opened, was over, or came to stand otherwise to those that wait for it."""
        self.looked: dict[IncidentId, int] = {}
        """How many of these there were when an incident was last decided."""
        self._open: dict[IncidentId, tuple[object, ...]] = {}

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Counted."""
        self.dispositions.update(dispositions)

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """Passed on."""
        after = decision.incident
        if after is not None:
            self._place(after)
        for watcher in self.watchers:
            watcher.committed(self.now(), decision, matches)

    def _place(self, after: Incident) -> None:
        """How it stands to others; of what is over nothing is kept."""
        if after.status in (Status.HELD, Status.RESOLVED):
            self.shifts += self._open.pop(after.id, None) is not None
            self.looked.pop(after.id, None)
            return
        stands = (after.severity, after.attached_to, bool(after.foreign), bool(after.tried), after.about)
        if self._open.get(after.id) != stands:
            self.shifts += 1
            self._open[after.id] = stands
        self.looked[after.id] = self.shifts

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Kept and passed on."""
        for verdict in verdicts:
            judged = Judged(at=self.now(), incident=incident, verdict=verdict)
            self.verdicts.append(judged)
            for watcher in self.watchers:
                watcher.judged(judged)

    def buried(self, queue: str, reason: str) -> None:
        """Kept: in a rehearsal nothing should be."""
        self.troubles.append(f"{queue}: {reason}")

    def trouble(self, where: str, error: BaseException) -> None:
        """Kept: in a rehearsal there should be none."""
        self.troubles.append(f"{where}: {type(error).__name__}: {error}")

    def performed(
        self, what: Any, outcome: Outcomes | None, stamp: Callable[[Effect], tuple[int, ...]]
    ) -> None:
        """Kept where it was a page that was taken; passed on otherwise."""
        match what:
            case Page() if isinstance(outcome, Paged):
                if what.kind is PageKind.TRIGGER and outcome.result is PageResult.ACCEPTED:
                    level = int(what.key.split(".", 2)[1])
                    self._page(what.incident, what.channel, level)
            case Notice():
                self._page(IncidentId(""), what.channel, 0)
            case Diagnose() | Act() | Undo() | EndIsolation() | EndSilences() | Verify() | Weigh():
                if isinstance(what, Verify):
                    self.asked[what.incident] = stamp(what)
                elif isinstance(what, Weigh):
                    self.weighed[what.incident] = stamp(what)
                if isinstance(outcome, Acted) and outcome.changes:
                    self.changes.setdefault(what.incident, []).extend(map(plain, outcome.changes))
                for watcher in self.watchers:
                    watcher.performed(self.now(), what, outcome)
            case _:
                pass

    def _page(self, incident: IncidentId, channel: str, level: int) -> None:
        page = PageSent(at=self.now(), incident=incident, channel=channel, level=level)
        self.pages.append(page)
        for watcher in self.watchers:
            watcher.paged(page)


class WatchedJourney(Journey):
    """The daemon's own journey; what it performs is seen."""

    watch: Watch
    stamp: Callable[[Effect], tuple[int, ...]]

    async def perform(self, delivery: Delivered, performer: Perform) -> None:
        """As ``Journey.perform``."""

        async def seen(what: Any) -> Outcomes | None:
            EFFECT.set(what if isinstance(what, PERFORMED) else None)
            outcome = await performer(what)
            self.watch.performed(what, outcome, self.stamp)
            return outcome

        await super().perform(delivery, seen)
