"""The daemon's own metrics: names are stable, cardinality is bounded, units are base units.

Every one of them stands in ``telemetry.table``, with what it tells and what to do with it. No label ever
carries a value that an alert can choose: services and rules are names of the policy or ``other``. Gauges of
the store are read for each scrape, so that they are true at every scrape (``telemetry.scrape``).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from remediator import __version__
from remediator.core.alerts import Disposition
from remediator.core.incident import Incident
from remediator.core.journal import Entry
from remediator.core.policies import Policy
from remediator.core.times import SECOND
from remediator.core.verdicts import Verdict
from remediator.telemetry.build import Builder, Kept
from remediator.telemetry.looked import Looked
from remediator.telemetry.peers import Peers
from remediator.telemetry.scrape import Scraped, render
from remediator.telemetry.table import daemon, intake, outcomes, tuning
from remediator.telemetry.table.labels import OTHER, PROMISES
from remediator.telemetry.telling import Told, foretell

__all__ = ["OTHER", "Metrics", "Scraped"]


class Metrics:
    """The metrics of one daemon. Each has a registry of its own, so that many can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Builder(self.registry)
        build.gauge(daemon.BUILD).labels(__version__, platform.python_version()).set(1)
        self._taken_in(build)
        self._policies(build)
        self._told = Told(build)
        self.peers = Peers(build)
        self.guard_verdicts = build.counter(outcomes.GUARDS)
        self.looked = Looked()
        self.registry.register(self.looked)
        self.promise = build.gauge(outcomes.PROMISE)
        self.buried = build.counter(daemon.BURIED)
        self.troubles = build.counter(daemon.TROUBLE)
        self.loop_lag = build.histogram(daemon.LOOP_LAG)

    def _taken_in(self, build: Builder) -> None:
        self.webhook_requests = build.counter(intake.REQUESTS)
        self._answers: Kept[Counter, int] = Kept(self.webhook_requests)
        for code in intake.STATUSES:
            self._answers.of(code)
        self.webhook_duration = build.histogram(intake.DURATION)
        self.last_webhook = build.gauge(intake.LAST_WEBHOOK)
        self.alerts = build.counter(intake.ALERTS)
        self._alerts: Kept[Counter, Disposition] = Kept(self.alerts)
        self.recovered = build.counter(intake.RECOVERED)
        self.polls = build.counter(intake.POLLS)
        self.polled_at = build.gauge(intake.POLLED_AT)
        self.archived = build.counter(intake.ARCHIVED)
        self.archive_failing = build.gauge(intake.ARCHIVE_FAILING)

    def _policies(self, build: Builder) -> None:
        self.rule_matches = build.counter(tuning.MATCHES)
        self.rules_lowered = build.gauge(tuning.LOWERED)
        self.policy_reloads = build.counter(tuning.RELOADS)
        self.reload_successful = build.gauge(tuning.RELOADED)
        self.reload_success_time = build.gauge(tuning.RELOADED_AT)
        self.policy_info = build.gauge(tuning.POLICY_INFO)

    def answered(self, code: int, seconds: float) -> None:
        """A webhook was answered with this HTTP status."""
        self._answers.of(code).inc()
        self.webhook_duration.observe(seconds)
        if 200 <= code < 300:
            self.last_webhook.set(time.time())

    def arrived(self, disposition: Disposition, count: int) -> None:
        """So many alerts were taken in."""
        self._alerts.of(disposition).inc(count)

    def polled(self, alertmanager: str, *, answered: bool) -> None:
        """An Alertmanager was asked."""
        self.polls.labels(alertmanager, "answered" if answered else "failed").inc()
        if answered:
            self.polled_at.labels(alertmanager).set(time.time())

    def loaded(self, digest: str) -> None:
        """A policy is in force."""
        self._read("loaded")
        self.policy_info.clear()
        self.policy_info.labels(digest).set(1)

    def promises(self, policy: Policy) -> None:
        """What the policy in force promises; what an earlier one did is gone."""
        self.promise.clear()
        for severity in policy.severities.values():
            for phase in PROMISES:
                within = severity.promise(phase)
                if within is not None:
                    self.promise.labels(severity.name, phase).set(within / SECOND)
        self.peers.forget_channels(policy.channels)

    def unchanged(self) -> None:
        """The files say what is in force already."""
        self._read("unchanged")

    def refused(self) -> None:
        """A policy has errors and the one before stays in force."""
        self.policy_reloads.labels("refused").inc()
        self.reload_successful.set(0)

    def _read(self, outcome: str) -> None:
        self.policy_reloads.labels(outcome).inc()
        self.reload_successful.set(1)
        self.reload_success_time.set_to_current_time()

    def judged(self, verdicts: Sequence[Verdict]) -> None:
        """Guards were asked."""
        for verdict in verdicts:
            word = "allows" if verdict.allowed else "withholds" if verdict.withholds else "blocks"
            word = "asks" if verdict.asks else word
            foretell(self.guard_verdicts, (verdict.guard,), outcomes.VERDICTS)
            self.guard_verdicts.labels(verdict.guard, word).inc()

    def told(self, incident: Incident, entries: Sequence[Entry], policy: Policy) -> None:
        """Count what the timeline tells of."""
        self._told.told(incident, entries, policy)

    def render(self, scraped: Scraped, accept: str) -> tuple[bytes, str]:
        """The body of a scrape and its content type, in the format that the scraper accepts."""
        return render(self.registry, scraped, accept)
