"""P3: what was not delivered is found by asking. Real Alertmanagers, a real store, the whole daemon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remediator.app import App
from remediator.core.times import HOUR, Millis
from remediator.workers.reconciler import ReconcilePace
from tests.alertmanagers import RealAlertmanager, alertmanagers, moment
from tests.integration.daemon import Daemon, daemon_of, until, write_policies
from tests.servers import RedisServer, free_port, redis_server

POLICIES = """
severities:
  SEV-3: {summary: slow, page: never}
services:
  web: {namespace: shop, workload: deployment/web}
rules:
  - {name: down, match: ['alertname=~".+"'], severity: SEV-3}
operator: {channels: [oncall]}
channels:
  oncall: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
"""
QUICK = ReconcilePace(
    every=0.1, absent_for=Millis(300), settled=Millis(0), contradicted=Millis(500), again=Millis(200)
)


class Quick(App):
    """Asks ten times a second and believes soon; what takes minutes is tested beside the clock."""

    reconcile_pace = QUICK


class Careful(App):
    """As quick, but trusts no Alertmanager that was started just now."""

    reconcile_pace = ReconcilePace(every=0.1, absent_for=Millis(100), settled=Millis(HOUR))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def port() -> int:
    """Where the daemon takes webhooks, before it is there."""
    return free_port()


class Place:
    """What a daemon is started with, again and again on the same store."""

    def __init__(self, folder: Path, redis: RedisServer, port: int, peers: list[RealAlertmanager]) -> None:
        self._policies = write_policies(folder / "policies", POLICIES)
        self._flags = {
            "redis_url": redis.url,
            "redis_prefix": f"reconcile-{port}",
            "alertmanager_urls": ",".join(one.url for one in peers),
        }
        self._port = port

    def daemon(self, kind: type[App] = Quick, *, deaf: bool = False) -> Any:
        """``deaf``: no webhook reaches it; all it learns it must ask for."""
        listen = "127.0.0.1:0" if deaf else f"127.0.0.1:{self._port}"
        return daemon_of(kind, self._policies, listen=listen, **self._flags)


async def status(running: Daemon, wanted: str) -> dict[str, Any]:
    """The one incident, once it has that status."""
    found = await running.incident(lambda one: one["status"] == wanted, f"the incident is {wanted}")
    assert len((await running.get("/v1/incidents"))["items"]) == 1
    return found


async def polls(running: Daemon, one: RealAlertmanager, outcome: str) -> int:
    """How often it was asked."""
    text = await running.text("/metrics")
    labels = f'alertmanager="127.0.0.1:{one.port}",outcome="{outcome}"'
    found = re.search(rf"remediator_alertmanager_polls_total{{{labels}}} (\S+)", text)
    return round(float(found[1])) if found else 0


async def rounds(running: Daemon, one: RealAlertmanager, outcome: str = "answered", more: int = 12) -> None:
    """After so many rounds more."""
    before = await polls(running, one, outcome)

    async def look() -> bool:
        return await polls(running, one, outcome) >= before + more

    await until(look, f"{more} more polls {outcome}")


async def test_P3_a_daemon_that_was_down_learns_of_what_fired_and_of_what_ended(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """Both deliveries are gone for good: Alertmanager was told that they were received."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            one.fire("Missed", service="web")
            found = await status(running, "open")
            assert found["service"] == "web"
            await rounds(running, one, more=2)
        one.end("Missed", service="web")  # and it is down through the flush
        async with place.daemon(deaf=True) as running:
            found = await status(running, "resolved")
            metrics = await running.text("/metrics")
            assert 'remediator_alerts_recovered_total{disposition="resolved"} 1.0' in metrics
            one.fire("Missed", since=60.5, service="web")  # later than its end is known for
            await until(lambda: _recovered(running, "new"), "it fires again")


async def _recovered(running: Daemon, disposition: str) -> bool:
    line = f'remediator_alerts_recovered_total{{disposition="{disposition}"}} 1.0'
    return line in await running.text("/metrics")


async def test_P3_what_was_delivered_is_asked_for_without_consequence(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """Every round of every replica hands in what is known: one episode, one incident, nothing recovered."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon() as running, place.daemon(deaf=True) as other:
            one.fire("Known", service="web")
            found = await status(running, "open")
            await rounds(running, one)
            await rounds(other, one)
            assert (await status(running, "open"))["id"] == found["id"]
            one.end("Known", service="web")
            await status(running, "resolved")
            kinds = [e["kind"] for e in (await running.get(f"/v1/incidents/{found['id']}/timeline"))["items"]]
    assert kinds == ["opened", "alert_fired", "alert_resolved", "resolved"]


async def test_P3_an_empty_answer_of_one_of_a_pair_resolves_nothing(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """One of them was restarted and has heard nothing yet; then it is down; then both say that it is over."""
    with alertmanagers(tmp_path, port, count=2) as (one, other):
        place = Place(tmp_path, redis, port, [one, other])
        for each in (one, other):
            each.fire("Pair", service="web")
        async with place.daemon(deaf=True) as running:
            await status(running, "open")
            await rounds(running, one)
            other.stop()
            other.start()
            assert other.listed() == {}
            await rounds(running, other)
            await status(running, "open")
            one.end("Pair", service="web")
            other.fire("Pair", service="web")
            await rounds(running, other)
            await status(running, "open")  # cut off from Prometheus, the other still knows it
            other.stop()
            await rounds(running, other, "failed")
            await status(running, "open")
            ready = await running.get("/-/ready")
            assert ready["ready"] is True
            assert list(ready["silent_alertmanagers"]) == [f"127.0.0.1:{other.port}"]
            other.start()
            await status(running, "resolved")
            assert await running.get("/-/ready") == {"ready": True}


async def test_P3_a_young_alertmanager_resolves_nothing(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """A lone one that was restarted has forgotten everything, and Prometheus has not told it again yet."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(Careful, deaf=True) as running:
            one.fire("Forgotten", service="web")
            await status(running, "open")
            await rounds(running, one)
            one.stop()
            one.start()
            assert one.listed() == {}
            await rounds(running, one, more=20)
            await status(running, "open")


async def test_P3_what_never_came_from_these_alertmanagers_is_not_missing_in_them(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """A webhook of another Alertmanager, which nobody told us of."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon() as running:
            await running.post(_webhook_alert("Foreign"))
            await status(running, "open")
            await rounds(running, one)
            await status(running, "open")


async def test_P3_a_silenced_alert_opens_nothing_and_resolves_nothing(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            one.silence("Quiet")
            one.fire("Quiet", service="web")
            await rounds(running, one)
            assert (await running.get("/v1/incidents"))["items"] == []
            one.fire("Loud", service="web")
            await status(running, "open")
            silence = one.silence("Loud")
            await rounds(running, one)
            assert one.listed()["Loud"] == "suppressed"
            await status(running, "open")
            one.end("Loud", service="web")  # which is never delivered of an alert that is silenced
            await status(running, "resolved")
            one.expire(silence)


async def test_P3_an_inhibited_alert_opens_nothing_and_resolves_nothing(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            one.fire("Cause", service="other", team="other")  # routed to somebody else
            one.fire("WebDown", service="other")
            await rounds(running, one)
            assert (await running.get("/v1/incidents"))["items"] == []
            one.fire("WebDown", service="web")
            await status(running, "open")
            one.fire("Cause", service="web", team="other")
            await rounds(running, one)
            await status(running, "open")


async def test_P3_truncated_notifications_resolve_nothing(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """What a notification leaves out is neither over nor forgotten."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon() as running:
            await running.post(
                _webhook_alert("Cut", fingerprint="aa"), _webhook_alert("Cut", fingerprint="bb")
            )
            await status(running, "open")
            await running.post(_webhook_alert("Cut", fingerprint="aa"), truncatedAlerts=1)
            await rounds(running, one)
            assert (await status(running, "open"))["alerts"] == 2


async def test_P3_an_alert_that_is_routed_elsewhere_from_now_on_still_fires(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """It is not among those of our receiver any more, and yet it is listed."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            one.fire("Moved", service="web")
            await status(running, "open")
            one.reroute("receiver: remediator, matchers", "receiver: nobody, matchers")
            await rounds(running, one)
            await status(running, "open")
            one.end("Moved", service="web")
            await status(running, "resolved")


async def test_P5_an_alert_that_is_listed_on_after_its_end_fires(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """Prometheus was cut off from Alertmanager for minutes: the alert comes back as old as it ever was."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            since = moment(-120)
            one.fire("Back", starts_at=since, service="web")
            first = await status(running, "open")
            await rounds(running, one, more=3)
            one.end("Back", service="web")
            await status(running, "resolved")
            one.fire("Back", starts_at=since, service="web")
            again = await status(running, "open")
            assert again["id"] == first["id"]
            assert again["reopened"] == 1


def _webhook_alert(name: str, fingerprint: str = "ab") -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "service": "web"},
        "annotations": {},
        "startsAt": moment(-120),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": fingerprint,
    }


async def test_alerts_are_left_to_their_delivery_while_they_are_fresh(
    tmp_path: Path, redis: RedisServer, port: int
) -> None:
    """Alertmanager waits for the group before it delivers; asking is not to be quicker than that."""
    with alertmanagers(tmp_path, port) as (one,):
        place = Place(tmp_path, redis, port, [one])
        async with place.daemon(deaf=True) as running:
            one.fire("Fresh", since=20, service="web")
            await rounds(running, one)
            assert (await running.get("/v1/incidents"))["items"] == []
