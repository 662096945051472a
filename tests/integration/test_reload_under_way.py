"""What running incidents keep of the policy they began with, and what is always the newest.

An attempt pins its runbook as rendered, an incident its escalation; guards, modes and protections are the
newest loaded; a rule or guard that has gone blocks.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from remediator.testing.apiserver import FakeApiServer
from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.kinds import DEPLOYMENTS
from remediator.testing.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.integration.daemon import Daemon, alert, daemon, write_policies
from tests.servers import RedisServer, redis_server

POLICIES = """
severities:
  SEV-1: {page: now, escalation: standard}
  SEV-2: {page: {unless_verified_within: 15m}, escalation: standard}
services:
  web: {namespace: shop, workload: deployment/web}
rules:
  - {name: web-down, match: ['alertname="WebDown"'], severity: SEV-2, mode: auto, runbooks: [restart-web]}
  - {name: web-lost, match: ['alertname="WebLost"'], severity: SEV-1}
runbooks:
  restart-web:
    steps: [{wait: {for: ready, timeout: 4m}}, {restart: {}}]
    verify: [{alert: {state: resolved, within: 4m}}]
guards: {namespaces: [shop], rate: {cluster: 10/1h, service: 10/1h, target: 10/10m}}
escalations:
  standard:
    - {level: 1, channels: [oncall], acknowledge_within: 2s}
    - {level: 2, channels: [manager]}
channels:
  oncall: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
  manager: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
  vp: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
operator: {channels: [oncall]}
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


async def load(running: Daemon, folder: Path, text: str) -> None:
    """Put another policy in force."""
    assert text != POLICIES
    write_policies(folder, text)
    assert (await running.ask("POST", "/-/reload"))[0] == 200


@asynccontextmanager
async def waiting_attempt(redis: RedisServer, folder: Path) -> AsyncIterator[tuple[Daemon, FakeApiServer]]:
    """An attempt whose runbook waits for pods that are not ready, so that the policy can change meanwhile."""
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        cluster.behave("shop", "web", Behaviour.stays_broken())
        write_policies(folder / "policies", POLICIES)
        kubeconfig = cluster.kubeconfig(folder / "kubeconfig")
        flags = {"redis_url": redis.url, "kubeconfig": kubeconfig}
        async with daemon(folder / "policies", **flags) as running:
            await running.ready()
            await running.post(alert("WebDown"))
            await running.incident(
                lambda each: bool(each["attempts"]) and each["attempts"][0]["phase"] == "waiting", "it waits"
            )
            yield running, cluster


async def test_an_attempt_goes_on_as_it_began(redis: RedisServer, tmp_path: Path) -> None:
    """The newest runbook would neither restart nor wait for the alert: this attempt does both."""
    changed = POLICIES.replace(", {restart: {}}]", "]").replace(
        "[{alert: {state: resolved, within: 4m}}]", "[{rollout: {}}]"
    )
    changed = changed.replace("steps: [{wait: {for: ready, timeout: 4m}}]", "steps: [{scale: {to: 5}}]")
    async with waiting_attempt(redis, tmp_path) as (running, cluster):
        await load(running, tmp_path / "policies", changed)
        cluster.behave("shop", "web", Behaviour.healthy())
        await running.incident(lambda each: each["status"] == "verifying", "it was restarted")
        assert cluster.ledger.restarts("shop", "web") == 1
        await running.post(alert("WebDown", resolved=True))
        over = await running.incident(lambda each: each["status"] == "resolved", "it is resolved")
        assert [each["outcome"] for each in over["attempts"]] == ["verified"]
        deployment = cluster.get(DEPLOYMENTS, "shop", "web")
        assert deployment is not None
        assert deployment["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("before", "after", "outcome", "reason"),
    [
        ("guards: {", "guards: {protect: [deployment/web], ", "blocked", "protected by guards.protect"),
        ("namespaces: [shop]", "namespaces: [other]", "blocked", "namespace shop is not allowed"),
        ("mode: auto", "mode: observe", "observed", "mode observe"),
        ("name: web-down,", "name: web-is-down,", "blocked", "rule web-down is gone from the policy"),
    ],
    ids=["protected", "namespace", "mode", "rule"],
)  # fmt: skip
async def test_what_is_allowed_is_decided_by_the_newest(
    redis: RedisServer, tmp_path: Path, before: str, after: str, outcome: str, reason: str
) -> None:
    """Whatever the attempt began with: nothing is changed, and the attempt says why."""
    async with waiting_attempt(redis, tmp_path) as (running, cluster):
        await load(running, tmp_path / "policies", POLICIES.replace(before, after))
        cluster.behave("shop", "web", Behaviour.healthy())
        ended = await running.incident(
            lambda each: each["attempts"][0]["outcome"] is not None, "the attempt is over"
        )
        assert ended["attempts"][0]["outcome"] == outcome
        assert reason in ended["attempts"][0]["reason"]
        assert cluster.ledger.restarts("shop", "web") == 0


async def test_an_incident_climbs_the_escalation_it_began_with(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was to be asked next when it opened is asked next; the next incident asks others."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("TEST_ONCALL_KEY", ROUTING_KEY)
    folder = write_policies(
        tmp_path / "policies", POLICIES.replace("acknowledge_within: 2s", "acknowledge_within: 4s")
    )
    changed = POLICIES.replace("channels: [manager]", "channels: [vp]")
    async with (
        FakePagerDuty(tls=context) as pager,
        daemon(folder, redis_url=redis.url, pagerduty_url=pager.url) as running,
    ):
        await running.ready()
        await running.post(alert("WebLost"))
        await running.incident(lambda each: bool(each["pages"]), "the first level is asked")
        await load(running, folder, changed)
        first = await running.incident(lambda each: each["level"] == 2, "the second level is asked")
        assert [page["channel"] for page in first["pages"]] == ["oncall", "manager"]

        await running.post(alert("WebLost", "other"))
        second = await running.incident(
            lambda each: each["service"] == "other" and each["level"] == 2, "the second level is asked"
        )
        assert [page["channel"] for page in second["pages"]] == ["oncall", "vp"]
