"""Nodes: what is planned, whose cordon is undone, what the guards say, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from remediator.actions import ACTIONS
from remediator.core.access import Access
from remediator.core.changes import Change, CordonNode, EvictPod, UncordonNode
from remediator.core.cluster import IGNORE_ANNOTATION, Budget, Pod, Snapshot, Workload
from remediator.core.errors import NotFound, Refused
from remediator.core.evicting import room_of
from remediator.core.finding import find
from remediator.core.incident import Aim, EffectId
from remediator.core.nodes import CORDONED_AT, MANAGER, NODE_ACTIONS, NodeState
from remediator.core.objects import NODE, ObjectRef
from remediator.core.owners import SKEW, Named
from remediator.core.pauses import Pause, PauseScope
from remediator.core.planned import changes_from, changes_json
from remediator.core.policies import (
    GuardPolicy,
    Mode,
    Policy,
    Rule,
    Runbook,
    Share,
    Step,
    TargetSelector,
    WorkloadRef,
)
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, Evicted, Guard, GuardPorts, Verdict
from remediator.guards import ask_guard
from remediator.guards.disruption_budget import DisruptionBudget
from remediator.guards.observer import Observer
from remediator.guards.population import Population
from remediator.guards.target import Target
from remediator.policy.rbac import demands
from remediator.policy.templates import compile_template
from tests.core.builders import NOW, WEB, policy
from tests.core.test_actions import workload
from tests.core.test_decide import opened

WORKER = WorkloadRef(kind=NODE, namespace="", name="worker-1")
OURS = {CORDONED_AT: "2026-11-23T02:13:20.000Z"}
BY_NODE = TargetSelector(kind=NODE, selector=compile_template("{{ labels.node }}"))


def node(name: str = "worker-1", *, ready: bool = True, by: str = "", **more: object) -> Workload:
    """A node; ``by``: who cordoned it."""
    fields: dict[str, object] = {
        "ref": WorkloadRef(kind=NODE, namespace="", name=name),
        "uid": f"uid-{name}",
        **dict.fromkeys(("generation", "observed_generation"), 0),
        **dict.fromkeys(("desired", "total", "updated"), 1),
        **dict.fromkeys(("ready", "available"), int(ready)),
        "node": NodeState(
            cordoned=bool(by), cordoned_by=(by,) if by else (), trouble="" if ready else "Silent"
        ),
        **more,
    }
    return Workload(**fields)  # type: ignore[arg-type]  # by name


def plan(action: str, seen: Workload) -> list[str]:
    known = ACTIONS[action]
    params = known.params.model_validate({})
    return [str(change) for change in known.plan(params, Snapshot(workload=seen), at=NOW)]


# --- actions ---


def test_what_is_fenced_on_a_node_is_an_action_on_nodes_and_nothing_else_is() -> None:
    assert {name for name, action in ACTIONS.items() if action.fenced_on == NODE} == NODE_ACTIONS


def test_a_cordoned_node_is_left_as_it_is_whoever_did_it() -> None:
    assert plan("cordon", node()) == ["cordon node/worker-1"]
    assert plan("cordon", node(by="kubectl-cordon")) == []
    assert plan("cordon", node(by=MANAGER, annotations=OURS)) == []
    assert plan("uncordon", node()) == []


@pytest.mark.parametrize(
    ("by", "annotations", "ours"),
    [
        (MANAGER, OURS, True),
        (MANAGER, {}, False),  # whoever took the annotation off has taken it over
        ("kubectl-cordon", OURS, False),  # uncordoned and cordoned again by hand: the annotation stayed
        ("kubectl-cordon", {}, False),
    ],
)
def test_only_our_own_cordon_is_undone(by: str, annotations: dict[str, str], ours: bool) -> None:
    seen = node(by=by, annotations=annotations)
    if ours:
        assert plan("uncordon", seen) == ["uncordon node/worker-1"]
        return
    with pytest.raises(Refused, match="not by us: that is left to them"):
        plan("uncordon", seen)


def test_a_cordon_of_which_nobody_tells_whose_it_is_is_not_ours() -> None:
    untold = replace(node(annotations=OURS), node=NodeState(cordoned=True))
    with pytest.raises(Refused, match="cordoned by somebody else"):
        plan("uncordon", untold)


def test_each_takes_the_other_back_while_it_is_as_it_was_set() -> None:
    """The journal keeps it: it is read back as it was written."""
    [made] = ACTIONS["cordon"].plan(ACTIONS["cordon"].params(), Snapshot(workload=node()), at=NOW)
    [kept] = changes_from(changes_json([made]))
    assert kept == made == CordonNode(target=WORKER, uid="uid-worker-1", mark=OURS[CORDONED_AT])
    after = Snapshot(workload=node(by=MANAGER, annotations=OURS))
    back = ACTIONS["cordon"].inverse(kept, after)
    assert back == UncordonNode(target=WORKER, uid="uid-worker-1", memory=OURS[CORDONED_AT])
    assert ACTIONS["uncordon"].inverse(back, Snapshot(workload=node())) == made
    for later in (
        node(),
        node(by=MANAGER, annotations={CORDONED_AT: "later"}),
        node(by="ann", annotations=OURS),
    ):
        with pytest.raises(Refused):
            ACTIONS["cordon"].inverse(kept, Snapshot(workload=later))
    with pytest.raises(Refused, match="cordoned again by now"):
        ACTIONS["uncordon"].inverse(back, after)


# --- what alerts lead to ---


class Nodes:
    """Finds one node."""

    def __init__(self, found: Named | None) -> None:
        self.found = found

    async def named(self, ref: ObjectRef) -> Named:
        if self.found is None:
            raise NotFound("no such node")
        return self.found


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Named(ref=WORKER, uid="n1", created_at=Instant(NOW - 1)), ""),
        (None, "node worker-1 does not exist: it is gone, or never was there"),
        (Named(ref=WORKER, uid="n1", ignored=True), "node worker-1 has opted out by annotation"),
        (
            Named(ref=WORKER, uid="n2", created_at=Instant(NOW + SKEW + 1)),
            "node worker-1 was made after the alert began: it replaced the one that is meant",
        ),
    ],
)
async def test_a_node_is_found_by_its_name_and_is_its_own_owner(found: Named | None, reason: str) -> None:
    located = await find(EffectId("e"), WORKER, NOW, Nodes(found))
    assert (located.reason, located.owner, located.uid) == (
        (reason, None, "") if reason else ("", WORKER, "n1")
    )


# --- guards ---


class Facts:
    """What guards see of nodes."""

    def __init__(
        self, *others: Workload, target: Workload | None = None, planned: Sequence[Change] = ()
    ) -> None:
        self.target = target or node()
        self.others, self.planned = others, planned

    async def workload(self, target: WorkloadRef) -> Workload:
        return self.target

    async def nodes(self) -> Sequence[Workload]:
        return (self.target, *self.others)

    async def plan(self) -> Sequence[Change]:
        return self.planned

    async def astray(self) -> str:
        return ""


def node_policy(action: str = "cordon", **guards: object) -> Policy:
    """A rule whose target is a node, and its runbook."""
    of = policy()
    rule: Rule = replace(of.rules[0], target=BY_NODE, group_by=("target",))
    book: Runbook = replace(of.runbooks["restart"], steps=(Step(action=action),))
    made = replace(GuardPolicy(namespaces=("shop",)), **guards)  # type: ignore[arg-type]  # by name
    return replace(of, rules=(rule, *of.rules[1:]), runbooks={"restart": book}, guards=made)


async def asked(guard: Guard, facts: Facts, of: Policy | None = None, action: str = "cordon") -> Verdict:
    aim = Aim(ref=WORKER, told="node worker-1", owner=WORKER, uid="uid-worker-1")
    incident = opened().now.evolve(aim=aim)
    attempt = incident.active
    assert attempt is not None
    attempt = replace(attempt, target=WORKER.path, target_uid="uid-worker-1")
    request = ChangeRequest(
        incident=incident, attempt=attempt, step=Step(action=action), effect=EffectId("e"),
        at=NOW, policy=of or node_policy(action), ceiling=Mode.AUTO,
    )  # fmt: skip
    return await ask_guard(guard, request, cast(GuardPorts, facts))


async def test_a_node_that_is_named_may_be_touched() -> None:
    verdict = await asked(Target(), Facts())
    assert (verdict.allowed, verdict.text) == (True, "node/worker-1, ready")
    sick = await asked(Target(), Facts(target=node(ready=False, by="ann")))
    assert (sick.allowed, sick.text) == (True, "node/worker-1, not ready (Silent), cordoned")


@pytest.mark.parametrize(
    ("target", "of", "action", "why"),
    [
        (
            node(),
            node_policy("restart"),
            "restart",
            "restart needs a workload, and the target is node/worker-1",
        ),
        (node(), policy(), "cordon", "cordon changes a node, and deployment/web is none"),
        (node(), node_policy(namespaces=()), "cordon", "guards.namespaces is empty"),
        (node(), node_policy(protect=("node/worker-1",)), "cordon", "is protected by guards.protect"),
        (node(annotations={IGNORE_ANNOTATION: ""}), node_policy(), "cordon", "carries the annotation"),
        (replace(node(), uid="other"), node_policy(), "cordon", "another of the same name took its place"),
        (
            replace(node(), node=NodeState(control_plane=True)),
            node_policy("uncordon"),
            "uncordon",
            "is of the control plane: such a node is never changed",
        ),
    ],
)
async def test_what_must_not_be_touched_is_not(target: Workload, of: Policy, action: str, why: str) -> None:
    verdict = await asked(Target(), Facts(target=target), of, action)
    assert not verdict.allowed
    assert why in verdict.text


CORDON = CordonNode(target=WORKER, uid="uid-worker-1", mark="now")


@pytest.mark.parametrize(
    ("others", "planned", "allowed"),
    [
        ([node("b")], [CORDON], True),
        ([], [CORDON], False),
        ([node("b", by="ann")], [CORDON], False),
        ([node("b", ready=False)], [CORDON], False),
        ([replace(node("b"), node=NodeState(taints=("gpu",)))], [CORDON], False),
        ([], [UncordonNode(target=WORKER, uid="uid-worker-1", memory="x")], True),
        ([], [], True),
    ],
)
async def test_the_last_node_that_takes_pods_is_never_taken_out(
    others: list[Workload], planned: list[Change], allowed: bool
) -> None:
    verdict = await asked(Population(), Facts(*others, planned=planned))
    assert verdict.allowed is allowed
    assert allowed or verdict.text == "node/worker-1 is the last node: no other one is ready and takes pods"


@pytest.mark.parametrize(("silent", "allowed"), [(1, True), (2, True), (3, False)])
async def test_three_nodes_that_are_not_ready_are_too_many(silent: int, allowed: bool) -> None:
    """The target itself counts. With three of ten silent, it is the observer that is suspected."""
    others = [node(f"n{number}", ready=number >= silent - 1) for number in range(9)]
    verdict = await asked(Observer(), Facts(*others, target=node(ready=False)))
    assert verdict.allowed is allowed
    assert ("less likely than that they cannot be seen" in verdict.text) is not allowed


# --- permissions ---


def test_nodes_take_a_cluster_role_and_only_where_a_rule_names_them() -> None:
    assert not [access for access in demands(policy()) if access.resource == "nodes"]
    needed = demands(node_policy())
    assert {(access.namespace, access.group, access.resource, access.verb) for access in needed} == {
        ("", "", "nodes", verb) for verb in ("get", "list", "patch")
    }
    watched = demands(node_policy(), ceiling=Mode.OBSERVE)
    assert Access(namespace="", group="", resource="nodes", verb="patch") not in watched
    assert Access(namespace="", group="", resource="nodes", verb="get") in watched


def test_an_action_that_a_node_cannot_be_subject_to_takes_nothing_but_finding_it() -> None:
    assert {str(access) for access in demands(node_policy("restart"))} == {"get nodes in the whole cluster"}


# --- drain ---


def resident(name: str, **more: object) -> Pod:
    """A pod on the node."""
    fields: dict[str, object] = {
        "name": name,
        "uid": f"uid-{name}",
        "namespace": "shop",
        "controller": "replicaset/web-5d9c7",
        "phase": "Running",
        "ready": True,
        "restarts": 0,
        **more,
    }
    return Pod(**fields)  # type: ignore[arg-type]  # by name


def drain(*pods: Pod, **params: object) -> tuple[Change, ...]:
    known = ACTIONS["drain"]
    return known.plan(known.params.model_validate(params), Snapshot(workload=node(), pods=pods), at=NOW)


def test_a_drain_takes_everything_but_what_stays() -> None:
    """The pods that are not ready first: they cost nothing."""
    planned = drain(
        resident("web-2"),
        resident("web-1", ready=False),
        resident("agent", controller="daemonset/agent", namespace="kube-system"),
        resident("static", fixed=True, controller="", namespace="kube-system"),
        resident("done", phase="Succeeded", scratch=True),
        resident("kept", ignored=True),
        resident("going", terminating=True),
        grace="5s",
    )
    assert [str(change) for change in planned] == [
        "cordon node/worker-1",
        "evict pod shop/web-1 from node/worker-1",
        "evict pod shop/web-2 from node/worker-1",
    ]
    [_, first, _] = planned
    assert isinstance(first, EvictPod)
    assert (first.pod_uid, first.ready, first.space, first.grace) == ("uid-web-1", False, "shop", 5000)
    assert first.fenced_on == WORKER
    assert changes_from(changes_json(planned)) == planned


@pytest.mark.parametrize(
    ("pod", "allow", "why"),
    [
        (resident("web-1", scratch=True), "local_data", "shop/web-1 has data in an emptyDir"),
        (resident("lonely", controller=""), "unmanaged", "shop/lonely has no controller"),
    ],
)
def test_what_would_be_lost_keeps_a_drain_from_beginning_unless_it_is_allowed(
    pod: Pod, allow: str, why: str
) -> None:
    with pytest.raises(Refused, match=f"{why}: that would be lost; {allow}: true allows it"):
        drain(pod)
    assert len(drain(pod, **{allow: True})) == 2


WEB_OWNER = Named(ref=ObjectRef(kind="deployment", namespace="shop", name="web"), uid="w")
MOST = Share(value=40, percent=True)
EVICT = EvictPod(target=WORKER, uid="uid-worker-1", pod="web-1", pod_uid="p", namespace="shop")


class Drained(Facts):
    """A drain of one pod of ``web``."""

    def __init__(self, evicted: Evicted | NotFound, *, paused: str = "") -> None:
        super().__init__(node("other"), planned=(CORDON, EVICT))
        self.found, self.pause = evicted, paused

    async def evicted(self, change: EvictPod) -> Evicted:
        if isinstance(self.found, NotFound):
            raise self.found
        return self.found

    async def paused(self, scopes: Sequence[PauseScope]) -> tuple[Pause, ...]:
        named = [scope for scope in scopes if scope.path == self.pause]
        return tuple(Pause(scope=scope, reason="busy", by="ada", since=NOW) for scope in named)


def of_web(desired: int = 5, healthy: int = 5, *budgets: Budget, **more: object) -> Evicted:
    seen = workload(WEB, desired=desired)
    return Evicted(owner=replace(WEB_OWNER, **more), workload=seen, healthy=healthy, budgets=budgets)  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("facts", "guards", "why"),
    [
        (Drained(of_web()), {"namespaces": ("bank",)}, "namespace shop is not allowed; allowed: bank"),
        (Drained(of_web()), {"protect": ("deployment/web",)}, "deployment/web is protected"),
        (Drained(of_web(ignored=True)), {}, "deployment/web has opted out by annotation"),
        (Drained(of_web(), paused="namespace/shop"), {}, "namespace shop is paused by ada"),
        (Drained(of_web(), paused="service/web"), {}, "service web is paused by ada"),
        (Drained(of_web(), paused="service/cart"), {}, ""),
        (Drained(of_web()), {}, ""),
        (Drained(NotFound("gone")), {}, ""),
    ],
)
async def test_every_pod_that_a_drain_takes_must_be_one_that_may_be_touched(
    facts: Drained, guards: dict[str, object], why: str
) -> None:
    """Named in the verdict; one that is gone by then is no matter."""
    verdict = await asked(Target(), facts, node_policy("drain", **guards), "drain")
    assert verdict.allowed is (why == "")
    assert not why or verdict.text.startswith("pod shop/web-1 would be evicted: ")
    assert why in verdict.text


@pytest.mark.parametrize(
    ("evicted", "share", "allowed", "text"),
    [
        (
            of_web(5, 5),
            Share(value=40, percent=True),
            True,
            "pods of deployment/web go one by one, as 40% allows",
        ),
        (of_web(5, 2), Share(value=40, percent=True), True, "go one by one"),  # when is asked in its turn
        (
            of_web(1, 1),
            Share(value=40, percent=True),
            False,
            "1 of 1 unavailable with one more, at most 0 allowed",
        ),
        (of_web(1, 1), None, True, "1 other node takes pods"),
        (Evicted(), Share(value=1, percent=False), True, "1 other node takes pods"),
    ],
)
async def test_a_workload_that_can_never_spare_a_pod_keeps_a_drain_from_beginning(
    evicted: Evicted, share: Share | None, allowed: bool, text: str
) -> None:
    verdict = await asked(
        Population(), Drained(evicted), node_policy("drain", max_unavailable=share), "drain"
    )
    assert (verdict.allowed, text in verdict.text) == (allowed, True), verdict


async def test_pods_whose_number_nobody_knows_keep_a_drain_from_beginning() -> None:
    bare = Named(ref=ObjectRef(kind="replicaset", namespace="shop", name="old"), uid="r")
    share = Share(value=40, percent=True)
    verdict = await asked(
        Population(), Drained(Evicted(owner=bare)), node_policy("drain", max_unavailable=share), "drain"
    )
    assert not verdict.allowed
    assert "is of a kind whose pods are not counted here" in verdict.text


async def test_two_budgets_over_the_same_pods_let_none_go_and_one_is_waited_for() -> None:
    spent = Budget(name="a", allowed=0, healthy=5, wanted=5)
    one = await asked(DisruptionBudget(), Drained(of_web(5, 5, spent)), action="drain")
    assert (one.allowed, one.text) == (True, "budget a lets 0 go now; the others wait")
    both = await asked(DisruptionBudget(), Drained(of_web(5, 5, spent, spent)), action="drain")
    assert not both.allowed
    assert "the API server evicts none of them" in both.text


def test_room_is_counted_by_the_pods_themselves() -> None:
    """Of five four are healthy: with one more two are missing, and two of five may be."""
    room = room_of(of_web(5, 4), Share(value=40, percent=True))
    assert room is not None
    assert (room.now, room.ever, room.measure.observed, room.measure.allowed) == (True, True, 2, 2)
    less = room_of(of_web(5, 3), Share(value=40, percent=True))
    assert less is not None
    assert (less.now, less.ever) == (False, True)


def test_a_drain_takes_evictions_in_allowed_namespaces_alone() -> None:
    needed = demands(node_policy("drain", namespaces=("shop", "bank", "kube-system")))
    evicting = {access.namespace for access in needed if access.resource == "pods/eviction"}
    assert evicting == {"shop", "bank"}
    whole = {(access.resource, access.verb) for access in needed if not access.namespace}
    assert whole == {("nodes", "get"), ("nodes", "list"), ("nodes", "patch"), ("pods", "list")}
    assert not [access for access in needed if access.verb == "delete"]
    budgets = {access.namespace for access in needed if access.resource == "poddisruptionbudgets"}
    assert budgets == {"shop", "bank"}
