"""The reconciler: asks every Alertmanager how things are, and makes up for deliveries that went missing (P3).

What it finds goes the way of every alert, through ``Journey.receive``: it opens what is not open, closes what
is not closed, and is a duplicate in all other cases. So every replica may do it, at any time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from remediator.core.alertmanagers import (
    ABSENT_FOR,
    SETTLED,
    Alertmanagers,
    Answers,
    Listing,
    Member,
    absence,
    listed,
    merge_active,
    narrowed,
    unanswered,
)
from remediator.core.alerts import Alert, AlertStatus, Disposition, Fingerprint, Notification
from remediator.core.errors import Retryable
from remediator.core.incident import IncidentId
from remediator.core.ports import Runtime
from remediator.core.store import CHUNK, Loaded, Members
from remediator.core.times import (
    MINUTE,
    Instant,
    Millis,
    Stamp,
    format_instant,
    parse_stamp,
    stamp_instant,
)

RECEIVER = "reconciliation"
"""What stands for the receiver in notifications of our own making."""
MOST_REMEMBERED = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcilePace:
    """How patient it is. ``every``: seconds between two rounds, half of it more or less.

    ``patience``: an alert that fires for less is left to its delivery, which waits for its group.
    ``again``: how long an alert that was handed in is not handed in again. ``contradicted``: so long an alert
    must be listed as active after it was said to have resolved, before it is taken to fire: longer than an
    Alertmanager that hears nothing of it would list it.
    """

    every: float = 30.0
    patience: Millis = Millis(MINUTE)
    again: Millis = Millis(5 * MINUTE)
    contradicted: Millis = Millis(6 * MINUTE)
    absent_for: Millis = ABSENT_FOR
    settled: Millis = SETTLED


class ReconcileStore(Protocol):
    """What is asked of the store."""

    async def remember(self, alerts: Sequence[Alert]) -> None:
        """See ``core.store.ListingStore``."""

    async def members(self, incident: IncidentId | None) -> Members:
        """See ``core.store.ListingStore``."""

    async def load(self, incident: IncidentId | None, fingerprints: Sequence[Fingerprint]) -> Loaded:
        """See ``core.store.IncidentStore``."""


class PollObserver(Protocol):
    """Who hears of it."""

    def polled(self, alertmanager: str, trouble: str | None) -> None:
        """One was asked; ``trouble``: why it is not known what it lists."""

    def recovered(self, dispositions: Mapping[Disposition, int]) -> None:
        """What became of alerts that were handed in here."""

    def trouble(self, where: str, error: BaseException) -> None:
        """A round could not be ended."""


@dataclass(slots=True)
class _Memory:
    """What this replica remembers between two rounds. Losing it costs nothing but time."""

    handed_in: dict[Fingerprint, tuple[Stamp, Instant]]
    contradicted: dict[Fingerprint, Instant]


class Reconciler:
    """One replica's rounds. ``receive``: the journey's own door."""

    def __init__(
        self,
        *,
        alertmanagers: Alertmanagers,
        store: ReconcileStore,
        receive: Callable[[Notification], Awaitable[Counter[Disposition]]],
        clock_trouble: Callable[[], str | None],
        runtime: Runtime,
        observer: PollObserver,
        pace: ReconcilePace,
    ) -> None:
        self._alertmanagers, self._store, self._receive = alertmanagers, store, receive
        self._clock_trouble, self._runtime, self._observer = clock_trouble, runtime, observer
        self._pace, self._memory = pace, _Memory({}, {})

    async def run(self) -> None:
        """A round now and then, until cancelled."""
        while True:
            try:
                await self.round()
            except Retryable as error:
                self._observer.trouble("reconciler", error)
            await self._runtime.sleep(self._pace.every * (0.5 + self._runtime.random()))

    async def round(self) -> None:
        """Ask all of them once. Raises Retryable where the store cannot be asked or told."""
        before = await self._store.members(None)  # first: what opens while they are asked is not missed
        answers = await self._alertmanagers.poll()
        for answer in answers:
            why = None if isinstance(answer, Listing) else answer.why
            self._observer.polled(answer.who, why)
        every = [ones[0].alert for ones in listed(answers).values()]
        for start in range(0, len(every), CHUNK):
            await self._store.remember(every[start : start + CHUNK])
        await self._recover(merge_active(answers), before.at)
        if not unanswered(answers):
            await self._make_over(before, answers)

    async def _recover(self, active: Sequence[Alert], at: Instant) -> None:
        """Hand in what fires; the store knows what of it is new."""
        pace, memory = self._pace, self._memory
        due = [
            alert
            for alert in active
            if at - stamp_instant(alert.starts_at) >= pace.patience and not self._was_handed_in(alert, at)
        ]
        for start in range(0, len(due), CHUNK):
            chunk = due[start : start + CHUNK]
            await self._hand_in(chunk)
            memory.handed_in.update({one.fingerprint: (one.starts_at, at) for one in chunk})
        while len(memory.handed_in) > MOST_REMEMBERED:
            del memory.handed_in[next(iter(memory.handed_in))]
        await self._contradict(active, at)

    def _was_handed_in(self, alert: Alert, at: Instant) -> bool:
        starts_at, when = self._memory.handed_in.get(alert.fingerprint, (None, Instant(0)))
        return starts_at == alert.starts_at and 0 <= at - when < self._pace.again

    async def _contradict(self, active: Sequence[Alert], at: Instant) -> None:
        """An alert that was said to have resolved and is listed on and on fires: in doubt, it does (P5).

        Such a thing happens when Prometheus could not reach Alertmanager for some minutes: the alert comes
        back with the time at which it first began, and looks older than its end.
        """
        memory, over = self._memory, set[Fingerprint]()
        for start in range(0, len(active), CHUNK):
            names = [alert.fingerprint for alert in active[start : start + CHUNK]]
            over |= (await self._store.load(None, names)).facts.over
        memory.contradicted = {
            fingerprint: since for fingerprint, since in memory.contradicted.items() if fingerprint in over
        }
        again = []
        for alert in active:
            if alert.fingerprint in over:
                since = memory.contradicted.setdefault(alert.fingerprint, at)
                if at - since >= self._pace.contradicted:
                    again.append(replace(alert, starts_at=_stamp(at)))
        for start in range(0, len(again), CHUNK):
            await self._hand_in(again[start : start + CHUNK])

    async def _make_over(self, before: Members, answers: Answers) -> None:
        """Hand in the end of what fires no longer, once nothing speaks against it."""
        pace = self._pace
        if self._clock_trouble() is not None:
            return  # for how long nothing was listed is not known
        gone = absence(before.firing, answers, before.at, absent_for=pace.absent_for, settled=pace.settled)
        if not gone:
            return
        # A route may have changed: whoever receives it now, it fires as long as it is listed at all.
        anywhere = await self._alertmanagers.ask(narrowed(one.labels.get("alertname", "") for one in gone))
        over = absence(gone, anywhere, before.at, absent_for=pace.absent_for, settled=pace.settled)
        for start in range(0, len(over), CHUNK):
            await self._hand_in([_ended(one, before.at) for one in over[start : start + CHUNK]])

    async def _hand_in(self, alerts: Sequence[Alert]) -> None:
        notification = Notification(
            receiver=RECEIVER, group_key="", external_url="", truncated=0, alerts=tuple(alerts)
        )
        self._observer.recovered(await self._receive(notification))


def _ended(member: Member, at: Instant) -> Alert:
    """Its end. A newer episode than the one that was looked for goes on."""
    return Alert(
        fingerprint=member.fingerprint,
        status=AlertStatus.RESOLVED,
        labels=member.labels,
        annotations={},
        starts_at=member.starts_at,
        ends_at=_stamp(at),
    )


def _stamp(at: Instant) -> Stamp:
    return parse_stamp(format_instant(at))
