"""The kill switch from outside: what can be paused, what is refused, and what it outlives (P13)."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from remediator.testing.apiserver import FakeApiServer
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, write_policies
from tests.servers import RedisServer, redis_server

CART = """
  - {name: cart-down, match: ['alertname="CartDown"'], severity: SEV-2, mode: auto, runbooks: [restart-cart]}
"""
RESTART_CART = """
  restart-cart:
    steps: [{restart: {}}]
    verify: [{rollout: {within: 1m}}]
"""
TWO = (
    POLICIES.replace("rules:\n", f"  cart: {{namespace: shop, workload: deployment/cart}}\nrules:{CART}", 1)
    .replace("guards:", f"{RESTART_CART}guards:", 1)
    .replace("cluster: 10/1h", "cluster: 20/1h", 1)
)
SCOPES = ({"namespace": "shop"}, {"service": "web"}, {"rule": "web-down"}, {"runbook": "restart-web"})


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def running(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with daemon(write_policies(tmp_path / "policies", TWO), redis_url=redis.url) as one:
        await one.ready()
        yield one


async def pause(running: Daemon, scope: object = None, **more: str) -> Any:
    """The answer to a pause, which must be a success."""
    body = {"reason": "deploying", "scope": scope, **more}
    status, said = await running.ask("PUT", "/v1/pause", body)
    assert status == 200, said
    return said


async def test_pauses_of_every_scope_live_side_by_side(running: Daemon) -> None:
    """Each with reason, author and end; the members beside them speak of all changes, as they always did."""
    for scope in SCOPES:
        said = await pause(running, scope)
        assert said["paused"] is False
        assert said["reason"] is None
    shown = await running.get("/v1/pause")
    assert shown == said
    assert [each["scope"] for each in shown["pauses"]] == list(SCOPES)
    assert {(each["reason"], each["by"], each["until"]) for each in shown["pauses"]} == {
        ("deploying", "local", None)
    }

    said = await pause(running, **{"for": "2h"})

    assert (said["paused"], said["reason"], said["by"]) == (True, "deploying", "local")
    assert [each["scope"] for each in said["pauses"]] == [None, *SCOPES]
    whole = {"scope": None, **{member: said[member] for member in ("reason", "by", "since", "until")}}
    assert said["pauses"][0] == whole
    assert whole["until"] > whole["since"]


async def test_each_pause_is_lifted_alone(running: Daemon) -> None:
    """By the query or by the body; what is not paused cannot be lifted, and the nearest that is is named."""
    for scope in (None, *SCOPES):
        await pause(running, scope)
    status, said = await running.ask("DELETE", "/v1/pause?service=wbe")
    assert (status, said["error"], said["hint"]) == (404, "service wbe is not paused", "did you mean 'web'?")
    status, said = await running.ask("DELETE", "/v1/pause?service=web")
    assert (status, said["paused"]) == (200, True)
    assert {"service": "web"} not in [each["scope"] for each in said["pauses"]]
    status, said = await running.ask("DELETE", "/v1/pause?service=web")
    assert status == 404
    assert said["hint"] == "no service is; list what is with GET /v1/pause"
    status, said = await running.ask("DELETE", "/v1/pause", {"scope": {"rule": "web-down"}})
    assert status == 200
    status, said = await running.ask("DELETE", "/v1/pause")
    assert (status, said["paused"]) == (200, False)
    assert [each["scope"] for each in said["pauses"]] == [{"namespace": "shop"}, {"runbook": "restart-web"}]
    assert (await running.ask("DELETE", "/v1/pause"))[0] == 200


@pytest.mark.parametrize(
    ("scope", "error", "hint"),
    [
        ({"service": "wbe"}, "the policy has no service 'wbe'", "did you mean 'web'?"),
        ({"rule": "web-dwn"}, "the policy has no rule 'web-dwn'", "did you mean 'web-down'?"),
        ({"runbook": "zzz"}, "the policy has no runbook 'zzz'", "write one of: restart-cart, restart-web"),
        ({"namespace": "Shop"}, "'Shop' is no name of a namespace", "lower-case letters"),
        ({"namespace": "a/b"}, "'a/b' is no name of a namespace", "lower-case letters"),
        ({"service": ""}, "service is not text", '{"service": "web"}'),
        ({"service": 7}, "service is not text", '{"service": "web"}'),
        ({"servcie": "web"}, "a scope has no 'servcie', it is one of namespace, service,", "name one"),
        ({"all": "x"}, "a scope has no 'all'", "leave scope out for all changes"),
        ({}, "scope must be an object with exactly one of", "leave scope out for all changes"),
        ({"service": "web", "rule": "web-down"}, "scope must be an object with exactly one of", "name one"),
        ("all", "scope must be an object with exactly one of", "leave scope out for all changes"),
        ([], "scope must be an object with exactly one of", "name one"),
        ({"service": "w\u001b[31m"}, "the policy has no service 'w [31m'", "write one of: cart, web"),
    ],
)
async def test_a_scope_that_stops_nothing_is_refused(
    running: Daemon, scope: object, error: str, hint: str
) -> None:
    """It would look as if it did."""
    status, said = await running.ask("PUT", "/v1/pause", {"reason": "x", "scope": scope})
    assert status == 400
    assert error in said["error"]
    assert hint in said["hint"]
    assert (await running.get("/v1/pause"))["pauses"] == []


async def test_a_namespace_need_not_be_known(running: Daemon) -> None:
    """The policy knows only those of its services."""
    said = await pause(running, {"namespace": "somewhere-else"})
    assert said["pauses"][0]["scope"] == {"namespace": "somewhere-else"}


async def test_what_the_policy_forgot_can_still_be_lifted(redis: RedisServer, tmp_path: Path) -> None:
    """A rule that was paused and is gone."""
    policies = write_policies(tmp_path / "policies", TWO)
    async with daemon(policies, redis_url=redis.url) as running:
        await running.ready()
        await pause(running, {"rule": "slow"})
        rule = "  - {name: slow, match: ['alertname=\"Slow\"'], severity: SEV-3}\n"
        write_policies(tmp_path / "policies", TWO.replace(rule, "", 1))
        assert (await running.ask("POST", "/-/reload"))[0] == 200
        assert (await running.ask("PUT", "/v1/pause", {"reason": "x", "scope": {"rule": "slow"}}))[0] == 400
        assert (await running.ask("DELETE", "/v1/pause?rule=slow"))[1]["pauses"] == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"until": "tomorrow"}, "until: 'tomorrow' is not an RFC 3339 time"),
        ({"until": "2020-01-01T00:00:00Z"}, "until is over already"),
        ({"until": "2999-01-01T00:00:00Z"}, "until is too far away"),
        ({"until": "2999-01-01T00:00:00Z", "for": "2h"}, "for and until are both given"),
        ({"for": "31d"}, "for is out of range"),
    ],
)
async def test_ends_that_make_no_sense_are_refused(running: Daemon, body: dict[str, str], error: str) -> None:
    """By name, and nothing is paused."""
    status, said = await running.ask("PUT", "/v1/pause", {"reason": "x", **body})
    assert status == 400
    assert said["error"].startswith(error)
    assert said["hint"]
    assert (await running.get("/v1/pause"))["pauses"] == []


async def test_an_end_can_be_a_moment(running: Daemon) -> None:
    """Of any offset; it is shown in UTC."""
    said = await pause(running, {"service": "web"}, **{"for": "2h"})
    until = said["pauses"][0]["until"]
    hour = f"{(int(until[11:13]) + 1) % 24:02d}"
    assert until.endswith("Z")
    east = f"{until[:11]}{hour}{until[13:-1]}+01:00"
    if hour != "00":  # the date of the offset is another one then
        again = await pause(running, {"service": "web"}, until=east)
        assert again["pauses"][0]["until"] == until


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("?service=web&rule=web-down", None, "scope must be an object with exactly one of"),
        ("?scope=web", None, "the query has an unknown parameter"),
        ("?service=", None, "service is not text"),
        ("?service=web", {"scope": {"service": "web"}}, "the scope is in the query and in the body"),
        ("", {"scpoe": {"service": "web"}}, "the body has an unknown member"),
    ],
)
async def test_nothing_is_lifted_by_mistake(running: Daemon, path: str, body: object, error: str) -> None:
    """Above all not everything, when something else was meant."""
    for scope in (None, {"service": "web"}):
        before = await pause(running, scope)
    status, said = await running.ask("DELETE", f"/v1/pause{path}", body)
    assert status == 400
    assert error in said["error"]
    assert (await running.get("/v1/pause")) == before


async def test_pauses_are_in_the_metrics_and_in_the_log(
    running: Daemon, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A series of each kind, whatever is paused; a line when it is set and when it is lifted."""
    with caplog.at_level(logging.WARNING):
        await pause(running, {"service": "web"}, **{"for": "2h"})
        await pause(running, {"service": "cart"})
        text = await running.text("/metrics")
        assert "remediator_paused 0.0" in text
        lines = [line for line in text.splitlines() if line.startswith("remediator_paused_scopes{")]
        assert lines == [
            'remediator_paused_scopes{kind="all"} 0.0',
            'remediator_paused_scopes{kind="namespace"} 0.0',
            'remediator_paused_scopes{kind="service"} 2.0',
            'remediator_paused_scopes{kind="rule"} 0.0',
            'remediator_paused_scopes{kind="runbook"} 0.0',
        ]
        await running.ask("DELETE", "/v1/pause?service=web")
        assert 'remediator_paused_scopes{kind="service"} 1.0' in await running.text("/metrics")
    said = caplog.text + "".join(capsys.readouterr())
    for words in ("changes are paused", "service web", "deploying", "changes are no longer paused"):
        assert words in said


async def test_explain_says_what_is_paused(running: Daemon) -> None:
    """And of what is not paused, nothing."""
    await pause(running, {"runbook": "restart-web"})
    body = notification(alert("WebDown"), alert("CartDown", "cart"))
    status, explained = await running.ask("POST", "/v1/explain", body)
    assert status == 200
    told = {
        each["rule"]["name"]: {guard["name"]: guard for guard in each["runbooks"][0]["guards"]}["kill_switch"]
        for each in explained["alerts"]
    }
    assert told["web-down"]["verdict"] == "blocks"
    assert told["web-down"]["text"] == "runbook restart-web is paused by local: deploying"
    assert told["cart-down"]["verdict"] == "allows"


@pytest.mark.parametrize("scope", [None, *SCOPES], ids=json.dumps)
async def test_P13_a_pause_is_in_force_after_a_restart_and_on_every_replica(
    tmp_path: Path, scope: dict[str, str] | None
) -> None:
    """The daemon ends, the store is killed, both come back: no change is made of what was paused, and the
    incident's timeline says why; another service is repaired, unless it is paused, too."""
    policies = write_policies(tmp_path / "policies", TWO)
    with redis_server("redis-7.0", tmp_path / "redis") as server:
        async with FakeApiServer() as cluster:
            cluster.namespace("shop")
            for name in ("web", "cart"):
                cluster.deployment("shop", name)
            await cluster.settled()
            cluster.ledger.clear()
            flags = {
                "redis_url": server.url,
                "redis_prefix": "shared",
                "kubeconfig": cluster.kubeconfig(tmp_path / "kubeconfig"),
            }
            async with daemon(policies, **flags) as first:
                await first.ready()
                thrown = await pause(first, scope, **{"for": "2h"})
            server.kill()
            server.start()
            async with daemon(policies, **flags) as left, daemon(policies, **flags) as right:
                await left.ready()
                await right.ready()
                assert await left.get("/v1/pause") == await right.get("/v1/pause") == thrown
                await left.post(alert("WebDown"))
                stopped = await right.incident(lambda each: each["status"] == "escalated", "it is blocked")
                assert [each["outcome"] for each in stopped["attempts"]] == ["blocked"]
                timeline = await right.get(f"/v1/incidents/{stopped['id']}/timeline")
                [why] = [each["text"] for each in timeline["items"] if each["kind"] == "guard"]
                assert why.startswith("kill_switch: ")
                assert "paused by local until 20" in why
                assert why.endswith("Z: deploying")
                assert list(cluster.ledger.of("shop", "web")) == []
                await left.post(alert("CartDown", "cart"))
                free = scope is not None and "namespace" not in scope
                wanted = "verifying" if free else "escalated"
                await right.incident(
                    lambda each: each["service"] == "cart" and each["status"] == wanted, f"it is {wanted}"
                )
                changed = [one for one in cluster.ledger.of("shop", "cart") if one.template_changed]
                assert len(changed) == free
