"""What is silenced or inhibited is not changed, and a lost delivery fails no verification.

All peers are real but for the cluster.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from remediator.app import App
from remediator.core.times import Millis
from remediator.testing.apiserver import FakeApiServer
from remediator.workers.reconciler import ReconcilePace
from tests.alertmanagers import RealAlertmanager, alertmanagers
from tests.e2e.peers import Prometheus
from tests.integration.daemon import Daemon, daemon_of, notification, until, write_policies
from tests.integration.test_reconcile import rounds
from tests.servers import RedisServer, free_port, redis_server

POLICIES = """
severities:
  SEV-3: {summary: slow, page: never}
services:
  web: {namespace: shop, workload: deployment/web}
rules:
  - {name: down, match: ['alertname="WebDown"'], severity: SEV-3, mode: auto, runbooks: [restart-web]}
runbooks:
  restart-web:
    summary: Restart it, and see that the alert is over
    steps: [{restart: {}}]
    verify: [{alert: {state: resolved, within: 20s}}]
    limits: {attempts: 5, per: 1h, cooldown: 1s}
guards: {namespaces: [shop], rate: {cluster: 10/1h, service: 10/1h, target: 10/10m}}
operator: {channels: [oncall]}
channels:
  oncall: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
"""


class Quick(App):
    """Asks ten times a second, and waits long before it takes an alert for over by itself."""

    reconcile_pace = ReconcilePace(every=0.1, absent_for=Millis(3_600_000), settled=Millis(0))


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def stage(
    folder: Path,
    redis: RedisServer,
    count: int = 1,
    *,
    text: str = POLICIES,
    kind: type[App] = Quick,
    **more: object,
) -> AsyncIterator[tuple[Daemon, list[RealAlertmanager], FakeApiServer]]:
    """The daemon, its Alertmanagers and its cluster; an alert reaches it only by being asked for."""
    policies = write_policies(folder / "policies", text)
    with alertmanagers(folder, free_port(), count) as peers:
        async with FakeApiServer() as cluster:
            cluster.namespace("shop")
            cluster.deployment("shop", "web")
            await cluster.settled()
            flags = {
                "redis_url": redis.url,
                "kubeconfig": cluster.kubeconfig(folder / "kubeconfig"),
                "alertmanager_urls": " ".join(one.url for one in peers),
                **more,
            }
            async with daemon_of(kind, policies, **flags) as running:
                await running.ready()
                yield running, peers, cluster


def restarts(cluster: FakeApiServer) -> int:
    """How often the deployment's template was changed."""
    return sum(effect.template_changed for effect in cluster.ledger.of("shop", "web"))


async def ended(running: Daemon) -> dict[str, Any]:
    """The attempt of the one incident, once it is over."""
    found = await running.incident(
        lambda one: bool(one["attempts"]) and one["attempts"][-1]["outcome"] is not None, "an attempt ended"
    )
    attempt: dict[str, Any] = found["attempts"][-1]
    return attempt


async def test_a_silenced_alert_blocks_the_change(tmp_path: Path, redis: RedisServer) -> None:
    """It was silenced after it had been delivered, as people do who are at work on it."""
    async with stage(tmp_path, redis) as (running, (one,), cluster):
        before = restarts(cluster)
        one.fire("WebDown", service="web")
        one.silence("WebDown")
        status, _ = await running.post(delivered(one))
        assert status == 200
        attempt = await ended(running)
        assert attempt["outcome"] == "blocked"
        assert "suppressed: an alert of the incident is silenced by jane until" in attempt["reason"]
        assert restarts(cluster) == before
        incident = (await running.get("/v1/incidents"))["items"][0]
        assert incident["status"] != "resolved"
        metrics = await running.text("/metrics")
        assert 'remediator_guard_verdicts_total{guard="suppressed",verdict="blocks"} 1.0' in metrics
        _, answer = await running.ask("POST", "/v1/explain", notification(delivered(one)))
        guards = answer["alerts"][0]["runbooks"][0]["guards"]
        (asked,) = [each for each in guards if each["name"] == "suppressed"]
        assert asked["verdict"] == "blocks"
        assert "is silenced by jane until" in asked["text"]


async def test_an_inhibited_alert_blocks_the_change(tmp_path: Path, redis: RedisServer) -> None:
    async with stage(tmp_path, redis) as (running, (one,), cluster):
        before = restarts(cluster)
        one.fire("Cause", service="web", team="other")
        one.fire("WebDown", service="web")
        await running.post(delivered(one))
        attempt = await ended(running)
        assert attempt["outcome"] == "blocked"
        assert "every alert of the incident is inhibited or muted" in attempt["reason"]
        assert restarts(cluster) == before


async def test_our_own_silence_blocks_nothing(tmp_path: Path, redis: RedisServer) -> None:
    async with stage(tmp_path, redis) as (running, (one,), cluster):
        before = restarts(cluster)
        one.silence("WebDown", by="remediator", comment="remediator: 2026-01-01-0000-web/1/0")
        one.fire("WebDown", service="web")
        await running.post(delivered(one))
        await until(truth(lambda: restarts(cluster) == before + 1), "it is restarted")


async def test_an_alertmanager_that_does_not_answer_blocks_until_it_does(
    tmp_path: Path, redis: RedisServer
) -> None:
    """A silence could be known to that one alone. The step waits; the daemon is ready all the same."""
    async with stage(tmp_path, redis, count=2) as (running, (one, other), cluster):
        before = restarts(cluster)
        for each in (one, other):
            each.fire("WebDown", service="web")
        told = delivered(one)
        other.stop()
        await running.post(told)

        async def put_off() -> bool:
            for one in (await running.get("/v1/incidents"))["items"]:
                timeline = await running.get(f"/v1/incidents/{one['id']}/timeline")
                return any("cannot be reached" in entry["text"] for entry in timeline["items"])
            return False

        await until(put_off, "the step is put off")
        assert restarts(cluster) == before
        assert (await running.get("/-/ready"))["ready"] is True
        other.start()
        await until(truth(lambda: restarts(cluster) == before + 1), "it is restarted")


async def test_a_verification_does_not_wait_for_a_delivery_that_is_lost(
    tmp_path: Path, redis: RedisServer
) -> None:
    """The alert ended and nobody said so: Alertmanager has nothing to deliver any more."""
    async with stage(tmp_path, redis) as (running, (one,), _):
        one.fire("WebDown", service="web")
        await running.post(delivered(one))
        await running.incident(lambda each: each["status"] == "verifying", "the restart is being verified")
        await rounds(running, one, more=2)
        one.end("WebDown", service="web")
        attempt = await ended(running)
        assert (attempt["outcome"], attempt["reason"]) == (
            "verified",
            "no Alertmanager lists an alert of the incident any more",
        )


@pytest.mark.parametrize(
    ("name", "wait", "said"),
    [
        ("WebDown", 2.2, "not believed before 2s200ms: so long WebDown takes (for 2s, keep_firing_for 1s"),
        ("Other", 0.0, "Prometheus has no alerting rule WebDown"),
    ],
)
async def test_P14_an_alert_that_resolves_is_not_believed_before_its_rule_could_fire_again(
    tmp_path: Path, redis: RedisServer, name: str, wait: float, said: str
) -> None:
    """As long as a real Prometheus says; where it knows no such rule, nothing is waited for and that told."""
    more = "    for: 2s\n    keep_firing_for: 1s\n"
    prometheus = Prometheus(tmp_path, free_port(), free_port(), rule=name, more=more)
    try:
        prometheus.wait_until_ready()
        url = f"http://127.0.0.1:{prometheus.port}"
        async with stage(tmp_path, redis, prometheus_url=url) as (running, (one,), _):
            one.fire("WebDown", service="web")
            await running.post(delivered(one))
            await running.incident(lambda each: each["status"] == "verifying", "it is being verified")
            await rounds(running, one, more=2)
            one.end("WebDown", service="web")
            attempt = await ended(running)
            assert attempt["outcome"] == "verified"
            (incident,) = (await running.get("/v1/incidents"))["items"]
            timeline = (await running.get(f"/v1/incidents/{incident['id']}/timeline"))["items"]
            (entry,) = [each for each in timeline if each["kind"] == "verification"]
            assert entry["text"].startswith(said)
            at = {each["kind"]: datetime.fromisoformat(each["at"]) for each in timeline}
            assert (at["attempt_ended"] - at["step"]).total_seconds() >= wait
    finally:
        prometheus.stop()


def truth(ask: Any) -> Any:
    async def look() -> bool:
        return bool(ask())

    return look


def delivered(one: RealAlertmanager) -> dict[str, Any]:
    """The webhook's alert for what it lists as WebDown."""
    found = next(
        each for each in one.call("GET", "/api/v2/alerts") if each["labels"]["alertname"] == "WebDown"
    )
    return {
        "status": "firing",
        "labels": found["labels"],
        "annotations": {},
        "startsAt": found["startsAt"],
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": found["fingerprint"],
    }
