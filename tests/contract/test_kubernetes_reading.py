"""What real API servers answer (v1.32) about what belongs to a workload, as the adapter reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.adapters.kubernetes.budgets import budget_of
from remediator.adapters.kubernetes.events import event_of
from remediator.adapters.kubernetes.revisions import revision_of, revisions_of
from remediator.adapters.kubernetes.selectors import selects
from remediator.adapters.kubernetes.snapshots import endpoints_of, pod_of
from remediator.adapters.kubernetes.strategies import max_unavailable
from remediator.core.cluster import Endpoints, Revision
from remediator.core.times import Stamp, stamp_instant

_FOLDER = Path(__file__).parent / "recordings_adapter"
RECORDED: dict[str, Any] = {
    entry["name"]: entry
    for file in ("answers.jsonl", "reading.jsonl")
    for entry in map(json.loads, (_FOLDER / file).read_text().splitlines())
}


def body(name: str) -> Any:
    """What was answered."""
    return RECORDED[name]["body"]


def revisions(workload: str, listed: str) -> tuple[Revision, ...]:
    """What the adapter makes of a recorded list."""
    found = [revision_of(body(workload), one) for one in body(listed)["items"]]
    return revisions_of(body(workload), tuple(one for one in found if one is not None))


def test_a_deployment_that_was_rolled_back_runs_its_newest_number() -> None:
    """The ReplicaSet is reused: old, and yet the newest revision."""
    found = revisions("deployment-get-after-rollback", "replicaset-list-after-rollback")
    assert [(one.number, one.name, one.current) for one in found] == [
        (5, "web-8579446679", True),
        (4, "web-86475bb74d", False),
        (2, "web-8489b854dc", False),
        (1, "web-8b7488f87", False),
    ]
    assert (found[0].pods, found[0].ready, found[1].pods, found[1].ready) == (3, 3, 0, 0)
    assert found[0].images == ("registry.local/web:v1",)
    assert found[0].created_at < found[1].created_at


def test_a_stuck_rollout_tells_what_runs_of_each_revision() -> None:
    """The new one has a pod that is not ready, the old one still serves."""
    found = revisions("deployment-get-progress-deadline-exceeded", "deployment-get-replicasets-stuck")
    assert [(one.number, one.current, one.pods, one.ready) for one in found] == [
        (2, True, 1, 0),
        (1, False, 2, 2),
    ]
    assert found[0].images != found[1].images


@pytest.mark.parametrize(
    ("workload", "listed", "names"),
    [
        (
            "statefulset-get-after-rollout",
            "controllerrevision-list-statefulset",
            ["db-57449f9b6d", "db-c658b6d45"],
        ),
        ("statefulset-get-after-rollout", "controllerrevision-list", ["db-57449f9b6d", "db-c658b6d45"]),
        ("daemonset-get-after-rollout", "controllerrevision-list", ["agent-794c5fb584", "agent-7b8b49d5cd"]),
    ],
)
def test_the_others_keep_controller_revisions(workload: str, listed: str, names: list[str]) -> None:
    """Of one workload only, newest first; how many pods run of each the API does not tell."""
    found = revisions(workload, listed)
    assert [(one.number, one.name, one.current) for one in found] == [
        (2, names[0], True),
        (1, names[1], False),
    ]
    assert all((one.images, one.pods, one.ready) == (("registry.local/web:v1",), None, None) for one in found)


def test_a_change_cause_is_kept_and_what_has_no_number_is_no_revision() -> None:
    """As ``kubectl rollout history``."""
    workload, kept = body("deployment-get-after-rollback"), body("replicaset-list-after-rollback")["items"][0]
    annotations = {"deployment.kubernetes.io/revision": "2", "kubernetes.io/change-cause": "image v2"}
    caused = {**kept, "metadata": {**kept["metadata"], "annotations": annotations}}
    found = revision_of(workload, caused)
    assert found is not None
    assert found.cause == "image v2"
    for nonsense in ({}, {"deployment.kubernetes.io/revision": "two"}):
        other = {**kept, "metadata": {**kept["metadata"], "annotations": nonsense}}
        assert revision_of(workload, other) is None


def test_budgets_are_those_over_the_pods() -> None:
    """With what the controller counted."""
    found = [budget_of(one, {"app": "web", "tier": "front"}) for one in body("pdb-list")["items"]]
    [one] = filter(None, found)
    assert (one.name, one.allowed, one.healthy, one.wanted) == ("web", 1, 3, 2)


def test_a_budget_that_was_not_counted_yet_allows_nothing() -> None:
    """As the server's eviction sees it: what it allowed before a change counts no more."""
    recorded = body("pdb-list")["items"][2]
    changed = {**recorded, "metadata": {**recorded["metadata"], "generation": 2}}
    found = budget_of(changed, {"app": "web"})
    assert found is not None
    assert found.allowed == 0


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "In", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_let_through_what_the_server_would(selector: Any, chosen: bool) -> None:
    """No selector selects nothing, an empty one everything; all parts must hold."""
    assert selects(selector, {"app": "web", "tier": "front"}) is chosen


def test_events_of_old_and_new_recorders() -> None:
    """When it was last seen and how often, wherever the recorder writes it."""
    scheduled, dns, *_ = map(event_of, body("events-by-involved-uid")["items"])
    assert (scheduled.reason, scheduled.warning, scheduled.count) == ("Scheduled", False, 1)
    assert scheduled.at == stamp_instant(Stamp("2026-11-23T04:43:33.256546000Z"))
    assert (dns.warning, dns.count, dns.about) == (True, 14, "pod/crashing-f9458f5fb-nlz7m")
    assert dns.at == stamp_instant(Stamp("2026-11-23T04:45:03.000000000Z"))
    first, again = map(event_of, body("events-unschedulable-cpu")["items"])
    assert (first.count, again.count) == (1, 2)
    assert again.at == stamp_instant(Stamp("2026-11-23T04:43:42.112244000Z"))


def test_endpoints_are_counted_by_address() -> None:
    """Ready for one port is ready; an address in two subsets is one."""
    assert endpoints_of(body("endpoints-get")) == Endpoints(ready=3, not_ready=0)
    two = {"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}]}
    other = {"notReadyAddresses": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.3"}]}
    assert endpoints_of({"subsets": [two, other]}) == Endpoints(ready=1, not_ready=2)
    assert endpoints_of({"subsets": None}) == Endpoints(ready=0, not_ready=0)


@pytest.mark.parametrize(
    ("name", "suspect", "last_end"),
    [
        ("get-ready", "", ""),
        ("get-not-ready", "c", ""),
        ("get-two-containers-one-crashing", "b", "Error (exit 2)"),
        ("get-init-crash", "init", "Error (exit 1)"),
        ("get-oomkilled-then-running", "", "OOMKilled (exit 137)"),
        ("get-oomkilled-crashloopbackoff", "c", "OOMKilled (exit 137)"),
        ("get-unschedulable-cpu", "", ""),
    ],
)
def test_pods_name_the_container_to_look_into(name: str, suspect: str, last_end: str) -> None:
    """The one that is worst off, an init container too; and how a run last ended, even if all is well now."""
    seen = pod_of(body(name))
    assert (seen.suspect, seen.last_end) == (suspect, last_end)


def test_pods_are_told_apart_from_their_successors() -> None:
    """UID, containers, age, and whether it is going."""
    seen = pod_of(body("get-two-containers-one-crashing"))
    assert seen.uid == body("get-two-containers-one-crashing")["metadata"]["uid"]
    assert seen.containers == ("a", "b")
    assert seen.created_at == stamp_instant(Stamp("2026-11-23T04:43:33.000000000Z"))
    assert not seen.terminating
    assert pod_of(body("get-terminating")).terminating


def rolling(unavailable: Any, surge: Any) -> dict[str, Any]:
    """A strategy."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}


@pytest.mark.parametrize(
    ("strategy", "desired", "taken"),
    [
        (rolling("25%", "25%"), 3, 0),
        (rolling("25%", "25%"), 4, 1),
        (rolling("25%", "25%"), 7, 1),
        (rolling("10%", 0), 3, 1),
        (rolling("10%", "1%"), 3, 0),
        (rolling(0, 0), 5, 1),
        (rolling(2, 1), 5, 2),
        (rolling(9, 1), 5, 5),
        (rolling(1, 1), 0, 0),
        (rolling("100%", 0), 3, 3),
        ({"type": "Recreate"}, 3, 3),
        ({}, 4, 1),
        (rolling("many", 0), 3, 3),
    ],
)
def test_a_deployment_takes_away_as_its_controller_would(strategy: Any, desired: int, taken: int) -> None:
    """Unavailable rounds down, surge rounds up, and with both at zero one goes first."""
    assert max_unavailable("deployment", {"strategy": strategy}, desired) == taken


@pytest.mark.parametrize(
    ("kind", "strategy", "desired", "taken"),
    [
        ("statefulset", {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}, 3, 1),
        ("statefulset", {"type": "RollingUpdate"}, 3, 1),
        ("statefulset", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%"}}, 5, 2),
        ("statefulset", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "1%"}}, 5, 1),
        ("statefulset", {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}, 3, 0),
        ("statefulset", {"type": "OnDelete"}, 3, 0),
        ("daemonset", rolling(1, 0), 2, 1),
        ("daemonset", rolling("10%", 0), 11, 2),
        ("daemonset", rolling(0, 1), 5, 0),
        ("daemonset", rolling(0, 0), 5, 1),
        ("daemonset", {}, 5, 1),
        ("daemonset", {"type": "OnDelete"}, 5, 0),
    ],
)
def test_the_others_take_away_as_theirs_would(kind: str, strategy: Any, desired: int, taken: int) -> None:
    """A StatefulSet one after the other, a DaemonSet rounding up; OnDelete nothing."""
    assert max_unavailable(kind, {"updateStrategy": strategy}, desired) == taken


_AMOUNT = st.one_of(st.integers(0, 2000), st.integers(0, 100).map(lambda n: f"{n}%"))


@given(st.sampled_from(["deployment", "statefulset", "daemonset"]), _AMOUNT, _AMOUNT, st.integers(0, 1000))
def test_nobody_takes_more_than_there_are(kind: str, unavailable: Any, surge: Any, desired: int) -> None:
    """Whatever is configured: from none to all, and not none where nothing else could move."""
    key = "strategy" if kind == "deployment" else "updateStrategy"
    taken = max_unavailable(kind, {key: rolling(unavailable, surge)}, desired)
    assert 0 <= taken <= desired
    if surge == 0 and desired:
        assert taken >= 1
