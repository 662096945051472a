"""The PagerDuty channel against a PagerDuty that misbehaves, over verified TLS (P11)."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trustme

from remediator.adapters.runtime import AsyncioRuntime
from remediator.channels import pagerduty
from remediator.channels.pagerduty import PagerDuty, event_of
from remediator.core.errors import Refused, RemediatorError, Retryable, Unknown
from remediator.core.journal import PageKind
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import ChannelSpec, SecretRef
from remediator.settings import read_settings, secret_reader
from remediator.testing.apiserver.faults import Fault, FaultKind
from remediator.testing.pagerduty import ROUTING_KEY, FakePagerDuty, Outcome

SPEC = ChannelSpec(name="oncall", kind="pagerduty", secrets={"routing_key": SecretRef(env="ONCALL_KEY")})


def message(kind: PageKind = PageKind.TRIGGER) -> ChannelMessage:
    return ChannelMessage(
        kind=kind,
        dedup_key="2026-11-23-0424-api/1",
        summary="SEV-2 ServiceDown on api: no runbook is left",
        severity="error",
        source="api",
        links={"dashboard": "https://grafana.example/d/1"},
        details={"tried": "restart-service: failed"},
    )


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
def runtime() -> Iterator[AsyncioRuntime]:
    machine = AsyncioRuntime()
    yield machine
    machine.close()


@pytest.fixture
def channel(fake: FakePagerDuty, authority: trustme.CA, runtime: AsyncioRuntime) -> PagerDuty:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return PagerDuty(
        SPEC, runtime=runtime, secret=lambda _: ROUTING_KEY, default_url=fake.url, trust=lambda: context
    )


async def failure(channel: PagerDuty) -> RemediatorError:
    with pytest.raises(RemediatorError) as caught:
        await channel.send(message())
    assert ROUTING_KEY not in str(caught.value)
    assert ROUTING_KEY[-4:] not in str(caught.value)
    return caught.value


async def test_trigger_says_what_is_wrong_and_resolve_ends_it(
    channel: PagerDuty, fake: FakePagerDuty
) -> None:
    assert await channel.send(message()) == "202 Event processed"
    assert await channel.send(message(PageKind.RESOLVE)) == "202 Event processed"

    assert [event.outcome for event in fake.events] == [Outcome.OPENED, Outcome.RESOLVED]
    body = fake.triggers()[0].body
    assert body["dedup_key"] == "2026-11-23-0424-api/1"
    assert body["payload"] == {
        "summary": "SEV-2 ServiceDown on api: no runbook is left",
        "source": "api",
        "severity": "error",
        "custom_details": {"tried": "restart-service: failed"},
    }
    assert body["links"] == [{"href": "https://grafana.example/d/1", "text": "dashboard"}]


async def test_429_is_not_retried_here_and_names_its_delay(channel: PagerDuty, fake: FakePagerDuty) -> None:
    fake.faults.add(Fault(kind=FaultKind.STATUS, status=429, retry_after=7, times=1))
    fake.faults.add(Fault(kind=FaultKind.STATUS, status=429, times=1))

    first, second = await failure(channel), await failure(channel)

    assert isinstance(first, Retryable)
    assert isinstance(second, Retryable)
    assert (first.delay, second.delay) == (7_000, 60_000)
    assert fake.events == []
    assert fake.faults.pending() == []  # one request each: the client did not come again by itself


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_5xx_may_be_tried_again(channel: PagerDuty, fake: FakePagerDuty, status: int) -> None:
    fake.faults.add(Fault(kind=FaultKind.STATUS, status=status))

    error = await failure(channel)

    assert isinstance(error, Retryable)
    assert str(status) in str(error)
    assert fake.faults.pending() == []
    assert await channel.send(message()) == "202 Event processed"


async def test_a_refusal_carries_pagerdutys_own_words(
    fake: FakePagerDuty, authority: trustme.CA, runtime: AsyncioRuntime
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    stranger = PagerDuty(
        SPEC, runtime=runtime, secret=lambda _: "f" * 32, default_url=fake.url, trust=lambda: context
    )

    with pytest.raises(Refused, match="PagerDuty answered 400 Event object is invalid: Invalid routing key"):
        await stranger.send(message())


async def test_401_is_a_refusal_and_shows_nothing_of_the_key(channel: PagerDuty, fake: FakePagerDuty) -> None:
    fake.faults.add(Fault(kind=FaultKind.STATUS, status=401))
    assert isinstance(await failure(channel), Refused)


async def test_an_answer_that_got_lost_is_unknown_and_the_repeat_is_swallowed(
    channel: PagerDuty, fake: FakePagerDuty
) -> None:
    fake.faults.add(Fault(kind=FaultKind.DROP_AFTER_EFFECT))

    error = await failure(channel)
    assert isinstance(error, Unknown)
    assert len(fake.triggers()) == 1

    await channel.send(message())
    assert [event.outcome for event in fake.triggers()] == [Outcome.OPENED, Outcome.SWALLOWED]
    assert len(fake.open_incidents()) == 1


async def test_a_server_that_hangs_is_given_up_in_time(
    channel: PagerDuty, fake: FakePagerDuty, runtime: AsyncioRuntime
) -> None:
    fake.faults.add(Fault(kind=FaultKind.HANG_AFTER_EFFECT))
    started = runtime.monotonic()

    error = await failure(channel)

    assert isinstance(error, Unknown)
    assert runtime.monotonic() - started < pagerduty.WITHIN + 1


async def test_no_connection_means_surely_not_sent(runtime: AsyncioRuntime, fake: FakePagerDuty) -> None:
    closed = PagerDuty(SPEC, runtime=runtime, secret=lambda _: ROUTING_KEY, default_url="https://127.0.0.1:1")
    assert isinstance(await failure(closed), Retryable)


async def test_without_tls_no_key_is_sent(runtime: AsyncioRuntime) -> None:
    async with FakePagerDuty() as readable:
        channel = PagerDuty(SPEC, runtime=runtime, secret=lambda _: ROUTING_KEY, default_url=readable.url)
        assert isinstance(await failure(channel), Refused)
        assert readable.events == []


async def test_a_certificate_that_is_not_trusted_gets_no_key(
    fake: FakePagerDuty, runtime: AsyncioRuntime
) -> None:
    distrusting = PagerDuty(SPEC, runtime=runtime, secret=lambda _: ROUTING_KEY, default_url=fake.url)

    error = await failure(distrusting)

    assert isinstance(error, Retryable)
    assert "SSL_CERT_FILE" in str(error)
    assert fake.events == []


async def test_a_key_that_is_not_set_is_said_plainly(
    fake: FakePagerDuty, runtime: AsyncioRuntime, tmp_path: Path
) -> None:
    settings = read_settings({"policies": tmp_path})
    channel = PagerDuty(SPEC, runtime=runtime, secret=secret_reader(settings, {}), default_url=fake.url)

    with pytest.raises(Refused, match="ONCALL_KEY is not set: export ONCALL_KEY or ONCALL_KEY_FILE"):
        await channel.send(message())


async def test_the_key_is_read_anew_for_each_message(
    fake: FakePagerDuty, authority: trustme.CA, runtime: AsyncioRuntime, tmp_path: Path
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    file = tmp_path / "key"
    file.write_text("f" * 32)
    secret = secret_reader(read_settings({"policies": tmp_path}), {"ONCALL_KEY_FILE": str(file)})
    channel = PagerDuty(SPEC, runtime=runtime, secret=secret, default_url=fake.url, trust=lambda: context)
    with pytest.raises(Refused):
        await channel.send(message())

    file.write_text(f"{ROUTING_KEY}\n")

    assert await channel.send(message()) == "202 Event processed"


def test_a_hostile_message_stays_within_what_pagerduty_takes() -> None:
    long = ChannelMessage(
        kind=PageKind.TRIGGER,
        dedup_key="k",
        summary="x" * 5000,
        severity="critical",
        source="",
        details={f"detail {number}": "y" * 100_000 for number in range(20)},
    )
    event = event_of(long)
    assert len(event["payload"]["summary"]) == 1024
    assert event["payload"]["source"]
    assert len(json.dumps(event)) < 512 * 1024
