"""The daemon as a whole, in this process: real Redis, fake cluster, fake PagerDuty."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from remediator.app import DRAIN_WITHIN, App
from remediator.core.errors import PolicyError, SettingsError
from remediator.settings import read_settings
from remediator.testing.apiserver import FakeApiServer
from remediator.testing.pagerduty import ROUTING_KEY, FakePagerDuty
from tests.integration.daemon import POLICIES, alert, daemon, until, write_policies
from tests.servers import RedisServer, redis_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "policies")


async def test_an_alert_is_healed_verified_and_wakes_nobody(
    redis: RedisServer, policies: Path, tmp_path: Path
) -> None:
    """Restarted once; fixed when the alert has resolved, which the restart does not control (P7, P14)."""
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        before = len(cluster.ledger.of("shop", "web"))
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        async with daemon(policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
            await running.ready()
            assert await running.post(alert("WebDown")) == (200, {"new": 1})
            assert await running.post(alert("WebDown")) == (200, {"duplicate": 1})
            await running.incident(
                lambda each: each["status"] == "verifying", "the restart is being verified"
            )
            assert (await running.post(alert("WebDown", resolved=True)))[0] == 200

            incident = await running.incident(lambda each: each["status"] == "resolved", "it is resolved")

            assert [each["outcome"] for each in incident["attempts"]] == ["verified"]
            assert incident["pages"] == []
            assert incident["links"]["dashboard"] == "https://grafana.example/d/web"
            effects = cluster.ledger.of("shop", "web")[before:]
            assert sum(effect.template_changed for effect in effects) == 1
            metrics = await running.text("/metrics")
            assert (
                'remediator_attempts_total{outcome="verified",runbook="restart-web",service="web"} 1.0'
                in metrics
            )
            assert 'remediator_pages_avoided_total{severity="SEV-2"} 1.0' in metrics
            timeline = await running.get(f"/v1/incidents/{incident['id']}/timeline")
            kinds = [entry["kind"] for entry in timeline["items"]]
            assert kinds[0] == "opened"
            assert kinds[-1] == "resolved"


async def test_without_a_cluster_nothing_is_changed_and_people_are_paged(
    redis: RedisServer, policies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes are blocked and say why; the page leaves, and resolves with the alert."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    monkeypatch.setenv("TEST_ONCALL_KEY", ROUTING_KEY)
    async with (
        FakePagerDuty(tls=context) as pager,
        daemon(policies, redis_url=redis.url, pagerduty_url=pager.url) as running,
    ):
        await running.ready()
        await running.post(alert("WebDown"))

        incident = await running.incident(
            lambda each: bool(each["pages"]) and each["pages"][0]["trigger"] == "accepted",
            "the page was taken",
        )

        assert incident["status"] == "escalated"
        assert "no cluster is configured" in incident["attempts"][0]["reason"]
        assert [each.status for each in pager.incidents] == ["triggered"]
        await running.post(alert("WebDown", resolved=True))

        async def over() -> bool:
            return [each.status for each in pager.incidents] == ["resolved"]

        await until(over, "PagerDuty heard that it is over")


async def test_it_waits_for_its_store_and_takes_nothing_meanwhile(policies: Path, tmp_path: Path) -> None:
    """Redis down at the start: 503 with the reason, never 2xx; when it comes up, everything works (P2)."""
    with redis_server("redis-7.0", tmp_path / "redis") as server:
        server.kill()
        async with daemon(policies, redis_url=server.url) as running:
            assert await running.app.settled() is not None
            status, said = await running.ask("GET", "/-/ready")
            assert status == 503
            assert "not ready" in said["error"]
            assert (await running.post(alert("WebDown")))[0] == 503
            assert await running.get("/-/healthy") == {"healthy": True}
            metrics = await running.text("/metrics")
            assert "remediator_store_up 0.0" in metrics
            assert "remediator_dead_letters" not in metrics

            server.start()

            await running.ready()
            assert (await running.post(alert("Slow")))[0] == 200
            await running.incident(lambda each: each["rule"] == "slow", "it is open")
            assert "remediator_store_up 1.0" in await running.text("/metrics")


@pytest.mark.parametrize("durability", ["strict", "weak"])
async def test_a_store_that_may_lose_alerts_is_refused_unless_that_is_wanted(
    policies: Path, tmp_path: Path, durability: str
) -> None:
    """No append-only file: not ready (P1)."""
    with redis_server("redis-7.0", tmp_path / "redis", {"appendonly": "no"}) as server:
        async with daemon(policies, redis_url=server.url, redis_durability=durability) as running:
            trouble = await running.app.settled()
            status, _ = await running.post(alert("Slow"))
            if durability == "weak":
                assert trouble is None
                assert status == 200
            else:
                assert "append-only" in str(trouble)
                assert status == 503


async def test_what_was_taken_survives_the_daemon(redis: RedisServer, policies: Path) -> None:
    """Another daemon on the same store knows the incident and goes on with it."""
    flags = {"redis_url": redis.url, "redis_prefix": "survives"}
    async with daemon(policies, **flags) as first:
        await first.ready()
        await first.post(alert("Slow"))
        known = await first.incident(lambda each: each["status"] == "open", "it is open")
    async with daemon(policies, **flags) as second:
        await second.ready()
        assert (await second.get(f"/v1/incidents/{known['id']}"))["opened_at"] == known["opened_at"]
        await second.post(alert("Slow", resolved=True))
        over = await second.incident(lambda each: each["status"] == "resolved", "it is resolved")
        assert over["id"] == known["id"]


async def test_with_no_redis_it_brings_its_own_and_keeps_what_it_held(policies: Path, tmp_path: Path) -> None:
    """The embedded store starts and ends with the daemon; its data stays."""
    flags = {"data_dir": tmp_path / "data", "redis_prefix": "own"}
    async with daemon(policies, **flags) as first:
        await first.ready()
        await first.post(alert("Slow"))
        await first.incident(lambda each: each["status"] == "open", "it is open")
    async with daemon(policies, **flags) as second:
        await second.ready()
        assert len((await second.get("/v1/incidents"))["items"]) == 1


async def test_policies_are_replaced_whole_or_not_at_all(redis: RedisServer, policies: Path) -> None:
    """A reload with errors names them and changes nothing; a good one is in force at once."""
    async with daemon(policies, redis_url=redis.url) as running:
        await running.ready()
        before = running.app.rulebook.policy().digest

        write_policies(policies, POLICIES.replace("severity: SEV-3}", "severity: SEV-9}"))
        status, said = await running.ask("POST", "/-/reload")
        assert status == 422
        assert any("SEV-9" in finding and "all.yaml:" in finding for finding in said["findings"])
        assert running.app.rulebook.policy().digest == before

        write_policies(policies, POLICIES.replace('alertname="Slow"', 'alertname="Sluggish"'))
        status, said = await running.ask("POST", "/-/reload")
        assert status == 200
        assert said["changed"] is True
        await running.post(alert("Sluggish"))
        await running.incident(lambda each: each["rule"] == "slow", "the new rule won")
        metrics = await running.text("/metrics")
        assert 'remediator_policy_reloads_total{outcome="refused"} 1.0' in metrics
        assert f'remediator_policy_info{{digest="{said["digest"]}"}} 1.0' in metrics
        assert before not in metrics


async def test_a_bad_start_opens_nothing(redis: RedisServer, policies: Path, tmp_path: Path) -> None:
    """Errors of settings and of policies end the start, and what was opened is closed again."""
    write_policies(policies, "rules: [{}]")
    with pytest.raises(PolicyError, match=r"all.yaml:1:"):
        async with daemon(policies, data_dir=tmp_path / "data"):
            pass
    write_policies(policies)
    with pytest.raises(SettingsError, match="WEBHOOK_TOKEN"):
        async with daemon(policies, redis_url=redis.url, listen="0.0.0.0:0"):
            pass
    with pytest.raises(SettingsError, match="kubeconfig"):
        async with daemon(policies, data_dir=tmp_path / "data", kubeconfig=tmp_path / "nowhere"):
            pass
    async with daemon(policies, data_dir=tmp_path / "data") as running:  # nobody holds the directory
        await running.ready()


def test_off_loopback_is_the_default_only_for_those_who_prove_who_they_are(policies: Path) -> None:
    """Without credentials the defaults stay on this machine."""
    open_to_all = read_settings({"policies": policies})
    assert (open_to_all.listen_at, open_to_all.ops_listen_at) == ("127.0.0.1:9095", "127.0.0.1:9096")
    guarded = read_settings({"policies": policies, "webhook_token": "a", "api_token": "b"})
    assert (guarded.listen_at, guarded.ops_listen_at) == (":9095", ":9096")


async def test_an_alert_without_a_rule_opens_an_incident_when_one_is_loaded(
    redis: RedisServer, policies: Path
) -> None:
    """Its sender will not repeat it for hours: the reload itself takes it in."""
    async with daemon(policies, redis_url=redis.url, redis_prefix="reconsidered") as running:
        await running.ready()
        assert await running.post(alert("Sluggish")) == (200, {"unmatched": 1})
        assert (await running.get("/v1/incidents"))["items"] == []
        write_policies(policies, POLICIES.replace('alertname="Slow"', 'alertname="Sluggish"'))
        assert (await running.ask("POST", "/-/reload"))[0] == 200
        await running.incident(lambda each: each["rule"] == "slow", "it was taken in")


async def test_ended_before_its_first_look_at_the_store_it_waits_for_nobody(policies: Path) -> None:
    """A store that takes connections and answers nothing: who waits for that look is told that it is over."""

    async def mute(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        silent.append(writer)

    async def wait(app: App) -> None:
        heard.append(await app.settled())

    silent: list[asyncio.StreamWriter] = []
    heard: list[str | None] = []
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    began = time.monotonic()
    async with daemon(policies, redis_url=url) as running:
        running.app.runtime.spawn(wait(running.app), "waits for the first look")
    assert heard == ["it is stopping"]
    assert time.monotonic() - began < DRAIN_WITHIN
    for writer in silent:
        writer.close()
    server.close()
