"""The dashboards that are checked in, and their queries as Grafana would ask them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "chart" / "dashboards"
BOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))
}


@dataclass(frozen=True, kw_only=True)
class Query:
    """``panel``: its title, or the name of annotations. ``expression``: as it stands there."""

    board: str
    panel: str
    expression: str
    over_time: bool
    empty: str
    """What the panel says where there is nothing; empty: there is always something."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.board}: {self.panel}"

    def asked(self, windows: Mapping[str, str] = {}) -> str:
        """With everything chosen. ``windows``: lengths of ``$__range`` and ``$__rate_interval``."""
        lengths = {"__range": "7d", "__rate_interval": "1h", **windows}
        return re.sub(r"\$(\w+)", lambda found: lengths.get(found[1], ".*"), self.expression)


def panels(board: str) -> list[dict[str, Any]]:
    """All but the headings."""
    return [panel for panel in BOARDS[board]["panels"] if panel["type"] != "row"]


def queries(board: str) -> Iterator[Query]:
    """Of its panels."""
    for panel in panels(board):
        empty = panel["fieldConfig"]["defaults"].get("noValue", "")
        for target in panel["targets"]:
            yield Query(
                board=board,
                panel=panel["title"],
                expression=target["expr"],
                over_time=bool(target.get("range")),
                empty=empty,
            )


def marks(board: str) -> Iterator[Query]:
    """Of its annotations, which are nothing while nothing happens."""
    for each in BOARDS[board]["annotations"]["list"]:
        yield Query(
            board=board, panel=each["name"], expression=each["expr"], over_time=True, empty="no annotation"
        )


def variables(board: str) -> dict[str, str]:
    """What their values come from, by their names; those that ask Prometheus."""
    listed = BOARDS[board]["templating"]["list"]
    return {each["name"]: each["query"] for each in listed if each["type"] == "query"}


EVERY = [query for board in BOARDS for query in queries(board)]
MARKS = [mark for board in BOARDS for mark in marks(board)]
