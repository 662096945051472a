"""Who hears of everything that happened: one reason feeds the timeline, the log and the metrics."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from remediator.core.alerts import Disposition
from remediator.core.classify import Match
from remediator.core.decision import Decision
from remediator.core.errors import RemediatorError
from remediator.core.incident import Incident
from remediator.core.journal import Entry, Kind
from remediator.core.policies import Policy
from remediator.core.verdicts import Verdict
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.table.intake import RECOVERABLE

_log = structlog.get_logger(__name__)
_root = logging.getLogger()
"""Has the level of the log. Asked first where there are many lines: one that is dropped costs as much as
taking in an alert."""
_QUIET = frozenset((Kind.ALERT_FIRED, Kind.ALERT_RESOLVED, Kind.DIAGNOSED, Kind.GUARD, Kind.OUTPUT))
"""Told at debug level: many, and all of them stand in the timeline."""


class Telemetry:
    """``core.ports.Observer``. ``policy`` answers the newest loaded: it names the catalog's services."""

    def __init__(self, metrics: Metrics, policy: Callable[[], Policy]) -> None:
        self._metrics = metrics
        self._policy = policy
        self._archive_trouble = ""
        self._silent: dict[str, str] = {}

    def arrived(self, dispositions: Sequence[Disposition]) -> None:
        """Alerts were taken in."""
        counts = Counter(dispositions)
        for disposition, count in counts.items():
            self._metrics.arrived(disposition, count)
        if _root.isEnabledFor(logging.DEBUG):
            _log.debug("alerts taken in", **{str(each): count for each, count in counts.items()})

    def polled(self, alertmanager: str, trouble: str | None) -> None:
        """An Alertmanager was asked. Said when it falls silent, for another reason, and when it is back."""
        self._metrics.polled(alertmanager, answered=trouble is None)
        if trouble == self._silent.get(alertmanager):
            return
        if trouble is None:
            del self._silent[alertmanager]
            _log.info("alertmanager answers again", alertmanager=alertmanager)
        else:
            self._silent[alertmanager] = trouble
            text = "alertmanager does not answer; changes are blocked, missed alerts stay missed"
            _log.warning(text, alertmanager=alertmanager, why=trouble)

    def silent_alertmanagers(self) -> dict[str, str]:
        """Those that did not answer when they were last asked, and why."""
        return dict(self._silent)

    def recovered(self, dispositions: Mapping[Disposition, int]) -> None:
        """Alerts were handed in that an Alertmanager lists, or lists no more."""
        for missed in RECOVERABLE:
            if count := dispositions.get(missed, 0):
                self._metrics.recovered.labels(missed).inc(count)
                _log.info("alerts recovered", disposition=str(missed), count=count)

    def committed(self, decision: Decision, matches: Sequence[Match]) -> None:
        """A decision was committed; ``matches`` are the rules that won on the way."""
        for (rule, severity), count in Counter((m.rule.name, m.rule.severity) for m in matches).items():
            self.matched(rule, severity, count)
        if decision.incident is not None:
            self.told(decision.incident, decision.timeline)

    def matched(self, rule: str, severity: str, times: int = 1) -> None:
        """A rule won."""
        self._metrics.rule_matches.labels(rule, severity).inc(times)

    def told(self, incident: Incident, entries: Sequence[Entry]) -> None:
        """Timeline entries were committed."""
        self._metrics.told(incident, entries, self._policy())
        everything = _root.isEnabledFor(logging.DEBUG)
        for entry in entries:
            if entry.kind in _QUIET and not everything:
                continue
            say = _log.debug if entry.kind in _QUIET else _log.info
            say(entry.text, incident=incident.id, severity=incident.severity, kind=str(entry.kind))

    def judged(self, incident: str, verdicts: Sequence[Verdict]) -> None:
        """Guards were asked."""
        self._metrics.judged(verdicts)
        for verdict in verdicts:
            if not verdict.allowed:
                _log.info("a guard objects", incident=incident, guard=verdict.guard, why=verdict.text)

    def buried(self, queue: str, reason: str) -> None:
        """Something became a dead letter."""
        self._metrics.buried.labels(queue).inc()
        _log.warning("dead letter", queue=queue, reason=reason)

    def archived(self, count: int) -> None:
        """Notifications were written to the archive. Called from its thread."""
        self._metrics.archived.labels("written").inc(count)
        if count and self._archive_trouble:
            self._archive_trouble = ""
            self._metrics.archive_failing.set(0)
            _log.info("the archive is written again")

    def not_archived(self, count: int, reason: str) -> None:
        """Notifications are lost to the archive. Said once for each reason, until it is written again."""
        self._metrics.archived.labels("lost").inc(count)
        self._metrics.archive_failing.set(1)
        if reason != self._archive_trouble:
            self._archive_trouble = reason
            _log.warning("the archive cannot be written; alerts are taken in all the same", why=reason)

    def trouble(self, where: str, error: BaseException) -> None:
        """A task met something it could not handle and goes on."""
        expected = isinstance(error, RemediatorError)
        self._metrics.troubles.labels(where, "expected" if expected else "bug").inc()
        _log.warning(
            "trouble",
            where=where,
            error=f"{type(error).__name__}: {error}",
            exc_info=None if expected else error,
        )
