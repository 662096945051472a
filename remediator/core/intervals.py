"""Time intervals: whether an instant is within one, and when that becomes otherwise.

They mean what they mean in Alertmanager (source: ``timeinterval/timeinterval.go``): the clock on the wall
and the calendar of the interval's zone are looked at, of ``times`` the end is not part. So where a zone turns
its clocks back, an hour that comes twice is within twice; where it turns them forward, one that is skipped
never is.

Between two shifts of a zone its wall clock runs evenly: all looking ahead is done on that clock, from one
shift to the next. Shifts are looked for in steps of a day: two within a day that cancel each other would not
be seen, and no zone plans such a thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo

from remediator.core.times import DAY, MINUTE, Instant, Millis

Range = tuple[int, int]
"""The first and the last that are meant; of ``times`` the first minute and the one after the last."""
LOOK_AHEAD = Millis(366 * DAY)
"""How far ahead the end of an interval is looked for."""
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_DAY = date.max.toordinal()
_FIRST, _LAST = int(DAY), (_LAST_DAY - 2 - _EPOCH) * DAY
"""Instants that have a date in every zone. What lies beyond is taken for these."""
_DAY_MINUTES = 24 * 60
_CYCLE = 400
"""Years after which the calendar repeats, weekdays included."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """It is within when of every kind that is given (is not empty) some range fits.

    ``times``: minutes since midnight; ``weekdays``: 0 is Sunday; ``days_of_month``: negative ones count from
    the month's end, -1 is its last day. ``zone``: what ``location`` names, whose clock and calendar count.
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    location: str = "UTC"
    zone: tzinfo = field(default=UTC, compare=False, repr=False)


def holds(intervals: Iterable[Interval], at: Instant) -> bool:
    """Whether ``at`` is within one of them."""
    return any(_is_within(each, at) for each in intervals)


def ends(intervals: Sequence[Interval], at: Instant, within: Millis = LOOK_AHEAD) -> Instant | None:
    """From when on none of them holds: the first such instant from ``at`` on; None: not ``within`` that time.

    One that begins while another holds puts it off.
    """
    moment: int = at
    while moment <= at + within:
        over = [_next(_leaves, each, moment) for each in intervals if _is_within(each, moment)]
        if not over:
            return Instant(moment)
        known = [each for each in over if each is not None]
        if len(known) < len(over):
            return None
        moment = max(known)
    return None


def begins(intervals: Iterable[Interval], at: Instant) -> Instant | None:
    """From when on one of them holds: the first such instant from ``at`` on; None: never again."""
    found = [_next(_enters, each, at) for each in intervals]
    return min((Instant(each) for each in found if each is not None), default=None)


def can_hold(interval: Interval) -> bool:
    """Whether there is any day in the calendar on which it holds: never on the 30th of February."""
    lengths = [(month, _length(year, month)) for year in (2027, 2028) for month in range(1, 13)]
    possible = any(
        _among(month, interval.months)
        and any(_fits_month(interval, day, length) for day in range(1, length + 1))
        for month, length in lengths
    )
    return possible and _next_day(interval, date.min.toordinal()) is not None


# --- the clock on the wall: milliseconds since 1970 as a zone counts them ---


def _offset(zone: tzinfo, at: int) -> int:
    """Milliseconds by which the zone's wall clock is ahead of UTC then."""
    if zone is UTC:
        return 0
    there = datetime.fromtimestamp(min(max(at, _FIRST), _LAST) // 1000, zone).utcoffset()
    return 0 if there is None else round(there.total_seconds()) * 1000


def _wall(zone: tzinfo, at: int) -> int:
    return min(max(at, _FIRST), _LAST) + _offset(zone, at)


def _is_within(interval: Interval, at: int) -> bool:
    wall = _wall(interval.zone, at)
    return _enters(interval, wall) == wall if _fits(interval, _day_of(wall)) else False


def _next(find: Callable[[Interval, int], int | None], interval: Interval, at: int) -> int | None:
    """The first instant from ``at`` on at which the wall clock shows what ``find`` looks for."""
    zone = interval.zone
    while True:
        ahead = _offset(zone, at)
        wall = find(interval, min(max(at, _FIRST), _LAST) + ahead)
        if wall is None:
            return None
        found = max(wall - ahead, at)
        shifted = _next_shift(zone, at, found)
        if shifted is None:
            return found
        at = shifted


def _next_shift(zone: tzinfo, at: int, until: int) -> int | None:
    """The first instant after ``at``, and not after ``until``, at which the zone's clock is another."""
    if zone is UTC:
        return None
    ahead, low = _offset(zone, at), at
    while low < until:
        high = min(low + DAY, until)
        if _offset(zone, high) != ahead:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(zone, middle) == ahead else (low, middle)
            return high
        low = high
    return None


# --- the calendar ---


def _day_of(wall: int) -> date:
    return date.fromordinal(_EPOCH + wall // DAY)


def _start_of(ordinal: int) -> int:
    return (ordinal - _EPOCH) * DAY


def _among(number: int, ranges: Sequence[Range]) -> bool:
    return not ranges or any(first <= number <= last for first, last in ranges)


def _fits(interval: Interval, day: date) -> bool:
    """Whether the calendar's part of it is met on that day."""
    return (
        _among(day.year, interval.years)
        and _among(day.month, interval.months)
        and _among(day.isoweekday() % 7, interval.weekdays)
        and _fits_month(interval, day.day, _length(day.year, day.month))
    )


def _length(year: int, month: int) -> int:
    """Days of a month."""
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _fits_month(interval: Interval, number: int, length: int) -> bool:
    counted = [
        (first if first > 0 else length + first + 1, last if last > 0 else length + last + 1)
        for first, last in interval.days_of_month
    ]
    return _among(number, counted)


def _spans(interval: Interval) -> list[Range]:
    """Its times in order, without overlaps."""
    joined: list[Range] = []
    for first, last in sorted(interval.times or ((0, _DAY_MINUTES),)):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _enters(interval: Interval, wall: int) -> int | None:
    """From when on it is within, by the wall clock; None: never again."""
    spans, ordinal = _spans(interval), _EPOCH + wall // DAY
    if _fits(interval, date.fromordinal(ordinal)):
        for first, last in spans:
            if wall % DAY < last * MINUTE:
                return max(wall, _start_of(ordinal) + first * MINUTE)
    following = _next_day(interval, ordinal + 1)
    return None if following is None else _start_of(following) + spans[0][0] * MINUTE


def _leaves(interval: Interval, wall: int) -> int | None:
    """From when on it is not within, by the wall clock; None: not for longer than ``LOOK_AHEAD``."""
    spans, first_day = _spans(interval), _EPOCH + wall // DAY
    for ordinal in range(first_day, min(first_day + LOOK_AHEAD // DAY + 1, _LAST_DAY)):
        start = _start_of(ordinal)
        since = max(wall, start)
        if not _fits(interval, date.fromordinal(ordinal)):
            return since
        last = next((last for first, last in spans if first * MINUTE <= since - start < last * MINUTE), None)
        if last is None:
            return since
        if last < _DAY_MINUTES:
            return start + last * MINUTE
    return None


def _next_day(interval: Interval, ordinal: int) -> int | None:
    """The first day from that one on whose date fits; None: there is none."""
    if ordinal > _LAST_DAY:
        return None
    begin = date.fromordinal(ordinal)
    for year, month in _months(interval, begin):
        length, ordinal = _length(year, month), date(year, month, 1).toordinal()
        for number in range(begin.day if (year, month) == (begin.year, begin.month) else 1, length + 1):
            weekday = (ordinal + number - 1) % 7  # the first of January of the year 1 was a Monday
            if _among(weekday, interval.weekdays) and _fits_month(interval, number, length):
                return ordinal + number - 1
    return None


def _months(interval: Interval, begin: date) -> Iterator[tuple[int, int]]:
    """Years and months that fit, from that of a day on: as many as can differ."""
    tried = 0
    for year in range(begin.year, date.max.year + 1):
        if _among(year, interval.years):
            tried += 1
            for month in range(begin.month if year == begin.year else 1, 13):
                if _among(month, interval.months):
                    yield year, month
            if tried > _CYCLE:
                return
