"""``POST /v1/explain`` of a running daemon: the real incident, the plan as a diff, guards with numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from remediator.testing.apiserver import FakeApiServer
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, write_policies

STEPS = (
    "[scale: {to: 5, only: up}, wait: {for: ready}, restart: {}, rollback: {}, delete_pod: {which: oldest}]"
)
TEXT = (
    POLICIES.replace("[{restart: {}}]", STEPS)
    .replace("guards: {", "guards: {max_unavailable: 0, ")
    .replace("mode: auto", "mode: observe")
)


@asynccontextmanager
async def shop(
    tmp_path: Path, text: str = TEXT, **flags: object
) -> AsyncIterator[tuple[Daemon, FakeApiServer]]:
    """A daemon beside a cluster in which ``web`` has been rolled out twice."""
    async with FakeApiServer() as cluster:
        cluster.namespace("shop")
        made = cluster.deployment("shop", "web", replicas=3)
        await cluster.settled()
        made["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2"
        policies = write_policies(tmp_path / "policies", text)
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        flags = {"policies": policies, "data_dir": tmp_path / "data", "kubeconfig": kubeconfig, **flags}
        async with daemon(**flags) as running:  # type: ignore[arg-type]  # flags of many types
            await running.ready()
            yield running, cluster


async def explained(running: Daemon, *alerts: dict[str, Any]) -> list[dict[str, Any]]:
    status, answer = await running.ask("POST", "/v1/explain", notification(*alerts))
    assert status == 200, answer
    assert answer["live"] is True
    return list(answer["alerts"])


def changes(cluster: FakeApiServer) -> list[str]:
    """What was asked of the API server that is no look."""
    return [each.method for each in cluster.requests if each.method != "GET"]


async def test_the_plan_is_a_diff_of_the_target_as_it_is(tmp_path: Path) -> None:
    async with shop(tmp_path) as (running, cluster):
        before = changes(cluster)
        (one,) = await explained(running, alert("WebDown"))
        scale, wait, restart, rollback, delete = one["runbooks"][0]["steps"]
        assert (scale["known"], scale["diff"]) == ("now", ["spec.replicas: 3 -> 5"])
        assert (wait["known"], wait["diff"]) == ("policy", [])
        [line] = restart["diff"]
        assert line.startswith("spec.template.metadata.annotations.kubectl.kubernetes.io/restartedAt: + 20")
        assert (rollback["diff"], rollback["known"]) == ([], "now")
        assert "keeps no revision older than its current one" in rollback["trouble"]
        assert len(delete["diff"]) == 1
        assert delete["diff"][0].startswith("- pod web-")
        assert delete["diff"][0].endswith("(ready, deleted)")
        assert changes(cluster) == before, "nothing was changed, nor asked to be"
        assert (one["fate"], one["incident"]["now"]) == ("opens", None)
        assert (await running.get("/v1/incidents"))["items"] == []


async def test_guards_say_what_they_observed_and_what_they_allow(tmp_path: Path) -> None:
    text = TEXT.replace(STEPS, "[restart: {}]").replace("mode: observe", "mode: auto")
    async with shop(tmp_path, text) as (running, _):
        (one,) = await explained(running, alert("WebDown"))
        guards = {each["name"]: each for each in one["runbooks"][0]["guards"]}
        assert guards["target"]["text"] == "deployment/web in shop, 3 of 3 pods ready"
        limits = guards["limits"]
        assert (limits["verdict"], [each["within"] for each in limits["measures"]]) == (
            "allows",
            ["1h", "1h", "10m", "1h", "10m"],
        )
        assert limits["measures"][0] == {
            "what": "changes in the cluster",
            "observed": 0,
            "allowed": 10,
            "of": None,
            "within": "1h",
        }
        assert guards["still_firing"]["verdict"] == "asked when acting"
        assert guards["disruption_budget"]["verdict"] == "allows"


async def test_a_change_that_would_take_too_much_is_told_in_numbers(tmp_path: Path) -> None:
    text = TEXT.replace(STEPS, "[delete_pod: {which: oldest, at_most: 2}]").replace("observe", "auto")
    async with shop(tmp_path, text.replace("max_unavailable: 0", "max_unavailable: 1")) as (running, _):
        (one,) = await explained(running, alert("WebDown"))
        guards = {each["name"]: each for each in one["runbooks"][0]["guards"]}
        population = guards["population"]
        assert (population["verdict"], population["bounds"]) == (
            "blocks",
            ["at most 1 of its pods unavailable"],
        )
        assert population["text"].startswith("2 of 3 unavailable, at most 1 allowed")
        [measure] = population["measures"]
        assert (measure["observed"], measure["allowed"], measure["of"]) == (2, 1, 3)
        assert len(one["runbooks"][0]["steps"][0]["diff"]) == 2


async def test_the_open_incident_that_it_joins_is_named(tmp_path: Path) -> None:
    async with shop(tmp_path) as (running, _):
        await running.post(alert("WebDown"))
        real = await running.incident(lambda each: each["level"] == 1, "people are asked")
        same, other, over, strange, stranger = await explained(
            running,
            alert("WebDown"),
            {**alert("WebDown"), "fingerprint": "cd" * 8},
            alert("WebDown", resolved=True),
            {**alert("WebDown", resolved=True), "fingerprint": "ef" * 8},
            alert("Strange"),
        )
        assert same["fate"] == "duplicate"
        assert same["incident"]["now"]["id"] == real["id"]
        assert (other["fate"], other["because"]) == ("joins", f"incident {real['id']} is open")
        now = other["incident"]["now"]
        assert (now["status"], now["severity"], now["alerts"], now["level"]) == ("escalated", "SEV-2", 1, 1)
        assert other["severity"]["page_at"] is None
        assert other["severity"]["levels"][0]["asked"] is True
        assert other["runbooks"][0]["had_turn"] is True
        guards = {each["name"]: each for each in other["runbooks"][0]["guards"]}
        assert guards["still_firing"]["text"] == "2 alerts of the rule still firing"
        assert (over["fate"], over["severity"], over["runbooks"]) == ("ends", None, [])
        assert "the last of its alerts" in over["because"]
        assert (strange["fate"], strange["because"]) == (
            "nothing",
            "no incident has it as firing: nothing follows",
        )
        assert (stranger["fate"], stranger["rule"]) == ("unmatched", None)
        assert 'alertname="Strange"' in stranger["skeleton"]
        unchanged = await running.get(f"/v1/incidents/{real['id']}")
        assert unchanged["alerts"] == 1


async def test_what_must_not_be_touched_is_not_looked_at(tmp_path: Path) -> None:
    text = TEXT.replace("namespaces: [shop]", "namespaces: [other]")
    async with shop(tmp_path, text) as (running, cluster):
        before = len(cluster.requests)
        (one,) = await explained(running, alert("WebDown"))
        step = one["runbooks"][0]["steps"][0]
        assert (step["known"], step["trouble"]) == (
            "unknown",
            "namespace shop is not allowed; allowed: other",
        )
        assert step["diff"] == [
            "spec.replicas: (known when it acts) -> 5 (only up: a target that is there already is left alone)"
        ]
        assert len(cluster.requests) == before


async def test_hostile_labels_forge_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as (running, cluster):
        before = changes(cluster)
        hostile = "../x\n\x1b[31m{{7*7}}"
        (one,) = await explained(running, alert("WebDown", service=hostile, pod=hostile))
        assert one["incident"]["service"] == "unknown"
        text = str(one)
        assert "\\n" not in text
        assert "\\x1b" not in text
        assert changes(cluster) == before


async def test_the_incident_that_it_would_attach_to_is_named(tmp_path: Path) -> None:
    """By the daemon's own ``decide``, and the guard says so, too."""
    text = (
        TEXT.replace("services:\n", "services:\n  db: {namespace: shop, workload: statefulset/db}\n")
        .replace("workload: deployment/web,", "workload: deployment/web, depends_on: [db],")
        .replace("observe", "auto")
        .replace(
            "rules:\n", "rules:\n  - {name: db-down, match: ['alertname=\"DbDown\"'], severity: SEV-2}\n"
        )
    )
    async with shop(tmp_path, text) as (running, _):
        (free,) = await explained(running, alert("WebDown"))
        assert free["incident"]["attached_to"] is None
        assert free["incident"]["waits_for"] == ["db"]
        database = alert("DbDown")
        database["labels"]["service"] = "db"
        await running.post({**database, "fingerprint": "db" * 8})
        real = await running.incident(lambda each: each["service"] == "db", "the database's incident")
        (one,) = await explained(running, alert("WebDown"))
        assert one["incident"]["attached_to"] == real["id"]
        guards = {each["name"]: each for each in one["runbooks"][0]["guards"]}
        assert guards["dependency"]["verdict"] == "blocks"
        assert guards["dependency"]["text"] == f"db has SEV-2 incident {real['id']} open, and it comes first"
        await running.post(alert("WebDown"))
        waits = await running.incident(lambda each: each["service"] == "web", "the dependant's incident")
        assert (waits["attached_to"], waits["attempts"]) == (real["id"], [])
        assert 'remediator_incidents_attached_total{root="db"} 1.0' in await running.text("/metrics")
