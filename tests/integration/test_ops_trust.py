"""A rule's record from outside: it is lowered by its failures, on every replica, until a person lifts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remediator.testing.apiserver import FakeApiServer
from tests.integration.daemon import Daemon, alert, daemon, notification, until, write_policies
from tests.integration.test_cli_pauses import run
from tests.servers import redis_server

NAMES = ("one", "two", "three", "four", "five")
POLICY = """
severities:
  SEV-2: {page: {unless_verified_within: 15m}, escalation: standard}
services:
SERVICES
rules:
  - {name: web-down, match: ['alertname="WebDown"'], severity: SEV-2, mode: auto, runbooks: [restart]}
  - {name: other, match: ['alertname="Other"'], severity: SEV-2}
runbooks:
  restart:
    steps: [{restart: {}}]
    verify: [{alert: {state: resolved, within: 1s}}]
guards: {namespaces: [shop], rate: {cluster: 100/1h, service: 10/1h, target: 10/10m}}
escalations:
  standard: [{level: 1, channels: [oncall]}]
channels:
  oncall: {pagerduty: {routing_key: {env: TEST_ONCALL_KEY}}}
operator: {channels: [oncall]}
""".replace(
    "SERVICES", "\n".join(f"  {name}: {{namespace: shop, workload: deployment/{name}}}" for name in NAMES)
)


async def fire(running: Daemon, name: str, phase: str) -> dict[str, Any]:
    """The incident of that service, once its attempt is there."""
    await running.post(alert("WebDown", name))

    async def look() -> dict[str, Any] | None:
        items = (await running.get(f"/v1/incidents?service={name}"))["items"]
        attempts = items[0]["attempts"] if items else []
        found: dict[str, Any] | None = items[0] if attempts and attempts[-1]["phase"] == phase else None
        return found

    return await until(look, f"the attempt of {name} is {phase}")


async def rule(running: Daemon, name: str = "web-down") -> dict[str, Any]:
    items = (await running.get("/v1/trust"))["items"]
    [found] = [each for each in items if each["rule"] == name]
    assert isinstance(found, dict)
    return found


async def test_a_rule_that_fails_three_times_in_a_row_waits_for_people_until_it_is_restored(
    tmp_path: Path,
) -> None:
    policies = write_policies(tmp_path / "policies", POLICY)
    with redis_server("redis-7.0", tmp_path / "redis") as server:
        async with FakeApiServer() as cluster:
            cluster.namespace("shop")
            for name in NAMES:
                cluster.deployment("shop", name)
            await cluster.settled()
            flags = {
                "redis_url": server.url,
                "redis_prefix": "shared",
                "kubeconfig": cluster.kubeconfig(tmp_path / "kubeconfig"),
            }
            async with daemon(policies, **flags) as first:
                await first.ready()
                assert (await rule(first))["counts"] == {}
                for name in NAMES[:3]:
                    await fire(first, name, "ended")
                lowered = await rule(first)
                assert (lowered["counts"], lowered["failed_in_a_row"]) == ({"failed": 3}, 3)
                assert (lowered["mode"], lowered["in_force"]) == ("auto", "approve")
                assert lowered["lowered"]["why"].startswith("3 attempts in a row failed, the last one in 20")
                assert (await rule(first, "other"))["lowered"] is None
                assert "remediator_rules_demoted 1.0" in await first.text("/metrics")
            server.kill()
            server.start()
            async with daemon(policies, **flags) as left, daemon(policies, **flags) as right:
                await left.ready()
                await right.ready()
                assert await rule(left) == await rule(right) == lowered
                waits = await fire(left, "four", "approving")
                timeline = await right.get(f"/v1/incidents/{waits['id']}/timeline")
                [why] = [one["text"] for one in timeline["items"] if one["text"].startswith("mode: ")]
                assert f"held to approve since {lowered['lowered']['at']}: 3 attempts in a row failed" in why
                status, said = await right.ask("POST", "/v1/explain", notification(alert("WebDown", "five")))
                assert status == 200
                assert said["alerts"][0]["rule"]["mode"] == "approve"
                assert said["alerts"][0]["runbooks"][0]["approval"].startswith("waits for approval")
                await _restored(right)
                await fire(left, "five", "ended")
                assert [one.template_changed for one in cluster.ledger.of("shop", "five")].count(True) == 1
                assert list(cluster.ledger.of("shop", "four")) == []


async def _restored(running: Daemon) -> None:
    """By the command line, once."""
    where = {"URL": running.url("")}
    shown = await run("trust", **where)
    assert shown.code == 0, shown.err
    assert "web-down: auto, approve in force; 3 failed\n  lowered to approve since " in shown.out
    assert "\n  advice: find out why its attempts failed" in shown.out
    assert "\nother: observe; nothing yet\n" in shown.out
    lifted = await run("trust", "--restore", "web-down", **where)
    assert (lifted.code, lifted.out) == (0, "web-down: auto; 3 failed\n")
    again = await run("trust", "--restore", "web-down", **where)
    assert (again.code, "rule web-down is not lowered" in again.err) == (1, True)
    unknown = await run("trust", "--restore", "web-donw", **where)
    assert (unknown.code, "did you mean 'web-down'?" in unknown.err) == (1, True)
    assert (await run("trust", "--restore", "../x", **where)).code == 2
