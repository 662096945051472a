"""Images, resources, isolation and autoscalers: what is planned, what is refused, and what takes it back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remediator.actions import ACTIONS
from remediator.core.changes import (
    Change,
    IsolateWorkload,
    RestoreWorkload,
    RollBackWorkload,
    ScaleWorkload,
    SetAutoscalerBounds,
    SetContainerImage,
    SetContainerResources,
)
from remediator.core.cluster import IGNORE_ANNOTATION, Autoscaler, Container, Snapshot, Workload
from remediator.core.errors import Refused
from remediator.core.isolation import (
    ISOLATED_REPLICAS,
    ISOLATED_UNTIL,
    isolated_until,
    remembered,
    say_until,
)
from remediator.core.jobs import CronJob
from remediator.core.objects import HPA, Anchor, ObjectRef
from remediator.core.plugins import TARGET
from remediator.core.policies import Service, WorkloadRef
from remediator.core.quantities import same_amount
from remediator.core.times import MINUTE, Instant, Millis
from tests.core.builders import WEB
from tests.core.test_actions import AT, kept, plan, pod, pods, revision, words, workload
from tests.core.test_nodes import node

OURS = ("set_image", "set_resources", "isolate", "restore", "hpa")
RESOURCES = {
    "requests": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
    "limits": {"cpu": "1"},
    "claims": [{"name": "gpu"}],
}
TWO = (
    Container(name="web", image="shop/web:1", resources=RESOURCES),
    Container(name="proxy", image="shop/proxy:9"),
)
UNTIL = say_until(Instant(AT + 30 * MINUTE))
ISOLATED = {ISOLATED_REPLICAS: "4", ISOLATED_UNTIL: UNTIL}


def several(**more: object) -> Workload:
    """A workload of two containers."""
    return workload(WEB, containers=TWO, **more)


def scaler(least: int = 2, most: int = 5, name: str = "web", *annotations: str) -> Autoscaler:
    """An autoscaler of the workload."""
    ref = ObjectRef(kind=HPA, namespace="shop", name=name)
    return Autoscaler(
        ref=ref, uid=f"h-{name}", least=least, most=most, annotations=dict.fromkeys(annotations, "")
    )


def scaled(*found: Autoscaler, **more: object) -> Snapshot:
    """The workload, and what scales it."""
    return Snapshot(workload=workload(WEB, **more), autoscalers=found)


def undone(action: str, change: Change, now: Snapshot) -> Change:
    """What takes it back."""
    return ACTIONS[action].inverse(change, now)


# --- containers ---


def test_an_image_is_set_by_the_containers_place_and_what_it_had() -> None:
    """Whatever became of either by then, the change tests both."""
    assert plan("set_image", several(), container="proxy", image="shop/proxy:10") == (
        SetContainerImage(
            target=WEB, uid="w", container="proxy", index=1, seen="shop/proxy:9", image="shop/proxy:10"
        ),
    )


def test_what_somebody_called_an_image_forges_nothing() -> None:
    """The API server takes any text; what is told of it is one plain line."""
    hostile = Container(name="web", image="a\n\x1b[31mdone: all well" + "x" * 500)
    [change] = plan("set_image", workload(containers=(hostile,)), image="shop/web:2")
    assert isinstance(change, SetContainerImage)
    assert change.seen == hostile.image
    assert str(change).isprintable()
    assert len(str(change)) < 300


@pytest.mark.parametrize(
    ("action", "given"), [("set_image", {"image": "a:1"}), ("set_resources", {"limits": {"cpu": 1}})]
)
@pytest.mark.parametrize(
    ("container", "containers", "why"),
    [
        ("", TWO, "deployment/web has containers web, proxy: say which one is meant, under container"),
        ("", (), "deployment/web has containers none"),
        ("cache", TWO, "deployment/web has no container cache, only web, proxy"),
        ("cache", (), "deployment/web has no container cache, only none"),
    ],
)
def test_a_container_that_cannot_be_told_is_not_guessed(
    action: str, given: dict[str, object], container: str, containers: tuple[Container, ...], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        plan(action, workload(containers=containers), container=container, **given)


def test_the_only_container_needs_no_name() -> None:
    [change] = plan("set_image", workload(containers=TWO[1:]), image="shop/proxy:10")
    assert isinstance(change, SetContainerImage)
    assert (change.container, change.index) == ("proxy", 0)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("set_image", {"container": "web", "image": "shop/web:1"}),
        ("set_resources", {"container": "web", "requests": {"memory": "0.5Gi"}, "limits": {"cpu": "1000m"}}),
    ],
)
def test_what_is_so_already_is_left_alone_however_it_is_written(
    action: str, params: dict[str, object]
) -> None:
    """Even while rollouts are paused: there is nothing to roll out."""
    assert plan(action, several(paused=True), **params) == ()


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("set_image", {"container": "web", "image": "shop/web:2"}),
        ("set_resources", {"container": "web", "limits": {"cpu": 2}}),
    ],
)
def test_nothing_is_set_while_rollouts_are_paused(action: str, params: dict[str, object]) -> None:
    with pytest.raises(Refused, match="is paused"):
        plan(action, several(paused=True), **params)


def test_resources_that_are_not_asked_for_are_kept() -> None:
    """Other requests, other resources and claims."""
    [change] = plan(
        "set_resources", several(), container="web", requests={"memory": "1Gi"}, limits={"memory": "2Gi"}
    )
    assert isinstance(change, SetContainerResources)
    assert change.seen == RESOURCES
    assert change.resources == {
        "requests": {"memory": "1Gi", "ephemeral-storage": "1Gi"},
        "limits": {"cpu": "1", "memory": "2Gi"},
        "claims": [{"name": "gpu"}],
    }
    assert str(change) == (
        "set the resources of web in deployment/web: "
        "requests.memory: 512Mi -> 1Gi; limits.memory: none -> 2Gi"
    )


def test_resources_of_a_container_that_had_none() -> None:
    [change] = plan("set_resources", several(), container="proxy", requests={"cpu": "100m"})
    assert isinstance(change, SetContainerResources)
    assert (change.index, change.seen, change.resources) == (1, None, {"requests": {"cpu": "100m"}})


def test_a_request_beyond_the_limit_that_is_kept_is_refused() -> None:
    """The API server would refuse the template; this says what to do."""
    with pytest.raises(Refused, match="would request 2 of cpu but be limited to 1; set both"):
        plan("set_resources", several(), container="web", requests={"cpu": 2})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1Gi", "1024Mi", True),
        ("1", "1000m", True),
        ("1e3", "1k", True),
        ("1Gi", "1G", False),
        (None, "1", False),
        (None, None, True),
        ("what", "what", True),
        ("what", "1", False),
        (1, "1", True),
    ],
)
def test_quantities_are_compared_by_what_they_are(one: object, other: object, same: bool) -> None:
    assert same_amount(one, other) is same


# --- isolation ---


def test_isolating_remembers_the_number_and_the_end() -> None:
    [change] = plan("isolate", workload(desired=4), **{"for": "30m"})
    assert change == IsolateWorkload(
        target=WEB, uid="w", seen=4, until=Instant(AT + 30 * MINUTE), span=Millis(30 * MINUTE)
    )
    assert str(change) == "isolate deployment/web: scale it from 4 to 0, for 30m at most"


def test_isolating_twice_keeps_the_first_memory() -> None:
    """Neither the number nor the end is written anew; nor where somebody else scaled it to zero."""
    assert plan("isolate", workload(desired=0, annotations=ISOLATED), **{"for": "2h"}) == ()
    assert plan("isolate", workload(desired=0), **{"for": "2h"}) == ()


def test_a_memory_that_somebody_overruled_by_hand_is_replaced() -> None:
    """Pods are asked for: it is isolated no longer, whatever its annotations say."""
    [change] = plan("isolate", workload(desired=2, annotations=ISOLATED), **{"for": "30m"})
    assert isinstance(change, IsolateWorkload)
    assert (change.seen, change.memory) == (2, "4")


def test_a_daemon_set_is_not_isolated() -> None:
    with pytest.raises(Refused, match="cannot be scaled to zero"):
        plan("isolate", workload(replace(WEB, kind="daemonset")), **{"for": "30m"})


def test_an_autoscaler_stands_still_while_its_target_is_isolated_unless_it_starts_from_zero() -> None:
    """Kubernetes disables scaling at no replicas; only one that may go to zero itself comes back from it."""
    assert words(plan("isolate", scaled(scaler()), **{"for": "1m"}))
    with pytest.raises(Refused, match="hpa/web has minReplicas 0: it would bring deployment/web back"):
        plan("isolate", scaled(scaler(least=0)), **{"for": "1m"})


def test_restoring_brings_back_exactly_what_was_there() -> None:
    [change] = plan("restore", workload(desired=0, annotations=ISOLATED))
    assert change == RestoreWorkload(target=WEB, uid="w", seen=0, replicas=4, memory="4", until=UNTIL)
    assert str(change) == "restore deployment/web: scale it from 0 to 4"


def test_what_asks_for_pods_already_only_forgets() -> None:
    """Somebody brought it back by hand, to whatever number: that stays. Even a memory of nonsense goes."""
    for memory in ("4", "many"):
        [change] = plan("restore", workload(desired=2, annotations={ISOLATED_REPLICAS: memory}))
        assert change == RestoreWorkload(target=WEB, uid="w", seen=2, replicas=2, memory=memory)
        assert "asks for 2 already" in str(change)


def test_what_was_never_isolated_is_left_alone() -> None:
    assert plan("restore", workload(desired=2)) == ()


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ({}, "asks for no pods and carries no remediator/isolated-replicas"),
        ({ISOLATED_UNTIL: UNTIL}, "carries no remediator/isolated-replicas"),
        ({ISOLATED_REPLICAS: "0"}, "holds no number of pods"),
        ({ISOLATED_REPLICAS: "-3"}, "holds no number of pods"),
        ({ISOLATED_REPLICAS: "9999999"}, "holds no number of pods"),
        ({ISOLATED_REPLICAS: "٣"}, "holds no number of pods"),
        ({ISOLATED_REPLICAS: ""}, "holds no number of pods"),
    ],
)
def test_how_many_pods_there_were_is_not_guessed(annotations: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        plan("restore", workload(desired=0, annotations=annotations))


@given(st.integers(1, 1_000_000), st.integers(0, 4_000_000_000_000))
def test_what_is_written_is_what_is_read(replicas: int, until: int) -> None:
    """The seam for whoever ends an isolation."""
    annotations = {ISOLATED_REPLICAS: str(replicas), ISOLATED_UNTIL: say_until(Instant(until))}
    assert remembered(annotations) == replicas
    assert isolated_until(annotations) == until


@given(st.text())
def test_nonsense_is_no_memory(text: str) -> None:
    """Annotations can hold anything."""
    found = remembered({ISOLATED_REPLICAS: text})
    assert found is None or text.lstrip("0") == str(found)
    assert isolated_until({ISOLATED_UNTIL: text}) is None


# --- autoscalers ---


@pytest.mark.parametrize(
    ("params", "bounds"),
    [
        ({"min": 3}, (3, 5)),
        ({"max": 9}, (2, 9)),
        ({"min": 6, "max": 9}, (6, 9)),
        ({"max": 2}, (2, 2)),
    ],
)
def test_bounds_that_are_not_said_are_kept(params: dict[str, object], bounds: tuple[int, int]) -> None:
    [change] = plan("hpa", scaled(scaler()), **params)
    assert change == SetAutoscalerBounds(
        target=WEB, uid="h-web", name="web", seen_least=2, seen_most=5, least=bounds[0], most=bounds[1]
    )
    assert change.fenced_on == ObjectRef(kind=HPA, namespace="shop", name="web")


def test_bounds_that_are_so_are_left_alone() -> None:
    assert plan("hpa", scaled(scaler()), min=2, max=5) == ()


@pytest.mark.parametrize(
    ("found", "params", "why"),
    [
        ((), {"min": 3}, "no autoscaler scales deployment/web; use scale"),
        ((scaler(), scaler(name="old")), {"min": 3}, "hpa/web and hpa/old all scale deployment/web"),
        ((scaler(),), {"min": 6}, "at least 6 and at most 5 pods; set max as well"),
        ((scaler(),), {"max": 1}, "at least 2 and at most 1 pods; set min as well"),
        ((scaler(2, 5, "web", IGNORE_ANNOTATION),), {"max": 9}, "carries the annotation remediator/ignore"),
    ],
)
def test_bounds_are_refused_where_it_cannot_be_told_what_they_would_do(
    found: tuple[Autoscaler, ...], params: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        plan("hpa", scaled(*found), **params)


@pytest.mark.parametrize("to", [0, 5])
def test_scale_does_not_fight_an_autoscaler(to: int) -> None:
    """It would undo it; what to use in its place is said. What is as wanted needs no fight."""
    with pytest.raises(Refused, match=r"hpa/web scales deployment/web and would undo it; use hpa: "):
        plan("scale", scaled(scaler()), to=to)
    with pytest.raises(Refused, match="hpa/a and hpa/b scale deployment/web"):
        plan("scale", scaled(scaler(name="a"), scaler(name="b")), to=to)
    assert plan("scale", scaled(scaler()), to=2) == ()


def test_what_its_autoscaler_does_not_scale_any_more_can_be_brought_back() -> None:
    """At no replicas it stands still, unless it may go to zero by itself."""
    assert words(plan("scale", scaled(scaler(), desired=0), to=3)) == ["scale deployment/web from 0 to 3"]
    with pytest.raises(Refused, match="would undo it"):
        plan("scale", scaled(scaler(least=0), desired=0), to=3)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("set_image", {}),
        ("set_image", {"image": "Shop/Web"}),
        ("set_image", {"image": "a:1", "container": "No Name"}),
        ("set_resources", {}),
        ("set_resources", {"requests": {}}),
        ("set_resources", {"requests": {"memory": "-1"}}),
        ("set_resources", {"requests": {"gpu": "1"}}),
        ("set_resources", {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}),
        ("isolate", {}),
        ("isolate", {"for": "0s"}),
        ("isolate", {"for": 30}),
        ("restore", {"to": 3}),
        ("hpa", {}),
        ("hpa", {"min": 0}),
        ("hpa", {"min": 3, "max": 2}),
        ("hpa", {"max": 1001}),
    ],
)
def test_parameters_that_cannot_be_meant_are_no_parameters(action: str, params: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ACTIONS[action].params.model_validate(params)


@pytest.mark.parametrize("name", OURS)
def test_parameters_survive_the_attempt_that_pins_them(name: str) -> None:
    """They are kept as JSON, and read again for every performance."""
    action = ACTIONS[name]
    given = {
        "set_image": {"container": "web", "image": "shop/web:2"},
        "set_resources": {"limits": {"memory": "1Gi"}},
        "isolate": {"for": "1h30m"},
        "restore": {},
        "hpa": {"min": 2},
    }[name]
    params = action.params.model_validate(given)
    kept = params.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert action.params.model_validate(kept) == params


@pytest.mark.parametrize(
    ("action", "params", "disrupts"),
    [
        ("set_image", {"image": "a:1"}, True),
        ("set_resources", {"limits": {"cpu": 1}}, True),
        ("isolate", {"for": "1m"}, True),
        ("restore", {}, False),
        ("hpa", {"min": 1}, False),
        ("hpa", {"max": 9}, True),
    ],
)
def test_an_action_says_whether_it_may_take_healthy_pods_away(
    action: str, params: dict[str, object], disrupts: bool
) -> None:
    plugin = ACTIONS[action]
    assert plugin.disrupts(plugin.params.model_validate(params)) is disrupts


# --- inverses ---


def after(change: Change, before: Snapshot) -> Snapshot:
    """The target once the change is made, as far as inverses look."""
    target = before.workload
    match change:
        case ScaleWorkload(replicas=replicas):
            return replace(before, workload=replace(target, desired=replicas))
        case SetContainerImage():
            return replace(before, workload=_with(target, change.index, image=change.image))
        case SetContainerResources():
            return replace(before, workload=_with(target, change.index, resources=change.resources))
        case IsolateWorkload():
            kept = {ISOLATED_REPLICAS: str(change.seen), ISOLATED_UNTIL: say_until(change.until)}
            return replace(before, workload=replace(target, desired=0, annotations=kept))
        case RestoreWorkload():
            return replace(before, workload=replace(target, desired=change.replicas, annotations={}))
        case SetAutoscalerBounds():
            [found] = before.autoscalers
            made = replace(found, least=change.least, most=change.most)
            return replace(before, autoscalers=(made,))
        case _:
            raise AssertionError(change)


def _with(target: Workload, index: int, **more: object) -> Workload:
    containers = list(target.containers)
    containers[index] = replace(containers[index], **more)  # type: ignore[arg-type]  # by name
    return replace(target, containers=tuple(containers))


CASES: dict[str, tuple[Snapshot, dict[str, object]]] = {
    "scale": (scaled(), {"to": 7}),
    "set_image": (Snapshot(workload=several()), {"container": "web", "image": "shop/web:2"}),
    "set_resources": (Snapshot(workload=several()), {"container": "web", "limits": {"cpu": "2"}}),
    "isolate": (scaled(desired=4), {"for": "30m"}),
    "restore": (scaled(desired=0, annotations=ISOLATED), {}),
    "hpa": (scaled(scaler()), {"min": 3}),
}


@pytest.mark.parametrize("action", CASES)
def test_the_inverse_leads_back_to_what_was(action: str) -> None:
    """Made after the change, nothing that the change set is left."""
    before, params = CASES[action]
    [change] = plan(action, before, **params)
    now = after(change, before)
    assert now != before
    assert after(undone(action, change, now), now) == before


@pytest.mark.parametrize("action", CASES)
def test_what_somebody_else_set_since_is_not_undone(action: str) -> None:
    """Only what still has the value that we set."""
    before, params = CASES[action]
    [change] = plan(action, before, **params)
    with pytest.raises(Refused, match=r"by now|does not remember"):
        undone(action, change, others_turn(after(change, before)))


def others_turn(now: Snapshot) -> Snapshot:
    """Somebody else changes everything."""
    containers = tuple(replace(one, image="else:1", resources={}) for one in now.workload.containers)
    target = replace(now.workload, desired=now.workload.desired + 1, containers=containers)
    others = tuple(replace(one, most=one.most + 1) for one in now.autoscalers)
    return replace(now, workload=target, autoscalers=others)


def test_a_rollback_is_undone_by_the_number_of_what_it_replaced() -> None:
    """The template it went back to has a new number by then; the one it replaced keeps its own."""
    before = kept(revision(7, current=True), revision(6, 10))
    [change] = plan("rollback", before)
    now = kept(replace(revision(6, 10), number=8, current=True), revision(7), generation=9)
    assert isinstance(change, RollBackWorkload)
    assert undone("rollback", change, now) == RollBackWorkload(
        target=WEB, uid="w", generation=9, seen=8, revision=7, source="web-7", source_uid="r7"
    )
    released = kept(revision(9, current=True), *now.revisions[1:])
    with pytest.raises(Refused, match="runs another template by now"):
        undone("rollback", change, released)
    with pytest.raises(Refused, match="keeps no revision 7"):
        undone("rollback", change, kept(now.revisions[0]))


def test_a_container_that_is_elsewhere_by_now_is_not_touched() -> None:
    """Its name stands at another place: the template is another."""
    before = Snapshot(workload=several())
    for action in ("set_image", "set_resources"):
        [change] = plan(action, before, **CASES[action][1])
        for containers in (TWO[::-1], TWO[1:], ()):
            with pytest.raises(Refused, match="its template is another by now"):
                undone(action, change, Snapshot(workload=workload(containers=containers)))


HEALTHY = Service(name="web", health="http://web.shop:8080/health")


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_without_an_inverse_says_so(action: str) -> None:
    """In its attribute, its documentation and when it is asked."""
    plugin = ACTIONS[action]
    lasting = {"restart", "delete_pod", "evict_pod", "drain", "exec", "http", "job"}
    assert plugin.invertible is (action not in lasting)
    documented = (plugin.__doc__ or "").lower()
    assert ("no inverse" in documented) is not plugin.invertible
    assert "inverse" in documented
    if not plugin.invertible:
        given: dict[str, dict[str, object]] = {"exec": {"command": ["a"]}, "job": {"from": "tidy"}}
        seen = replace(
            pods(pod("a", ready=action == "exec")),
            workload=node(by="ann") if action == "drain" else workload(),
            service=HEALTHY,
            cron_job=CronJob(name="tidy", uid="c", generation=1),
        )
        [change] = plan(action, seen, **given.get(action, {}))
        with pytest.raises(Refused, match=f"{action} has no inverse"):
            plugin.inverse(change, pods())


# --- what a step is fenced on ---


def test_every_change_says_which_object_carries_its_epoch() -> None:
    """The autoscaler its own; all others the workload, under the permission that the lease brings."""
    for name, (before, params) in CASES.items():
        [change] = plan(name, before, **params)
        own = ACTIONS[name].fenced_on
        assert own == (HPA if name == "hpa" else TARGET)
        assert change.fenced_on.path == (WEB.path if own == TARGET else "shop/horizontalpodautoscaler/web")
        assert change.uid == ("w" if own == TARGET else "h-web")


def test_an_anchor_is_written_and_read() -> None:
    """The journal holds it as text; what is in no namespace has an empty one."""
    for ref in (
        ObjectRef(kind=HPA, namespace="shop", name="web.v2"),
        ObjectRef(kind="node", namespace="", name="n1"),
    ):
        anchor = Anchor(ref=ref, uid="2f0b9c1e-1")
        assert Anchor.parse(str(anchor)) == anchor
    with pytest.raises(ValueError, match="unpack"):
        Anchor.parse("web")


def test_a_workload_is_an_object() -> None:
    """With the same path: it is the key of leases and limits."""
    ref = WorkloadRef(kind="deployment", namespace="shop", name="web")
    assert isinstance(ref, ObjectRef)
    assert ref.path == "shop/deployment/web"
