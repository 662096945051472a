"""What is built is what the table says, and no label leaves its bounds."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import chain

import pytest
from prometheus_client.openmetrics import parser
from prometheus_client.parser import text_string_to_metric_families as prometheus

from remediator.core.alerts import Disposition
from remediator.core.incident import Attempt, Incident, IncidentId, Outcome, Phase
from remediator.core.journal import Kind
from remediator.core.policies import SEVERITIES, Severity
from remediator.core.store import Gauges, Queue
from remediator.core.times import MINUTE, Millis
from remediator.core.undone import Undoing
from remediator.core.verdicts import Verdict
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.scrape import Scraped, Work
from remediator.telemetry.table import GROUPS, TABLE, Row, Type, outcomes
from tests.core.builders import NOW, policy
from tests.core.test_telemetry import entry, incident, value

CONTRACT = {
    "webhook_requests_total": ("code",),
    "webhook_duration_seconds": (),
    "alerts_total": ("disposition",),
    "rule_matches_total": ("rule", "severity"),
    "incidents_total": ("severity",),
    "incidents_open": ("severity",),
    "attempts_total": ("runbook", "service", "outcome"),
    "attempt_duration_seconds": ("runbook",),
    "steps_total": ("action", "outcome"),
    "guard_verdicts_total": ("guard", "verdict"),
    "pages_total": ("channel", "outcome"),
    "pages_avoided_total": ("severity",),
    "escalations_total": ("level",),
    "response_seconds": ("severity", "phase"),
    "sla_breaches_total": ("severity", "phase"),
    "backlog": ("queue",),
    "timer_lag_seconds": (),
    "dead_letters": (),
    "policy_reloads_total": ("outcome",),
    "policy_info": ("digest",),
    "paused": (),
    "breaker_open": ("runbook",),
    "rules_lowered": (),
    "rules_demoted": (),
    "alertmanager_polls_total": ("alertmanager", "outcome"),
}
"""Names that dashboards and alerts of others build on: none of them may change."""
GAUGES = Gauges(backlog={queue.value: 0 for queue in Queue}, timer_lag=Millis(0), breakers={"restart": False})
WORK = {name: Work(0, 1) for name in ("clerk", "runner", "courier", "notices")}


def scrape(metrics: Metrics, accept: str = "") -> str:
    """What a scrape of a store in order shows."""
    return metrics.render(Scraped(gauges=GAUGES, ready=True, work=WORK), accept)[0].decode()


def bounds_broken(text: str) -> list[str]:
    """Samples of ours with labels, or values of closed labels, that the table does not say."""
    broken = []
    for family in prometheus(text):
        row = row_of(family.name)
        for sample in family.samples if row is not None else ():
            assert row is not None
            closed = {label.name: label.closed for label in row.labels}
            labels = {name: text for name, text in sample.labels.items() if name != "le"}
            odd = [n for n, text in labels.items() if closed[n] and text not in closed[n]]
            if tuple(sorted(labels)) != tuple(sorted(closed)) or odd:
                broken.append(str(sample))
    return broken


def row_of(family: str) -> Row | None:
    """The row of a family; the parser leaves ``_total`` away."""
    return TABLE.get(family) or TABLE.get(f"{family}_total")


@pytest.mark.parametrize("name", CONTRACT)
def test_what_others_build_on_keeps_its_name_and_labels(name: str) -> None:
    assert TABLE[f"remediator_{name}"].label_names == CONTRACT[name]


def test_each_row_is_built_as_it_says_and_nothing_else_is() -> None:
    """By its name, type, help and labels, in both formats."""
    rows = list(chain.from_iterable(group.rows for group in GROUPS))
    assert len(rows) == len(TABLE)
    ours = {f.name: f for f in prometheus(scrape(Metrics())) if f.name.startswith("remediator_")}
    assert set(ours) == {row.full_name.removesuffix("_total") for row in rows}
    for row in rows:
        family = ours[row.full_name.removesuffix("_total")]
        assert (family.type, family.documentation) == (row.type.value, row.told), row.full_name
    accept = "application/openmetrics-text; version=1.0.0"
    families = parser.text_string_to_metric_families(scrape(Metrics(), accept))  # type: ignore[no-untyped-call]  # the library leaves it bare
    assert {family.name for family in families} >= set(ours)


def test_names_and_texts_follow_the_conventions() -> None:
    for row in TABLE.values():
        assert re.fullmatch(r"remediator_[a-z][a-z_]*", row.full_name)
        assert row.full_name.endswith("_total") == (row.type is Type.COUNTER), row.full_name
        assert bool(row.buckets) == (row.type is Type.HISTOGRAM), row.full_name
        assert row.type is not Type.HISTOGRAM or row.full_name.endswith("_seconds"), row.full_name
        assert list(row.buckets) == sorted(set(row.buckets))
        assert {row.told[-1], row.use[-1]} <= {".", "?"}, row.full_name
        for label in row.labels:
            assert bool(label.closed) != bool(label.bound), (row.full_name, label.name)


def test_series_with_closed_labels_are_there_before_anything_happens() -> None:
    """Else the first event is no increase: it is where the series begins."""
    metrics = Metrics()
    for severity in SEVERITIES:
        for phase in ("acknowledge", "resolve"):
            assert value(metrics, "sla_breaches_total", severity=severity, phase=phase) == 0
        assert value(metrics, "response_seconds_count", severity=severity, phase="detect") == 0
    assert value(metrics, "buried_total", queue="effects") == 0
    assert value(metrics, "severity_promise_seconds", severity="SEV-1", phase="resolve") is None
    assert bounds_broken(scrape(metrics)) == []


def test_what_severities_promise_is_a_bound_of_a_bucket() -> None:
    """A quantile is told to the bucket: where the promise is none, whether it was kept is a guess."""
    assert {300, 900, 1800, 3600, 14400, 86400} <= set(outcomes.RESPONSE.buckets)


def test_promises_are_those_of_the_policy_in_force() -> None:
    metrics = Metrics()
    promised = Severity(name="SEV-2", respond_within=Millis(15 * MINUTE), resolve_within=Millis(60 * MINUTE))
    metrics.promises(replace(policy(), severities={"SEV-2": promised}))
    assert value(metrics, "severity_promise_seconds", severity="SEV-2", phase="acknowledge") == 900
    assert value(metrics, "severity_promise_seconds", severity="SEV-2", phase="resolve") == 3600
    metrics.promises(replace(policy(), severities={"SEV-2": Severity(name="SEV-2")}))
    assert value(metrics, "severity_promise_seconds", severity="SEV-2", phase="resolve") is None


@pytest.mark.parametrize(
    ("paged", "verified", "how"),
    [(False, True, "verified"), (True, True, "paged"), (True, False, "paged"), (False, False, "alone")],
)
def test_how_an_incident_ended_is_one_of_three(*, paged: bool, verified: bool, how: str) -> None:
    metrics = Metrics()
    over = replace(incident(), verified_at=NOW if verified else None)
    opened = entry(Kind.OPENED, detected_after=1)
    metrics.told(over, [opened], policy())
    for each in outcomes.ENDINGS:  # before it ends, so that its end is an increase
        assert value(metrics, "incidents_resolved_total", severity="SEV-2", service="web", how=each) == 0
    metrics.told(over, [entry(Kind.RESOLVED, took=1, paged=paged)], policy())
    for each in outcomes.ENDINGS:
        counted = value(metrics, "incidents_resolved_total", severity="SEV-2", service="web", how=each)
        assert counted == (each == how)
    assert value(metrics, "pages_avoided_total", severity="SEV-2") == (how == "verified")


def ended(undoing: Undoing | None) -> Incident:
    """An incident whose attempt is over, and what was taken back of it."""
    attempt = Attempt(
        number=1,
        rule="service-down",
        runbook=policy().runbooks["restart"],
        target="",
        phase=Phase.ENDED,
        started_at=NOW,
        phase_at=NOW,
        undoing=undoing,
    )
    return replace(incident(), attempts=(attempt,))


@pytest.mark.parametrize(
    ("undoing", "undone", "left"),
    [
        (None, None, None),
        (Undoing(why="not ready", undone=("scaled back",)), 1, None),
        (Undoing(why="not ready", undone=("scaled back",), left=("image",)), None, 1),
    ],
)
def test_what_was_taken_back_is_told_apart_from_what_was_left(
    undoing: Undoing | None, undone: float | None, left: float | None
) -> None:
    metrics = Metrics()
    over = entry(Kind.ATTEMPT_ENDED, runbook="restart", outcome="failed", took=1, attempt=1)
    metrics.told(ended(undoing), [over], policy())
    on = {"runbook": "restart", "service": "web"}
    assert value(metrics, "attempts_undone_total", **on, outcome="undone") == undone
    assert value(metrics, "attempts_undone_total", **on, outcome="left") == left


def test_an_attempt_has_its_series_when_it_starts() -> None:
    metrics = Metrics()
    metrics.told(incident(), [entry(Kind.ATTEMPT_STARTED, runbook="restart", attempt=1)], policy())
    on = {"runbook": "restart", "service": "web"}
    for outcome in Outcome:
        assert value(metrics, "attempts_total", **on, outcome=outcome) == 0
    for undone in outcomes.UNDONE:
        assert value(metrics, "attempts_undone_total", **on, outcome=undone) == 0


def test_what_may_follow_has_its_series_before_it_does() -> None:
    """Else the first reopening, and a guard's first no after a yes, are no increase."""
    metrics = Metrics()
    rule = policy().rules[0].name
    opened = replace(incident(), rule=rule)
    metrics.told(opened, [entry(Kind.OPENED, detected_after=1)], policy())
    assert value(metrics, "incidents_reopened_total", service="web", rule=rule) == 0
    metrics.judged([Verdict(guard="freeze", allowed=True, text="nothing is frozen")])
    for verdict in outcomes.VERDICTS:
        counted = value(metrics, "guard_verdicts_total", guard="freeze", verdict=verdict)
        assert counted == (verdict == "allows")


HOSTILE = ("kube-system", "x" * 300, 'x"} 1\nremediator_paused 1', "{{7*7}}", "\x1b[2J", "other ", "")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_alerts_call_things_makes_no_series(name: str) -> None:
    """Services and rules that the policy does not know are one, and so are attached roots."""
    metrics = Metrics()
    stranger = replace(incident(), id=IncidentId("i"), service=name, rule=name, title=name)
    metrics.told(
        stranger,
        [
            entry(Kind.OPENED, detected_after=1),
            entry(Kind.REOPENED),
            entry(Kind.ATTACHED, root=name),
            entry(Kind.ATTEMPT_STARTED, runbook="restart", attempt=1),
            entry(Kind.ATTEMPT_ENDED, runbook="restart", outcome="blocked", took=1, attempt=1),
            entry(Kind.RESOLVED, took=1, paged=False),
        ],
        policy(),
    )
    text = scrape(metrics)
    labels = {v for family in prometheus(text) for s in family.samples for v in s.labels.values()}
    assert name not in labels
    assert value(metrics, "incidents_reopened_total", service="other", rule="other") == 1
    assert value(metrics, "incidents_attached_total", root="other") == 1
    assert bounds_broken(text) == []


def test_a_storm_of_strangers_adds_no_series() -> None:
    metrics = Metrics()

    def storm(names: range) -> int:
        for number in names:
            one = replace(incident(f"made-up-{number}"), rule=f"r{number}")
            metrics.told(one, [entry(Kind.OPENED, detected_after=1), entry(Kind.REOPENED)], policy())
            metrics.arrived(Disposition.UNMATCHED, 1)
            metrics.answered(200, 0.001)
            metrics.judged([Verdict(guard="target", allowed=False, text=f"{number} is none of ours")])
        return sum(len(family.samples) for family in metrics.registry.collect())

    assert storm(range(1)) == storm(range(1, 300))


def test_a_webhook_that_was_refused_is_no_notification() -> None:
    metrics = Metrics()
    for code in (401, 503):
        metrics.answered(code, 0.001)
    assert value(metrics, "webhook_last_success_timestamp_seconds") == 0
    metrics.answered(200, 0.001)
    assert (value(metrics, "webhook_last_success_timestamp_seconds") or 0) > 1_700_000_000


def test_the_page_of_metrics_is_about_every_one(request: pytest.FixtureRequest) -> None:
    page = (request.config.rootpath / "docs" / "metrics.md").read_text()
    for row in TABLE.values():
        assert f"\n### {row.full_name}\n" in page
