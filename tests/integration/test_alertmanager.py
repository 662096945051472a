"""Alertmanagers are asked, and whatever answers in their place is not believed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from remediator.adapters.alertmanager import MOST_ALERTS, Alertmanager, AlertmanagerSet
from remediator.core.alertmanagers import Listing, State, Unanswered
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, SettingsError
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.times import Instant
from remediator.http.payload import read_alert
from tests.alertmanagers import RealAlertmanager, alertmanagers, moment
from tests.contract.stores import system_clock
from tests.integration.test_prometheus import HOSTILE as EVERY_TEXT
from tests.rude_server import Answer, drip, rude_server, say
from tests.servers import free_port

HOSTILE = [text for text in EVERY_TEXT if "\0" not in text]
"""What a label can hold. With NUL, an alert is a dead letter."""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAlertmanager]:
    """One that sends its webhooks to nobody."""
    with alertmanagers(tmp_path_factory.mktemp("alertmanager"), free_port()) as (one,):
        yield one


def connected(
    url: str, *, receiver: str = "remediator", token: str | None = None, within: float = 8.0
) -> AbstractAsyncContextManager[Alertmanager]:
    """As the daemon connects."""
    return Alertmanager.connected(url, receiver=receiver, read=read_alert, token=token, within=within)


async def test_what_is_routed_to_us_is_listed_as_a_webhook_would_tell_it(real: RealAlertmanager) -> None:
    real.fire("Routed", since=90, service="web")
    real.fire("Elsewhere", team="other")
    async with connected(real.url) as asked:
        listing = await asked.poll()
        named = await asked.ask({"Elsewhere"})
    assert listing.who == f"127.0.0.1:{real.port}"
    assert 0 <= listing.up_for < 120_000
    found = {one.alert.labels["alertname"]: one for one in listing.alerts}
    assert "Elsewhere" not in found
    one = found["Routed"]
    assert one.state is State.ACTIVE
    assert one.alert.labels == {"alertname": "Routed", "service": "web"}
    assert one.alert.annotations == {"summary": "it is down"}
    assert one.alert.generator_url == "http://prometheus.example/graph"
    assert one.alert.ends_at is None
    assert len(one.alert.fingerprint) == 16
    assert [each.alert.labels["alertname"] for each in named.alerts] == ["Elsewhere"]


async def test_what_keeps_an_alert_quiet_is_told(real: RealAlertmanager) -> None:
    """A silence of a person, one of ours, and another alert that inhibits it."""
    real.fire("WebDown", service="quiet")
    real.fire("Cause", service="quiet")
    real.fire("Held")
    theirs = real.silence("Held")
    ours = real.silence("Held", by="remediator", comment="remediator: 2026-01-01-0000-web/1/0")
    async with connected(real.url) as asked:
        down = await asked.ask({"WebDown"})
        held = await asked.ask({"Held", "Cause"})
    assert [(one.state, bool(one.inhibited_by)) for one in down.alerts] == [(State.SUPPRESSED, True)]
    by_name = {one.alert.labels["alertname"]: one for one in held.alerts}
    assert set(by_name) == {"Held", "Cause"}
    assert by_name["Cause"].state is State.ACTIVE
    assert set(by_name["Held"].silenced_by) == {theirs, ours}
    assert (held.silences[theirs].ours, held.silences[ours].ours) == (False, True)
    assert str(held.silences[theirs]).startswith("silenced by jane until 20")
    real.end("WebDown", service="quiet")
    real.end("Cause", service="quiet")


async def test_an_alert_that_ended_is_not_listed(real: RealAlertmanager) -> None:
    real.fire("Brief")
    async with connected(real.url) as asked:
        assert len((await asked.ask({"Brief"})).alerts) == 1
        real.end("Brief")
        assert (await asked.ask({"Brief"})).alerts == ()


async def test_names_are_asked_for_as_they_are(real: RealAlertmanager) -> None:
    """Alone and beside another, whatever they hold."""
    for name in HOSTILE:
        real.fire(name, hostile="yes")
    async with connected(real.url) as asked:
        for name in HOSTILE:
            for names in ({name}, {name, "no such alert"}):
                found = [one.alert.labels["alertname"] for one in (await asked.ask(names)).alerts]
                assert found == [name], (name, names)


async def test_a_silence_is_created_found_and_expired(real: RealAlertmanager) -> None:
    """Its matchers mean the labels as they are: it silences that alert and no other."""
    now = system_clock()
    async with connected(real.url) as asked:
        for number, value in enumerate(HOSTILE):
            real.fire("Silenced", of=value)
            comment = f"remediator: 2026-01-01-0000-auth/1/{number}"
            assert await asked.silences.find(comment) == ()
            matchers = [
                Matcher(name="alertname", op=MatchOp.EQUAL, value="Silenced"),
                Matcher(name="of", op=MatchOp.EQUAL, value=value),
            ]
            made = await asked.silences.create(matchers, Instant(now), Instant(now + 600_000), comment)
            (found,) = await asked.silences.find(comment)
            assert (found.id, found.matchers, found.ours) == (made, tuple(matchers), True)
            quiet = {
                one.alert.labels["of"]: one.silenced_by for one in (await asked.ask({"Silenced"})).alerts
            }
            assert [of for of, by in quiet.items() if by == (made,)] == [value]
            await asked.silences.expire(made)
            await asked.silences.expire(made)
            assert (await asked.silences.get(made)).state == "expired"
            assert await asked.silences.find(comment) == ()
        await asked.silences.expire("00000000-0000-0000-0000-000000000000")
        with pytest.raises(Refused, match="it answered 4"):
            await asked.silences.create([], Instant(now), Instant(now + 1000), "remediator: none")


async def test_a_receiver_that_is_not_there_is_no_empty_list(real: RealAlertmanager) -> None:
    """Else everything would look resolved."""
    async with connected(real.url, receiver="remediat.r") as asked:
        with pytest.raises(Refused, match=r"no receiver remediat\.r, it has .*remediator.*RECEIVER"):
            await asked.poll()


async def test_one_that_was_restarted_is_known_to_be_young(tmp_path: Path) -> None:
    with alertmanagers(tmp_path, free_port()) as (one,):
        one.fire("Before")
        async with connected(one.url) as asked:
            assert len((await asked.poll()).alerts) == 1
            one.stop()
            with pytest.raises(Retryable, match="cannot be reached"):
                await asked.poll()
            one.start()
            listing = await asked.poll()
    assert listing.alerts == ()
    assert listing.up_for < 15_000


async def test_each_of_several_answers_for_itself(real: RealAlertmanager) -> None:
    gone = free_port()
    urls = [real.url, f"http://127.0.0.1:{gone}/prefix/"]
    async with AlertmanagerSet.connected(urls, receiver="remediator", read=read_alert) as asked:
        one, other = await asked.poll()
        again = await asked.ask(())
    assert isinstance(one, Listing)
    assert isinstance(other, Unanswered)
    assert str(other).startswith(f"Alertmanager 127.0.0.1:{gone}/prefix: it cannot be reached")
    assert [type(each) for each in again] == [Listing, Unanswered]


OK = "200 OK"
ALERT = {
    "labels": {"alertname": "A"},
    "annotations": {},
    "startsAt": moment(),
    "endsAt": moment(60),
    "fingerprint": "ab",
    "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
}


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (say("503 Busy", b"later"), Retryable, "it answered 503: later"),
        (say("429 Slow", b""), Retryable, "it answered 429"),
        (say("401 No", b"who are you"), Refused, "it answered 401.*REMEDIATOR_ALERTMANAGER_URLS"),
        (say("404 Where", b""), NotFound, "it answered 404.*REMEDIATOR_ALERTMANAGER_URLS"),
        (say("302 There", b""), Refused, "it answered 302"),
        (say(OK, b"<html>"), Refused, "what answers is not Alertmanager"),
        (say(OK, b"{}"), Refused, "what answers is not Alertmanager"),
        (say(OK, b"[1]"), Refused, "what answers is not Alertmanager"),
        (say(OK, b"[" * 100_000), Refused, "what answers is not Alertmanager"),
        (say(OK, json.dumps([{**ALERT, "status": {"state": "odd"}}]).encode()), Refused, "is not Alertm"),
        (say(OK, json.dumps([ALERT] * (MOST_ALERTS + 1)).encode()), Refused, "lists 10001 alerts, more than"),
        (say(OK, b"[" + b" " * (17 << 20) + b"]"), Refused, "is larger than"),
        (drip(b" " * 65536, b"HTTP/1.1 200 OK\r\n\r\n"), Refused, "is larger than"),
    ],
)
async def test_what_is_no_answer_is_none(answer: Answer, kind: type[RemediatorError], said: str) -> None:
    async with rude_server(answer) as rude, connected(f"http://{rude.host}", within=2.0) as asked:
        with pytest.raises(kind, match=said):
            await asked.ask({"A"})


async def test_what_cannot_be_understood_is_left_out_and_counts_as_listed() -> None:
    """It may well be the alert that somebody misses."""
    bad = {**ALERT, "fingerprint": "cd", "labels": {"alertname": "B", "x": "\0"}}
    answers = iter([json.dumps([ALERT, bad]).encode(), json.dumps({"uptime": moment(-60)}).encode()])

    async def answer(writer: asyncio.StreamWriter) -> None:
        await say(OK, next(answers))(writer)

    async with rude_server(answer) as rude, connected(f"http://{rude.host}") as asked:
        listing = await asked.ask({"A"})
    assert [one.alert.fingerprint for one in listing.alerts] == ["ab"]
    assert listing.unusable == {"cd"}
    assert listing.up_for == 0  # it did not tell the time, so it may have started just now


@pytest.mark.parametrize("url", ["http://ada:hunter2@{}/am", "http://{}/am"])
async def test_credentials_are_sent_and_never_shown(url: str) -> None:
    echo = say("401 No", b"Basic YWRhOmh1bnRlcjI= ada:hunter2 Bearer hunter2 is wrong")
    async with rude_server(echo) as rude:
        token = None if "@" in url else "hunter2"
        async with connected(url.format(rude.host), token=token) as asked:
            assert asked.who == f"{rude.host}/am"
            with pytest.raises(Refused) as caught:
                await asked.poll()
    assert "hunter2" not in str(caught.value)
    assert token or "YWRhOmh1bnRlcjI=" not in str(caught.value)
    sent = "Authorization: Bearer hunter2" if token else "Authorization: Basic YWRhOmh1bnRlcjI="
    assert sent in rude.heads[0]
    assert rude.heads[0].startswith("GET /am/api/v2/receivers ")


async def test_one_that_hangs_is_not_waited_for() -> None:
    async with rude_server() as rude, connected(f"http://{rude.host}", within=0.3) as asked:
        with pytest.raises(Retryable, match="did not answer in time"):
            await asked.poll()


async def test_credentials_that_are_no_header_are_refused_at_the_start() -> None:
    with pytest.raises(SettingsError) as caught:
        async with connected("http://h", token="hunter2\r\nX: y"):
            pass
    assert "hunter2" not in str(caught.value)
