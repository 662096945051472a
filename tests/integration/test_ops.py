"""The operations listener: the API's contract, who may ask what, and that its description is true."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from remediator.http.openapi import OBJECTS
from remediator.telemetry.table import TABLE
from remediator.testing.apiserver import Behaviour, FakeApiServer
from tests.core.test_metrics_table import bounds_broken
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, until, write_policies
from tests.servers import RedisServer, redis_server

TOKENS = """
# name role token
ada    admin    ada-token
oscar  operator oscar-token
vera   viewer   vera-token
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def running(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with daemon(write_policies(tmp_path / "policies"), redis_url=redis.url) as one:
        await one.ready()
        yield one


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}-token"}


async def open_incidents(running: Daemon, *services: str) -> list[str]:
    """Ids of SEV-3 incidents of these services, one after the other."""
    for number, service in enumerate(services, 1):
        await running.post(alert("Slow", service))

        async def look(wanted: int = number) -> bool:
            return len((await running.get("/v1/incidents"))["items"]) == wanted

        await until(look, f"{service} has its incident")
    return [each["id"] for each in (await running.get("/v1/incidents"))["items"]]


async def test_incidents_are_filtered_and_paged(running: Daemon) -> None:
    ids = await open_incidents(running, "a", "b", "c")

    first = await running.get("/v1/incidents?limit=2")
    second = await running.get(f"/v1/incidents?limit=2&cursor={first['next']}")
    assert [each["id"] for each in (*first["items"], *second["items"])] == ids
    assert second["next"] is None
    assert len((await running.get("/v1/incidents?service=b"))["items"]) == 1
    assert len((await running.get("/v1/incidents?severity=SEV-3&status=open"))["items"]) == 3
    assert (await running.get("/v1/incidents?severity=SEV-1"))["items"] == []
    incident = await running.get(f"/v1/incidents/{ids[0]}")
    assert incident["alerts"] == 1
    assert incident["opened_at"].endswith("Z")
    assert incident["resolved_at"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("status=held", "status"),
        ("status=broken", "status"),
        ("severity=SEV-9", "severity"),
        ("service=../x", "service"),
        ("service=%0d%0aX", "service"),
        ("cursor=%00", "cursor"),
        ("sevrity=SEV-1", "parameter"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_bad_values_are_refused_by_name(running: Daemon, query: str, named: str) -> None:
    status, said = await running.ask("GET", f"/v1/incidents?{query}")
    assert status == 400
    assert named in said["error"]
    assert said["hint"]


@pytest.mark.parametrize("path", ["2026-01-01-0000-nothing", "..%2f..%2fx", "%00", "a" * 300, "{x}"])
async def test_an_unknown_incident_is_404_whatever_it_is_called(running: Daemon, path: str) -> None:
    for tail in ("", "/timeline", "/evidence"):
        status, said = await running.ask("GET", f"/v1/incidents/{path}{tail}")
        assert status == 404
        assert said["hint"]


async def test_paths_and_methods_that_there_are_not_are_told_in_json(running: Daemon) -> None:
    assert (await running.ask("GET", "/nothing"))[1]["hint"] == "see /openapi.json for what there is"
    status, said = await running.ask("DELETE", "/v1/incidents")
    assert (status, said["hint"]) == (405, "use GET, HEAD")


async def test_acknowledge_and_resolve_carry_the_name_of_who_asks(running: Daemon) -> None:
    (known,) = await open_incidents(running, "a")

    status, taken = await running.ask("POST", f"/v1/incidents/{known}/acknowledge", {"by": "mallory"})
    assert (status, taken["acknowledged_by"]) == (200, "local")

    status, said = await running.ask("POST", f"/v1/incidents/{known}/resolve", {"note": "false alarm"})
    assert status == 409
    assert "1 of its alerts still fires" in said["error"]

    await running.post(alert("Slow", "a", resolved=True))
    await running.incident(lambda each: each["status"] == "resolved", "it resolved by itself")
    assert (await running.ask("POST", f"/v1/incidents/{known}/resolve"))[0] == 200
    status, said = await running.ask("POST", f"/v1/incidents/{known}/acknowledge")
    assert status == 409


async def test_a_person_ends_what_a_silent_alert_does_not_prove(redis: RedisServer, tmp_path: Path) -> None:
    """A change that was not verified stays open though its alert went silent, until a person closes it."""
    quick = POLICIES.replace("rollout: {within: 1m}", "rollout: {within: 2s}").replace(
        "alert: {state: resolved, within: 1m}", "ready: {within: 2s}"
    )
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        cluster.behave("shop", "web", Behaviour.never_ready())
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        policies = write_policies(tmp_path / "policies", quick)
        async with daemon(policies, redis_url=redis.url, kubeconfig=kubeconfig) as running:
            await running.ready()
            await running.post(alert("WebDown"))
            known = await running.incident(lambda each: each["status"] == "verifying", "it is being verified")
            path = f"/v1/incidents/{known['id']}/resolve"
            await running.post(alert("WebDown", resolved=True))
            await running.incident(lambda each: each["alerts"] == 0, "nothing fires any more")
            status, said = await running.ask("POST", path, {"note": "too early"})
            assert (status, said["error"]) == (409, "attempt 1 is verifying")
            stays = await running.incident(lambda each: each["status"] == "escalated", "people are asked")
            assert stays["attempts"][0]["outcome"] == "failed"
            [kept] = (await running.get(f"/v1/incidents/{known['id']}/evidence"))["items"]
            pieces = {piece["source"]: piece for piece in kept["pieces"]}
            assert kept["attempt"] == 1
            assert pieces["pods"]["lines"][0] == "2 pods, 2 not ready"
            assert pieces["top"]["lines"][0].startswith("top: no metrics API here")
            assert pieces["workload"]["trouble"] is None
            entries = (await running.get(f"/v1/incidents/{known['id']}/timeline"))["items"]
            told = next(n for n, each in enumerate(entries) if each["data"].get("evidence"))
            assert entries[told]["text"].startswith("evidence kept: ")
            assert [each["kind"] for each in entries[:told]].count("step") == 0

            status, closed = await running.ask("POST", path, {"note": "looked at it\x1b[31m myself"})

            assert (status, closed["status"]) == (200, "resolved")
            timeline = (await running.get(f"/v1/incidents/{known['id']}/timeline"))["items"]
            [ended] = [each["text"] for each in timeline if each["kind"] == "resolved"]
            assert ended.endswith("closed by local: looked at it [31m myself")


async def test_the_kill_switch_is_thrown_with_a_reason_and_ends_in_time(running: Daemon) -> None:
    assert (await running.get("/v1/pause"))["paused"] is False
    assert (await running.ask("PUT", "/v1/pause", {}))[1]["error"] == "reason is missing"
    assert (await running.ask("PUT", "/v1/pause", {"reason": "x", "for": "soon"}))[0] == 400
    assert (await running.ask("PUT", "/v1/pause", {"reason": "x", "for": "0s"}))[0] == 400
    assert (await running.ask("PUT", "/v1/pause", {"reason": 7}))[0] == 400
    assert (await running.ask("PUT", "/v1/pause", {"reason": "x", "scope": "all"}))[0] == 400

    status, thrown = await running.ask("PUT", "/v1/pause", {"reason": "freeze\r\nforged", "for": "2h"})

    assert status == 200
    assert (thrown["paused"], thrown["by"], thrown["reason"]) == (True, "local", "freeze forged")
    assert thrown["until"] > thrown["since"]
    assert "remediator_paused 1.0" in await running.text("/metrics")
    assert (await running.ask("DELETE", "/v1/pause"))[1]["paused"] is False
    assert "remediator_paused 0.0" in await running.text("/metrics")


async def test_dead_letters_are_listed_refuse_a_senseless_retry_and_can_be_dropped(running: Daemon) -> None:
    bad = alert("Slow") | {"status": "melting"}
    assert (await running.post(bad, alert("Slow"))) == (200, {"new": 1, "dead_letter": 1})

    (letter,) = (await running.get("/v1/dead-letters"))["items"]
    assert "status" in letter["reason"]
    assert "remediator_dead_letters 1.0" in await running.text("/metrics")
    assert (await running.ask("POST", f"/v1/dead-letters/{letter['id']}/retry"))[0] == 409
    assert (await running.ask("POST", "/v1/dead-letters/1-1/retry"))[0] == 404
    assert (await running.ask("DELETE", "/v1/dead-letters/../x"))[0] == 404
    assert (await running.ask("DELETE", f"/v1/dead-letters/{letter['id']}"))[0] == 200
    assert (await running.ask("DELETE", f"/v1/dead-letters/{letter['id']}"))[0] == 404
    assert (await running.get("/v1/dead-letters"))["items"] == []
    assert "remediator_dead_letters 0.0" in await running.text("/metrics")


async def test_unmatched_alerts_come_with_a_rule_to_begin_with(running: Daemon) -> None:
    assert await running.post(alert("Strange")) == (200, {"unmatched": 1})
    (listed,) = (await running.get("/v1/unmatched"))["items"]
    assert listed["labels"]["alertname"] == "Strange"
    assert 'alertname="Strange"' in listed["rule"]


async def test_explain_asks_the_guards_and_takes_nothing(running: Daemon) -> None:
    await running.ask("PUT", "/v1/pause", {"reason": "test"})
    status, explained = await running.ask("POST", "/v1/explain", notification(alert("WebDown")))

    assert status == 200
    (one,) = explained["alerts"]
    assert one["rule"]["name"] == "web-down"
    guards = {each["name"]: each for each in one["runbooks"][0]["guards"]}
    assert guards["kill_switch"]["verdict"] == "blocks"
    assert "paused by local" in guards["kill_switch"]["text"]
    assert guards["mode"]["verdict"] == "allows"
    assert "no cluster is configured" in guards["target"]["text"]
    assert guards["limits"]["verdict"] == "allows"
    assert guards["lease"]["verdict"] == "asked when acting"
    assert (await running.get("/v1/incidents"))["items"] == []
    assert (await running.ask("POST", "/v1/explain", {"version": "3"}))[0] == 400


async def test_with_the_store_gone_reads_are_503_and_health_still_answers(
    tmp_path: Path,
) -> None:
    policies = write_policies(tmp_path / "policies")
    with redis_server("redis-7.0", tmp_path / "redis") as server:
        async with daemon(policies, redis_url=server.url) as running:
            await running.ready()
            server.kill()
            status, said = await running.ask("GET", "/v1/incidents")
            assert status == 503
            assert said["hint"]
            assert "remediator_store_up 0.0" in await running.text("/metrics")
            assert (await running.ask("GET", "/-/healthy"))[0] == 200

            async def noticed() -> bool:
                return (await running.ask("GET", "/-/ready"))[0] == 503

            await until(noticed, "it is not ready")


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
async def test_metrics_are_what_prometheus_reads(running: Daemon, accept: str) -> None:
    await open_incidents(running, "stranger")
    text = await running.text("/metrics", **({"Accept": accept} if accept else {}))
    if accept:
        assert text.endswith("# EOF\n")
        return
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {"process_resident_memory_bytes", "python_gc_collections"} <= set(families)
    assert not any(sample.name.endswith("_created") for f in families.values() for sample in f.samples)
    opened = {s.labels["severity"]: s.value for s in families["remediator_incidents_open"].samples}
    assert opened["SEV-3"] == 1
    assert {name.removesuffix("_total") for name in TABLE} <= set(families)
    assert bounds_broken(text) == []
    limits = {s.labels["worker"]: s.value for s in families["remediator_in_flight_limit"].samples}
    assert limits == {"clerk": 2, "runner": 16, "courier": 8, "notices": 4}
    for name in ("ready", "build_info", "store_up"):
        assert [s.value for s in families[f"remediator_{name}"].samples] == [1]
    trips = {s.name: s.value for s in families["remediator_store_trip_seconds"].samples}
    assert trips["remediator_store_trip_seconds_count"] > 0
    [notified] = families["remediator_webhook_last_success_timestamp_seconds"].samples
    assert notified.value > 1_700_000_000


# --- who may ask what ---


async def test_off_loopback_without_a_token_only_health_and_metrics_answer(
    redis: RedisServer, tmp_path: Path
) -> None:
    policies = write_policies(tmp_path / "policies")
    async with daemon(policies, redis_url=redis.url, ops_listen="0.0.0.0:0") as running:
        for path in ("/-/healthy", "/metrics", "/openapi.json"):
            async with aiohttp.request("GET", running.url(path), headers={"Host": "any.name"}) as response:
                assert response.status == 200
        for method, path in (("GET", "/v1/incidents"), ("PUT", "/v1/pause"), ("POST", "/-/reload")):
            status, said = await running.ask(method, path)
            assert status == 403
            assert "REMEDIATOR_API_TOKEN" in said["hint"]


async def test_tokens_have_names_and_roles(redis: RedisServer, tmp_path: Path) -> None:
    policies, tokens = write_policies(tmp_path / "policies"), tmp_path / "tokens"
    tokens.write_text(TOKENS)
    async with daemon(
        policies, redis_url=redis.url, ops_listen="0.0.0.0:0", api_token_file=tokens
    ) as running:
        await running.ready()
        assert (await running.ask("GET", "/v1/incidents"))[0] == 401
        assert (await running.ask("GET", "/v1/incidents", Authorization="Bearer wrong"))[0] == 403
        assert (await running.ask("GET", "/v1/incidents", **bearer("vera")))[0] == 200
        refused = await running.ask("PUT", "/v1/pause", {"reason": "x"}, **bearer("vera"))
        assert refused[0] == 403
        assert "operator" in refused[1]["hint"]
        _, thrown = await running.ask("PUT", "/v1/pause", {"reason": "x", "by": "eve"}, **bearer("oscar"))
        assert thrown["by"] == "oscar"
        assert (await running.ask("POST", "/-/reload", **bearer("oscar")))[0] == 403
        assert (await running.ask("POST", "/-/reload", **bearer("ada")))[0] == 200


async def test_a_web_page_cannot_ask_in_its_readers_name(running: Daemon) -> None:
    """Neither by a name that resolves to us, nor from another site."""
    assert (await running.ask("GET", "/v1/incidents", Host="evil.example"))[0] == 403
    assert (await running.ask("GET", "/metrics", Host="evil.example"))[0] == 403
    page = {"Origin": "https://evil.example"}
    assert (await running.ask("POST", "/-/reload", **page))[0] == 403
    assert (await running.ask("PUT", "/v1/pause", {"reason": "x"}, **page))[0] == 403
    assert (await running.get("/v1/pause"))["paused"] is False


# --- the description ---


def check_shape(name: str, shown: Any) -> None:
    """``shown`` has exactly the members that are described, and so have the objects in it."""
    members = OBJECTS[name]
    assert set(shown) == set(members), name
    for member, schema in members.items():
        item = schema.get("items", {}).get("$ref", "").rpartition("/")[2]
        for each in shown[member] if item else ():
            check_shape(item, each)


async def test_the_description_is_true(running: Daemon) -> None:
    """Every described path answers, and what is answered has the described members."""
    await running.post(alert("WebDown"), alert("Strange"), alert("Slow") | {"status": "melting"})
    incident = await running.incident(lambda each: each["status"] == "escalated", "it is escalated")
    document = await running.get("/openapi.json")
    known = {"id": incident["id"]}
    letter = (await running.get("/v1/dead-letters"))["items"][-1]["id"]
    asked = set()
    for path, operations in document["paths"].items():
        identity = letter if "dead-letters" in path else known["id"]
        for method, operation in operations.items():
            body = {"/v1/explain": notification(alert("WebDown")), "/v1/pause": {"reason": "x"}}.get(path)
            url = running.url(path.format(id=identity))
            async with aiohttp.request(method.upper(), url, json=body) as response:
                asked.add((method, path))
                status, text = response.status, await response.text()
            assert str(status) in operation["responses"], (method, path, status, text)
            kinds = operation["responses"][str(status)]["content"]
            if status != 200 or "application/json" not in kinds or path == "/openapi.json":
                continue
            schema, shown = kinds["application/json"]["schema"], json.loads(text)
            if "$ref" in schema:
                check_shape(schema["$ref"].rpartition("/")[2], shown)
            else:
                assert set(shown) == {"items", "next"}
                for item in shown["items"]:
                    check_shape(schema["properties"]["items"]["items"]["$ref"].rpartition("/")[2], item)
    assert len(asked) == sum(len(operations) for operations in document["paths"].values()) >= 18


async def test_two_daemons_serve_one_store(redis: RedisServer, tmp_path: Path) -> None:
    """What one took, the other shows; metrics of both live in one process without mixing."""
    policies = write_policies(tmp_path / "policies")
    async with AsyncExitStack() as stack:
        flags = {"redis_url": redis.url, "redis_prefix": "shared"}
        left = await stack.enter_async_context(daemon(policies, **flags))
        right = await stack.enter_async_context(daemon(policies, **flags))
        await left.ready()
        await right.ready()
        await left.post(alert("Slow"))
        await right.incident(lambda each: each["status"] == "open", "the other shows it")
        assert 'remediator_alerts_total{disposition="new"} 1.0' in await left.text("/metrics")
        assert 'remediator_alerts_total{disposition="new"} 0.0' in await right.text("/metrics")
