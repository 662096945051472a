"""The dashboards: what the code makes, of metrics that there are, and every panel says what to do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from dashboards.__main__ import texts
from remediator.cli.main import COMMANDS
from remediator.telemetry.table import TABLE
from tests.dashboards import BOARDS, EVERY, FOLDER, MARKS, Query, panels, variables
from tests.integration.test_alert_rules import (
    NAMES,
    RECORDED,
    ROOT,
    TARGETS,
    grouped,
    kept,
    selectors,
    unknown,
)

OTHERS = {
    "ALERTS",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
}
"""What is shown beside our own: Prometheus's and the process's metrics."""
BUILT_IN = {"__range", "__rate_interval"}
KNOWN = {label for row in TABLE.values() for label in row.label_names} | TARGETS
UNITS = {"short", "s", "percentunit", "bytes", "ops"}
LARGEST = 256 * 1024
"""Bytes of an object that ``kubectl apply`` can keep in an annotation."""
ALL = [(board, panel) for board in BOARDS for panel in panels(board)]
IDS = [f"{board}-{panel['title']}" for board, panel in ALL]


def selected(query: str) -> set[str]:
    """The names of the metrics that a query is about."""
    return {selector.name for selector in selectors(promql_parser.parse(query))}


def test_what_is_checked_in_is_what_the_code_makes() -> None:
    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == texts()


def test_what_is_out_of_date_is_said(tmp_path: Path) -> None:
    """And what nobody makes; writing mends what is out of date."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dashboards", "--folder", str(tmp_path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)

    assert run().returncode == 0
    assert run("--check").returncode == 0
    (tmp_path / "health.json").write_text("{}\n")
    (tmp_path / "stranger.json").write_text("{}\n")
    said = run("--check")
    assert said.returncode == 1
    assert [line.split(" ")[0].rsplit("/", 1)[-1] for line in said.stdout.splitlines()] == [
        "health.json",
        "stranger.json",
    ]


def test_links_lead_to_another_address_where_one_is_given() -> None:
    [ours] = {text.count('"docs"') > 0 for text in texts().values()}
    [theirs] = {"https://git.example/docs" in text for text in texts("https://git.example/docs").values()}
    assert (ours, theirs) == (True, True)


@pytest.mark.parametrize("query", [*EVERY, *MARKS], ids=lambda query: query.name)
def test_queries_are_promql_of_metrics_and_labels_that_there_are(query: Query) -> None:
    asked = query.asked()
    names = selected(asked)
    assert names <= OTHERS | RECORDED.keys() | {n for row in TABLE.values() for n in row.series_names}
    assert unknown(asked) == []
    assert grouped(asked) <= KNOWN
    assert names


@pytest.mark.parametrize("query", EVERY, ids=lambda query: query.name)
def test_every_selector_is_of_the_chosen_deployments(query: Query) -> None:
    """Alerts, which have the labels of their expressions, are shown all."""
    for selector in selectors(promql_parser.parse(query.asked())):
        chosen = {matcher.name for matcher in selector.matchers.matchers}
        assert {"job", "namespace"} <= chosen or selector.name == "ALERTS"


def test_what_there_is_not_is_noticed() -> None:
    """The checks above can fail."""
    assert unknown('sum(increase(remediator_attempts_total{job=~".*", how="verified"}[1h]))') == [
        "label how of remediator_attempts_total"
    ]
    with pytest.raises(ValueError, match="paren"):
        promql_parser.parse("sum(increase(remediator_attempts_total[1h])")


@pytest.mark.parametrize("board", BOARDS)
def test_queries_use_the_variables_of_their_dashboard_and_all_of_them(board: str) -> None:
    there = {each["name"] for each in BOARDS[board]["templating"]["list"]}
    asked = [query.expression for query in [*EVERY, *MARKS] if query.board == board]
    used = {name for each in [*asked, *variables(board).values()] for name in re.findall(r"\$(\w+)", each)}
    assert used <= there | BUILT_IN
    assert there - used <= {"datasource", "docs"}
    for name, query in variables(board).items():
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert found is not None
        assert found[2] == name
        assert unknown(re.sub(r"\$\w+", ".*", found[1])) == []


@pytest.mark.parametrize(("board", "panel"), ALL, ids=IDS)
def test_a_panel_says_what_it_shows_and_what_to_do(board: str, panel: dict[str, Any]) -> None:
    shows, _, do = panel["description"].partition("\n\n**What to do:** ")
    assert shows.endswith(".")
    assert do.endswith((".", "?"))
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    assert {panel["datasource"]["uid"]} == {"${datasource}"}
    for link in panel.get("links", ()):
        page = link["url"].removeprefix("${docs}/")
        assert (ROOT / "docs" / page).is_file(), page
    for command in re.findall(r"`remediator ([a-z-]+)", panel["description"]):
        assert command in COMMANDS, command


@pytest.mark.parametrize("query", EVERY, ids=lambda query: f"{query.name}")
def test_a_legend_names_labels_that_the_query_keeps(query: Query) -> None:
    [panel] = [each for each in panels(query.board) if each["title"] == query.panel]
    [legend] = {t["legendFormat"] for t in panel["targets"] if t["expr"] == query.expression}
    plain = {"instance"} if " by (" not in query.asked() else set[str]()
    joined = set(re.findall(r"group_left \((\w+)\)", query.expression))
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept(query.asked()) | plain | joined | {"instance"}


def test_titles_are_unique_and_nothing_overlaps() -> None:
    for board in BOARDS:
        shown = panels(board)
        assert len({panel["title"] for panel in shown}) == len(shown)
        assert len({panel["id"] for panel in BOARDS[board]["panels"]}) == len(BOARDS[board]["panels"])
        taken = set[tuple[int, int]]()
        for panel in BOARDS[board]["panels"]:
            at = panel["gridPos"]
            cells = {
                (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
            }
            assert at["x"] + at["w"] <= 24, panel["title"]
            assert not taken & cells, panel["title"]
            taken |= cells


def test_every_metric_is_on_some_dashboard() -> None:
    """Directly or through a rule that records it: what nobody can see need not be counted."""
    shown = {s.name for query in [*EVERY, *MARKS] for s in selectors(promql_parser.parse(query.asked()))}
    through = {
        s.name for name in shown & RECORDED.keys() for s in selectors(promql_parser.parse(RECORDED[name]))
    }
    missing = [row.full_name for row in TABLE.values() if not set(row.series_names) & (shown | through)]
    assert missing == []


def test_every_alert_leads_to_its_page_from_somewhere() -> None:
    linked = {
        link["url"].removeprefix("${docs}/runbooks/").removesuffix(".md")
        for _, panel in ALL
        for link in panel.get("links", ())
        if "/runbooks/" in link["url"]
    }
    assert set(NAMES) <= linked


def test_dashboards_link_to_each_other_and_fit_into_a_config_map() -> None:
    assert {board["uid"] for board in BOARDS.values()} == {f"remediator-{name}" for name in BOARDS}
    for board in BOARDS.values():
        [link] = board["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(board["tags"])
        assert next(mark["name"] for mark in board["annotations"]["list"]) == "incidents"
    assert all(path.stat().st_size < LARGEST for path in FOLDER.glob("*.json"))
