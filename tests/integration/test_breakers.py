"""Breakers from outside: a runbook that fails too often is not tried until a person allows it (P10)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remediator.testing.apiserver import FakeApiServer
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, until, write_policies
from tests.integration.test_cli_pauses import Said, run
from tests.servers import RedisServer, redis_server

BRAKES = (
    POLICIES.replace("rollout: {within: 1m}", "rollout: {within: 100ms}", 1)
    .replace("alert: {state: resolved, within: 1m}", "alert: {state: resolved, within: 100ms}", 1)
    .replace("guards: {", "guards: {breaker: {failures: 1, within: 1h}, ", 1)
    .replace("    verify:", "    limits: {attempts: 9, per: 1h, cooldown: 0s}\n    verify:", 1)
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def tripped(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon whose one runbook has failed once, which is too often."""
    policies = write_policies(tmp_path / "policies", BRAKES)
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        async with daemon(policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
            await running.ready()
            assert (await running.get("/v1/breakers")) == {"items": [], "next": None}
            await running.post(alert("WebDown"))
            await running.incident(lambda each: _outcomes(each) == ["failed"], "an attempt failed")
            yield running


def _outcomes(incident: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in incident["attempts"]]


async def test_a_runbook_that_failed_is_not_tried_until_a_person_closes_its_breaker(tripped: Daemon) -> None:
    """It is shown, it is a metric, the next attempt's timeline says so, and who closed it is on record."""
    [breaker] = (await tripped.get("/v1/breakers"))["items"]
    first = (await tripped.get("/v1/incidents"))["items"][0]
    assert (breaker["runbook"], breaker["open"], breaker["failures"]) == ("restart-web", True, 1)
    assert breaker["by_attempt"] == f"{first['id']}/1"
    assert 'remediator_breaker_open{runbook="restart-web"} 1.0' in await tripped.text("/metrics")

    await tripped.post(alert("WebDown", resolved=True))
    await tripped.incident(lambda each: each["status"] == "resolved", "it is over")
    later = alert("WebDown") | {"startsAt": "2099-01-01T00:00:00Z"}
    await tripped.post(later)
    again = await tripped.incident(lambda each: _outcomes(each) == ["failed", "blocked"], "it is blocked")
    reason = again["attempts"][1]["reason"]
    assert reason.startswith(f"breaker: breaker of restart-web is open since {breaker['opened_at']}: ")
    assert reason.endswith("; once you know why: remediator close restart-web")
    timeline = (await tripped.get(f"/v1/incidents/{again['id']}/timeline"))["items"]
    assert any(each["kind"] == "guard" and each["text"] == reason for each in timeline)

    status, said = await tripped.ask("POST", "/v1/breakers/restart-wbe/close", {})
    assert (status, said["hint"]) == (404, "did you mean 'restart-web'?")
    status, said = await tripped.ask("POST", "/v1/breakers/restart-web/close", {"note": 7})
    assert status == 400
    status, closed = await tripped.ask(
        "POST", "/v1/breakers/restart-web/close", {"note": "fixed\r\nforged", "by": "eve"}
    )
    assert status == 200
    assert (closed["open"], closed["closed_by"], closed["note"]) == (False, "local", "fixed forged")
    assert (await tripped.get("/v1/breakers"))["items"] == [closed]
    assert 'remediator_breaker_open{runbook="restart-web"} 0.0' in await tripped.text("/metrics")
    status, said = await tripped.ask("POST", "/v1/breakers/restart-web/close", {})
    assert (status, said["hint"]) == (404, "no breaker is open")


async def test_the_command_line_lists_and_closes(tripped: Daemon) -> None:
    here = ("--url", tripped.url(""))

    async def told() -> str | None:
        said = await run("breakers", *here)
        assert (said.code, said.err) == (0, "")
        return said.out if "is not tried since" in said.out else None

    line = await until(told, "it is listed")
    assert line.startswith("restart-web is not tried since 20")
    assert ": 1 attempts failed within 1h, the last was " in line.replace("\n", " ")
    as_json = await run("breakers", "--json", *here)
    assert json.loads(as_json.out) == await tripped.get("/v1/breakers")
    wrong = await run("close", "restart-wbe", *here)
    text = "the breaker of 'restart-wbe' is not open: did you mean 'restart-web'?\n"
    assert wrong == Said(code=1, out="", err=text)
    assert (await run("close", "a/b", *here)).code == 2
    said = await run("close", "restart-web", "--note", "a new image", *here)
    assert said.code == 0
    assert said.out.startswith("restart-web was closed by local at 20")
    assert "a new image (open since 20" in said.out.replace("\n", " ")
    assert [each["open"] for each in (await tripped.get("/v1/breakers"))["items"]] == [False]
