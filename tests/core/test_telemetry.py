"""The log cannot be forged and tells no secrets; the metrics count what the timeline tells."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from remediator.core.alerts import Disposition
from remediator.core.errors import StoreUnavailable
from remediator.core.incident import GroupKey, Incident, IncidentId, Status
from remediator.core.journal import Entry, Kind
from remediator.core.policies import Severity
from remediator.core.store import Gauges
from remediator.core.times import Instant, Millis
from remediator.core.verdicts import Verdict
from remediator.telemetry.logging import configure_logging
from remediator.telemetry.metrics import Metrics, Scraped
from remediator.telemetry.observer import Telemetry
from tests.core.builders import NOW, policy

HOSTILE = 'x\n{"event":"forged"}\r\n2026-11-23 [error] forged\x1b[2J\u202e\u2028forged'


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Logging is global; what these tests configure ends with them."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def written(level: str = "info", *, terminal: bool = False) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, stream=stream, terminal=terminal)
    return stream


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_text_stays_on_its_line(terminal: bool) -> None:
    stream = written(terminal=terminal)
    log = structlog.get_logger("test")

    log.info(HOSTILE, label=HOSTILE, labels={HOSTILE: [HOSTILE]})
    logging.getLogger("aiohttp.access").warning("%s", HOSTILE)

    text = stream.getvalue()
    assert text.count("\n") == 2
    assert "\u202e" not in text
    assert "\r" not in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_traceback_cannot_forge_a_line_and_shows_no_variables(terminal: bool) -> None:
    stream = written(terminal=terminal)
    password = "correct-horse-" + "battery"
    try:
        assert password
        raise ValueError(HOSTILE)
    except ValueError as error:
        structlog.get_logger("test").error("failed", exc_info=error)

    text = stream.getvalue()
    assert "ValueError" in text
    assert password not in text
    assert "\x1b[2J" not in text
    for line in text.splitlines()[1:]:
        assert line.startswith("  ")


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_every_line_is_one_json_object(text: str, labels: dict[str, str]) -> None:
    stream = written()
    structlog.get_logger("test").info(text, labels=labels)
    assert json.loads(stream.getvalue())["level"] == "info"
    assert stream.getvalue().count("\n") == 1


def test_the_level_bounds_what_is_told() -> None:
    stream = written("warning")
    structlog.get_logger("test").info("quiet")
    logging.getLogger("anything").info("quiet")
    structlog.get_logger("test").warning("heard")
    logging.getLogger("httpx2").warning("heard")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard", "heard"]


def incident(service: str = "web") -> Incident:
    return Incident(
        id=IncidentId(f"2026-11-23-0400-{service}"),
        group=GroupKey("g"),
        grouped_by={},
        service=service,
        severity="SEV-2",
        status=Status.OPEN,
        rule="down",
        title="ServiceDown",
        opened_at=NOW,
    )


def entry(kind: Kind, after: int = 0, **data: str | int | bool | None) -> Entry:
    return Entry(at=Instant(NOW + after), kind=kind, text="it happened", data=data)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"remediator_{name}", labels)


def test_an_incident_that_heals_is_counted_from_its_timeline() -> None:
    metrics = Metrics()
    telemetry = Telemetry(metrics, policy)
    healed = replace(incident(), verified_at=NOW)

    telemetry.arrived([Disposition.NEW, Disposition.NEW, Disposition.DUPLICATE])
    telemetry.matched("down", "SEV-2")
    telemetry.told(
        healed,
        [
            entry(Kind.OPENED, detected_after=30_000),
            entry(Kind.STEP, action="restart", result="done"),
            entry(Kind.STEP, result="done"),
            entry(Kind.ATTEMPT_ENDED, 90_000, runbook="restart", outcome="verified", took=80_000),
            entry(Kind.RESOLVED, 120_000, took=120_000, paged=False),
        ],
    )

    assert value(metrics, "alerts_total", disposition="new") == 2
    assert value(metrics, "rule_matches_total", rule="down", severity="SEV-2") == 1
    assert value(metrics, "incidents_total", severity="SEV-2") == 1
    assert value(metrics, "steps_total", action="restart", outcome="done") == 1
    assert value(metrics, "attempts_total", runbook="restart", service="web", outcome="verified") == 1
    assert value(metrics, "attempt_duration_seconds_sum", runbook="restart") == 80
    assert value(metrics, "response_seconds_sum", severity="SEV-2", phase="detect") == 30
    assert value(metrics, "response_seconds_sum", severity="SEV-2", phase="mitigate") == 90
    assert value(metrics, "response_seconds_sum", severity="SEV-2", phase="resolve") == 120
    assert value(metrics, "pages_avoided_total", severity="SEV-2") == 1


def test_what_is_reopened_is_mitigated_from_then_on() -> None:
    metrics = Metrics()
    again = replace(incident(), reopened=1, reopened_at=Instant(NOW + 3_000_000))
    ended = entry(Kind.ATTEMPT_ENDED, 3_090_000, runbook="restart", outcome="verified", took=80_000)
    Telemetry(metrics, policy).told(again, [ended])
    assert value(metrics, "response_seconds_sum", severity="SEV-2", phase="mitigate") == 90


def test_an_incident_that_pages_is_no_page_avoided() -> None:
    metrics = Metrics()
    telemetry = Telemetry(metrics, policy)
    telemetry.told(
        replace(incident(), level=2),
        [
            entry(Kind.PAGE, channel="oncall", level=2),
            entry(Kind.PAGE, channel="manager", level=2),
            entry(Kind.PAGE, outcome="withheld"),
            entry(Kind.PAGE_DELIVERY, channel="oncall", outcome="accepted", message="trigger"),
            entry(Kind.PAGE_DELIVERY, channel="oncall", outcome="accepted", message="resolve"),
            entry(Kind.ESCALATION, level=2),
            entry(Kind.ACKNOWLEDGED, by="ada", took=60_000),
            entry(Kind.RESOLVED, took=90_000, paged=True),
        ],
    )
    assert value(metrics, "escalations_total", level="2") == 1
    assert value(metrics, "pages_total", channel="oncall", outcome="accepted") == 1
    assert value(metrics, "response_seconds_sum", severity="SEV-2", phase="acknowledge") == 60
    assert value(metrics, "pages_avoided_total", severity="SEV-2") == 0


def test_a_promise_that_is_kept_too_late_is_a_breach() -> None:
    metrics = Metrics()
    promised = Severity(name="SEV-2", respond_within=Millis(30_000), resolve_within=Millis(600_000))
    strict = replace(policy(), severities={"SEV-2": promised})
    late = [entry(Kind.ACKNOWLEDGED, by="ada", took=60_000), entry(Kind.RESOLVED, took=90_000, paged=True)]
    Telemetry(metrics, lambda: strict).told(incident(), late)
    assert value(metrics, "sla_breaches_total", severity="SEV-2", phase="acknowledge") == 1
    assert value(metrics, "sla_breaches_total", severity="SEV-2", phase="resolve") == 0


def test_resolving_without_a_verified_fix_is_no_page_avoided() -> None:
    metrics = Metrics()
    Telemetry(metrics, policy).told(incident(), [entry(Kind.RESOLVED, took=1, paged=False)])
    assert value(metrics, "pages_avoided_total", severity="SEV-2") == 0


def test_a_service_that_an_alert_made_up_is_other() -> None:
    metrics = Metrics()
    ended = entry(Kind.ATTEMPT_ENDED, runbook="restart", outcome="blocked", took=1)
    Telemetry(metrics, policy).told(incident("made-up-by-a-stranger"), [ended])
    assert value(metrics, "attempts_total", runbook="restart", service="other", outcome="blocked") == 1
    assert b"made-up" not in metrics.render(Scraped(gauges=None), "")[0]


def test_verdicts_are_counted_by_what_they_say() -> None:
    metrics = Metrics()
    Telemetry(metrics, policy).judged(
        "i",
        [
            Verdict(guard="clock", allowed=True, text="ok"),
            Verdict(guard="mode", allowed=False, text="observe", withholds=True),
            Verdict(guard="target", allowed=False, text="gone"),
        ],
    )
    for guard, verdict in (("clock", "allows"), ("mode", "withholds"), ("target", "blocks")):
        assert value(metrics, "guard_verdicts_total", guard=guard, verdict=verdict) == 1


def test_gauges_are_those_of_this_scrape_and_absent_when_unknown() -> None:
    metrics = Metrics()
    gauges = Gauges(
        backlog={"urgent": 3},
        timer_lag=Millis(1_500),
        dead_letters=2,
        open_by_severity={"SEV-1": 1},
        paused={"all": 1, "service": 2},
        breakers={"restart": True, "scale": False},
    )
    known = metrics.render(Scraped(gauges=gauges), "")[0].decode()
    for line in (
        "remediator_store_up 1.0",
        'remediator_backlog{queue="urgent"} 3.0',
        "remediator_timer_lag_seconds 1.5",
        "remediator_dead_letters 2.0",
        'remediator_incidents_open{severity="SEV-1"} 1.0',
        'remediator_incidents_open{severity="SEV-4"} 0.0',
        "remediator_paused 1.0",
        'remediator_paused_scopes{kind="all"} 1.0',
        'remediator_paused_scopes{kind="service"} 2.0',
        'remediator_paused_scopes{kind="runbook"} 0.0',
        'remediator_breaker_open{runbook="restart"} 1.0',
        'remediator_breaker_open{runbook="scale"} 0.0',
    ):
        assert f"{line}\n" in known
    unknown = metrics.render(Scraped(gauges=None), "")[0].decode()
    assert "remediator_store_up 0.0\n" in unknown
    assert "remediator_dead_letters" not in unknown


def test_an_expected_trouble_is_a_line_and_an_unexpected_one_brings_its_traceback() -> None:
    stream = written()
    telemetry = Telemetry(Metrics(), policy)
    telemetry.trouble("consumer", StoreUnavailable("Redis does not answer"))
    telemetry.trouble("clerk", ZeroDivisionError("a bug"))
    telemetry.buried("effects", HOSTILE)
    expected, unexpected, buried = map(json.loads, stream.getvalue().splitlines())
    assert expected["error"] == "StoreUnavailable: Redis does not answer"
    assert "exception" not in expected
    assert "ZeroDivisionError" in unexpected["exception"]
    assert buried["event"] == "dead letter"


def test_a_raise_is_counted_and_a_second_level_acknowledges_nothing_twice() -> None:
    metrics = Metrics()
    Telemetry(metrics, policy).told(
        incident(),
        [
            Entry(at=NOW, kind=Kind.SEVERITY_RAISED, text="", data={"severity": "SEV-1", "from": "SEV-2"}),
            entry(Kind.RAISE_UNKNOWN),
            entry(Kind.ACKNOWLEDGED, by="ada", took=60_000),
            entry(Kind.ACKNOWLEDGED, by="lee"),
        ],
    )
    raised = metrics.registry.get_sample_value(
        "remediator_severity_raised_total", {"from": "SEV-2", "to": "SEV-1"}
    )
    assert raised == 1
    assert value(metrics, "response_seconds_count", severity="SEV-2", phase="acknowledge") == 1
