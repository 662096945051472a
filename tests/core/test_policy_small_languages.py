"""The small languages within policy files: what they take, and what they refuse with which words."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from remediator.channels.settings import CHANNEL_SETTINGS
from remediator.core.images import ImageText
from remediator.core.quantities import QuantityText, amount
from remediator.policy.cron import CronText
from remediator.policy.intervals import IntervalModel
from remediator.policy.queries import QueryError, check_query
from remediator.policy.values import PercentText, WebAddress


def refused(kind: Any, value: object) -> str:
    """The code and the words with which a value is refused; empty when it is taken."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['type']} {first['msg']}"
    return ""


def interval(**given: object) -> IntervalModel:
    return IntervalModel.model_validate(given)


def test_intervals_are_read_as_alertmanager_reads_them() -> None:
    """Source: its ``timeinterval_test.go``: words in any case, numbers, ranges, days from the end."""
    made = interval(
        times=[{"start_time": "09:00", "end_time": "17:00"}, {"start_time": "23:59", "end_time": "24:00"}],
        weekdays=["monday:friday", "Saturday"],
        days_of_month=["1:7", "-7:-1", "15"],
        months=["january:MARCH", "4:6", 12],
        years=["2020:2022", 2026],
        location="Australia/Sydney",
    )
    assert [(each.start_time, each.end_time) for each in made.times or ()] == [(540, 1020), (1439, 1440)]
    assert made.weekdays == [(1, 5), (6, 6)]
    assert made.days_of_month == [(1, 7), (-7, -1), (15, 15)]
    assert made.months == [(1, 3), (4, 6), (12, 12)]
    assert made.years == [(2020, 2022), (2026, 2026)]
    assert made.location == "Australia/Sydney"


def test_an_interval_without_anything_is_always() -> None:
    assert interval() == interval(location="UTC")
    assert interval().weekdays is None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("weekdays", ["blurgsday"], "'blurgsday' is no weekday"),
        ("weekdays", ["1"], "'1' is no weekday"),
        ("weekdays", ["friday:monday"], "ends before it begins"),
        ("weekdays", ["monday:tuesday:friday"], "a range has two ends"),
        ("weekdays", [True], "expected a weekday"),
        ("days_of_month", ["0"], "'0' is no day of the month"),
        ("days_of_month", ["32"], "'32' is no day of the month"),
        ("days_of_month", ["-32:-1"], "'-32' is no day of the month"),
        ("days_of_month", ["10:1"], "always ends before it begins"),
        ("days_of_month", ["-1:-10"], "always ends before it begins"),
        ("days_of_month", ["31:-28"], "always ends before it begins"),
        ("days_of_month", ["-5:5"], "begins at the end of the month"),
        ("days_of_month", ["1.5"], "'1.5' is no day of the month"),
        ("months", ["13"], "'13' is no month"),
        ("months", ["martius"], "'martius' is no month"),
        ("months", ["june:january"], "ends before it begins"),
        ("years", ["0"], "'0' is no year"),
        ("years", ["2022:2020"], "ends before it begins"),
        ("location", "Europe/Atlantis", "'Europe/Atlantis' is no time zone"),
        ("location", "../../etc/passwd", "is no time zone"),
        ("location", 5, "expected a time zone"),
        ("times", [{"start_time": "12:00", "end_time": "12:00"}], "must be later than the start"),
        ("times", [{"start_time": "24:01", "end_time": "24:00"}], "'24:01' is no time of day"),
        ("times", [{"start_time": "9:00", "end_time": "24:00"}], "'9:00' is no time of day"),
    ],
)
def test_what_is_no_interval_is_refused(key: str, value: object, said: str) -> None:
    words = refused(IntervalModel, {key: value})
    assert words.startswith("P022 ")
    assert said in words


@pytest.mark.parametrize(
    "schedule",
    [
        "0 10 1-7 * MON",
        "*/15 * * * *",
        "0,30 9-17 * jan-jun,12 1-5",
        "5 4 * * sun",
        "0 0 31 12 7",
        "1-59/2 * * * *",
    ],
)
def test_schedules_are_read_as_cron_reads_them(schedule: str) -> None:
    assert refused(CronText, schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("* * * *", "this one has 4"),
        ("@daily", "this one has 1"),
        ("60 * * * *", "'60' is no minute"),
        ("* 24 * * *", "'24' is no hour"),
        ("* * 0 * *", "'0' is no day of the month"),
        ("* * * 13 *", "'13' is no month"),
        ("* * * * funday", "'funday' is no day of the week"),
        ("* * * * mon-sun", "the range ends before it begins"),
        ("*/0 * * * *", "a step is at least 1"),
        ("1,,2 * * * *", "'' is no minute"),
        ("$(id) * * * *", "is no minute"),
        ("* " * 200, "not a schedule of cron"),
        (5, "not a schedule of cron"),
    ],
)
def test_what_is_no_schedule_is_refused(schedule: object, said: str) -> None:
    words = refused(CronText, schedule)
    assert words.startswith("P023 ")
    assert said in words


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ("nginx", True),
        ("shop/web:1.4.2", True),
        ("registry.example.com:5000/shop/web:v1", True),
        ("registry.example.com/a/b/c@sha256:" + "0" * 64, True),
        ("a__b/c-d:X_1", True),
        ("shop/Web", False),
        ("shop/web:", False),
        ("shop/web:la test", False),
        ("shop//web", False),
        ("/web", False),
        ("web@sha256:abc", False),
        ("{{ service.name }}", False),
        ("a" * 501, False),
        ("", False),
        (5, False),
    ],
)
def test_images_are_references_as_docker_reads_them(image: object, taken: bool) -> None:
    assert (refused(ImageText, image) == "") is taken
    assert taken or refused(ImageText, image).startswith("P026 ")


@pytest.mark.parametrize(
    ("quantity", "least"),
    [
        ("500m", 0.5),
        ("2", 2),
        (2, 2),
        ("1.5Gi", 1.5 * 2**30),
        ("512Mi", 2**29),
        ("1k", 1000),
        ("1e3", 1000),
        (".5", 0.5),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(quantity: object, least: float) -> None:
    assert refused(QuantityText, quantity) == ""
    assert float(amount(str(quantity))) == least


@pytest.mark.parametrize(
    "quantity", ["2GB", "-1", "1 Gi", "", "Mi", "0", "1.5.2", "1e999", "∞", True, None, 1.5]
)
def test_what_is_no_quantity_is_refused(quantity: object) -> None:
    assert refused(QuantityText, quantity).startswith("P025 ")


@pytest.mark.parametrize(
    ("share", "taken"),
    [
        ("99.95%", True),
        ("0.1%", True),
        ("0%", False),
        ("100%", False),
        ("99.95", False),
        (99.95, False),
        ("-1%", False),
    ],
)
def test_percentages_lie_between_nothing_and_everything(share: object, taken: bool) -> None:
    assert (refused(PercentText, share) == "") is taken


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("https://zoom.us/incident", ""),
        ("http://meet.shop/", ""),
        ("zoom.us/incident", "P013"),
        ("javascript:alert(1)", "P013"),
        ("https://a\nb/", "P013"),
        ("https://[::1/", "P013"),
        ("https://u:hunter2@zoom.us/", "P019"),
        (5, "P013"),
    ],
)
def test_web_addresses_carry_no_credentials(address: object, code: str) -> None:
    words = refused(WebAddress, address)
    assert words[:4] == code
    assert "hunter2" not in words


@pytest.mark.parametrize(
    ("kind", "settings", "code"),
    [
        ("slack", {"channel": "#incidents", "token": {"env": "T"}}, ""),
        ("slack", {"channel": "C0123456789", "token": {"file": "/t"}}, ""),
        ("slack", {"channel": "#a"}, "missing"),
        ("slack", {"channel": "<!channel>", "token": {"env": "T"}}, "P013"),
        ("slack", {"channel": "#a", "token": "xoxb-hunter2"}, "P019"),
        ("statuspage", {"page": "abc", "token": {"env": "T"}}, ""),
        ("statuspage", {"page": "", "token": {"env": "T"}}, "string_too_short"),
        ("jira", {"project": "OPS"}, ""),
        ("jira", {"project": "ops"}, "P013"),
        ("jira", {"project": "OPS", "url": "http://jira/"}, "P013"),
        ("email", {"to": ["a@b.example"], "from": "c@d.example", "server": "mail:25"}, ""),
        ("email", {"to": [], "from": "c@d.example", "server": "mail:25"}, "too_short"),
        ("email", {"to": ["a@b\r\nBcc: x@y"], "from": "c@d.example", "server": "mail:25"}, "P013"),
        ("email", {"to": ["a@b.example"], "from": "c@d.example", "server": "mail"}, "P013"),
        ("webhook", {"url": "https://hooks.example/x", "token": {"env": "T"}}, ""),
        ("webhook", {"url": {"env": "HOOK"}}, ""),
        ("webhook", {"url": "http://hooks.example/hunter2"}, "P013"),
        ("apprise", {"url": {"file": "/run/apprise"}}, ""),
        ("apprise", {"url": "slack://hunter2"}, "P019"),
    ],
)
def test_settings_of_channels_are_typed_and_their_secrets_references(
    kind: str, settings: dict[str, object], code: str
) -> None:
    words = refused(CHANNEL_SETTINGS[kind], settings)
    assert words.split(" ")[0] == code
    assert "hunter2" not in words


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("up", ""),
        ('sum by (job) (rate(http_requests_total{code=~"5.."}[5m])) / 2 > bool 1', ""),
        ("# a comment\nhistogram_quantile(0.95, sum by (le) (rate(x_bucket[5m] offset 1w)))", ""),
        ("", "no expression found"),
        ("rate(up)", "expected type matrix"),
        ("up{", "unexpected end of input inside braces"),
        ('up{a=~"("}', "illegal regex"),
        ("uptime(x)", "unknown function with name 'uptime'"),
        ("up[5x]", "bad number or duration syntax"),
        ("sum(" * 300, "more than 200 operators"),
        ("\ud800", "lone surrogate"),
        ("up offset 9223372036854775807", "gives up"),
        ("up[1e30]", "gives up"),
    ],
)
def test_queries_are_refused_in_the_parsers_words(query: str, said: str) -> None:
    try:
        check_query(query)
    except QueryError as error:
        words = str(error)
    else:
        words = ""
    assert said in words
    assert bool(words) is bool(said)
