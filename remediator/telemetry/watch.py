"""What is looked at now and then, whatever happens: rules' records, broken promises, the event loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from remediator.core.errors import Retryable
from remediator.core.incident import Incident
from remediator.core.policies import Mode, Policy, Rule
from remediator.core.ports import Observer, Runtime
from remediator.core.times import Instant
from remediator.core.trust import LOWERED_TO, Record, weigh
from remediator.telemetry.looked import Seen
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.table import outcomes, tuning
from remediator.telemetry.table.labels import PROMISES

LOOK_EVERY = 30.0
"""Seconds between two looks at what the store knows of rules and of open incidents."""
LOOK_AT = 500
"""Open incidents that are looked at."""
LAG_EVERY = 0.25
NAMED_AT_ONCE = 200
"""Rules that are looked at before others get a turn."""


class WatchedStore(Protocol):
    """What is read of the store."""

    async def records(self) -> Mapping[str, Record]:
        """Of every rule of which anything is known, by its name."""

    async def open_incidents(self, most: int) -> tuple[Instant, tuple[Incident, ...]]:
        """The time there, and some of the incidents that are not resolved, at most so many."""


class Watch:
    """Keeps the gauges that would cost too much at every scrape. ``ceiling``: the daemon's own."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        store: WatchedStore,
        runtime: Runtime,
        observer: Observer,
        policy: Callable[[], Policy],
        ceiling: Mode,
    ) -> None:
        self._metrics, self._store, self._runtime, self._observer = metrics, store, runtime, observer
        self._policy, self._ceiling = policy, ceiling

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except Retryable as error:  # what was seen last stays: the store tells of itself
                self._observer.trouble("watch", error)
            await self._runtime.sleep(LOOK_EVERY * (0.9 + 0.2 * self._runtime.random()))

    async def look(self) -> None:
        """Once. Raises Retryable where the store cannot be asked."""
        policy = self._policy()
        records = await self._store.records()
        at, incidents = await self._store.open_incidents(LOOK_AT)
        seen = await self._rules(policy, records)
        self._metrics.looked.show({**seen, outcomes.INCIDENTS_OVERDUE: _overdue(incidents, at, policy)})

    async def _rules(self, policy: Policy, records: Mapping[str, Record]) -> Seen:
        info: dict[tuple[str, ...], float] = {}
        told: dict[tuple[str, ...], float] = {}
        advised: dict[tuple[str, ...], float] = {}
        modes = dict.fromkeys(tuning.RULES.first_series(), 0.0)
        for number, rule in enumerate(policy.rules, 1):
            record = records.get(rule.name) or Record(rule=rule.name)
            mode, advice = in_force(rule, record, self._ceiling), weigh(rule.mode, record)
            info[rule.name, rule.severity, mode.value] = 1
            modes[mode.value,] += 1
            told |= {
                (rule.name, what.value): record.counts[what] for what in tuning.WHAT if what in record.counts
            }
            if advice is not None:
                advised[rule.name, advice[0].value] = 1
            if number % NAMED_AT_ONCE == 0:
                await self._runtime.sleep(0)
        return {tuning.RULE_INFO: info, tuning.RULES: modes, tuning.RECORD: told, tuning.ADVICE: advised}


def _overdue(incidents: Sequence[Incident], at: Instant, policy: Policy) -> Mapping[tuple[str, ...], float]:
    counts = Counter((one.severity, phase) for one in incidents for phase in overdue(one, at, policy))
    return dict.fromkeys(outcomes.INCIDENTS_OVERDUE.first_series(), 0.0) | counts


def in_force(rule: Rule, record: Record, ceiling: Mode) -> Mode:
    """What a rule is trusted with now: the ceiling and its own failures included."""
    mode = rule.mode.capped(ceiling)
    return mode if record.lowered is None else mode.capped(LOWERED_TO)


def overdue(incident: Incident, at: Instant, policy: Policy) -> list[str]:
    """Which promises of its severity an open incident has broken already.

    Nobody need take on what a verified fix has repaired; it has to be over in time all the same.
    """
    severity = policy.severities.get(incident.severity)
    if severity is None:
        return []
    open_for = at - incident.open_since
    answered = incident.acknowledged_at is not None or incident.verified_at is not None
    owed = [phase for phase in PROMISES if not (phase == "acknowledge" and answered)]
    return [phase for phase in owed if (within := severity.promise(phase)) is not None and open_for > within]


class LoopLag:
    """How late the event loop is."""

    def __init__(self, metrics: Metrics, runtime: Runtime) -> None:
        self._lag, self._runtime = metrics.loop_lag, runtime

    async def run(self) -> None:
        """Ask it until cancelled."""
        while True:
            due = self._runtime.monotonic() + LAG_EVERY
            await self._runtime.sleep(LAG_EVERY)
            self._lag.observe(max(self._runtime.monotonic() - due, 0.0))
