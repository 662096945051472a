"""Approval from outside: what waits is shown and asked, and only an answer to that very plan counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from remediator.testing.apiserver import FakeApiServer
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, write_policies
from tests.integration.test_cli_pauses import run
from tests.servers import RedisServer, redis_server

ASKS = POLICIES.replace("mode: auto", "mode: approve").replace(
    "    diagnose:", "    approval: {for: [SEV-2], within: 30m, by: [oscar, admin]}\n    diagnose:"
)
TOKENS = "\n".join(
    (
        "oscar operator oscar-token",
        "otto operator otto-token",
        "ada admin ada-token",
        "vera viewer vera-token",
    )
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


@dataclass(kw_only=True)
class Waiting:
    """A daemon with an incident that waits for approval."""

    daemon: Daemon
    cluster: FakeApiServer
    incident: dict[str, Any]
    flags: dict[str, Any]

    async def answer(self, what: str, who: str, **body: str) -> tuple[int, Any]:
        path = f"/v1/incidents/{self.incident['id']}/{what}"
        return await self.daemon.ask("POST", path, body, Authorization=f"Bearer {who}-token")

    @property
    def asks(self) -> dict[str, Any]:
        asks: dict[str, Any] = self.incident["attempts"][-1]["asks"]
        return asks

    @property
    def restarts(self) -> int:
        return sum(one.template_changed for one in self.cluster.ledger.of("shop", "web"))


async def shown(running: Daemon, incident: str) -> dict[str, Any]:
    status, data = await running.ask("GET", f"/v1/incidents/{incident}", Authorization="Bearer vera-token")
    assert status == 200
    assert isinstance(data, dict)
    return data


async def waits(running: Daemon) -> dict[str, Any]:
    for _ in range(1000):
        status, data = await running.ask("GET", "/v1/incidents", Authorization="Bearer vera-token")
        assert status == 200
        if data["items"] and data["items"][0]["attempts"] and data["items"][0]["attempts"][-1]["asks"]:
            found: dict[str, Any] = data["items"][0]
            return found
        await asyncio.sleep(0.02)  # the daemon's own workers get there; nothing tells us when
    raise AssertionError("it never waits for approval")


@pytest.fixture
async def waiting(redis: RedisServer, tmp_path: Path) -> AsyncIterator[Waiting]:
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        cluster.deployment("shop", "web")
        await cluster.settled()
        cluster.ledger.clear()
        flags = {
            "redis_url": redis.url,
            "redis_prefix": f"approvals-{tmp_path.name}",
            "kubeconfig": cluster.kubeconfig(tmp_path / "kubeconfig"),
            "api_token": TOKENS,
        }
        policies = write_policies(tmp_path / "policies", ASKS)
        async with daemon(policies, **flags) as one:
            await one.ready()
            await one.post(alert("WebDown"))
            incident = await waits(one)
            yield Waiting(
                daemon=one, cluster=cluster, incident=incident, flags=flags | {"policies": policies}
            )


async def test_what_waits_is_shown_and_done_once_approved(waiting: Waiting) -> None:
    """With the plan in words, who may answer and until when; nothing is changed before."""
    assert waiting.asks["plan"] == ["1. restart deployment/web"]
    assert waiting.asks["by"] == ["oscar", "admin"]
    assert (waiting.incident["status"], waiting.restarts) == ("remediating", 0)
    status, said = await waiting.answer("approve", "oscar", digest=waiting.asks["digest"], note="go on")
    assert status == 200, said
    attempt = said["attempts"][-1]
    assert (attempt["asks"], attempt["approved_by"]) == (None, "oscar")
    for _ in range(1000):
        if waiting.restarts:
            break
        await asyncio.sleep(0.02)  # another task makes the change
    assert waiting.restarts == 1
    path = f"/v1/incidents/{waiting.incident['id']}/timeline"
    _, timeline = await waiting.daemon.ask("GET", path, Authorization="Bearer vera-token")
    told = [each["text"] for each in timeline["items"] if each["kind"] == "approval"]
    assert told[-1] == "attempt 1: approved by oscar: go on"
    metrics = await waiting.daemon.text("/metrics")
    assert 'remediator_approvals_total{outcome="asked"} 1.0' in metrics
    assert 'remediator_approvals_total{outcome="approved"} 1.0' in metrics


async def test_a_second_answer_is_a_conflict_that_says_who_was_first(waiting: Waiting) -> None:
    digest = waiting.asks["digest"]
    assert (await waiting.answer("approve", "oscar", digest=digest))[0] == 200
    for what in ("approve", "reject"):
        status, said = await waiting.answer(what, "ada", digest=digest)
        assert status == 409, said
        assert said["error"].startswith(
            ("approved already by oscar at 20", "nothing waits for approval: att")
        )
        assert said["hint"]


async def test_two_answers_at_once_and_one_of_them_counts(waiting: Waiting) -> None:
    digest = waiting.asks["digest"]
    answers = await asyncio.gather(
        *(
            waiting.answer(what, who, digest=digest)
            for who in ("oscar", "ada")
            for what in ("approve", "reject")
        )
    )
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409], answers


@pytest.mark.parametrize(
    ("what", "who", "body", "status", "error"),
    [
        ("approve", "oscar", {}, 400, "digest is missing"),
        ("approve", "oscar", {"digest": "0123456789abcdef"}, 409, "another plan waits by now"),
        ("reject", "oscar", {"digest": "0123456789abcdef"}, 409, "another plan waits by now"),
        ("approve", "otto", {"digest": "its own"}, 403, "only oscar or admin may answer, you are otto"),
        ("reject", "otto", {}, 403, "only oscar or admin may answer, you are otto"),
        ("approve", "vera", {"digest": "its own"}, 403, ""),
        ("approve", "oscar", {"digset": "x"}, 400, "the body has an unknown member"),
    ],
)
async def test_an_answer_that_does_not_count_is_refused(
    waiting: Waiting, what: str, who: str, body: dict[str, str], status: int, error: str
) -> None:
    body = {key: waiting.asks["digest"] if value == "its own" else value for key, value in body.items()}
    answered, said = await waiting.answer(what, who, **body)
    assert (answered, error in said["error"]) == (status, True), said
    assert said["hint"]
    now = await shown(waiting.daemon, waiting.incident["id"])
    assert now["attempts"][-1]["asks"] == waiting.asks
    assert waiting.restarts == 0


async def test_whoever_has_the_role_may_refuse_and_people_take_over(waiting: Waiting) -> None:
    status, said = await waiting.answer("reject", "ada", note="not during the sale")
    assert status == 200, said
    attempt = said["attempts"][-1]
    assert (attempt["outcome"], attempt["reason"]) == ("blocked", "rejected by ada: not during the sale")
    assert (said["level"], waiting.restarts) == (1, 0)


async def test_an_answer_to_an_incident_that_is_over_or_unknown_is_refused(waiting: Waiting) -> None:
    digest = waiting.asks["digest"]
    await waiting.daemon.post(alert("WebDown", resolved=True))
    for _ in range(1000):
        if (await shown(waiting.daemon, waiting.incident["id"]))["status"] == "resolved":
            break
        await asyncio.sleep(0.02)  # the daemon's own workers get there
    status, said = await waiting.answer("approve", "oscar", digest=digest)
    assert (status, said["error"]) == (409, "the incident is resolved already")
    waiting.incident = {**waiting.incident, "id": "2020-01-01-0000-web"}
    assert (await waiting.answer("approve", "oscar", digest=digest))[0] == 404


async def test_P12_it_waits_on_after_a_restart(waiting: Waiting) -> None:
    """Another replica, or the same one later, shows the same question and takes the answer."""
    flags = dict(waiting.flags)
    async with daemon(flags.pop("policies"), **flags) as other:
        await other.ready()
        asks = (await shown(other, waiting.incident["id"]))["attempts"][-1]["asks"]
        assert asks == waiting.asks
        waiting.daemon = other
        status, said = await waiting.answer("approve", "ada", digest=asks["digest"])
        assert (status, said["attempts"][-1]["approved_by"]) == (200, "ada")


async def test_the_command_line_shows_asks_and_answers(waiting: Waiting) -> None:
    """Nothing is approved by a program that did not name the plan."""
    where = {"URL": waiting.daemon.url(""), "API_TOKEN": "oscar-token"}
    incident, digest = waiting.incident["id"], waiting.asks["digest"]
    shown = await run("approve", incident, **where)
    assert shown.code == 2
    assert "SEV-2 WebDown on web waits with plan:\n  1. restart deployment/web\n" in shown.err
    assert f"agree to it with --digest {digest}" in shown.err
    wrong = await run("approve", incident, "--digest", "0123456789abcdef", **where)
    assert (wrong.code, "another plan waits by now" in wrong.err) == (1, True)
    assert (await run("approve", "../x", **where)).code == 2
    said = await run("approve", incident, "--digest", digest, "--note", "go on", **where)
    assert said.code == 0, said.err
    assert said.out.startswith(f"approved: incident {incident} is ")
    late = await run("reject", incident, **where)
    assert (late.code, late.out) == (1, "")
    nothing = await run("approve", incident, **where)
    assert (nothing.code, nothing.err) == (1, f"nothing of incident {incident} waits for approval\n")
