"""The dashboards on a real Prometheus that scraped a real run: in good times as in bad, no panel is empty."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards import BOARDS, EVERY, MARKS, Query, variables
from tests.e2e.incidents import Watched, watched
from tests.e2e.story import live_through

WINDOWS = {"__range": "10m", "__rate_interval": "2m"}
"""Longer than the run: everything that happened is seen at its end."""
CALM = {
    "health: Errors of its own": "the daemon met none",
    "health: Timer lag": "no timer is late at the end",
    "health: Timers late by": "none needs have been late when it was looked at",
    "health: Alertmanagers asked": "asked every half a minute, so perhaps only once",
    "health: Found by asking": "no delivery went missing",
    "health: Archive fails": "its disk is not full",
    "tuning: Lack permissions": "the daemon may do everything here",
}
"""Panels that are rightly 0 in the run, and why."""


async def series(world: Watched, query: Query, since: float) -> list[dict[str, Any]]:
    """What the panel would show."""
    asked = query.asked(WINDOWS)
    return await (world.graph(asked, since) if query.over_time else world.query(asked))


def numbers(found: list[dict[str, Any]]) -> list[float]:
    """Every value that is shown."""
    return [float(value) for each in found for _, value in each.get("values", [each.get("value")])]


async def test_in_good_times_no_panel_is_empty_but_those_that_say_so(tmp_path: Path) -> None:
    """Nothing has happened yet: real Prometheus takes every query and has an answer."""
    since = time.time()
    async with watched(tmp_path) as world:
        await world.seen("count_over_time(remediator_event_loop_lag_seconds_count[1m]) > 3")
        silent = {query.name for query in EVERY if not query.empty}
        for query in EVERY:
            if await series(world, query, since):
                silent.discard(query.name)
        assert silent == set()
        assert [mark.name for mark in MARKS if await series(world, mark, since)] == []


@pytest.mark.full
async def test_after_a_busy_hour_every_panel_has_something_to_show(tmp_path: Path) -> None:
    """And other than 0, but where that would be bad news."""
    since = time.time()
    async with watched(tmp_path) as world:
        await live_through(world)
        shown = {query: numbers(await series(world, query, since)) for query in EVERY}
        marks = {mark: numbers(await series(world, mark, since)) for mark in MARKS}
        assert {query.name for query, found in shown.items() if not found} == set()
        lively = {query.name for query, found in shown.items() if any(found)}
        assert {query.name for query in EVERY} - lively <= set(CALM)
        assert {mark.name for mark, found in marks.items() if not any(found)} == set()
        assert not any(math.isnan(value) for found in shown.values() for value in found)
        for board in BOARDS:
            for name, query in variables(board).items():
                metric = query.removeprefix("label_values(").rpartition(",")[0]
                for other in variables(board):
                    metric = metric.replace(f"${other}", ".*")
                assert await world.values(metric, name), name
