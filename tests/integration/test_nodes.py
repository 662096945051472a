"""Alerts about nodes, the whole way: the daemon finds the node, cordons it, and later uncordons it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from remediator.policy.load import load_policy
from remediator.policy.manifests import Account, as_yaml, roles_of
from remediator.policy.rbac import demands
from remediator.testing.apiserver import FakeApiServer
from remediator.testing.apiserver.kinds import NODES, PODS
from remediator.testing.apiserver.machines import register
from tests.integration.daemon import POLICIES, Daemon, alert, daemon, notification, write_policies

RULE = "- {name: web-down, match: ['alertname=\"WebDown\"'],"
NODE_RULES = """\
rules:
  - {name: node-sick, match: [alertname="NodeSick"], severity: SEV-2, mode: auto, runbooks: [keep-away],
     target: {node: '{{ labels.node }}'}}
  - {name: node-well, match: [alertname="NodeWell"], severity: SEV-2, mode: auto, runbooks: [back],
     target: {node: '{{ labels.node }}'}}
  - {name: node-odd, match: [alertname="NodeOdd"], severity: SEV-2, mode: auto, runbooks: [restart-web],
     target: {node: '{{ labels.node }}'}}
runbooks:
  keep-away: {steps: [cordon: {}], verify: [ready: {}]}
  back: {steps: [uncordon: {}], verify: [ready: {}]}
"""
DRAIN = NODE_RULES.replace("steps: [cordon: {}]", "steps: [drain: {timeout: 15s}]")


@asynccontextmanager
async def machines(tmp_path: Path, rules: str = NODE_RULES) -> AsyncIterator[tuple[Daemon, FakeApiServer]]:
    """A daemon beside a cluster with three nodes, one of them of the control plane."""
    async with FakeApiServer() as cluster:
        for number, name in enumerate(("worker-1", "worker-2", "master-1")):
            register(cluster.cluster, name, 10 + number)
        label(cluster, "master-1", "node-role.kubernetes.io/control-plane")
        cluster.deployment("shop", "web", replicas=4)
        await cluster.settled()
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        policies = write_policies(tmp_path / "policies", POLICIES)
        (policies / "nodes.yaml").write_text(rules)
        async with daemon(policies, data_dir=tmp_path / "data", kubeconfig=kubeconfig) as running:
            await running.ready()
            yield running, cluster


def label(cluster: FakeApiServer, node: str, key: str) -> None:
    """Put a label on a node."""
    changed = dict(node_of(cluster, node))
    changed["metadata"] = {**changed["metadata"], "labels": {**changed["metadata"]["labels"], key: ""}}
    cluster.cluster.store.put(NODES, changed)


def node_of(cluster: FakeApiServer, name: str) -> Any:
    """The Node as it is."""
    return cluster.cluster.store.get(NODES, ("", name))


def about(alertname: str, node: str, fingerprint: str = "ab") -> dict[str, Any]:
    """An alert about a node. It began after every node was made."""
    one = alert(alertname, "kube-state-metrics")
    one["labels"] |= {"node": node}
    began = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**one, "fingerprint": fingerprint * 8, "startsAt": began}


def attempted(outcome: str, one: dict[str, Any]) -> bool:
    return bool(one["attempts"]) and bool(one["attempts"][-1]["outcome"] == outcome)


async def test_a_node_is_cordoned_and_uncordoned_again(tmp_path: Path) -> None:
    async with machines(tmp_path) as (running, cluster):
        await running.post(about("NodeSick", "worker-1", "a1"))
        done = await running.incident(partial(attempted, "verified"), "the node is cordoned")
        assert done["target"]["workload"] == "/node/worker-1"
        assert done["attempts"][-1]["changes"] == ["cordon node/worker-1"]
        assert node_of(cluster, "worker-1")["spec"]["unschedulable"] is True
        assert "remediator/cordoned-at" in node_of(cluster, "worker-1")["metadata"]["annotations"]

        await running.post({**about("NodeSick", "worker-1", "a1"), "status": "resolved"})
        await running.post(about("NodeWell", "worker-1", "a2"))
        back = await running.incident(partial(changed, "uncordon node/worker-1"), "the node is uncordoned")
        assert back["attempts"][-1]["runbook"] == "back"
        node = node_of(cluster, "worker-1")
        assert "unschedulable" not in node["spec"]
        assert "remediator/cordoned-at" not in node["metadata"]["annotations"]


async def test_what_must_not_be_done_to_a_node_is_blocked_and_said(tmp_path: Path) -> None:
    """One of the control plane, somebody else's cordon, a workload's action, a node that is not there."""
    async with machines(tmp_path) as (running, cluster):
        by_hand = dict(node_of(cluster, "worker-2"))
        by_hand["spec"] = {**by_hand["spec"], "unschedulable": True}
        cluster.cluster.store.put(NODES, by_hand)
        cases = [
            (about("NodeSick", "master-1", "a1"), "is of the control plane"),
            (about("NodeWell", "worker-2", "a2"), "not by us"),
            (about("NodeOdd", "worker-1", "a3"), "restart needs a workload"),
            (about("NodeSick", "../worker-1", "a4"), "cannot be the name of any object"),
            (about("NodeSick", "worker-9", "a5"), "does not exist"),
        ]
        for one, why in cases:
            await running.post(one)
            told = await running.incident(partial(blocked, why), why)
            assert told["level"] > 0, "people are asked"
        assert not [one for one in cluster.ledger if one.resource == "nodes"], "no node was touched"


def changed(what: str, one: dict[str, Any]) -> bool:
    return bool(one["attempts"]) and one["attempts"][-1]["changes"] == [what]


def blocked(why: str, one: dict[str, Any]) -> bool:
    last = one["attempts"][-1] if one["attempts"] else {}
    return last.get("outcome") == "blocked" and why in str(last.get("reason"))


# --- draining ---


def pods_on(cluster: FakeApiServer, node: str, namespace: str = "shop") -> list[str]:
    """Names of the pods of a namespace that run on the node."""
    found = cluster.cluster.store.list(PODS, namespace)
    return sorted(one["metadata"]["name"] for one in found if one["spec"].get("nodeName") == node)


async def test_a_node_is_drained_through_evictions_alone(tmp_path: Path) -> None:
    """One pod at a time where the policy leaves room for one; its replacements run elsewhere in the end."""
    async with machines(tmp_path, DRAIN) as (running, cluster):
        cluster.deployment("shop", "big", replicas=6)
        await cluster.settled()
        before = pods_on(cluster, "worker-1")
        assert before
        await running.post(about("NodeSick", "worker-1", "a1"))
        done = await running.incident(partial(attempted, "verified"), "the node is drained")
        changes = done["attempts"][-1]["changes"]
        assert changes[0] == "cordon node/worker-1"
        assert sorted(changes[1:]) == [f"evict pod shop/{name} from node/worker-1" for name in before]
        assert pods_on(cluster, "worker-1") == []
        assert not [one for one in cluster.requests if one.method == "DELETE"], "nothing is ever deleted"


async def test_a_budget_holds_a_drain_up_and_then_it_has_failed(tmp_path: Path) -> None:
    """A 429 is waited for, and never becomes a deletion."""
    async with machines(tmp_path, DRAIN) as (running, cluster):
        cluster.create(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "web"}}},
            }
        )
        await cluster.settled()
        there = next(name for name in ("worker-1", "worker-2") if pods_on(cluster, name))
        before = pods_on(cluster, there)
        await running.post(about("NodeSick", there, "a1"))
        done = await running.incident(partial(attempted, "failed"), "the drain has failed")
        assert "drain was not over within" in done["attempts"][-1]["reason"]
        assert pods_on(cluster, there) == before


async def test_a_drain_that_would_take_a_stranger_away_does_not_begin(tmp_path: Path) -> None:
    """A pod of a namespace that is not allowed is named, and the node is not even cordoned."""
    async with machines(tmp_path, DRAIN) as (running, cluster):
        cluster.deployment("bank", "vault", replicas=4)
        await cluster.settled()
        there = next(name for name in ("worker-1", "worker-2") if pods_on(cluster, name, "bank"))
        stranger = pods_on(cluster, there, "bank")[0]
        await running.post(about("NodeSick", there, "a1"))
        why = f"pod bank/{stranger} would be evicted: namespace bank is not allowed"
        await running.incident(partial(blocked, why), why)
        assert "unschedulable" not in node_of(cluster, there)["spec"]


# --- what is asked beforehand ---


async def test_an_explanation_finds_the_node_and_shows_what_would_go(tmp_path: Path) -> None:
    async with machines(tmp_path, DRAIN) as (running, cluster):
        there = next(name for name in ("worker-1", "worker-2") if pods_on(cluster, name))
        asked = notification(about("NodeSick", there), about("NodeOdd", there, "cd"))
        status, answer = await running.ask("POST", "/v1/explain", asked)
        assert status == 200
        drained, odd = answer["alerts"]
        assert drained["incident"]["target"]["workload"] == f"/node/{there}"
        [book] = drained["runbooks"]
        said = {guard["name"]: guard for guard in book["guards"]}
        assert said["target"]["text"] == f"node/{there}, ready"
        assert said["population"]["verdict"] == "allows"
        shown = "\n".join(str(step) for step in book["steps"])
        assert "spec.unschedulable: + true" in shown
        for name in pods_on(cluster, there):
            assert f"- pod shop/{name} (ready, evicted)" in shown
        [book] = odd["runbooks"]
        said = {guard["name"]: guard for guard in book["guards"]}
        assert (said["target"]["verdict"], "needs a workload" in said["target"]["text"]) == ("blocks", True)
        assert not [one for one in cluster.ledger if one.resource == "nodes"]


def test_a_cluster_role_is_printed_for_rules_about_nodes_alone(tmp_path: Path) -> None:
    for rules, wanted in (("", False), (DRAIN, True)):
        policies = write_policies(tmp_path / f"policies-{wanted}", POLICIES)
        if rules:
            (policies / "nodes.yaml").write_text(rules)
        roles = roles_of(demands(load_policy(policies)))
        text = as_yaml(roles, Account(namespace="ops", name="remediator"))
        assert ("kind: ClusterRole\n" in text) is wanted
        assert ("resources: [nodes]" in text) is wanted
