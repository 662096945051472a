"""The whole daemon silences what it repairs, and hears of it all the same. Only its cluster is a fake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remediator.app import App
from remediator.core.times import Millis
from remediator.workers.reconciler import ReconcilePace
from tests.alertmanagers import RealAlertmanager
from tests.integration.daemon import notification, until
from tests.integration.test_suppressed import POLICIES, delivered, restarts, stage, truth
from tests.servers import RedisServer, redis_server

SILENCING = POLICIES.replace("[{restart: {}}]", "[{silence: {for: 15m}}, {restart: {}}]")
OBSERVING = POLICIES.replace("mode: auto", "mode: observe").replace(
    """'alertname="WebDown"'""", """'alertname=~"WebDown|Other"'"""
)


class Quick(App):
    """Asks ten times a second and believes at once; what takes minutes is tested beside the clock."""

    reconcile_pace = ReconcilePace(
        every=0.1, patience=Millis(0), absent_for=Millis(300), settled=Millis(0), again=Millis(200)
    )


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server("redis-7.0", tmp_path_factory.mktemp("redis")) as server:
        yield server


def standing(one: RealAlertmanager) -> list[dict[str, Any]]:
    """The silences that are not over."""
    found = one.call("GET", "/api/v2/silences")
    return [each for each in found if each["status"]["state"] != "expired"]


async def test_P3_what_our_own_silence_keeps_quiet_is_repaired_verified_and_heard_of_again(
    tmp_path: Path, redis: RedisServer
) -> None:
    """One silence in a pair; the restart behind it is made; the end, and that it came back, are asked for."""
    async with stage(tmp_path, redis, 2, text=SILENCING, kind=Quick) as (running, pair, cluster):
        before = restarts(cluster)
        for each in pair:
            each.fire("WebDown", service="web")
        await running.post(delivered(pair[0]))
        await until(truth(lambda: restarts(cluster) == before + 1), "it is restarted")
        [silence] = standing(pair[0])
        [incident] = (await running.get("/v1/incidents"))["items"]
        assert silence["createdBy"] == "remediator"
        assert silence["comment"].startswith(f"remediator: {incident['id']}/1/0, alert ")
        assert silence["comment"].endswith(", runbook restart-web")
        assert pair[0].listed() == {"WebDown": "suppressed"}
        await running.incident(lambda one: one["status"] == "verifying", "it is being verified")
        for each in pair:
            each.end("WebDown", service="web")
        await running.incident(lambda one: one["status"] == "resolved", "its end is heard of")
        timeline = (await running.get(f"/v1/incidents/{incident['id']}/timeline"))["items"]
        steps = [entry["text"] for entry in timeline if entry["kind"] == "step"]
        assert steps[0] == 'silence: done: silence {alertname="WebDown", service="web"} for 15m'
        said = [entry["text"] for entry in timeline if entry["kind"] == "guard"]
        assert any("silenced by a step of a runbook, which is no objection: 1" in text for text in said)
        await until(truth(lambda: not any(map(standing, pair))), "the silence ends with the attempt")
        for each in pair:
            each.fire("WebDown", since=0, service="web")
        again = await running.incident(lambda one: one["status"] != "resolved", "it came back")
        assert again["id"] == incident["id"]
        metrics = await running.text("/metrics")
        assert 'remediator_steps_total{action="silence",outcome="done"} 1.0' in metrics


async def test_a_rule_that_only_suggests_silences_nothing(tmp_path: Path, redis: RedisServer) -> None:
    """It says what it would do, and an explanation says so too."""
    text = SILENCING.replace("mode: auto", "mode: suggest")
    async with stage(tmp_path, redis, text=text) as (running, (one,), _):
        one.fire("WebDown", service="web")
        await running.post(delivered(one))
        ended = await running.incident(
            lambda each: bool(each["attempts"]) and each["attempts"][-1]["outcome"] is not None, "it ended"
        )
        assert ended["attempts"][-1]["outcome"] == "suggested"
        assert 'silence {alertname="WebDown", service="web"} for 15m' in ended["attempts"][-1]["reason"]
        _, answer = await running.ask("POST", "/v1/explain", notification(delivered(one)))
        step = answer["alerts"][0]["runbooks"][0]["steps"][0]
        assert step["known"] == "now"
        assert step["diff"][0].startswith('+ silence {alertname="WebDown", service="web"} until 20')
        assert standing(one) == []


async def test_P3_what_only_a_silence_of_ours_keeps_quiet_is_heard_of_by_asking(
    tmp_path: Path, redis: RedisServer
) -> None:
    """Alertmanager tells nobody: not that it fires, nor that it ended, nor that it is back."""
    async with stage(tmp_path, redis, text=OBSERVING, kind=Quick) as (running, (one,), _):
        one.silence("WebDown", by="remediator", comment="remediator: 2026-01-01-0000-web/1/0, runbook r")
        one.silence("Other")
        one.fire("WebDown", service="web")
        one.fire("Other", service="web")
        found = await running.incident(lambda each: each["status"] != "resolved", "it is heard of")
        assert found["title"].startswith("WebDown")
        one.end("WebDown", service="web")
        await running.incident(lambda each: each["status"] == "resolved", "its end is heard of")
        one.fire("WebDown", since=0, service="web")
        await running.incident(lambda each: each["status"] != "resolved", "it came back")
        assert one.listed() == {"WebDown": "suppressed", "Other": "suppressed"}
        assert len((await running.get("/v1/incidents"))["items"]) == 1
