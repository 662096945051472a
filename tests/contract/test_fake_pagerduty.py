"""The fake PagerDuty, asked by the official client over verified TLS."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pagerduty
import pytest
import trustme

from remediator.testing.apiserver.faults import Fault, FaultKind
from remediator.testing.pagerduty import LIMIT, ROUTING_KEY, FakePagerDuty, Outcome

PAYLOAD = {"summary": "checkout is down", "source": "prometheus", "severity": "critical"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def fake(authority: trustme.CA) -> AsyncIterator[FakePagerDuty]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with FakePagerDuty(tls=context) as server:
        yield server


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def client(fake: FakePagerDuty, trust: ssl.SSLContext, key: str = ROUTING_KEY) -> pagerduty.EventsApiV2Client:
    """The official client with its own retries off."""
    made = pagerduty.EventsApiV2Client(key, base_url=fake.url, verify=trust)
    made.retry = dict.fromkeys((429, 500, 502, 503, 504), 1)
    made.max_http_attempts = -1
    made.max_network_attempts = 0
    made.timeout = 1
    return made


async def send(fake: FakePagerDuty, trust: ssl.SSLContext, action: str, key: str | None, **extra: Any) -> str:
    def call() -> str:
        with client(fake, trust) as made:
            return made.send_event(action, dedup_key=key, **extra)

    return await asyncio.to_thread(call)


async def test_a_trigger_opens_one_incident(fake: FakePagerDuty, trust: ssl.SSLContext) -> None:
    assert await send(fake, trust, "trigger", "inc-1", payload=PAYLOAD) == "inc-1"
    assert [event.outcome for event in fake.triggers("inc-1")] == [Outcome.OPENED]
    assert [incident.summary for incident in fake.open_incidents()] == ["checkout is down"]


async def test_a_trigger_without_a_key_is_given_one(fake: FakePagerDuty, trust: ssl.SSLContext) -> None:
    key = await send(fake, trust, "trigger", None, payload=PAYLOAD)
    assert [incident.dedup_key for incident in fake.incidents] == [key]


async def test_a_repeated_key_is_swallowed_until_it_is_resolved(
    fake: FakePagerDuty, trust: ssl.SSLContext
) -> None:
    for action in ("trigger", "trigger", "acknowledge", "trigger", "resolve", "trigger"):
        await send(fake, trust, action, "inc-1", **({"payload": PAYLOAD} if action == "trigger" else {}))
    assert [event.outcome for event in fake.events] == [
        Outcome.OPENED,
        Outcome.SWALLOWED,
        Outcome.ACKNOWLEDGED,
        Outcome.SWALLOWED,
        Outcome.RESOLVED,
        Outcome.OPENED,
    ]
    assert [(one.status, one.swallowed) for one in fake.incidents] == [("resolved", 2), ("triggered", 0)]


async def test_a_resolve_of_an_unknown_key_is_accepted_and_noted(
    fake: FakePagerDuty, trust: ssl.SSLContext
) -> None:
    assert await send(fake, trust, "resolve", "never-seen") == "never-seen"
    assert [event.outcome for event in fake.resolves()] == [Outcome.NOTHING]
    assert fake.incidents == []


@pytest.mark.parametrize("key", ["short", "f" * 32])
async def test_a_wrong_routing_key_is_400(fake: FakePagerDuty, trust: ssl.SSLContext, key: str) -> None:
    with client(fake, trust, key) as made, pytest.raises(pagerduty.HttpError) as caught:
        await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
    response = caught.value.response
    assert response is not None
    assert (response.status_code, response.json()["status"]) == (400, "invalid event")
    assert fake.events == []


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"payload": None}, "'payload'"),
        ({"payload": PAYLOAD | {"summary": ""}}, "summary"),
        ({"payload": PAYLOAD | {"summary": "x" * 1025}}, "summary"),
        ({"payload": PAYLOAD | {"source": None}}, "source"),
        ({"payload": PAYLOAD | {"severity": "sev1"}}, "severity"),
        ({"event_action": "explode"}, "event_action"),
        ({"event_action": "resolve", "dedup_key": None}, "dedup_key"),
        ({"dedup_key": "k" * 256}, "dedup_key"),
    ],
)
async def test_an_invalid_event_is_400_and_named(
    fake: FakePagerDuty, trust: ssl.SSLContext, change: dict[str, object], part: str
) -> None:
    event = {"routing_key": ROUTING_KEY, "event_action": "trigger", "dedup_key": "k", "payload": PAYLOAD}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{fake.url}/v2/enqueue", json=event | change, ssl=trust)
        body = await answer.json()
    assert (answer.status, body["status"], body["message"]) == (
        400,
        "invalid event",
        "Event object is invalid",
    )
    assert len(body["errors"]) == 1
    assert part in body["errors"][0]
    assert fake.events == []


async def test_the_longest_summary_and_key_are_taken(fake: FakePagerDuty, trust: ssl.SSLContext) -> None:
    longest = PAYLOAD | {"summary": "x" * 1024}
    assert await send(fake, trust, "trigger", "k" * 255, payload=longest) == "k" * 255


@pytest.mark.parametrize(("body", "status"), [(b"{", 400), (b"[]", 400), (b"x" * (LIMIT + 1), 413)])
async def test_a_body_that_is_no_event(
    fake: FakePagerDuty, trust: ssl.SSLContext, body: bytes, status: int
) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{fake.url}/v2/enqueue", data=body, ssl=trust)
    assert (answer.status, fake.events) == (status, [])


@pytest.mark.parametrize(("status", "retry_after"), [(429, 7), (500, None), (400, None)])
async def test_a_status_fault_is_answered_once_and_takes_nothing(
    fake: FakePagerDuty, trust: ssl.SSLContext, status: int, retry_after: int | None
) -> None:
    fake.faults.add(Fault(kind=FaultKind.STATUS, status=status, retry_after=retry_after))
    with client(fake, trust) as made, pytest.raises(pagerduty.HttpError) as caught:
        await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
    response = caught.value.response
    assert response is not None
    assert response.status_code == status
    assert response.headers.get("Retry-After") == (str(retry_after) if retry_after else None)
    assert fake.events == []
    assert await send(fake, trust, "trigger", "inc-1", payload=PAYLOAD) == "inc-1"


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        (FaultKind.DROP_AFTER_EFFECT, 1),
        (FaultKind.DROP_BEFORE_EFFECT, 0),
        (FaultKind.HANG, 0),
        (FaultKind.HANG_AFTER_EFFECT, 1),
    ],
)
async def test_a_lost_answer_leaves_the_sender_unsure(
    fake: FakePagerDuty, trust: ssl.SSLContext, kind: FaultKind, taken: int
) -> None:
    fake.faults.add(Fault(kind=kind))
    with client(fake, trust) as made, pytest.raises(pagerduty.Error):
        await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
    assert len(fake.triggers("inc-1")) == taken


async def test_a_client_that_does_not_trust_the_authority_refuses(fake: FakePagerDuty) -> None:
    with client(fake, ssl.create_default_context()) as made, pytest.raises(pagerduty.Error):
        await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
    assert fake.events == []


async def test_as_a_process_with_the_authority_from_the_environment(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As end-to-end tests do: the client trusts SSL_CERT_FILE, the control paths tell the rest."""
    ca, pem = tmp_path / "ca.pem", tmp_path / "server.pem"
    authority.cert_pem.write_to_path(ca)
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
    command = (sys.executable, "-m", "remediator.testing.pagerduty", "--cert", pem, "--key", pem)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        made = pagerduty.EventsApiV2Client(ROUTING_KEY, base_url=url)
        made.max_http_attempts, made.retry = -1, {503: 1}
        trust = ssl.create_default_context(cafile=ca)
        async with aiohttp.ClientSession() as session:
            fault = {"kind": "status", "status": 503, "times": 1}
            assert (await session.post(f"{url}/-/fake/faults", json=fault, ssl=trust)).status == 200
            with pytest.raises(pagerduty.HttpError):
                await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
            await asyncio.to_thread(made.send_event, "trigger", "inc-1", payload=PAYLOAD)
            events = await (await session.get(f"{url}/-/fake/events", ssl=trust)).json()
        made.close()
        assert [(event["dedup_key"], event["outcome"]) for event in events] == [("inc-1", "opened")]
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
