"""A record played to one policy: a stage of its own, fed in the order of time.

Nothing is decided here. What is over for longer than an hour can never come back (a new alert of its group
opens another incident), so the stage forgets it: a month needs the memory of its worst hours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Self

from remediator.core.alerts import Disposition, Notification
from remediator.core.classify import Classifier, Match
from remediator.core.decision import Decision
from remediator.core.incident import IncidentId
from remediator.core.journal import Effect, Outcomes
from remediator.core.opening import REOPENS_WITHIN
from remediator.core.policies import Mode, Policy, Rule
from remediator.core.times import MINUTE, Instant
from remediator.rehearsal.backtest.shortcut import Known
from remediator.rehearsal.backtest.store import RecordStore
from remediator.rehearsal.backtest.tally import Tally
from remediator.rehearsal.stage import Stage
from remediator.rehearsal.watching import Judged, PageSent
from remediator.rehearsal.world import World

FORGET_AFTER = REOPENS_WITHIN + MINUTE


class Replay:
    """One policy, what it was given and what came of it. Close it. ``at`` never goes back."""

    def __init__(
        self, policy: Policy, start_at: Instant, *, ceiling: Mode = Mode.AUTO, forgets: bool = True
    ) -> None:
        self.policy = policy
        self.tally = Tally(policy)
        self._forgets = forgets
        self._rules = Classifier(policy)
        self._store: RecordStore
        self._stage = Stage(
            self._rules,
            World(strangers=True),  # nobody recorded which workloads there were
            start_at=start_at,
            ceiling=ceiling,
            watchers=(self,),
            store=self._make_store,
        )
        self._over: deque[tuple[Instant, IncidentId]] = deque()

    def _make_store(self, clock: Callable[[], int]) -> RecordStore:
        self._store = RecordStore(clock)
        return self._store

    def rule(self, labels: Mapping[str, str]) -> Rule | None:
        """The rule that wins an alert."""
        return self._rules.rule(labels)

    def take(self, notification: Notification, at: Instant) -> Sequence[Disposition]:
        """Let it arrive, and everything happen that happens by then; what became of each of its alerts."""
        self._store.admitted.clear()
        arriving = replace(notification, rejected=())  # dead letters are counted, and kept nowhere
        self._stage.call(at, lambda stage: stage.receive(arriving))
        self.run_until(at)
        found = tuple(self._store.admitted)
        self.tally.arrived((*found, *[Disposition.DEAD_LETTER] * len(notification.rejected)))
        return found

    def is_repeat(self, alert: Known, *, matched: bool) -> bool:
        """Whether it would be counted as a duplicate and nothing else."""
        return self._store.is_repeat(alert, matched=matched)

    def run_until(self, at: Instant) -> None:
        """Let time pass."""
        self._stage.run_until(at)
        watch = self._stage.watch
        watch.pages.clear()
        watch.verdicts.clear()
        watch.changes.clear()
        while self._forgets and self._over and self._over[0][0] <= at - FORGET_AFTER:
            resolved_at, name = self._over.popleft()
            known = self._store.find(name)
            if known is None or known.isolations or known.quiets:
                continue
            if known.resolved_at == resolved_at:
                self._store.forget(name)
                watch.asked.pop(name, None)
                watch.weighed.pop(name, None)

    # --- rehearsal.watching.Watcher ---

    def committed(self, at: Instant, decision: Decision, matches: Sequence[Match]) -> None:
        """A decision was committed."""
        self.tally.committed(decision, matches)
        incident = decision.incident
        if incident is not None and incident.resolved_at is not None:
            self._over.append((incident.resolved_at, incident.id))

    def judged(self, judged: Judged) -> None:
        """The timeline tells of it too."""

    def performed(self, at: Instant, effect: Effect, outcome: Outcomes | None) -> None:
        """Its outcome is decided upon, and told there."""

    def paged(self, page: PageSent) -> None:
        """It was counted when it was decided."""

    def close(self) -> None:
        """End it."""
        for trouble in self._stage.watch.troubles:
            self.tally.troubles[trouble] += 1
        self._stage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
