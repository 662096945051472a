"""Alerts that name an object, the whole way: the daemon finds the workload that owns it, and changes that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from remediator.testing.apiserver import Behaviour, FakeApiServer
from remediator.testing.apiserver.kinds import PODS
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, write_policies

RULE = "- {name: web-down, match: ['alertname=\"WebDown\"'],"
TARGET = "target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'},"
TEXT = POLICIES.replace(RULE, f"{RULE} {TARGET}")
assert TARGET in TEXT


@asynccontextmanager
async def shop(tmp_path: Path, text: str = TEXT) -> AsyncIterator[tuple[Daemon, FakeApiServer]]:
    """A daemon beside a cluster with ``web``, of the catalog, and ``batch``, which is not in it."""
    async with FakeApiServer() as cluster:
        for name in ("web", "batch"):
            cluster.deployment("shop", name)
        await cluster.settled()
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        policies = write_policies(tmp_path / "policies", text)
        async with daemon(policies, data_dir=tmp_path / "data", kubeconfig=kubeconfig) as running:
            await running.ready()
            yield running, cluster


def about(pod: str, fingerprint: str = "ab", *, namespace: str = "shop", **labels: str) -> dict[str, Any]:
    """An alert about a pod. It began after every pod was made."""
    one = alert("WebDown", "kube-state-metrics")
    one["labels"] |= {"namespace": namespace, "pod": pod, **labels}
    began = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**one, "fingerprint": fingerprint * 8, "startsAt": began}


def pods(cluster: FakeApiServer, of: str) -> list[str]:
    """The names of a workload's pods."""
    names = (one["metadata"]["name"] for one in cluster.cluster.store.list(PODS, "shop"))
    return sorted(name for name in names if name.startswith(f"{of}-"))


def restarted(cluster: FakeApiServer) -> list[str]:
    """Deployments whose template was changed."""
    return [one.name for one in cluster.ledger if "restartedAt" in str(one.body)]


def is_changed(workload: str, one: dict[str, Any]) -> bool:
    changed = bool(one["attempts"]) and bool(one["attempts"][-1]["changes"])
    return changed and one["target"]["workload"] == workload


def waits_for(other: str, one: dict[str, Any]) -> bool:
    return bool(one["attached_to"] == other)


def leads_nowhere(why: str, one: dict[str, Any]) -> bool:
    """Whether it says so and people were asked."""
    trouble = (one["target"] or {}).get("trouble") or ""
    return why in trouble and one["level"] > 0 and bool(one["attempts"])


async def test_the_workload_that_owns_the_pod_is_restarted(tmp_path: Path) -> None:
    """Also where it is in no catalog; another pod of it waits for the first incident."""
    async with shop(tmp_path) as (running, cluster):
        for number, name in enumerate(("web", "batch")):
            first, second = pods(cluster, name)
            cluster.behave("shop", name, Behaviour.bad_rollout())  # the second stays until it is named
            await running.post(about(first, f"{number}1"))
            done = await running.incident(
                partial(is_changed, f"shop/deployment/{name}"), f"{name} is restarted"
            )
            assert done["service"] == {"web": "web", "batch": "unknown"}[name]
            assert done["target"]["named"] == f"pod {first} in namespace shop"
            assert restarted(cluster)[-1] == name
            await running.post(about(second, f"{number}2"))
            waits = await running.incident(partial(waits_for, done["id"]), "another pod's incident waits")
            assert waits["attempts"] == []
        assert restarted(cluster) == ["web", "batch"]
        metrics = await running.text("/metrics")
        assert 'remediator_targets_located_total{outcome="found"} 4.0' in metrics


async def test_what_leads_to_no_workload_changes_nothing_and_pages(tmp_path: Path) -> None:
    """A pod that is gone, a namespace that is not allowed, a name that is none, the exporter's own pod."""
    async with shop(tmp_path) as (running, cluster):
        own = pods(cluster, "web")[0]
        named = [
            (about("web-gone", "a1"), "does not exist"),
            (about("dns", "a2", namespace="kube-system"), "always protected"),
            (about("../x", "a3"), "cannot be the name of any object"),
            (about(own, "a4", exported_namespace="shop"), "cannot be the name of any object"),
        ]
        for one, reason in named:
            await running.post(one)
            found = await running.incident(partial(leads_nowhere, reason), reason)
            assert found["attempts"][-1]["outcome"] == "blocked"
        assert restarted(cluster) == []
        asked = [one.path for one in cluster.requests]
        assert not any("kube-system" in path for path in asked), "it is not even looked for"


async def test_an_explanation_finds_the_owner_and_changes_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path) as (running, cluster):
        pod = pods(cluster, "batch")[0]
        status, answer = await running.ask(
            "POST", "/v1/explain", notification(about(pod), about("web-gone", "cd"))
        )
        assert status == 200
        known, gone = answer["alerts"]
        assert known["incident"]["target"] == {
            "named": f"pod {pod} in namespace shop",
            "workload": "shop/deployment/batch",
            "trouble": "",
        }
        assert known["runbooks"][0]["plan"]["target"] == "shop/deployment/batch"
        assert known["runbooks"][0]["steps"][0]["known"] == "now"
        guards = {each["name"]: each for each in known["runbooks"][0]["guards"]}
        assert guards["target"]["verdict"] == "allows"
        assert "does not exist" in gone["incident"]["target"]["trouble"]
        guards = {each["name"]: each for each in gone["runbooks"][0]["guards"]}
        assert guards["target"]["verdict"] == "blocks"
        assert restarted(cluster) == []
