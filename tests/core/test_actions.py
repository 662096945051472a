"""What actions plan, and what they refuse to plan."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from pydantic import ValidationError

from remediator.actions import ACTIONS
from remediator.core.changes import Change, DeletePod, EvictPod
from remediator.core.cluster import Need, Pod, Revision, Snapshot, Workload
from remediator.core.errors import Refused, Retryable
from remediator.core.holdings import ContainerUsage, PodUsage
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant
from remediator.guards.lease import LeaseGuard
from tests.core.builders import WEB

AT = Instant(1_790_000_000_000)


def workload(ref: WorkloadRef = WEB, **more: object) -> Workload:
    """Two of two pods ready, rolled out."""
    seen = Workload(
        ref=ref, uid="w", generation=4, observed_generation=4,
        desired=2, total=2, updated=2, ready=2, available=2,
    )  # fmt: skip
    return replace(seen, **more)  # type: ignore[arg-type]  # by name


def pod(name: str, **more: object) -> Pod:
    """A pod of the Deployment that runs and is not ready."""
    made = Pod(
        name=name, phase="Running", ready=False, restarts=0, uid=f"uid-{name}",
        controller="replicaset/web-5d9c7",
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]  # by name


def revision(number: int, age: int = 0, **more: object) -> Revision:
    """The higher the age, the older the template."""
    kept = Revision(
        number=number, name=f"web-{number}", uid=f"r{number}", current=False, created_at=Instant(10**6 - age)
    )
    return replace(kept, **more)  # type: ignore[arg-type]  # by name


def plan(action: str, seen: Snapshot | Workload, **params: object) -> tuple[Change, ...]:
    plugin = ACTIONS[action]
    snapshot = Snapshot(workload=seen) if isinstance(seen, Workload) else seen
    return plugin.plan(plugin.params.model_validate(params), snapshot, at=AT)


def words(changes: tuple[Change, ...]) -> list[str]:
    return [str(change) for change in changes]


# --- scale ---


@pytest.mark.parametrize(
    ("desired", "to", "only", "told"),
    [
        (2, 5, None, ["scale deployment/web from 2 to 5"]),
        (2, 0, None, ["scale deployment/web from 2 to 0"]),
        (2, 2, None, []),
        (0, 2, "up", ["scale deployment/web from 0 to 2"]),
        (3, 2, "up", []),
        (2, 2, "up", []),
        (3, 2, "down", ["scale deployment/web from 3 to 2"]),
        (1, 2, "down", []),
    ],
)
def test_scale_asks_for_the_number_unless_it_is_so(
    desired: int, to: int, only: str | None, told: list[str]
) -> None:
    """``only`` keeps it from undoing what somebody else has raised, or lowered."""
    assert words(plan("scale", workload(desired=desired), to=to, only=only)) == told


def test_scale_is_refused_where_there_is_no_number() -> None:
    with pytest.raises(Refused, match="one pod on every node"):
        plan("scale", workload(WorkloadRef(kind="daemonset", namespace="shop", name="web")), to=2)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("scale", {}),
        ("scale", {"to": -1}),
        ("scale", {"to": 1001}),
        ("scale", {"to": "2"}),
        ("scale", {"to": 2, "only": "sideways"}),
        ("rollback", {"revision": 0}),
        ("delete_pod", {"which": "web-1"}),
        ("delete_pod", {"at_most": 0}),
        ("evict_pod", {"at_most": 51}),
        ("evict_pod", {"force": True}),
    ],
)
def test_parameters_that_cannot_be_meant_are_no_parameters(action: str, params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ACTIONS[action].params.model_validate(params)


# --- rollback ---


def kept(*revisions: Revision, **more: object) -> Snapshot:
    return Snapshot(workload=workload(WEB, **more), revisions=revisions)


def test_rollback_goes_to_the_one_before() -> None:
    """And carries what it was planned from."""
    seen = kept(revision(7, current=True), revision(6, 10), revision(2, 20))
    assert words(plan("rollback", seen)) == ["roll deployment/web back from revision 7 to 6"]


def test_rollback_does_not_return_to_what_was_rolled_back() -> None:
    """Revision 3 is the template of revision 1 again: the bad one is 2, and older than 3 is nothing."""
    seen = kept(revision(3, 100, current=True), revision(2, 10))
    with pytest.raises(Refused, match="keeps no revision older than its current one, 3"):
        plan("rollback", seen)
    earlier = kept(*seen.revisions, revision(1, 200))
    assert words(plan("rollback", earlier)) == ["roll deployment/web back from revision 3 to 1"]
    assert words(plan("rollback", seen, revision=2)) == ["roll deployment/web back from revision 3 to 2"]


def test_rollback_after_a_release_on_top_of_a_rollback_goes_to_what_ran_before() -> None:
    """Revision 3 was the good one again; 4 is bad and young."""
    seen = kept(revision(4, 1, current=True), revision(3, 100), revision(2, 10))
    assert words(plan("rollback", seen)) == ["roll deployment/web back from revision 4 to 3"]


@pytest.mark.parametrize(
    ("seen", "params", "why"),
    [
        (kept(revision(2, current=True), revision(1, 5), paused=True), {}, "is paused"),
        (kept(), {}, "keeps no revision that is current"),
        (kept(revision(2), revision(1)), {}, "keeps no revision that is current"),
        (kept(revision(1, current=True)), {}, "keeps no revision older than its current one, 1"),
        (kept(revision(3, current=True), revision(2)), {"revision": 1}, "no revision 1, only 3, 2"),
    ],
)
def test_rollback_is_refused_where_there_is_nothing_to_go_back_to(
    seen: Snapshot, params: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        plan("rollback", seen, **params)


def test_rollback_waits_until_the_newest_template_has_a_revision() -> None:
    """Until then the current revision is an older one than what was asked for last."""
    seen = kept(revision(2, current=True), revision(1, 5), observed_generation=3)
    with pytest.raises(Retryable, match="cannot be told yet"):
        plan("rollback", seen)


def test_rollback_to_the_current_revision_is_nothing() -> None:
    assert plan("rollback", kept(revision(3, current=True), revision(2, 1)), revision=3) == ()


# --- pods ---


def pods(*found: Pod, ref: WorkloadRef = WEB) -> Snapshot:
    return Snapshot(workload=workload(ref), pods=found)


def names(changes: tuple[Change, ...]) -> list[str]:
    return [change.pod for change in changes if isinstance(change, DeletePod | EvictPod)]


CRASHES = "CrashLoopBackOff (OOMKilled)"
MANY = pods(
    pod("a", ready=True, restarts=9, created_at=Instant(2)),
    pod("b", restarts=1, created_at=Instant(3)),
    pod("c", restarts=5, state=CRASHES, created_at=Instant(4)),
    pod("d", restarts=5, state="ImagePullBackOff", created_at=Instant(5)),
    pod("e", ready=True, created_at=Instant(1)),
    pod("gone", restarts=99, terminating=True, state=CRASHES),
    pod("evicted", phase="Failed", state="Evicted", restarts=99),
    pod("done", phase="Succeeded", restarts=99),
    pod("by-hand", controller="", restarts=99, state=CRASHES),
    pod("others", controller="replicaset/web-api-5d9c7", restarts=99, state=CRASHES),
    pod("job", controller="job/web-5d9c7", restarts=99, state=CRASHES),
)


@pytest.mark.parametrize("action", ["delete_pod", "evict_pod"])
@pytest.mark.parametrize(
    ("params", "chosen"),
    [
        ({}, ["c"]),
        ({"at_most": 2}, ["c", "d"]),
        ({"at_most": 50}, ["c", "d", "b"]),
        ({"which": "crash_looping", "at_most": 50}, ["c"]),
        ({"which": "most_restarts"}, ["a"]),
        ({"which": "most_restarts", "at_most": 3}, ["a", "c", "d"]),
        ({"which": "oldest"}, ["e"]),
        ({"which": "oldest", "at_most": 3}, ["e", "a", "b"]),
    ],
)
def test_pods_are_chosen_by_their_state_the_worst_first(
    action: str, params: dict[str, object], chosen: list[str]
) -> None:
    """Not those on their way out, those that will never run again, or those that nobody of ours makes."""
    planned = plan(action, MANY, **params)
    assert names(planned) == chosen
    kind = DeletePod if action == "delete_pod" else EvictPod
    ready = {each.name: each.ready for each in MANY.pods}
    assert planned == tuple(
        kind(target=WEB, uid="w", pod=n, pod_uid=f"uid-{n}", ready=ready[n]) for n in chosen
    )


@pytest.mark.parametrize("action", ["delete_pod", "evict_pod"])
@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("not_ready", "is not ready"),
        ("crash_looping", "is crash looping"),
        ("most_restarts", "has restarted"),
    ],
)
def test_where_no_pod_is_in_that_state_none_is_taken_away(action: str, which: str, why: str) -> None:
    with pytest.raises(Refused, match=f"no pod of deployment/web {why}"):
        plan(action, pods(pod("a", ready=True)), which=which)


@pytest.mark.parametrize("which", ["not_ready", "oldest"])
def test_of_no_pods_none_is_taken_away(which: str) -> None:
    with pytest.raises(Refused, match="there is none to take away"):
        plan("delete_pod", pods(), which=which)


def measured(name: str, memory: int, at: int = 100) -> PodUsage:
    """What a pod used, in bytes."""
    one = ContainerUsage(name="web", cpu=Decimal(1), memory=Decimal(memory))
    return PodUsage(pod=name, at=Instant(at), containers=(one, one))


@pytest.mark.parametrize("action", ["delete_pod", "evict_pod"])
def test_the_hungriest_pod_is_found_by_what_was_measured_of_it(action: str) -> None:
    """Whoever is not ours or on the way out does not count, nor does an unready one without a value."""
    usage = (measured("a", 5), measured("c", 70), measured("e", 9), measured("by-hand", 999))
    seen = replace(MANY, usage=usage)
    assert names(plan(action, seen, which="most_memory")) == ["c"]
    assert names(plan(action, seen, which="most_memory", at_most=9)) == ["c", "e", "a"]
    assert ACTIONS[action].params.model_validate({"which": "most_memory"}).needs == {Need.USAGE}
    assert ACTIONS[action].params.model_validate({"which": "oldest"}).needs == frozenset()


@pytest.mark.parametrize(
    "usage",
    [
        (measured("a", 5), measured("c", 70)),  # nothing of e, which runs
        (measured("a", 5), measured("e", 9, at=0)),  # of an e before this one
    ],
)
def test_while_a_pod_that_runs_was_not_measured_none_is_taken_away(usage: tuple[PodUsage, ...]) -> None:
    """It may be the hungriest: asked again, never guessed."""
    with pytest.raises(Retryable, match="cannot be told yet: e was not measured"):
        plan("evict_pod", replace(MANY, usage=usage), which="most_memory")


def test_where_nothing_runs_nothing_is_the_hungriest() -> None:
    with pytest.raises(Refused, match="no pod of deployment/web was measured"):
        plan("evict_pod", pods(pod("a")), which="most_memory")


@pytest.mark.parametrize("kind", ["statefulset", "daemonset"])
def test_pods_of_sets_are_known_by_their_owner(kind: str) -> None:
    ref = replace(WEB, kind=kind)
    seen = pods(pod("web-0", controller=f"{kind}/web"), pod("web-1", controller=f"{kind}/web2"), ref=ref)
    assert names(plan("delete_pod", seen, at_most=5)) == ["web-0"]


def test_every_change_names_its_target_and_says_what_it_does() -> None:
    """That line is what people approve and read."""
    seen = replace(MANY, revisions=(revision(2, current=True), revision(1, 9)))
    for action, params in (
        ("restart", {}),
        ("scale", {"to": 9}),
        ("rollback", {}),
        ("delete_pod", {}),
        ("evict_pod", {}),
    ):
        [change] = plan(action, seen, **params)
        assert (change.target, change.uid) == (WEB, "w")
        assert "deployment/web" in str(change)


def test_the_lease_brings_the_permission_to_claim_and_the_action_that_to_change() -> None:
    """Every change of the cluster writes the epoch first; an action declares what it takes beyond that."""
    claims = {verb for one in LeaseGuard.permissions if one.resource == "{kind}s" for verb in one.verbs}
    assert claims == {"patch"}
    for name, action in ACTIONS.items():
        assert name in ("http", "silence") or any(one.acting for one in action.permissions)


@pytest.mark.parametrize(
    ("action", "params", "disrupts"),
    [
        ("restart", {}, True),
        ("rollback", {}, True),
        ("evict_pod", {}, True),
        ("delete_pod", {"which": "oldest"}, True),
        ("scale", {"to": 0}, True),
        ("scale", {"to": 1, "only": "down"}, True),
        ("scale", {"to": 5, "only": "up"}, False),
    ],
)
def test_an_action_says_whether_it_may_take_healthy_pods_away(
    action: str, params: dict[str, object], disrupts: bool
) -> None:
    """Only then are disruption budgets read."""
    plugin = ACTIONS[action]
    assert plugin.disrupts(plugin.params.model_validate(params)) is disrupts
