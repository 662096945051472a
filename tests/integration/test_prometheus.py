"""Prometheus is asked, and whatever answers in its place is not believed."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from remediator.adapters.prometheus import LARGEST_ANSWER, MOST_SERIES, Prometheus
from remediator.core.budgets import budget_query
from remediator.core.errors import Refused, RemediatorError, Retryable, SettingsError
from remediator.core.lag import AlertingRule
from remediator.core.times import DAY, MINUTE, Millis
from remediator.policy.placing import promql_pattern, promql_text
from tests.e2e.peers import Prometheus as Process
from tests.rude_server import Answer, RudeServer, drip, rude_server, say
from tests.servers import free_port

HOSTILE = [
    "web", "a.b-c_d", '"', "'", "\\", "`", '\\"', 'x"} or vector(1) or up{a="', "x'} or vector(1) #",
    "{{ 7*7 }}", "a\nb", "a\tb", "\x00\x1b[2J", "\x7f", "é😀\u2028", ".*", "(a+)+$", "a|b", "[^x]", "\\x22",
    "\\n", "*/", "#",
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that scrapes nothing that is there."""
    process = Process(tmp_path_factory.mktemp("prometheus"), exporter=free_port(), alertmanager=free_port())
    try:
        process.wait_until_ready()
        yield f"http://127.0.0.1:{process.port}"
    finally:
        process.stop()


@pytest.fixture
async def prometheus(server: str) -> AsyncIterator[Prometheus]:
    async with Prometheus.connected(server) as connected:
        yield connected


async def test_vectors_and_scalars_are_samples(prometheus: Prometheus) -> None:
    assert await prometheus.query("1 + 1") == (({}, 2.0),)
    assert await prometheus.query('label_replace(vector(3), "a", "b", "", "")') == (({"a": "b"}, 3.0),)
    assert await prometheus.query("nothing_of_that_name") == ()


async def test_what_is_no_number_and_what_is_endless_are_values(prometheus: Prometheus) -> None:
    ((_, value),) = await prometheus.query("vector(0) / 0")
    assert math.isnan(value)
    assert await prometheus.query("vector(1) / 0") == (({}, math.inf),)
    assert await prometheus.query("-vector(1) / 0") == (({}, -math.inf),)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(", "refuses the query: .*parse error"),
        ("up[5m]", "gives a matrix, not a vector"),
        ('"text"', "gives a string, not a vector"),
        ("label_replace(vector(1), 'x-y', '', '', '')", "refuses the query: .*invalid"),
        ("", "refuses the query"),
        ("sum(\x1b[2J", "refuses the query"),
    ],
)
async def test_a_bad_query_is_refused_in_the_words_of_prometheus(
    prometheus: Prometheus, query: str, said: str
) -> None:
    with pytest.raises(Refused, match=said) as caught:
        await prometheus.query(query)
    assert "\x1b" not in str(caught.value)


async def test_what_is_escaped_means_itself_to_prometheus(prometheus: Prometheus) -> None:
    """Of all values that could be put into a query, as a string and as a regular expression."""
    for value in HOSTILE:
        for quote in "\"'":
            text = f"{quote}{promql_text(value)}{quote}"
            found = await prometheus.query(f'count_values("got", vector(1)) * 0 or absent(up{{x={text}}})')
            assert ({"x": value}, 1.0) in found
            pattern = f"{quote}{promql_pattern(value)}{quote}"
            same = f'label_replace(absent(up{{x={text}}}), "hit", "yes", "x", {pattern})'
            assert await prometheus.query(same) == (({"x": value, "hit": "yes"}, 1.0),)
            other = f'label_replace(absent(up{{x="a-b-c_d"}}), "hit", "yes", "x", {pattern})'
            assert await prometheus.query(other) == (({"x": "a-b-c_d"}, 1.0),)


async def test_alerting_rules_are_told_with_their_times(tmp_path: Path) -> None:
    """Also when they are asked for by name, which older versions do not understand."""
    more = "    for: 1m30s\n    keep_firing_for: 5m\n"
    process = Process(tmp_path, free_port(), free_port(), rule="Slow", more=more)
    rule = AlertingRule(name="Slow", waits=Millis(90_000), keeps=Millis(300_000), every=Millis(200))
    try:
        process.wait_until_ready()
        async with Prometheus.connected(f"http://127.0.0.1:{process.port}") as asked:
            assert await asked.alerting_rules() == (rule,)
            assert await asked.alerting_rules({"Slow", "Other"}) == (rule,)
    finally:
        process.stop()


async def test_it_says_where_it_is(prometheus: Prometheus, server: str) -> None:
    assert await prometheus.describe() == f"{server} answers"


async def test_without_it_nothing_is_known_and_nothing_breaks() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with Prometheus.connected(url) as connected:
        with pytest.raises(Retryable, match="cannot be reached"):
            await connected.query("up")
        assert (await connected.describe()).startswith(f"{url}: Prometheus cannot be reached")


def success(result: object, kind: str = "vector", **more: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}, **more}).encode()


def impatient(rude: RudeServer) -> AbstractAsyncContextManager[Prometheus]:
    """One that waits for half a second."""
    return Prometheus.connected(f"http://{rude.host}", within=0.5)


SERIES = {"metric": {"a": "b"}, "value": [1.5, "2"]}
OK = "200 OK"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (say("500 Oops", b"<html>"), Retryable, "answered 500"),
        (say("503 Busy", b'{"status":"error","error":"query timed out"}'), Retryable, "503: query timed out"),
        (say("429 Slowly", b"", "Retry-After: 7"), Retryable, "answered 429"),
        (say("401 Who", b""), Refused, "answered 401; look at REMEDIATOR_PROMETHEUS_TOKEN"),
        (say("404 Where", b"not found"), Refused, "answered 404; look at REMEDIATOR_PROMETHEUS_URL"),
        (say("302 There", b"", "Location: http://127.0.0.1:1/"), Refused, "answered 302"),
        (say("400 Bad", b"a proxy"), Refused, "answered 400; look at"),
        (say(OK, b"<html>welcome</html>"), Refused, "not Prometheus"),
        (say(OK, b"[" * 100_000), Refused, "not Prometheus"),
        (say(OK, b"1" * 5000), Refused, "not Prometheus"),
        (say(OK, b'"text"'), Refused, "not Prometheus"),
        (say(OK, b'{"status":"success"}'), Refused, "not Prometheus"),
        (say(OK, b'{"status":"error","error":"x"}'), Refused, "not Prometheus"),
        (say(OK, success({})), Refused, "not Prometheus"),
        (say(OK, success([{"metric": {}}])), Refused, "not Prometheus"),
        (say(OK, success([{"metric": [], "value": [1, "2"]}])), Refused, "not Prometheus"),
        (say(OK, success([{"metric": {}, "value": [1, 2]}])), Refused, "not Prometheus"),
        (say(OK, success([{"metric": {}, "value": [1, "two"]}])), Refused, "not Prometheus"),
        (say(OK, success([{"metric": {}, "histogram": [1, {}]}])), Refused, "native histograms"),
        (say(OK, success([SERIES] * (MOST_SERIES + 1))), Refused, "more than 1000 series"),
        (say(OK, success([], warnings=["a store is down"])), Retryable, "may not be whole: a store is down"),
        (say(OK, success([SERIES], isPartial=True)), Retryable, "may not be whole: it calls it partial"),
        (drip(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n"), Refused, "larger than"),
        (drip(b"x" * 65536, b"HTTP/1.1 200 OK\r\nX: "), Retryable, "cannot be reached"),
        (say("not even HTTP", b""), Retryable, "cannot be reached"),
        (None, Retryable, "did not answer within 0.5s"),
    ],
)
async def test_what_is_no_answer_is_an_error(
    answer: Answer | None, error: type[RemediatorError], said: str
) -> None:
    async with (
        rude_server(answer) as rude,
        Prometheus.connected(f"http://{rude.host}", within=0.5) as connected,
    ):
        with pytest.raises(error, match=said):
            await connected.query("up")
        assert len(rude.heads) == 1


async def test_a_slow_drip_is_given_up() -> None:
    """Bytes that keep coming are no reason to wait longer."""
    gone = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)  # the drip itself
        finally:
            gone.set()

    async with (
        rude_server(answer) as rude,
        Prometheus.connected(f"http://{rude.host}", within=0.3) as connected,
    ):
        with pytest.raises(Retryable, match="did not answer within"):
            await connected.query("up")
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_rest_after_429_is_heeded() -> None:
    for headers, delay in ((["Retry-After: 7"], 7_000), (["Retry-After: never"], 60_000), ([], 60_000)):
        async with (
            rude_server(say("429 Slowly", b"", *headers)) as rude,
            Prometheus.connected(f"http://{rude.host}") as connected,
        ):
            with pytest.raises(Retryable) as caught:
                await connected.query("up")
            assert caught.value.delay == delay


async def test_an_answer_that_is_called_whole_is_one() -> None:
    async with rude_server(say(OK, success([SERIES], isPartial=False))) as rude, impatient(rude) as connected:
        assert await connected.query("up") == (({"a": "b"}, 2.0),)


async def test_remarks_on_style_are_no_warnings() -> None:
    answer = say(OK, success([SERIES], warnings=["PromQL info: metric might not be a counter"], infos=["x"]))
    async with rude_server(answer) as rude, Prometheus.connected(f"http://{rude.host}") as connected:
        assert await connected.query("up") == (({"a": "b"}, 2.0),)


async def test_an_answer_of_the_largest_size_is_read() -> None:
    body = success([SERIES])
    body += b" " * (LARGEST_ANSWER - len(body))
    async with rude_server(say(OK, body)) as rude, Prometheus.connected(f"http://{rude.host}") as connected:
        assert await connected.query("up") == (({"a": "b"}, 2.0),)


@pytest.mark.parametrize(
    ("user", "token", "shown"),
    [
        ("", "hunter2-token", "Bearer hunter2-token"),
        ("bob:hunter2@", None, "Basic Ym9iOmh1bnRlcjI="),
        ("", None, ""),
    ],
)
async def test_credentials_are_sent_and_never_told(user: str, token: str | None, shown: str) -> None:
    """Not even when the server quotes them, right where its words are cut off."""
    for padding in range(200, 260, 3):
        words = "x" * padding + f" you said {shown or 'nothing'} {token or 'hunter2'}"
        body = json.dumps({"status": "error", "error": words}).encode()
        async with (
            rude_server(say("400 Bad", body)) as rude,
            Prometheus.connected(f"http://{user}{rude.host}/prom", token=token) as connected,
        ):
            with pytest.raises(Refused, match="refuses the query: x") as caught:
                await connected.query("up")
            told = f"{caught.value} {await connected.describe()} {connected!r}"
            head = rude.heads[0]
        assert head.startswith("POST /prom/api/v1/query HTTP/1.1")
        assert "query=up&timeout=7s&limit=1001" in head
        assert (f"Authorization: {shown}\r\n" in head) is bool(shown)
        assert not shown or ("hunt" not in told and "Ym9i" not in told)


async def test_a_token_cannot_forge_a_header() -> None:
    with pytest.raises(SettingsError, match="PROMETHEUS_TOKEN") as caught:
        async with Prometheus.connected("http://127.0.0.1:1", token="a\r\nX-Evil: 1"):
            pass
    assert "Evil" not in str(caught.value)


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with rude_server() as proxy, rude_server(say(OK, success([]))) as rude:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://{proxy.host}")
        async with Prometheus.connected(f"http://{rude.host}") as connected:
            assert await connected.query("up") == ()
        assert proxy.heads == []


@pytest.mark.parametrize(
    ("errors", "share"),
    [
        ("vector(0.25)", 0.25),
        ("vector(0.25) # of all", 0.25),
        ("vector(0) / 0 or vector(1)", None),
        ("nothing_of_that_name", None),
        ("nothing_of_that_name or vector(0)", 0.0),
        ("vector(time() % 2 < bool 0) / vector(1)", 0.0),
    ],
)
@pytest.mark.parametrize("window", [10 * MINUTE, 30 * DAY])
async def test_an_error_budget_is_the_average_of_what_is_a_number(
    prometheus: Prometheus, errors: str, share: float | None, window: int
) -> None:
    """What is no number, while there are no requests, is left out; nothing but that is nothing."""
    samples = await prometheus.query(budget_query(errors, Millis(window)))
    assert [value for _, value in samples] == ([] if share is None else [pytest.approx(share)])
