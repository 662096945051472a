"""What real API servers answer (v1.32) as the adapter reads it, and the patches it sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediator.adapters.kubernetes import patches
from remediator.adapters.kubernetes.faults import Answer, Call, parse_retry_after, refusal
from remediator.adapters.kubernetes.patches import Shape
from remediator.adapters.kubernetes.selectors import label_selector
from remediator.adapters.kubernetes.snapshots import pod_of, workload_of
from remediator.core.cluster import EFFECT_ANNOTATION, EPOCH_ANNOTATION
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable, Unknown
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.testing.apiserver.patches import json_patch
from remediator.testing.apiserver.statuses import ApiError

_LINES = (Path(__file__).parent / "recordings_adapter" / "answers.jsonl").read_text().splitlines()
RECORDED: dict[str, Any] = {entry["name"]: entry for entry in map(json.loads, _LINES)}
WEB = WorkloadRef(kind="deployment", namespace="shop", name="web")
READ = Call(method="GET", path="/", doing="look", needs="get deployments.apps", repeatable=True)
WRITE = Call(method="PATCH", path="/", doing="restart", needs="patch deployments.apps in namespace shop")


@pytest.mark.parametrize(
    ("name", "call", "meaning", "told"),
    [
        ("deployment-get-404", READ, NotFound, "not found"),
        ("deployment-get-anonymous-403", READ, Refused, "grant it: get deployments.apps"),
        ("deployment-patch-403", WRITE, Refused, "grant it: patch deployments.apps in namespace shop"),
        ("deployment-get-bad-token-401", READ, Refused, "renew the token"),
        ("patch-malformed-400", WRITE, Refused, ""),
        ("patch-content-type-415", WRITE, Refused, "Unsupported Media Type"),
        ("patch-selector-immutable-422", WRITE, Refused, "field is immutable"),
        ("patch-json-test-failed-422", WRITE, Refused, "rejected our request"),
        ("patch-json-remove-missing-path-422", WRITE, Refused, "rejected our request"),
        ("patch-stale-resource-version-409", WRITE, Retryable, "has been modified"),
        ("patch-webhook-unreachable-500", WRITE, Retryable, "failed calling webhook"),
        ("deployment-list-future-resource-version-504", READ, Retryable, "Too large resource version"),
        ("deployment-list-future-resource-version-504", WRITE, Unknown, "may have happened"),
        ("list-continue-expired-410", READ, Retryable, ""),
        ("evict-right-after-pdb-create-429", WRITE, Retryable, "disruption budget"),
    ],
)
def test_refusals_mean_what_the_server_means(
    name: str, call: Call, meaning: type[RemediatorError], told: str
) -> None:
    """Each recorded refusal becomes the error that says what to do, in the server's own words."""
    entry = RECORDED[name]
    after = parse_retry_after(entry["headers"].get("Retry-After"))
    error = refusal(call, Answer(status=entry["status"], body=entry["body"], retry_after=after))
    assert isinstance(error, meaning)
    assert told in str(error)
    if after is not None and isinstance(error, Retryable):
        assert error.delay == after * 1000


@pytest.mark.parametrize(
    ("name", "kind", "counts", "rolled_out", "paused"),
    [
        ("deployment-get-progressing", "deployment", (3, 3, 3, 0, 0), False, False),
        ("deployment-get", "deployment", (3, 3, 3, 3, 3), True, False),
        ("deployment-get-mid-rollout", "deployment", (3, 3, 3, 3, 3), False, False),
        ("deployment-get-after-restart", "deployment", (3, 3, 3, 3, 3), True, False),
        ("deployment-get-paused", "deployment", (3, 3, 3, 3, 3), True, True),
        ("deployment-get-progress-deadline-exceeded", "deployment", (2, 3, 1, 2, 2), False, False),
        ("statefulset-get", "statefulset", (2, 2, 2, 2, 2), True, False),
        ("daemonset-get", "daemonset", (2, 2, 2, 2, 2), True, False),
    ],
)
def test_workloads_are_counted_as_kubectl_counts(
    name: str, kind: str, counts: tuple[int, ...], rolled_out: bool, paused: bool
) -> None:
    """Desired, total, updated, ready and available pods, for each kind; and whether the rollout is done."""
    seen = workload_of(WorkloadRef(kind=kind, namespace="shop", name="x"), RECORDED[name]["body"])
    assert (seen.desired, seen.total, seen.updated, seen.ready, seen.available) == counts
    assert (seen.rolled_out, seen.paused) == (rolled_out, paused)


def test_a_stuck_rollout_keeps_its_reason() -> None:
    """The controller's condition is in the snapshot."""
    seen = workload_of(WEB, RECORDED["deployment-get-progress-deadline-exceeded"]["body"])
    assert seen.conditions["Progressing"].reason == "ProgressDeadlineExceeded"
    assert seen.conditions["Available"].status == "True"


@pytest.mark.parametrize(
    ("revision", "partition", "done"),
    [("new", 0, False), ("new", 1, False), ("new", 2, True), ("old", 0, True)],
)
def test_stateful_sets_below_their_partition_are_done(revision: str, partition: int, done: bool) -> None:
    """As ``kubectl rollout status``: pods below the partition keep the old template on purpose."""
    status = {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "updatedReplicas": 1}
    status |= {"observedGeneration": 2}
    obj = {
        "metadata": {"uid": "u", "generation": 2},
        "spec": {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": partition}}},
        "status": status | {"currentRevision": "old", "updateRevision": revision},
    }
    assert workload_of(WorkloadRef(kind="statefulset", namespace="n", name="db"), obj).rolled_out is done


@pytest.mark.parametrize(
    ("kind", "policy", "heedless"),
    [
        ("statefulset", "Parallel", True),
        ("statefulset", "OrderedReady", False),
        ("statefulset", None, False),
        ("deployment", None, False),
    ],
)
def test_only_a_parallel_set_rolls_on_while_others_of_it_are_down(
    kind: str, policy: str | None, heedless: bool
) -> None:
    """An ordered one waits for every pod first, a Deployment gives up what is down first."""
    spec = {"replicas": 3} | ({} if policy is None else {"podManagementPolicy": policy})
    obj = {"metadata": {"uid": "u"}, "spec": spec, "status": {"replicas": 3, "readyReplicas": 2}}
    seen = workload_of(WorkloadRef(kind=kind, namespace="n", name="db"), obj)
    assert seen.taken_by_rollout == (1 if heedless else 0)


@pytest.mark.parametrize(
    ("name", "state", "restarts"),
    [
        ("get-ready", "", 0),
        ("get-not-ready", "ContainersNotReady", 0),
        ("get-bad-image-errimagepull", "ErrImagePull", 0),
        ("get-bad-image-imagepullbackoff", "ImagePullBackOff", 0),
        ("get-crashloopbackoff", "CrashLoopBackOff", 1),
        ("get-crash-terminated-between-backoffs", "Error", 4),
        ("get-oomkilled-crashloopbackoff", "CrashLoopBackOff (OOMKilled)", 3),
        ("get-oomkilled-then-running", "", 1),
        ("get-unschedulable-cpu", "Unschedulable", 0),
        ("get-missing-configmap", "CreateContainerConfigError", 0),
        ("get-missing-volume", "ContainerCreating", 0),
        ("get-bad-command", "CrashLoopBackOff (StartError)", 3),
        ("get-init-crash", "Init:CrashLoopBackOff", 3),
        ("get-two-containers-one-crashing", "CrashLoopBackOff", 3),
        ("get-completed", "", 0),
        ("get-failed", "Error", 0),
        ("get-deadline-exceeded", "DeadlineExceeded", 0),
        ("get-terminating", "Terminating", 0),
    ],
)
def test_pods_say_what_a_person_would_look_for(name: str, state: str, restarts: int) -> None:
    """The most telling reason, as the STATUS column of ``kubectl get pods`` and a little more."""
    seen = pod_of(RECORDED[name]["body"])
    assert (seen.state, seen.restarts) == (state, restarts)


def test_selectors_are_written_as_the_server_reads_them() -> None:
    """All four operators; and what selects nothing must never list everything."""
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "env", "operator": "NotIn", "values": ["dev"]},
        {"key": "team", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    wanted = "app=web,tier in (a,b),env notin (dev),team,!old"
    assert label_selector({"spec": {"selector": selector}}) == wanted
    assert label_selector({"spec": {}}) == ""


_ANNOTATIONS = st.dictionaries(
    st.sampled_from(["a/b~c", "x", EPOCH_ANNOTATION, EFFECT_ANNOTATION]), st.text()
)


def _workload(annotations: dict[str, str], template: dict[str, str]) -> dict[str, Any]:
    """As the server tells it: an empty map is left out."""
    meta: dict[str, Any] = {"uid": "u1"} | ({"annotations": annotations} if annotations else {})
    pods: dict[str, Any] = {"labels": {"app": "x"}} | ({"annotations": template} if template else {})
    return {"metadata": meta, "spec": {"template": {"metadata": pods}}}


@given(_ANNOTATIONS, _ANNOTATIONS)
def test_a_claim_and_a_restart_add_three_annotations_and_nothing_else(
    annotations: dict[str, str], template: dict[str, str]
) -> None:
    """P7: whatever else is there stays as it is, and doing it again changes nothing."""
    before = _workload(annotations, template)
    claimed = json_patch(before, patches.claim("u1", before["metadata"].get("annotations"), 7))
    assert claimed == _workload(annotations | {EPOCH_ANNOTATION: "7"}, template)
    effect = EffectId("inc-1/step-1")

    def restart(obj: dict[str, Any]) -> dict[str, Any]:
        shape = Shape.of(obj)
        operations = patches.restart(Instant(1_790_000_000_999), shape)
        return json_patch(obj, patches.fenced("u1", effect, shape, operations, epoch=7))

    after = restart(claimed)
    restarted = template | {patches.RESTARTED_AT: "2026-09-21T14:13:20Z"}
    assert after == _workload(annotations | {EPOCH_ANNOTATION: "7", EFFECT_ANNOTATION: effect}, restarted)
    assert restart(after) == after


@pytest.mark.parametrize("seen", [None, {}, {EPOCH_ANNOTATION: "3"}], ids=["no map", "no epoch", "epoch 3"])
def test_a_claim_applies_only_to_the_epoch_that_was_seen(seen: dict[str, str] | None) -> None:
    """P8: a claim that arrives after another one does nothing."""
    overtaken = _workload((seen or {}) | {EPOCH_ANNOTATION: "9"}, {})
    with pytest.raises(ApiError, match="rejected our request"):
        json_patch(overtaken, patches.claim("u1", seen, 5))
    with pytest.raises(ApiError):
        json_patch(_workload(seen or {}, {}), patches.claim("another uid", seen, 5))


@pytest.mark.parametrize(("uid", "epoch"), [("u2", "7"), ("u1", "8"), ("u1", None)])
def test_a_restart_applies_only_under_our_epoch(uid: str, epoch: str | None) -> None:
    """P8: another object, a newer epoch or no epoch at all, and nothing of the patch applies."""
    present = _workload({"x": "y"} | ({EPOCH_ANNOTATION: epoch} if epoch else {}), {})
    operations = patches.restart(Instant(0), Shape.of(present))
    patch = patches.fenced(uid, EffectId("e"), Shape.of(present), operations, epoch=7)
    with pytest.raises(ApiError, match="rejected our request"):
        json_patch(present, patch)
