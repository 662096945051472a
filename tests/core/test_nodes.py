"""Nodes: what is planned, whose cordon is undone, what the guards say, and what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from remediator.actions import ACTIONS
from remediator.core.access import Access
from remediator.core.changes import Change, CordonNode, UncordonNode
from remediator.core.cluster import IGNORE_ANNOTATION, Snapshot, Workload
from remediator.core.errors import NotFound, Refused
from remediator.core.finding import find
from remediator.core.incident import Aim, EffectId
from remediator.core.nodes import CORDONED_AT, MANAGER, NODE_ACTIONS, NodeState
from remediator.core.objects import NODE, ObjectRef
from remediator.core.owners import SKEW, Named
from remediator.core.planned import changes_from, changes_json
from remediator.core.policies import (
    GuardPolicy,
    Mode,
    Policy,
    Rule,
    Runbook,
    Step,
    TargetSelector,
    WorkloadRef,
)
from remediator.core.times import Instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards import ask_guard
from remediator.guards.observer import Observer
from remediator.guards.population import Population
from remediator.guards.target import Target
from remediator.policy.rbac import demands
from remediator.policy.templates import compile_template
from tests.core.builders import NOW, policy
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
    assert {name for name, action in ACTIONS.items() if action.fenced_on == NODE} <= NODE_ACTIONS


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


async def asked(
    guard: Target | Population | Observer, facts: Facts, of: Policy | None = None, action: str = "cordon"
) -> Verdict:
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
