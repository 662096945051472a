"""Time intervals: the cases of Alertmanager's own tests, clocks that are turned, and what comes next."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from remediator.core.errors import PolicyError
from remediator.core.intervals import Interval, begins, can_hold, ends, holds
from remediator.core.times import DAY, HOUR, MINUTE, Instant, Millis, format_instant
from remediator.policy.handover import hand_over
from remediator.policy.load import load_policy
from remediator.policy.zones import MachineZone

ALERTMANAGER = [
    ("{}", ["2006-01-02T15:04Z", "2007-01-03T10:04Z", "2006-01-04T09:04Z"], []),
    (
        "{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]}",
        ["2020-05-04T15:04Z", "2020-05-05T10:04Z", "2020-06-09T09:04Z"],
        ["2020-05-03T15:04Z", "2020-05-04T08:59Z", "2020-05-05T05:00Z"],
    ),
    (
        "{weekdays: ['Monday:FRIDAY'], times: [{start_time: '09:00', end_time: '17:00'}]}",
        ["2020-07-08T09:00Z", "2020-07-08T16:59Z", "2021-04-01T13:00Z"],
        ["2020-07-08T05:00Z", "2020-07-08T08:59Z", "2020-07-08T17:00Z"],
    ),
    (
        "{days_of_month: ['4:6'], months: ['april'], years: ['2020']}",
        ["2020-04-04T15:04Z", "2020-04-05T00:00Z", "2020-04-06T23:05Z"],
        ["2018-05-03T15:04Z", "2020-04-03T23:59Z", "2020-06-04T23:59Z", "2019-04-06T23:59Z"],
    ),
    (
        "{days_of_month: ['-3:-1']}",
        ["2020-01-31T15:04Z", "2020-01-29T15:04Z", "2020-06-30T00:00Z", "2020-02-29T23:05Z"],
        ["2018-05-03T15:04Z", "2020-01-27T15:04Z", "2020-04-03T23:59Z", "2020-03-01T00:00Z"],
    ),
    (
        "{months: ['6'], days_of_month: ['1:-1', '-31:-1']}",
        ["2020-06-30T00:00Z", "2020-06-01T00:00Z"],
        ["2020-05-31T00:00Z", "2020-07-01T00:00Z"],
    ),
    (
        "{days_of_month: ['30:31'], years: ['2020:2023'], months: ['february']}",
        [],
        ["2021-02-28T13:00Z", "2020-02-29T13:00Z", "2021-03-30T13:00Z"],
    ),
    (
        "{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}], "
        "location: Australia/Sydney}",
        ["2021-04-06T13:00+10:00"],
        ["2021-04-06T13:00Z"],
    ),
    (
        "{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}], months: ['11'], "
        "location: Australia/Sydney}",
        ["2021-11-01T09:00+11:00", "2021-10-31T22:00Z"],
        ["2021-10-31T21:00Z"],
    ),
    (
        "{weekdays: ['monday:friday', sunday], months: ['january:march'], days_of_month: ['-7:-1'], "
        "years: ['2020:2025', '2030:2035'], times: [{start_time: '09:00', end_time: '17:00'}]}",
        ["2021-01-27T09:00Z", "2021-01-28T16:59Z", "2025-03-31T13:00Z", "2035-01-31T13:00Z"],
        ["2021-01-30T13:00Z", "2021-04-01T13:00Z", "2026-01-30T13:00Z", "2035-01-31T17:01Z"],
    ),
    (
        "{weekdays: ['monday:wednesday', saturday, sunday], days_of_month: ['1', '10', '20:-1'], "
        "years: ['2020:2023'], months: ['january:march'], times: [{start_time: '13:00', end_time: '15:00'}]}",
        ["2021-01-10T13:00Z", "2021-01-30T14:24Z"],
        ["2021-01-09T13:00Z", "2021-01-20T12:59Z", "2021-02-02T13:00Z"],
    ),
]
"""What is within and what is not, from Alertmanager's ``timeinterval/timeinterval_test.go``."""
HALF_PAST_TWO = "{times: [{start_time: '02:30', end_time: '02:45'}], location: Europe/Berlin}"


def intervals(*texts: str) -> tuple[Interval, ...]:
    """As a policy file writes them."""
    text = f"severities: {{SEV-4: {{}}}}\ntime_intervals: {{x: [{', '.join(texts)}]}}\n"
    return load_policy({"p.yaml": text}).time_intervals["x"]


def at(text: str) -> Instant:
    return Instant(round(datetime.fromisoformat(text).timestamp() * 1000))


def said(moment: Instant | None) -> str | None:
    return None if moment is None else format_instant(moment).replace(":00.000Z", "Z")


def turns(of: tuple[Interval, ...], since: str, count: int) -> list[tuple[str | None, str | None]]:
    """The next spans in which it holds."""
    moment, found = at(since), []
    for _ in range(count):
        begin = begins(of, moment)
        end = None if begin is None else ends(of, begin)
        found.append((said(begin), said(end)))
        if end is None:
            break
        moment = end
    return found


@pytest.mark.parametrize(("text", "within", "without"), ALERTMANAGER)
def test_what_is_within_for_alertmanager_is_within(text: str, within: list[str], without: list[str]) -> None:
    of = intervals(text)
    assert {moment: holds(of, at(moment)) for moment in within} == dict.fromkeys(within, True)
    assert {moment: holds(of, at(moment)) for moment in without} == dict.fromkeys(without, False)


def test_of_several_intervals_one_is_enough() -> None:
    of = intervals("{weekdays: [saturday]}", "{months: ['5']}")
    assert holds(of, at("2026-11-28T00:00Z"))
    assert holds(of, at("2026-05-04T00:00Z"))
    assert not holds(of, at("2026-11-27T23:59Z"))


def test_a_span_ends_with_the_millisecond_before_its_end() -> None:
    of = intervals("{times: [{start_time: '09:00', end_time: '17:00'}]}")
    end = at("2026-11-25T17:00Z")
    assert holds(of, Instant(end - 1))
    assert not holds(of, end)
    assert ends(of, Instant(end - 1)) == ends(of, at("2026-11-25T09:00Z")) == end
    assert begins(of, end) == end + 16 * HOUR


def test_half_past_two_comes_twice_when_clocks_go_back_and_not_at_all_when_they_go_forward() -> None:
    """Berlin, on 2026-10-25 and 2026-03-29: the clock on the wall counts, as it does for Alertmanager."""
    assert turns(intervals(HALF_PAST_TWO), "2026-10-24T12:00Z", 3) == [
        ("2026-10-25T00:30Z", "2026-10-25T00:45Z"),
        ("2026-10-25T01:30Z", "2026-10-25T01:45Z"),
        ("2026-10-26T01:30Z", "2026-10-26T01:45Z"),
    ]
    assert turns(intervals(HALF_PAST_TWO), "2026-03-27T12:00Z", 2) == [
        ("2026-03-28T01:30Z", "2026-03-28T01:45Z"),
        ("2026-03-30T00:30Z", "2026-03-30T00:45Z"),
    ]


@pytest.mark.parametrize(
    ("span", "found"),
    [
        (("00:00", "24:00"), None),
        (("01:00", "02:30"), ("2026-03-29T00:00Z", "2026-03-29T01:00Z")),
        (("02:00", "03:00"), ("2026-03-30T00:00Z", "2026-03-30T01:00Z")),
        (("02:30", "03:30"), ("2026-03-29T01:00Z", "2026-03-29T01:30Z")),
        (("03:00", "04:00"), ("2026-03-29T01:00Z", "2026-03-29T02:00Z")),
    ],
)
def test_a_span_that_the_clocks_jump_into_out_of_or_over(
    span: tuple[str, str], found: tuple[str, str] | None
) -> None:
    """At 02:00 it is 03:00: a span begins or ends with the jump, where it would have within it."""
    of = intervals(
        f"{{times: [{{start_time: '{span[0]}', end_time: '{span[1]}'}}], location: Europe/Berlin}}"
    )
    [told] = turns(of, "2026-03-28T23:30Z", 1)
    assert told == (found or ("2026-03-28T23:30Z", None))


def test_clocks_that_go_back_into_a_span_let_it_begin_and_end_again() -> None:
    """At 03:00 it is 02:00: what has ended at 02:30 begins anew; what ends at 03:00 lasts an hour longer."""
    of = intervals("{times: [{start_time: '01:30', end_time: '02:30'}], location: Europe/Berlin}")
    assert turns(of, "2026-10-24T22:00Z", 3) == [
        ("2026-10-24T23:30Z", "2026-10-25T00:30Z"),
        ("2026-10-25T01:00Z", "2026-10-25T01:30Z"),
        ("2026-10-26T00:30Z", "2026-10-26T01:30Z"),
    ]
    longer = intervals("{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Berlin}")
    assert turns(longer, "2026-10-24T22:00Z", 1) == [("2026-10-25T00:00Z", "2026-10-25T02:00Z")]


def test_a_day_is_as_long_as_its_zone_has_it() -> None:
    """23 hours and 25; and in Apia the 30th of December 2011 never was."""
    of = intervals("{days_of_month: ['29'], months: ['3'], location: Europe/Berlin}")
    assert turns(of, "2026-01-01T00:00Z", 1) == [("2026-03-28T23:00Z", "2026-03-29T22:00Z")]
    of = intervals("{days_of_month: ['25'], months: ['10'], location: Europe/Berlin}")
    assert turns(of, "2026-01-01T00:00Z", 1) == [("2026-10-24T22:00Z", "2026-10-25T23:00Z")]
    of = intervals("{days_of_month: ['30'], location: Pacific/Apia}")
    assert turns(of, "2011-12-20T00:00Z", 1)[0][0] == "2012-01-29T10:00Z"


def test_a_quarter_ends_where_it_is_said_to() -> None:
    of = intervals("{months: ['3', '6', '9', '12'], days_of_month: ['-3:-1'], location: Europe/Berlin}")
    assert turns(of, "2026-11-25T00:00Z", 2) == [
        ("2026-12-28T23:00Z", "2026-12-31T23:00Z"),
        ("2027-03-28T22:00Z", "2027-03-31T22:00Z"),
    ]


def test_days_and_spans_that_touch_are_one() -> None:
    """Of one interval, and of several."""
    of = intervals("{weekdays: ['friday:saturday', sunday]}")
    assert turns(of, "2026-11-25T00:00Z", 1) == [("2026-11-27T00:00Z", "2026-11-30T00:00Z")]
    night = "{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]}"
    assert turns(intervals(night), "2026-11-25T12:00Z", 1) == [("2026-11-25T22:00Z", "2026-11-26T06:00Z")]
    shift = intervals(
        "{times: [{start_time: '06:00', end_time: '14:00'}]}",
        "{times: [{start_time: '13:00', end_time: '15:00'}], weekdays: [wednesday]}",
        "{times: [{start_time: '15:00', end_time: '16:00'}]}",
    )
    assert turns(shift, "2026-11-25T00:00Z", 2) == [
        ("2026-11-25T06:00Z", "2026-11-25T16:00Z"),
        ("2026-11-26T06:00Z", "2026-11-26T14:00Z"),
    ]


def test_what_does_not_end_has_no_end() -> None:
    """Not one interval, nor two that take turns; what lasts for years ends too late to be told."""
    now = at("2026-11-25T00:00Z")
    assert ends(intervals("{}"), now) is None
    assert (
        ends(intervals("{weekdays: ['sunday:tuesday']}", "{weekdays: ['wednesday:saturday']}"), now) is None
    )
    assert ends(intervals("{years: ['2020:2030']}"), now) is None
    assert ends(intervals("{weekdays: [wednesday]}"), now, Millis(DAY - 1)) is None
    assert said(ends(intervals("{weekdays: [wednesday]}"), now, DAY)) == "2026-11-26T00:00Z"


def test_what_holds_for_none_is_over_already() -> None:
    now = at("2026-11-25T00:00Z")
    assert ends(intervals("{weekdays: [saturday]}"), now) == now
    assert begins(intervals("{weekdays: [wednesday]}"), now) == now


def test_what_never_comes_again_never_begins() -> None:
    now = at("2026-11-25T00:00Z")
    assert begins(intervals("{years: ['2020:2025']}"), now) is None
    assert begins(intervals("{months: ['2'], days_of_month: ['30']}"), now) is None
    assert [can_hold(one) for one in intervals("{months: ['2'], days_of_month: ['30']}", "{}")] == [
        False,
        True,
    ]


def test_the_longest_that_is_waited_for_a_day_of_the_calendar_is_found() -> None:
    """A Friday the 29th of February: 40 years, over a century that has no leap day."""
    of = intervals("{months: ['2'], days_of_month: ['29'], weekdays: [friday]}")
    assert turns(of, "2064-03-01T00:00Z", 3) == [
        ("2092-02-29T00:00Z", "2092-03-01T00:00Z"),
        ("2104-02-29T00:00Z", "2104-03-01T00:00Z"),
        ("2132-02-29T00:00Z", "2132-03-01T00:00Z"),
    ]


def test_times_beyond_the_calendar_are_no_trouble() -> None:
    """A recorded alert may say any."""
    of = intervals("{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]}")
    for moment in (Instant(-(10**18)), Instant(0), Instant(10**15), Instant(10**18)):
        assert isinstance(holds(of, moment), bool)
        begins(of, moment)
        ends(of, moment)


@pytest.fixture
def new_york() -> Iterator[None]:
    """The machine stands there."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.__setitem__("TZ", before)
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_the_zone_of_the_machine_is_as_good_as_the_same_one_by_its_name() -> None:
    span = "times: [{start_time: '01:30', end_time: '01:45'}]"
    own, named = (
        intervals(f"{{{span}, location: Local}}"),
        intervals(f"{{{span}, location: America/New_York}}"),
    )
    for since in ("2026-10-31T12:00Z", "2026-03-07T12:00Z", "2026-07-01T00:00Z"):
        assert turns(own, since, 4) == turns(named, since, 4)
    zone = pickle.loads(pickle.dumps(own[0])).zone
    assert isinstance(zone, MachineZone)
    assert datetime(2026, 7, 1, tzinfo=UTC).astimezone(zone).hour == 20


def test_intervals_travel_between_processes() -> None:
    """The daemon takes policies over from the process that reads them."""
    of = intervals(HALF_PAST_TWO)
    again = pickle.loads(pickle.dumps(of))
    assert again == of
    assert turns(again, "2026-10-24T12:00Z", 2) == turns(of, "2026-10-24T12:00Z", 2)


READ = """
import sys
sys.modules['tzdata'] = None  # as if it were not installed
from remediator.policy.load import read_policies
text = "severities: {SEV-4: {}}\\ntime_intervals: {x: [{location: WHERE}]}"
print(*(f"{each.level.value} {each}" for each in read_policies({'p.yaml': text}).findings), sep="\\n")
"""


@pytest.mark.parametrize(
    ("where", "files", "told"),
    [
        ("Europe/Berlin", {}, "this machine knows no time zones; install the package tzdata"),
        ("Europe/Berlin", {"Europe/Paris": b"TZif2"}, "'Europe/Berlin' is no time zone"),
        (
            "Europe/Berlin",
            {"Europe/Berlin": b"TZif2 and then nothing"},
            "the rules of time zone Europe/Berlin cannot be read on this machine; install the package tzdata",
        ),
        ("UTC", {}, ""),
        ("Local", {}, ""),
    ],
)
def test_a_zone_without_its_rules_is_an_error_when_the_policies_are_read(
    where: str, files: dict[str, bytes], told: str, tmp_path: os.PathLike[str]
) -> None:
    """And not at night, when it would count."""
    for name, content in files.items():
        path = os.path.join(tmp_path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    done = subprocess.run(
        [sys.executable, "-c", READ.replace("WHERE", where)],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    errors = [line for line in done.stdout.splitlines() if line.startswith("error")]
    assert [told in line for line in errors] == ([True] if told else [])


TAKE_OVER = """
import sys
sys.modules['tzdata'] = None
from remediator.core.steps import at_once
from remediator.policy.handover import take_over
try:
    at_once(take_over(sys.stdin.buffer.read()))
except ValueError as error:
    print(error)
"""


def test_a_policy_whose_zone_the_daemon_cannot_read_is_not_taken_over(tmp_path: os.PathLike[str]) -> None:
    """Another process has read it, and zones travel by name: the policy from before stays in force."""
    text = f"severities: {{SEV-4: {{}}}}\ntime_intervals: {{x: [{HALF_PAST_TWO}]}}\n"
    done = subprocess.run(
        [sys.executable, "-c", TAKE_OVER],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        input=b"".join(hand_over(load_policy({"p.yaml": text}))),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode() == (
        "No time zone found with key Europe/Berlin in the daemon's process; install the package tzdata\n"
    )


def test_a_zone_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(PolicyError, match="did you mean 'Europe/Berlin'"):
        intervals("{location: Europe/Berln}")


def test_looking_ahead_is_quick() -> None:
    """A guard asks in the daemon's own loop: the farthest look takes less than a tenth of a second."""
    far = intervals("{months: ['2'], days_of_month: ['29'], weekdays: [friday], location: Europe/Berlin}")
    turning = intervals("{weekdays: ['sunday:tuesday']}", "{weekdays: ['wednesday:saturday']}")
    began = time.process_time()
    begins(far, at("2064-03-01T00:00Z"))
    ends(turning, at("2026-11-25T00:00Z"))
    assert time.process_time() - began < 0.1


def test_minutes_are_the_finest_grain() -> None:
    of = intervals("{times: [{start_time: '00:00', end_time: '00:01'}]}")
    assert [holds(of, Instant(at("2026-11-25T00:00Z") + past)) for past in (0, MINUTE - 1, MINUTE)] == [
        *(True, True, False)
    ]
