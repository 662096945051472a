"""Notifications out of the ALERTS series: what fired when, whatever chunks it is asked in."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.adapters.prometheus import Series, TooLarge
from remediator.core.alerts import AlertStatus
from remediator.core.times import Instant, stamp_instant
from remediator.rehearsal.backtest.lines import read_line
from remediator.rehearsal.backtest.series import POINTS, Span, fingerprint, write_series
from tests.rehearsal.records import NOON, M

RECORDINGS = Path(__file__).parent.parent / "recordings" / "alertmanager"
Moments = Mapping[str, Iterable[int]]
"""Of each alert, the steps at which it fires."""


class Range:
    """Answers as Prometheus does from what fires; refuses what is larger than ``most`` samples."""

    def __init__(self, moments: Moments, most: int = 1 << 30) -> None:
        self.moments, self.most = moments, most
        self.asked: list[tuple[float, float]] = []

    async def __call__(self, promql: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        self.asked.append((start, end))
        found = []
        for name, steps in self.moments.items():
            times = [NOON / 1000 + each * step for each in sorted(steps)]
            inside = tuple((time, 1.0) for time in times if start <= time <= end)
            if inside:
                found.append(({"__name__": "ALERTS", "alertstate": "firing", "alertname": name}, inside))
        if sum(len(samples) for _, samples in found) > self.most:
            raise TooLarge("too large")
        return tuple(found)


async def written(
    answers: Range, steps: int, points: int = POINTS, step: int = M
) -> list[tuple[int, str, str]]:
    """When, which alert, and whether it fired or resolved."""
    out = io.BytesIO()
    span = Span(start=Instant(NOON), end=Instant(NOON + steps * step), step=step)
    counted = await write_series(answers, span, out, points=points)
    found = []
    for raw in out.getvalue().splitlines():
        taken = read_line(raw)
        for alert in taken.notification.alerts:
            assert alert.fingerprint == fingerprint(alert.labels)
            when = stamp_instant(alert.ends_at or alert.starts_at)
            assert when == taken.at
            found.append(((taken.at - NOON) // step, alert.labels["alertname"], str(alert.status)))
    assert counted.fired == sum(status == AlertStatus.FIRING for *_, status in found)
    assert counted.resolved == sum(status == AlertStatus.RESOLVED for *_, status in found)
    return found


async def test_an_alert_fires_at_its_first_sample_and_resolves_when_it_has_none() -> None:
    found = await written(Range({"a": [2, 3, 4, 8], "b": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}), 10)
    assert found == [
        (0, "b", "firing"), (2, "a", "firing"), (5, "a", "resolved"), (8, "a", "firing"),
        (9, "a", "resolved"),
    ]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(0, 40), max_size=20)),
    st.integers(1, 12),
    st.integers(3, 40),
)
@settings(max_examples=60, deadline=None)
async def test_chunks_of_any_size_find_the_same(moments: Moments, points: int, most: int) -> None:
    """Smaller ones are asked for when an answer is too large; time never goes back."""
    whole = await written(Range(moments), 41)
    answers = Range(moments, most)
    found = await written(answers, 41, points)
    assert sorted(found) == sorted(whole)
    assert [at for at, *_ in found] == sorted(at for at, *_ in found)


async def test_what_is_too_large_in_the_smallest_chunk_is_an_error() -> None:
    with pytest.raises(TooLarge):
        await written(Range({name: range(20) for name in "abcdef"}, most=3), 10)


@pytest.mark.parametrize("file", sorted(RECORDINGS.glob("am*firing.json")), ids=lambda path: path.stem)
def test_fingerprints_are_those_of_alertmanager(file: Path) -> None:
    for alert in json.loads(file.read_bytes())["alerts"]:
        assert fingerprint(alert["labels"]) == alert["fingerprint"]
