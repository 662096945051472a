"""The rules for the daemon itself: real promtool, metrics that exist, a page for every alert."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML

from remediator.telemetry.metrics import Metrics
from remediator.telemetry.table import TABLE, Label
from tests.core.test_metrics_table import scrape

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "chart" / "files" / "rules").glob("*.yaml"))
TESTS = sorted((ROOT / "tests" / "rules").glob("*.yaml"))
PAGES = ROOT / "docs" / "runbooks"
SECTIONS = ["## Impact", "## Look", "## Do"]
TARGETS = {"job", "namespace", "instance", "pod", "le"}
"""Labels that a scrape, or Prometheus itself, gives."""
EXPRESSIONS_OF_DOCS = re.compile(r"^```promql\n(.*?)^```", re.MULTILINE | re.DOTALL)
"""In pages of runbooks: one query a line."""
PATHS = {
    *re.findall(r'\bpath="([^"]+)"', (ROOT / "remediator" / "http" / "routes.py").read_text()),
    "/v1/alertmanager",
}


def load(path: Path) -> Any:
    """A YAML file."""
    return YAML(typ="safe", pure=True).load(path)


def rules() -> list[dict[str, Any]]:
    """Of all files."""
    return [rule for path in RULES for group in load(path)["groups"] for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]
RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
NAMES = sorted({rule["alert"] for rule in ALERTS})
SERIES = {name: row for row in TABLE.values() for name in row.series_names}


def selectors(expression: Any) -> list[Any]:
    """Every selector in a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        return [expression]
    if isinstance(expression, promql_parser.MatrixSelector):
        return [expression.vector_selector]
    parts = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "param")]
    parts += list(getattr(expression, "args", None) or [])
    return [each for part in parts if part is not None for each in selectors(part)]


def unknown(query: str) -> list[str]:
    """What a query asks for that the table, or a recording rule, does not say."""
    found = []
    for selector in selectors(promql_parser.parse(query)):
        if selector.name in RECORDED or not selector.name.startswith("remediator"):
            continue
        if selector.name not in SERIES:
            found.append(f"metric {selector.name}")
            continue
        labels = {label.name: label for label in SERIES[selector.name].labels}
        for matcher in selector.matchers.matchers:
            label = labels.get(matcher.name) or (matcher.name in TARGETS and Label(name=matcher.name))
            if not label:
                found.append(f"label {matcher.name} of {selector.name}")
            elif label.closed and not any(re.fullmatch(matcher.value, value) for value in label.closed):
                found.append(f"value {matcher.value} of {matcher.name} of {selector.name}")
    return found


def grouped(query: str) -> set[str]:
    """Every label that some aggregation of a query keeps."""
    return {
        name.strip()
        for by in re.findall(r"\bby \(([^)]*)\)", query)
        for name in by.split(",")
        if name.strip()
    }


def kept(query: str) -> set[str]:
    """Labels that can be on what a query gives, those of the recording rules in it included."""
    through = [RECORDED[name] for name in RECORDED if name in query]
    made = set(re.findall(r'label_replace\([^"]*"(\w+)"', re.sub(r"\{[^}]*\}", "", query)))
    return made.union(*(grouped(each) for each in (query, *through)))


def promtool(*arguments: str | Path, reads: str = "") -> str:
    """What it says; it must say that all is well."""
    command = ["promtool", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, input=reads)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules_and_they_do_what_they_say() -> None:
    """Every alert on both sides of its threshold, and every recording rule."""
    assert promtool("check", "rules", *RULES).count("SUCCESS") == len(RULES)
    assert promtool("test", "rules", *TESTS).count("SUCCESS") == len(TESTS)


def test_prometheus_finds_no_fault_with_the_names() -> None:
    assert promtool("check", "metrics", reads=scrape(Metrics())) == ""


def test_every_alert_is_tested_to_fire_and_to_be_silent() -> None:
    fires, silent = set[str](), set[str]()
    for path in TESTS:
        for case in load(path)["tests"]:
            for check in case.get("alert_rule_test", ()):
                (fires if check["exp_alerts"] else silent).add(check["alertname"])
                assert case["name"].startswith(check["alertname"])
    assert fires == set(NAMES)
    assert silent == set(NAMES)


def test_every_recording_rule_is_tested() -> None:
    tested = "".join(path.read_text() for path in TESTS)
    assert [name for name in RECORDED if name not in tested] == []


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_metrics_and_labels_that_there_are(rule: dict[str, Any]) -> None:
    assert unknown(rule["expr"]) == []
    known = {label for row in TABLE.values() for label in row.label_names} | TARGETS
    assert grouped(rule["expr"]) <= known


def test_what_there_is_not_is_noticed() -> None:
    """The check can fail."""
    assert unknown("sum(rate(remediator_nothing_total[5m]))") == ["metric remediator_nothing_total"]
    assert unknown('remediator_backlog{service="web"} > 1') == ["label service of remediator_backlog"]
    assert unknown('remediator_backlog{queue="slow"}') == ["value slow of queue of remediator_backlog"]
    assert unknown('remediator_backlog{queue=~"urgent|slow"}') == []
    assert unknown("remediator_response_seconds_bucket + remediator_response_seconds") == [
        "metric remediator_response_seconds"
    ]


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_an_alert_says_what_it_is_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    used = set(re.findall(r"\$labels\.(\w+)", notes["summary"] + notes["description"]))
    assert used <= kept(rule["expr"])
    if len({one["labels"]["severity"] for one in ALERTS if one["alert"] == rule["alert"]}) > 1:
        assert "severity" not in used, "the alert's own label hides the metric's"


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README") == NAMES
    listed = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\)", (PAGES / "README.md").read_text(), re.MULTILINE)
    assert sorted(name for name, _ in listed) == NAMES
    assert all(name == page for name, page in listed)


def test_what_metrics_say_they_are_alarmed_by_exists() -> None:
    named = {name for row in TABLE.values() for name in re.findall(r"`(Remediator\w+)`", row.use)}
    assert named <= set(NAMES)
    assert named


@pytest.mark.parametrize("name", NAMES)
def test_a_page_tells_what_to_do_with_what_there_is(name: str) -> None:
    """Its sections, paths and queries; commands are checked by scripts/docs_check.py."""
    text = (PAGES / f"{name}.md").read_text()
    assert text.startswith(f"# {name}\n\n")
    assert [line for line in text.splitlines() if line.startswith("## ")] == SECTIONS
    assert len(text.splitlines()) <= 40
    for path in re.findall(r"(?:127\.0\.0\.1:909[56]|GET |POST |`)(/(?:v1|-)/[\w/-]+)", text):
        assert re.sub(r"/ID\b", "/{id}", path) in PATHS, path
    for query in [line for block in EXPRESSIONS_OF_DOCS.findall(text) for line in block.splitlines()]:
        assert unknown(query) == []
    for metric in re.findall(r"`[^`]*?(remediator[:_][a-z0-9_:]+)", text):
        assert metric in SERIES or metric in RECORDED or f"{metric}_bucket" in SERIES, metric
