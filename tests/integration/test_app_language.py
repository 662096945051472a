"""The daemon under policies that ask for more than this version performs: people hear of it, that is all."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from remediator.testing.apiserver import FakeApiServer
from remediator.testing.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, write_policies
from tests.servers import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@asynccontextmanager
async def paging(
    redis: RedisServer, folder: Path, patch: pytest.MonkeyPatch, text: str, **flags: object
) -> AsyncIterator[tuple[Daemon, FakePagerDuty]]:
    """A daemon under these policies, and the PagerDuty that it pages."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    patch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    patch.setenv("TEST_ONCALL_KEY", ROUTING_KEY)
    policies = write_policies(folder / "policies", text)
    async with (
        FakePagerDuty(tls=context) as pager,
        daemon(policies, redis_url=redis.url, pagerduty_url=pager.url, **flags) as running,
    ):
        await running.ready()
        yield running, pager


async def test_P11_a_page_to_a_channel_that_cannot_be_sent_to_goes_to_the_next_level(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a dead letter at once: nothing is gained by trying for an hour."""
    text = POLICIES.replace(
        "[{level: 1, channels: [oncall]}]",
        "[{level: 1, channels: [chat], acknowledge_within: 15m}, {level: 2, channels: [oncall]}]",
    ).replace("channels:\n  oncall", "channels:\n  chat: {slack: {channel: '#a', token: {env: T}}}\n  oncall")
    async with paging(redis, tmp_path, monkeypatch, text) as (running, pager):
        await running.post(alert("WebDown"))

        incident = await running.incident(
            lambda each: any(page["trigger"] == "accepted" for page in each["pages"]),
            "somebody took the page",
        )

        told = [(page["channel"], page["trigger"]) for page in incident["pages"]]
        assert told == [("chat", "refused"), ("oncall", "accepted")]
        assert [each.status for each in pager.incidents] == ["triggered"]
        timeline = await running.get(f"/v1/incidents/{incident['id']}/timeline")
        texts = [entry["text"] for entry in timeline["items"]]
        refused = "this version cannot send to channels of kind slack; it is a dead letter now"
        assert any(refused in text for text in texts), texts
        [dead] = (await running.get("/v1/dead-letters"))["items"]
        assert "kind slack" in dead["reason"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("steps: [{restart: {}}]", "steps: [{cordon: {}}, {restart: {}}]", "cordon changes a node"),
        ("- {name: web-down,", "- {name: web-down, target: {node: a}, service: web,", "does not exist"),
    ],
)
async def test_what_cannot_be_performed_changes_nothing_in_a_cluster(
    redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, reason: str
) -> None:
    """Not even the step before it; and people are paged with the reason."""
    assert old in POLICIES
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        before = len(cluster.ledger.of("shop", "web"))
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        text = POLICIES.replace(old, new)
        async with paging(redis, tmp_path, monkeypatch, text, kubeconfig=kubeconfig) as (running, pager):
            await running.post(alert("WebDown"))

            incident = await running.incident(
                lambda each: any(page["trigger"] == "accepted" for page in each["pages"]),
                "somebody took the page",
            )

            [attempt] = incident["attempts"]
            assert attempt["outcome"] == "blocked"
            assert reason in attempt["reason"]
            assert len(pager.incidents) == 1
            assert cluster.ledger.of("shop", "web")[before:] == []
