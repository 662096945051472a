"""Labels and annotations are hostile: whatever they say, no node but the one they name is touched.

A rule lets an alert's label name the node that is cordoned, drained and let in again. Notifications of
hostile texts go the whole way: the parser, the journey, every guard and the step performer, in a town of a
few nodes on which things run that must not be touched. Whatever is changed is a node of this town, and is
what the label says. The control plane, what is protected and what has opted out stay as they are; no pod is
evicted outside of ``guards.namespaces``, nor any from a node of which one that a drain would take must stay.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import cache

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remediator.core.changes import CordonNode, EvictPod, UncordonNode
from remediator.core.journal import Kind
from remediator.core.nodes import MANAGER, NODE_ACTIONS
from remediator.core.policies import Policy
from remediator.policy.load import load_policy
from remediator.testing.memory import MemoryStore
from tests.property.hostile_nodes import CLOSED, NEVER_DRAINED, RESIDENTS, Nodes
from tests.property.hostile_texts import ANNOTATIONS, KEYS, VALUES
from tests.property.test_hostile_labels import Alerts, body_of, check, run

SCENES = {"cordon": "{}", "drain": "{timeout: 5m}", "uncordon": "{}"}
"""The step of each action, in an order in which all of them can be done."""
POLICY = """
severities:
  SEV-1: {summary: everything, page: now, escalation: people}
services:
  web: {namespace: shop, workload: deployment/web}
  worker-1: {namespace: shop, workload: deployment/worker-1}
rules:
  - {name: by-service, match: ['severity="warning"'], severity: SEV-1, mode: auto, runbooks: [tend]}
  - name: by-pod
    match: ['severity="info"']
    severity: SEV-1
    target: {pod: '{{ labels.namespace }}/{{ labels.pod }}'}
    group_by: [target]
    mode: auto
    runbooks: [tend]
  - name: by-node
    match: ['alertname=~"(?s).*"']
    severity: SEV-1
    target: {node: '{{ labels.node }}'}
    group_by: [target]
    mode: auto
    runbooks: [tend]
runbooks:
  tend:
    steps: STEPS
    verify: [alert: {state: resolved, within: 1m}]
guards:
  namespaces: [shop]
  protect: [statefulset/db, node/fenced-off]
  max_unavailable: 1
  rate: {cluster: 100/1h, service: 100/1h, target: 100/1h}
escalations:
  people: [{level: 1, channels: [oncall]}]
channels:
  oncall: {pagerduty: {routing_key: {env: ONCALL_KEY}}}
operator: {channels: [oncall]}
""".replace("STEPS", f"[{', '.join(f'{name}: {params}' for name, params in SCENES.items())}]")
"""Everything acts. The first two rules do to workloads what is for nodes alone: that is blocked."""


@cache
def policy() -> Policy:
    return load_policy({"all.yaml": POLICY})


def test_every_action_on_nodes_has_a_scene() -> None:
    """A new one is not done before hostile labels have met it."""
    assert SCENES.keys() == NODE_ACTIONS, (
        "the actions on nodes are others; change SCENES in tests/property/test_hostile_nodes.py, and in "
        "hostile_nodes.py what reaches the town of them"
    )


async def told(alerts: Alerts) -> tuple[Nodes, MemoryStore]:
    """What reaches the town of a notification."""
    town = Nodes()
    _, store = await run(policy(), body_of(alerts), town)
    return town, store


# --- what ordinary alerts do ---

CORDON, UNCORDON = "cordon node/{}", "uncordon node/{}"
EVICT = "evict pod shop/web-{} from node/{}"


def outcomes(store: MemoryStore) -> list[tuple[str, str]]:
    """Each step that was performed, or was not, and how that went."""
    steps = [e for each in store._timelines.values() for e in each if e.kind is Kind.STEP]
    return [(str(e.data["action"]), str(e.data["result"])) for e in steps]


async def test_an_ordinary_alert_performs_every_action() -> None:
    """The property below is not true for want of changes."""
    town, store = await told([({"alertname": "NodeSick", "node": "worker-1"}, {})])
    done = [action for action, result in outcomes(store) if result in ("done", "begun")]
    assert list(dict.fromkeys(done)) == list(SCENES), outcomes(store)
    assert [str(change) for change in town.applied] == [
        CORDON.format("worker-1"),
        EVICT.format("1a", "worker-1"),
        EVICT.format("1b", "worker-1"),
        UNCORDON.format("worker-1"),
    ]
    assert town.claimed == {town.machines["worker-1"].ref}
    left = [pod.name for pod in town.machines["worker-1"].pods]
    assert left == ["agent-1", "kept-1"], "of a DaemonSet, and what has opted out"


@pytest.mark.parametrize(
    ("node", "changes", "why"),
    [
        ("worker-2", [CORDON], "pod kube-system/dns-2 would be evicted: namespace kube-system is always"),
        ("away", [CORDON], "pod elsewhere/far-3 would be evicted: namespace elsewhere is not allowed"),
        ("guarded", [CORDON], "pod shop/db-1 would be evicted: statefulset/db is protected"),
        ("shy", [CORDON], "pod shop/shy-5 would be evicted: deployment/shy has opted out"),
        ("by-hand", [EVICT.format("6", "{}")], "was cordoned by kubectl-cordon, not by us"),
        ("left-alone", [], "has opted out by annotation"),
        ("fenced-off", [], "node/fenced-off is protected"),
        ("cp-1", [], "is of the control plane"),
    ],
)
async def test_what_must_not_be_touched_is_not_and_nothing_else_is_in_the_way(
    node: str, changes: list[str], why: str
) -> None:
    """Each for its own reason: a drain is blocked whole."""
    town, store = await told([({"alertname": "NodeSick", "node": node}, {})])
    assert [str(change) for change in town.applied] == [change.format(node) for change in changes]
    assert any(why in entry.text for each in store._timelines.values() for entry in each)
    assert town.said, "somebody is paged"


# --- whatever the labels say ---

EXPORTER = {"namespace", "pod", "container", "service", "endpoint", "job", "instance"}


def literally(labels: Mapping[str, str]) -> str:
    """What the alert names: its label ``node``, or what Prometheus made of that where it kept both.

    To the letter, but for white space around it: every template of a policy drops it.
    """
    exported = {name.removeprefix("exported_") for name in labels if name.startswith("exported_")}
    told_apart = exported & EXPORTER and "node" in exported
    return labels.get("exported_node" if told_apart else "node", "").strip()


def held(alerts: Alerts, town: Nodes, store: MemoryStore) -> None:
    """Everything that reached the town is inside of what the policy allows, on nodes the labels name."""
    check(policy(), town, store)
    meant = {literally(labels) for labels, _ in alerts}
    for change in town.applied:
        assert isinstance(change, CordonNode | EvictPod | UncordonNode)
    changed = {change.fenced_on for change in town.applied}
    assert {ref.path for ref in changed} <= {f"/node/{name}" for name in RESIDENTS}
    assert {ref.name for ref in changed} <= meant - set(CLOSED)
    assert town.claimed <= changed, "nothing is claimed that is not changed"
    assert {ref.name for ref in town.asked} <= meant - set(CLOSED)
    for node, pod in town.evicted:
        assert node in meant - set(NEVER_DRAINED)
        assert pod.namespace in policy().guards.namespaces
        assert pod.controller == "replicaset/web", "no other may go"
        assert not pod.ignored
    assert {by for _, by in town.uncordoned} <= {MANAGER}


ALIKE = (
    "WORKER-1", " worker-1", "worker-1\n", "worker-1/", "/worker-1", "node/worker-1", "/node/worker-1",
    "worker-1.", "shop/worker-1", "worker-1/../cp-1", "../worker-1", "worker-1,cp-1", "worker-1 cp-1",
    "worker-*", "worker-1x", "worker-01", "worker-\u0661", "w\u043erker-1", "worker\u20111", "worker-1\u200b",
    "\u202eworker-1", "worker-1%00", "worker-1\x01", "worker-1\x1b[2J", "worker-1\r\nnode: cp-1",
    "worker-1?dryRun=All", "worker-1#", "{{ labels.pod }}", "!cp-1", "node-role.kubernetes.io/control-plane",
)  # fmt: skip
"""What is nearly the name of a node."""
NAMED = st.one_of(*[st.sampled_from(["worker-1", "spare", "by-hand"])] * 2, st.sampled_from([*RESIDENTS]))
NODES = st.one_of(NAMED, NAMED, st.sampled_from(ALIKE), VALUES, st.builds(lambda a, b: a + b, NAMED, VALUES))
MENTIONS = st.dictionaries(
    st.one_of(
        st.sampled_from(["exported_node", "exported_pod", "exported_x", "nodename", "instance", "Node"]), KEYS
    ),
    st.one_of(NODES, VALUES),
    max_size=5,
)
SEVERITIES = st.one_of(*[st.just("critical")] * 4, st.sampled_from(["warning", "info"]), VALUES)
LABELS = st.builds(
    lambda others, node, severity, name: {**others, "node": node, "severity": severity, "alertname": name},
    MENTIONS,
    NODES,
    SEVERITIES,
    VALUES,
)
ALERT_LISTS = st.lists(st.tuples(LABELS, ANNOTATIONS), min_size=1, max_size=2)


def whatever_they_say(alerts: Alerts) -> set[str]:
    """Which changes there were."""
    town, store = asyncio.run(told(alerts))
    held(alerts, town, store)
    return {type(change).__name__ for change in town.applied}


def said(**labels: str) -> Alerts:
    """One alert of the last rule."""
    return [({"alertname": "x", "severity": "critical", **labels}, {})]


def test_whatever_the_labels_say_only_the_node_they_name_is_changed() -> None:
    """And it is no rarity among the examples that something is."""
    seen: Counter[str] = Counter()

    @settings(max_examples=1000, deadline=None)
    @given(ALERT_LISTS)
    @example(said(node="worker-1") + said(node="spare"))
    @example(said(node="worker-2") + said(node="cp-1"))
    @example(said(node=" worker-1\n"))
    @example(said(node="worker-1", exported_node="worker-2"))
    @example(said(node="worker-1", exported_node="by-hand", exported_pod="x"))
    @example([({"alertname": "x", "severity": "warning", "service": "worker-1", "node": "cp-1"}, {})])
    @example([({"alertname": "x", "severity": "info", "namespace": "shop", "pod": "web-1a"}, {})])
    def property_of(alerts: Alerts) -> None:
        seen.update(whatever_they_say(alerts))

    property_of()
    changes = {kind.__name__ for kind in (CordonNode, EvictPod, UncordonNode)}
    assert changes == seen.keys()
    assert min(seen.values()) >= 100, seen


@pytest.mark.full
@settings(max_examples=10_000, deadline=None)
@given(ALERT_LISTS)
def test_whatever_the_labels_say_only_the_node_they_name_is_changed_at_length(alerts: Alerts) -> None:
    whatever_they_say(alerts)
