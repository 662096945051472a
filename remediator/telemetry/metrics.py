"""The metrics, and what is counted when.

No label carries a value that an alert can choose: rules, runbooks, actions, guards and channels are names of
the policy, and a service that the catalog does not know is ``other``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from remediator.core.alerts import Disposition
from remediator.core.incident import Incident
from remediator.core.journal import Entry, Kind, PageKind
from remediator.core.pauses import ScopeKind
from remediator.core.policies import SEVERITIES, Policy, Severity
from remediator.core.store import Gauges
from remediator.core.times import SECOND
from remediator.core.verdicts import Verdict

OTHER = "other"
_WEBHOOK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_MINUTES = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scraped:
    """What is read from the store at a scrape. ``gauges`` None: the store did not answer."""

    gauges: Gauges | None


class Metrics:
    """The metrics of one daemon. Each has a registry of its own, so that many can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.webhook_requests = self._counter("webhook_requests", "Webhooks answered.", "code")
        self._answers: dict[int, Counter] = {}  # of the codes seen: looking one up costs more than counting
        self.webhook_duration = self._histogram("webhook_duration", "Until a webhook was answered.", _WEBHOOK)
        self.alerts = self._counter("alerts", "Alerts taken in, by what became of them.", "disposition")
        self.rule_matches = self._counter("rule_matches", "Alerts a rule won.", "rule", "severity")
        self.incidents = self._counter("incidents", "Incidents opened.", "severity")
        self.attempts = self._counter("attempts", "Attempts ended.", "runbook", "service", "outcome")
        self.attempt_duration = self._histogram(
            "attempt_duration", "From an attempt's start to its end.", _MINUTES, "runbook"
        )
        self.steps = self._counter("steps", "Steps performed, or not.", "action", "outcome")
        self.guard_verdicts = self._counter("guard_verdicts", "Answers of guards.", "guard", "verdict")
        self.pages = self._counter("pages", "Pages handed to channels.", "channel", "outcome")
        self.pages_avoided = self._counter(
            "pages_avoided", "Incidents resolved by a verified fix without paging anybody.", "severity"
        )
        self.escalations = self._counter("escalations", "Times that a level was asked.", "level")
        self.response = self._histogram(
            "response",
            "From the incident's opening to the phase; detect: from the alert's start to the opening.",
            _MINUTES,
            "severity",
            "phase",
        )
        self.sla_breaches = self._counter(
            "sla_breaches", "Phases that took longer than the severity promises.", "severity", "phase"
        )
        self.severity_raised = self._counter(
            "severity_raised", "Open incidents that became more severe.", "from", "to"
        )
        self.approvals = self._counter(
            "approvals",
            "Plans that people were asked to agree to, and what became of the question.",
            "outcome",
        )
        self.attached = self._counter(
            "incidents_attached", "Incidents that began to wait for one of what they depend on.", "root"
        )
        self.located = self._counter(
            "targets_located", "Objects that alerts name, by whether their workload was found.", "outcome"
        )
        self.policy_reloads = self._counter(
            "policy_reloads", "Policies read: loaded, unchanged, or refused.", "outcome"
        )
        self.reload_successful = Gauge(
            "remediator_policy_last_reload_successful",
            "Whether the files could be read the last time that they were.",
            registry=self.registry,
        )
        self.reload_success_time = Gauge(
            "remediator_policy_last_reload_success_timestamp_seconds",
            "When they could last be read.",
            registry=self.registry,
        )
        self.policy_info = Gauge(
            "remediator_policy_info", "The policy in force.", ["digest"], registry=self.registry
        )
        self.polls = self._counter(
            "alertmanager_polls", "Times that an Alertmanager was asked.", "alertmanager", "outcome"
        )
        self.recovered = self._counter(
            "alerts_recovered", "Alerts whose delivery went missing, found by asking.", "disposition"
        )
        for missed in (Disposition.NEW, Disposition.RESOLVED):
            self.recovered.labels(missed)
        self.archived = self._counter(
            "archive_notifications",
            "Notifications for the intake archive, by what became of them.",
            "outcome",
        )
        self.archive_failing = Gauge(
            "remediator_archive_failing", "Whether the archive could not be written to last time.",
            registry=self.registry,
        )  # fmt: skip
        for outcome in ("written", "lost"):
            self.archived.labels(outcome)
        lowered = "Rules that only observe, because the daemon lacks permissions."
        self.rules_lowered = Gauge("remediator_rules_lowered", lowered, registry=self.registry)
        for disposition in Disposition:
            self.alerts.labels(disposition)
        for outcome in ("asked", "changed", "approved", "rejected", "expired"):
            self.approvals.labels(outcome)
        for severity in SEVERITIES:
            self.incidents.labels(severity)
            self.pages_avoided.labels(severity)
        for outcome in ("loaded", "unchanged", "refused"):
            self.policy_reloads.labels(outcome)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"remediator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"remediator_{name}_seconds", text, labels, buckets=buckets, registry=self.registry)

    def answered(self, code: int, seconds: float) -> None:
        """A webhook was answered with this HTTP status."""
        answers = self._answers.get(code)
        if answers is None:
            answers = self._answers[code] = self.webhook_requests.labels(str(code))
        answers.inc()
        self.webhook_duration.observe(seconds)

    def loaded(self, digest: str) -> None:
        """A policy is in force."""
        self._read("loaded")
        self.policy_info.clear()
        self.policy_info.labels(digest).set(1)

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
            self.guard_verdicts.labels(verdict.guard, word).inc()

    def told(self, incident: Incident, entries: Sequence[Entry], policy: Policy) -> None:
        """Count what the timeline tells of."""
        service = incident.service if incident.service in policy.services else OTHER
        promised = policy.severities.get(incident.severity)
        for entry in entries:
            self._tell(incident, entry, service, policy.services)
            if promised is not None:
                self._count_breach(entry, promised)
        paged = {e.data["level"] for e in entries if e.kind is Kind.PAGE and "level" in e.data}
        for level in paged:
            self.escalations.labels(str(level)).inc()

    def _tell(self, incident: Incident, entry: Entry, service: str, services: Container[str]) -> None:
        data, severity = entry.data, incident.severity
        match entry.kind:
            case Kind.OPENED:
                self.incidents.labels(severity).inc()
                self._phase(severity, "detect", data["detected_after"])
            case Kind.ATTEMPT_ENDED:
                runbook, outcome = str(data["runbook"]), str(data["outcome"])
                self.attempts.labels(runbook, service, outcome).inc()
                self.attempt_duration.labels(runbook).observe(_seconds(data["took"]))
                if outcome == "verified":
                    self._phase(severity, "mitigate", entry.at - incident.open_since)
            case Kind.APPROVAL if "outcome" in data:
                self.approvals.labels(str(data["outcome"])).inc()
            case Kind.STEP if "action" in data:
                self.steps.labels(str(data["action"]), str(data["result"])).inc()
            case Kind.PAGE_DELIVERY if data["message"] == PageKind.TRIGGER:
                self.pages.labels(str(data["channel"]), str(data["outcome"])).inc()
            case Kind.LOCATED:
                self.located.labels("found" if data["found"] else "none").inc()
            case Kind.ATTACHED:
                root = str(data["root"])
                self.attached.labels(root if root in services else OTHER).inc()
            case Kind.SEVERITY_RAISED:
                self.severity_raised.labels(str(data["from"]), str(data["severity"])).inc()
            case Kind.ACKNOWLEDGED if "took" in data:
                self._phase(severity, "acknowledge", data["took"])
            case Kind.RESOLVED:
                self._phase(severity, "resolve", data["took"])
                if not data["paged"] and incident.verified_at is not None:
                    self.pages_avoided.labels(severity).inc()
            case _:
                pass  # counted elsewhere, or of interest to readers alone

    def _count_breach(self, entry: Entry, promised: Severity) -> None:
        """A promise that was kept too late is counted when it was kept."""
        phases = {Kind.ACKNOWLEDGED: "acknowledge", Kind.RESOLVED: "resolve"}
        within = {"acknowledge": promised.respond_within, "resolve": promised.resolve_within}
        phase = phases.get(entry.kind)
        bound, took = within.get(phase or ""), entry.data.get("took")
        if phase is not None and bound is not None and isinstance(took, int | float) and took > bound:
            self.sla_breaches.labels(promised.name, phase).inc()

    def _phase(self, severity: str, phase: str, took: object) -> None:
        self.response.labels(severity, phase).observe(_seconds(took))

    def render(self, scraped: Scraped, accept: str) -> tuple[bytes, str]:
        """The body of a scrape and its content type, in the format that the scraper accepts."""
        encode, content_type = choose_encoder(accept)
        return encode(_Everything(self.registry, scraped)), content_type


def _seconds(took: object) -> float:
    """Seconds of milliseconds that a timeline entry carries."""
    return took / SECOND if isinstance(took, int | float) else 0.0


class _Everything(CollectorRegistry):
    """What one scrape shows: the counters, and the gauges as they were read for it."""

    def __init__(self, registry: CollectorRegistry, scraped: Scraped) -> None:
        super().__init__()
        self.register(_Counters(registry))
        self.register(_StoreGauges(scraped))


class _Counters(Collector):
    """Without ``_created`` samples: they double the number of series and tell nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for family in self._registry.collect():
            family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
            yield family


class _StoreGauges(Collector):
    def __init__(self, scraped: Scraped) -> None:
        self._gauges = scraped.gauges

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        gauges = self._gauges
        up = "Whether the store answered this scrape."
        yield GaugeMetricFamily("remediator_store_up", up, value=float(gauges is not None))
        if gauges is None:
            return  # absent rather than wrong
        backlog = GaugeMetricFamily(
            "remediator_backlog", "Entries that wait or are being worked on.", labels=["queue"]
        )
        for queue, length in gauges.backlog.items():
            backlog.add_metric([queue], length)
        opened = GaugeMetricFamily(
            "remediator_incidents_open", "Incidents that are not resolved.", labels=["severity"]
        )
        for severity in SEVERITIES:
            opened.add_metric([severity], gauges.open_by_severity.get(severity, 0))
        yield backlog
        yield opened
        lag = gauges.timer_lag / SECOND
        yield GaugeMetricFamily("remediator_timer_lag_seconds", "How late the next timer is.", value=lag)
        dead = "What could not be processed and waits for a person."
        yield GaugeMetricFamily("remediator_dead_letters", dead, value=gauges.dead_letters)
        held = "Rules that are held to approve, because their attempts failed too often."
        yield GaugeMetricFamily("remediator_rules_demoted", held, value=gauges.rules_lowered)
        paused = "Whether all changes are paused."
        everything = gauges.paused.get(ScopeKind.ALL, 0)
        yield GaugeMetricFamily("remediator_paused", paused, value=float(everything))
        scopes = GaugeMetricFamily(
            "remediator_paused_scopes", "Scopes that are paused; all: every change.", labels=["kind"]
        )
        for kind in ScopeKind:
            scopes.add_metric([kind], gauges.paused.get(kind, 0))
        yield scopes
        breakers = GaugeMetricFamily(
            "remediator_breaker_open",
            "Whether a runbook is not tried any more because it failed too often, of those that ever did.",
            labels=["runbook"],
        )
        for runbook, is_open in sorted(gauges.breakers.items()):
            breakers.add_metric([runbook], float(is_open))
        yield breakers
