"""A backtest: one record, read once, played to one policy or to two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from remediator.core.alerts import Alert, AlertStatus, Disposition
from remediator.core.policies import Mode, Policy
from remediator.core.text import plain
from remediator.core.times import HOUR, Instant, Millis, Stamp, stamp_instant
from remediator.rehearsal.backtest.comparison import Moves, Unmatched, compare, pair_up
from remediator.rehearsal.backtest.lines import LATEST, BadLine, Line, Taken, read_line, received_at
from remediator.rehearsal.backtest.replay import Replay
from remediator.rehearsal.backtest.report import ReadLines, Report
from remediator.rehearsal.backtest.shortcut import Cut, Known, Shortcut, cut
from remediator.rehearsal.backtest.summing import changes_of, side_of

LISTED_LINES = 10
"""Lines that could not be read, and that are named."""
BEYOND = Millis(HOUR)
"""How long time goes on after the last line."""
TOLD_EVERY = 256
"""Lines between two words about progress."""
_NEW = (Disposition.NEW, Disposition.UNMATCHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """A policy, the path it was read from, and the daemon's ceiling on every rule's mode."""

    path: str
    policy: Policy
    ceiling: Mode = Mode.AUTO


class Backtest:
    """Plays lines to policies.

    ``shortcuts``: repeats are known by their bytes, and what is over for good is forgotten. Without, every
    line is read and everything kept, which comes to the same.
    """

    def __init__(self, policies: Sequence[Played], *, record: str = "", shortcuts: bool = True) -> None:
        self._played = policies
        self._record = record
        self._forgets = shortcuts
        self._shortcut = Shortcut() if shortcuts else None
        self._replays: list[Replay] = []
        self._unmatched = [Unmatched() for _ in policies]
        self._moves = Moves()
        self._begins: Instant | None = None
        self._now = Instant(0)
        self._notifications = self._alerts = self._untimed = self._backwards = self._unreadable = 0
        self._bad: list[tuple[str, str]] = []

    @property
    def alerts(self) -> int:
        """How many were read so far."""
        return self._alerts

    def play(self, record: Iterable[Line], progress: Callable[[], None] = lambda: None) -> None:
        """Play all lines, in their order."""
        for number, line in enumerate(record):
            if number % TOLD_EVERY == 0:
                progress()
            pieces = cut(line.raw) if self._shortcut is not None else None
            if pieces is not None and self._is_repeated(line.raw, pieces):
                continue
            try:
                taken = read_line(line.raw)
            except BadLine as error:
                self.unreadable(line.where, str(error))
                continue
            self._take(taken, pieces)

    def unreadable(self, where: str, why: str) -> None:
        """Something of the record could not be read."""
        self._unreadable += 1
        if len(self._bad) < LISTED_LINES:
            self._bad.append((plain(where, 300), plain(why, 300)))

    def finish(self, beyond: Millis = BEYOND) -> Report:
        """Let time go on for so long, as if nothing more arrived; then tell what was found."""
        sides = []
        for played, replay, unmatched in zip(self._played, self._all(), self._unmatched, strict=True):
            replay.run_until(Instant(self._now + beyond))
            replay.close()
            sides.append(side_of(played.path, played.policy, replay.tally, unmatched))
        changes = None
        if len(sides) == 2:
            tallies = [replay.tally for replay in self._replays]
            changes = changes_of(self._moves, compare(*tallies))
        return Report(
            read=self._read(),
            current=sides[0],
            candidate=sides[1] if len(sides) == 2 else None,
            changes=changes,
        )

    def _read(self) -> ReadLines:
        return ReadLines(
            record=self._record,
            begins=self._begins,
            ends=self._now if self._begins is not None else None,
            notifications=self._notifications,
            alerts=self._alerts,
            untimed=self._untimed,
            backwards=self._backwards,
            unreadable_count=self._unreadable,
            unreadable=tuple(self._bad),
        )

    def _all(self) -> list[Replay]:
        if not self._replays:
            self._replays = [
                Replay(each.policy, self._now, ceiling=each.ceiling, forgets=self._forgets)
                for each in self._played
            ]
        return self._replays

    def _count(self, at: Instant, alerts: int, *, timed: bool) -> None:
        """A notification came, and with it the time."""
        self._notifications += 1
        self._alerts += alerts
        self._untimed += not timed
        self._backwards += timed and at < self._now
        if self._begins is None:
            self._begins = at
        self._now = max(self._now, at)

    def _is_repeated(self, raw: bytes, pieces: Cut) -> bool:
        """Whether every alert of a line is a repeat that changes nothing; then it is counted."""
        assert self._shortcut is not None
        known = self._shortcut.known(pieces)
        if known is None or not all(map(self._repeats, known)):
            return False
        try:
            text = received_at(raw)
            at = max([each.own_time for each in known]) if text is None else _instant(text)
        except ValueError:
            return False
        if at > LATEST:  # for the reader to say
            return False
        self._count(at, len(known), timed=text is not None)
        for replay in self._replays:
            replay.tally.dispositions[Disposition.DUPLICATE] += len(known)
        return True

    def _repeats(self, known: Known) -> bool:
        for replay, matched in zip(self._replays, known.matched, strict=True):
            if not replay.is_repeat(known, matched=matched):
                return False
        return True

    def _take(self, taken: Taken, pieces: Cut | None) -> None:
        notification = taken.notification
        alerts = notification.alerts
        self._count(taken.at, len(alerts) + len(notification.rejected), timed=taken.timed)
        replays = self._all()
        dispositions = [replay.take(notification, self._now) for replay in replays]
        for alert, *found in zip(alerts, *dispositions, strict=True):
            if alert.status is AlertStatus.FIRING and any(each in _NEW for each in found):
                self._see(alert, found)
        if len(replays) == 2:
            pair_up(replays[0].tally, replays[1].tally)
        else:
            replays[0].tally.joined.clear()
        firing = any(alert.status is AlertStatus.FIRING for alert in alerts)  # the others hardly come again
        if firing and pieces is not None and self._shortcut is not None:
            matched = [tuple(each.rule(alert.labels) is not None for each in replays) for alert in alerts]
            self._shortcut.learn(pieces, taken, matched)

    def _see(self, alert: Alert, found: Sequence[Disposition]) -> None:
        """An episode began: by which rules, and whether by any."""
        rules = [replay.rule(alert.labels) for replay in self._replays]
        if len(rules) == 2:
            self._moves.see(alert, self._now, *rules)
        for unmatched, disposition in zip(self._unmatched, found, strict=True):
            if disposition is Disposition.UNMATCHED:
                unmatched.see(alert, self._now)


def _instant(text: str) -> Instant:
    """Of a time of the archive. Raises ValueError."""
    return stamp_instant(Stamp(f"{text[:-1]}000000Z"))
