"""The table of bad input, against a real server over real sockets."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import uvloop

from remediator.http.server import Limits
from remediator.http.webhook import MAX_BODY_BYTES, WebhookLimits
from tests.integration.receiver import ALERT, BEARER, FIRING, Answer, read_answer, request, serve


def one(**changes: object) -> dict[str, Any]:
    """A notification whose one alert is changed; a value of ... takes the key away."""
    alert = {key: value for key, value in {**ALERT, **changes}.items() if value is not ...}
    return {**FIRING, "alerts": [alert]}


def envelope(**changes: object) -> dict[str, Any]:
    return {key: value for key, value in {**FIRING, **changes}.items() if value is not ...}


def raw(old: str, new: bytes) -> bytes:
    """The recorded notification with one piece of its JSON text replaced by bytes."""
    text = json.dumps(FIRING).encode()
    assert old.encode() in text
    return text.replace(old.encode(), new, 1)


def deep(depth: int) -> bytes:
    return raw('"version"', b'"x": ' + b"[" * (depth - 1) + b"]" * (depth - 1) + b', "version"')


def assert_refused(answer: Answer, status: int, reason: str) -> None:
    assert answer.status == status, answer
    assert reason in answer.json["error"]
    assert answer.json["hint"]


REFUSED_BODIES = [
    ("empty", b"", "empty"),
    ("blanks", b" \n", "empty"),
    ("array", b"[]", "not a JSON object"),
    ("string", b'"x"', "not a JSON object"),
    ("no json", b"{nope}", "not valid JSON"),
    ("cut off", json.dumps(FIRING).encode()[:-1], "not valid JSON"),
    ("two documents", b"{}{}", "goes on"),
    ("byte order mark", b"\xef\xbb\xbf{}", "not a JSON object"),
    ("invalid UTF-8", raw("AlwaysFiring", b"\xff"), "UTF-8"),
    ("surrogate as UTF-8", raw("AlwaysFiring", b"\xed\xa0\x80"), "UTF-8"),
    ("lone surrogate", raw("AlwaysFiring", b"\\ud800"), "surrogate"),
    ("lone surrogate in a key", raw("alertname", b"\\udfff"), "surrogate"),
    ("NUL, raw", raw("AlwaysFiring", b"\x00"), "not valid JSON"),
    ("NUL, escaped", raw("AlwaysFiring", b"\\u0000"), "NUL"),
    ("17 deep", deep(17), "deep"),
    ("100,000 deep", deep(100_000), "deep"),
    ("duplicate key", raw('"version"', b'"receiver": "x", "version"'), "twice"),
    ("duplicate label", raw('"alertname"', b'"alertname": "x", "alertname"'), "twice"),
    ("NaN", raw('"version"', b'"x": NaN, "version"'), "NaN"),
    ("Infinity", raw('"version"', b'"x": Infinity, "version"'), "Infinity"),
    ("-Infinity", raw('"version"', b'"x": -Infinity, "version"'), "-Infinity"),
    ("1e999", raw('"version"', b'"x": 1e999, "version"'), "too large"),
    ("huge integer", raw('"version"', b'"x": ' + b"9" * 5000 + b', "version"'), "digits"),
    ("version 3", envelope(version="3"), "version"),
    ("version as number", envelope(version=4), "version"),
    ("no version", envelope(version=...), "version"),
    ("no alerts", envelope(alerts=...), "alerts"),
    ("alerts as object", envelope(alerts={}), "alerts"),
    ("no receiver", envelope(receiver=...), "receiver"),
    ("receiver as number", envelope(receiver=1), "receiver"),
    ("no group key", envelope(groupKey=...), "groupKey"),
    ("no status", envelope(status=...), "status"),
    ("unknown status", envelope(status="burning"), "status"),
    ("status as list", envelope(status=[]), "status"),
    ("labels of the group as list", envelope(groupLabels=[]), "groupLabels"),
    ("common labels not strings", envelope(commonLabels={"a": 1}), "commonLabels"),
    ("truncated as text", envelope(truncatedAlerts="3"), "truncatedAlerts"),
    ("truncated as true", envelope(truncatedAlerts=True), "truncatedAlerts"),
    ("truncated below zero", envelope(truncatedAlerts=-1), "truncatedAlerts"),
    ("external URL as number", envelope(externalURL=1), "externalURL"),
]

SET_ASIDE = [
    ("bad status", one(status="burning"), "status"),
    ("status as list", one(status=["firing"]), "status"),
    ("no status", one(status=...), "status"),
    ("bad time", one(startsAt="yesterday"), "startsAt"),
    ("no time", one(startsAt=...), "startsAt"),
    ("time as number", one(startsAt=1), "startsAt"),
    ("impossible time", one(startsAt="2026-02-30T00:00:00Z"), "startsAt"),
    ("bad end", one(endsAt="never"), "endsAt"),
    ("resolved without an end", one(status="resolved"), "endsAt"),
    ("no labels", one(labels=...), "labels"),
    ("empty labels", one(labels={}), "labels"),
    ("65 labels", one(labels={f"l{n}": "x" for n in range(65)}), "65 labels"),
    ("a nameless label", one(labels={"": "x"}), "no name"),
    ("labels as list", one(labels=["a"]), "labels"),
    ("label as number", one(labels={"a": 1}), "labels"),
    ("label as null", one(labels={"a": None}), "labels"),
    ("long label", one(labels={"a": "x" * 4097}), "4096 bytes"),
    ("long label of few characters", one(labels={"a": "ä" * 2049}), "4096 bytes"),
    ("long annotation", one(annotations={"a": "x" * 4097}), "4096 bytes"),
    ("long label name", one(labels={"a": "b", "x" * 4097: "c"}), "4096 bytes"),
    ("many annotations", one(annotations={f"a{n}": "" for n in range(257)}), "more than 256"),
    ("annotation as object", one(annotations={"a": {}}), "annotations"),
    ("annotations as null", one(annotations=None), "annotations"),
    ("no fingerprint", one(fingerprint=...), "fingerprint"),
    ("fingerprint in upper case", one(fingerprint="ABC"), "fingerprint"),
    ("long fingerprint", one(fingerprint="a" * 65), "fingerprint"),
    ("fingerprint with a line feed", one(fingerprint="abc\n"), "fingerprint"),
    ("generator URL as number", one(generatorURL=1), "generatorURL"),
    ("an alert that is none", {**FIRING, "alerts": ["x"]}, "not an object"),
]

FINE = [
    ("as recorded", FIRING),
    ("16 deep", deep(16)),
    ("UTF-8 label names", one(labels={"größe der platte": "voll", "🙂": "ja"})),
    ("escaped pair of surrogates", raw("AlwaysFiring", b"\\ud83d\\ude42")),
    ("the text of an escape", raw("AlwaysFiring", b"\\\\u0000\\\\ud800")),
    ("unknown keys", {**one(other={"x": [1, 2.5, None]}), "notification_reason": "x", "other": [True]}),
    ("truncated alerts", envelope(truncatedAlerts=3)),
    ("nothing truncated, said by leaving it out", envelope(truncatedAlerts=...)),
    ("64 labels", one(labels={f"l{n}": "x" for n in range(64)})),
    ("longest label", one(labels={"a": "x" * 4096})),
    ("no annotations", one(annotations=...)),
    ("no end while firing", one(endsAt=...)),
    ("nine digits and an offset", one(startsAt="2026-11-23T04:25:51.265556579+01:00")),
    ("blanks around", b" \r\n\t" + json.dumps(FIRING).encode() + b" \r\n\t"),
]


@pytest.mark.parametrize(
    ("body", "reason"), [case[1:] for case in REFUSED_BODIES], ids=[c[0] for c in REFUSED_BODIES]
)
async def test_an_ambiguous_body_is_refused_whole(body: object, reason: str) -> None:
    async with serve() as served:
        assert_refused(await served.post(body), 400, reason)
        assert served.codes == {400: 1}
        assert served.receiver.notifications == []


@pytest.mark.parametrize(
    ("body", "reason"), [case[1:] for case in SET_ASIDE], ids=[case[0] for case in SET_ASIDE]
)
async def test_P15_an_unusable_alert_is_set_aside_with_its_reason(body: object, reason: str) -> None:
    async with serve() as served:
        answer = await served.post(body)
        assert (answer.status, answer.json) == (200, {"new": 0, "dead_letter": 1})
        [rejected] = served.receiver.notifications[0].rejected
        assert reason in rejected.reason
        assert json.loads(rejected.raw) == json.loads(json.dumps(body))["alerts"][0]


@pytest.mark.parametrize("body", [case[1] for case in FINE], ids=[case[0] for case in FINE])
async def test_unusual_but_good_input_is_taken(body: object) -> None:
    async with serve() as served:
        answer = await served.post(body)
        assert (answer.status, answer.json) == (200, {"new": 1, "dead_letter": 0})


async def test_P15_one_bad_alert_of_fifty() -> None:
    alerts = [{**ALERT, "fingerprint": f"{n:x}"} for n in range(50)]
    alerts[17]["startsAt"] = "soon"
    async with serve() as served:
        answer = await served.post({**FIRING, "alerts": alerts})
        assert (answer.status, answer.json) == (200, {"new": 49, "dead_letter": 1})


async def test_ten_thousand_alerts_are_taken() -> None:
    alerts = [
        {**ALERT, "fingerprint": f"{n:x}", "labels": {"n": str(n)}, "annotations": {}} for n in range(10_000)
    ]
    async with serve() as served:
        answer = await served.post({**FIRING, "alerts": alerts})
        assert (answer.status, answer.json) == (200, {"new": 10_000, "dead_letter": 0})


async def test_a_large_bad_alert_is_kept_in_part() -> None:
    """At most 64 KiB, cut between characters."""
    async with serve() as served:
        await served.post({**FIRING, "alerts": [{"x": "€" * 40_000}]})
        [rejected] = served.receiver.notifications[0].rejected
        assert 65_530 < len(rejected.raw.encode()) <= 65_536


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
async def test_another_media_type_is_refused(kind: str) -> None:
    async with serve() as served:
        assert_refused(await served.post(FIRING, {"Content-Type": kind}), 415, "JSON")
        assert served.codes == {415: 1}


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"]
)
async def test_parameters_of_the_media_type_are_fine(kind: str) -> None:
    async with serve() as served:
        assert (await served.post(FIRING, {"Content-Type": kind})).status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", "br"])
async def test_an_encoded_body_is_refused_unread(encoding: str) -> None:
    async with serve() as served:
        assert_refused(await served.post(FIRING, {"Content-Encoding": encoding}), 415, "encoded")


@pytest.mark.parametrize(
    ("path", "status"), [("/", 404), ("/v1/alertmanager/", 404), ("/v1/alertmanager?x=1", 200)]
)
async def test_unknown_path(path: str, status: int) -> None:
    async with serve() as served:
        answer = await served.post(FIRING, path=path)
        assert answer.status == status
        assert served.codes == {status: 1}
        assert (status == 200) is ("error" not in answer.json)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_unknown_method(method: str) -> None:
    async with serve() as served:
        answer = await served.post(FIRING, method=method)
        assert_refused(answer, 405, method)
        assert answer.headers["allow"] == "POST"
        assert served.codes == {405: 1}


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", b"nonsense\r\n\r\n", b"GET / HTTP/9\r\n\r\n"]
)
async def test_what_is_not_http_is_refused_and_counted(data: bytes) -> None:
    async with serve() as served:
        answer = await served.send(data)
        assert answer.status == 400
        assert answer.json["error"]
        assert served.codes == {400: 1}


async def test_huge_headers_are_refused() -> None:
    async with serve() as served:
        answer = await served.post(FIRING, {"X-Big": "x" * 20_000})
        assert answer.status == 400
        assert served.codes == {400: 1}


async def test_a_body_declared_too_large_is_refused_unread() -> None:
    async with serve() as served:
        answer = await served.post(b"{", {"Content-Length": str(MAX_BODY_BYTES + 1)})
        assert_refused(answer, 413, "larger than")
        assert served.codes == {413: 1}


async def test_a_chunked_body_too_large_is_refused() -> None:
    """No length is declared, and the sender goes on until it is told to stop."""
    async with serve() as served:
        reader, writer = await served.connect()
        writer.write(request(b"", {"Content-Length": "", "Transfer-Encoding": "chunked"}))
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(MAX_BODY_BYTES // 0x10000 + 2):
            writer.write(chunk)
            await writer.drain()
        assert_refused(await read_answer(reader), 413, "larger than")
        writer.close()


async def test_a_chunked_body_is_taken_and_a_broken_one_refused() -> None:
    body = json.dumps(FIRING).encode()
    headers = {"Content-Length": "", "Transfer-Encoding": "chunked"}
    async with serve() as served:
        good = request(b"", headers) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        assert (await served.send(good)).status == 200
        bad = request(b"", headers) + b"zz\r\n%b\r\n0\r\n\r\n" % body
        assert (await served.send(bad)).status == 400


async def test_the_largest_body_is_taken() -> None:
    body = json.dumps(FIRING).encode()
    async with serve() as served:
        assert (await served.post(body + b" " * (MAX_BODY_BYTES - len(body)))).status == 200


async def test_a_slow_body_is_answered_408() -> None:
    limits = Limits(linger=0.05, stop=0.5)
    async with serve(webhook_limits=WebhookLimits(body=0.05), limits=limits) as served:
        reader, writer = await served.connect()
        writer.write(request(b"{", {"Content-Length": "100"}))
        assert_refused(await read_answer(reader), 408, "did not arrive")
        assert await reader.read() == b""
        writer.close()
        assert served.codes == {408: 1}


async def hang_up(reader: asyncio.StreamReader) -> bytes:
    """What came before the server hung up; bytes of ours that it never read make the hang-up a reset."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("sent", [b"", b"POST /v1/alertmanager HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
async def test_slow_headers_are_closed(sent: bytes) -> None:
    """Also when bytes keep coming: one at a time until the server hangs up, with or without a reset."""
    async with serve(limits=Limits(idle=0.1, stop=0.5)) as served:
        reader, writer = await served.connect()
        writer.write(sent)
        closed = asyncio.ensure_future(hang_up(reader))
        for _ in range(3000):
            if closed.done() or writer.is_closing():
                break
            if sent:
                writer.write(b"x")
            await asyncio.wait([closed], timeout=0.01)
        assert await closed == b""
        writer.close()


async def test_an_idle_connection_is_closed_and_a_busy_one_kept() -> None:
    async with serve(limits=Limits(idle=0.1, stop=0.5)) as served:
        reader, writer = await served.connect()
        for _ in range(2):
            writer.write(request(json.dumps(FIRING).encode(), BEARER))
            assert (await read_answer(reader)).status == 200
        assert await reader.read() == b""
        writer.close()


async def crowd() -> None:
    """Two connections are held where two may be; a third comes, and then the two go."""
    async with serve(limits=Limits(max_connections=2, stop=0.5)) as served:
        held = [await served.connect() for _ in range(2)]
        for reader, writer in held:  # an answer each, so that both are surely counted
            writer.write(request(json.dumps(FIRING).encode()))
            assert (await read_answer(reader)).status == 200
        answer = await served.post(FIRING)
        assert_refused(answer, 503, "too many connections")
        assert answer.headers["connection"] == "close"
        assert served.codes == {200: 2, 503: 1}
        for _, writer in held:
            writer.close()
            await writer.wait_closed()


async def test_too_many_connections_are_answered_503() -> None:
    await crowd()


def test_too_many_connections_are_answered_503_on_the_loop_of_production() -> None:
    """Transports of uvloop are not instances of asyncio's."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(crowd())
