"""Looking ahead finds exactly the moments at which looking at every minute would see a change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from remediator.core.intervals import Interval, Range, begins, ends, holds
from remediator.core.times import DAY, MINUTE, Instant, Millis

SHIFTS = [
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/Berlin", "2026-10-25T01:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),  # by half an hour
    ("Pacific/Apia", "2011-12-30T10:00"),  # by a whole day
    ("Africa/Casablanca", "2027-02-07T02:00"),
    ("Asia/Kathmandu", "2026-01-01T00:00"),
    ("UTC", "2028-02-29T00:00"),
]
"""Zones, and a moment near which they turn their clocks, if they do."""
WINDOW = Millis(3 * DAY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Intervals, and from when on they are watched."""

    intervals: tuple[Interval, ...]
    since: Instant


def ranges(least: int, most: int, *, apart: int = 0) -> st.SearchStrategy[tuple[Range, ...]]:
    """None at all, mostly, or a few."""
    ends_of = st.tuples(st.integers(least, most), st.integers(least, most)).map(
        lambda two: (min(two), max(two))
    )
    kept = ends_of.filter(lambda two: two[1] - two[0] >= apart)
    return st.one_of(st.just(()), st.lists(kept, min_size=1, max_size=2).map(tuple))


QUARTERS = ranges(0, 96, apart=1).map(lambda found: tuple((first * 15, last * 15) for first, last in found))
DAYS = st.one_of(ranges(1, 31), ranges(-31, -1))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    zone, moment = draw(st.sampled_from(SHIFTS))
    shift = round(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
    interval = st.builds(
        Interval,
        times=QUARTERS,
        weekdays=ranges(0, 6),
        days_of_month=DAYS,
        months=st.sampled_from([(), (), ((1, 6),), ((10, 12),)]),
        location=st.just(zone),
        zone=st.just(ZoneInfo(zone)),
    )
    intervals = draw(st.lists(interval, min_size=1, max_size=3))
    before = draw(st.integers(0, 2 * 24 * 60)) * MINUTE
    return Scene(intervals=tuple(intervals), since=Instant(shift - before))


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_the_next_begin_and_the_next_end_are_those_that_every_minute_shows(scene: Scene) -> None:
    """Boundaries are full quarters of an hour on the wall, shifts full minutes: no minute is between."""
    minutes = range(scene.since, scene.since + WINDOW, MINUTE)
    seen = [(Instant(minute), holds(scene.intervals, Instant(minute))) for minute in minutes]
    begin = next((minute for minute, held in seen if held), None)
    end = next((minute for minute, held in seen if not held), None)
    found = begins(scene.intervals, scene.since)
    assert (found if found is not None and found < minutes.stop else None) == begin
    over = ends(scene.intervals, scene.since)
    assert (over if over is not None and over < minutes.stop else None) == end


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_what_is_found_far_ahead_is_a_turn(scene: Scene) -> None:
    """A millisecond before it, it is otherwise, unless that is before the look begins."""
    for find, held in ((begins, True), (ends, False)):
        found = find(scene.intervals, scene.since)
        if found is not None:
            assert holds(scene.intervals, found) is held
            assert found == scene.since or holds(scene.intervals, Instant(found - 1)) is not held
