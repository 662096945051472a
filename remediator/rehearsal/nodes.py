"""The nodes of a rehearsal: as an attempt's runbook expects to find them, or as the facts say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from remediator.core.changes import CordonNode, Fence, UncordonNode
from remediator.core.cluster import (
    EFFECT_ANNOTATION,
    EPOCH_ANNOTATION,
    IGNORE_ANNOTATION,
    Pod,
    Workload,
    epoch_of,
)
from remediator.core.errors import Fenced, NotFound
from remediator.core.nodes import CORDONED_AT, MANAGER, NodeState
from remediator.core.objects import NODE, ObjectRef
from remediator.core.owners import POD
from remediator.core.policies import Runbook, WorkloadRef
from remediator.core.times import HOUR, Instant, format_instant
from remediator.rehearsal.machines import uid_of
from remediator.rehearsal.script import NodeFacts

OTHERS = ("node-a", "node-b")
"""Nodes that are there beside those that anything is known of, ready and taking pods."""
SOMEBODY = "kubectl-cordon"


def node_ref(name: str) -> WorkloadRef:
    """The node of that name."""
    return WorkloadRef(kind=NODE, namespace="", name=name)


@dataclass(kw_only=True, slots=True)
class StagedNode:
    """One node. ``cordoned_by``: who last cordoned it; empty where pods are placed there."""

    ref: WorkloadRef
    cordoned_by: str = ""
    facts: NodeFacts | None = None
    annotations: dict[str, str] = field(default_factory=dict)
    pods: list[ObjectRef] = field(default_factory=list)

    def list_pods(self, at: Instant, controller: Callable[[ObjectRef], str]) -> tuple[Pod, ...]:
        """The pods on it, all of them ready. ``controller``: what manages one of that name."""
        return tuple(
            Pod(
                name=ref.name,
                namespace=ref.namespace,
                uid=uid_of(ref),
                phase="Running",
                ready=True,
                restarts=0,
                node=self.ref.name,
                created_at=Instant(at - HOUR),
                controller=controller(ref),
            )
            for ref in self.pods
        )

    def leave(self, pod: ObjectRef) -> None:
        """The pod is there no longer."""
        self.pods = [ref for ref in self.pods if ref != pod]

    def snapshot(self) -> Workload:
        """As the API server would answer."""
        facts = self.facts
        ready = int(facts is None or facts.ready)
        return Workload(
            ref=self.ref,
            uid=f"uid-{self.ref.path}",
            generation=0,
            observed_generation=0,
            desired=1,
            total=1,
            updated=1,
            ready=ready,
            available=ready,
            annotations=dict(self.annotations),
            node=NodeState(
                cordoned=bool(self.cordoned_by),
                control_plane=facts is not None and facts.control_plane,
                trouble="" if ready else "NodeStatusUnknown",
                cordoned_by=(self.cordoned_by,) if self.cordoned_by else (),
            ),
        )

    def healed(self) -> Workload:
        """As it would be if it were ready."""
        return replace(self.snapshot(), ready=1, available=1)

    def claim(self, fence: Fence) -> Workload:
        """It is under this epoch from now on. Raises Fenced."""
        if epoch_of(self.annotations) > fence.epoch:
            raise Fenced(f"{self.ref} carries epoch {epoch_of(self.annotations)}, ours is {fence.epoch}")
        self.annotations[EPOCH_ANNOTATION] = str(fence.epoch)
        return self.snapshot()

    def apply(self, change: CordonNode | UncordonNode, fence: Fence) -> None:
        """What the change does."""
        if isinstance(change, CordonNode):
            self.cordoned_by = MANAGER
            self.annotations[CORDONED_AT] = change.mark
        else:
            self.cordoned_by = ""
            self.annotations.pop(CORDONED_AT, None)
        self.annotations[EFFECT_ANNOTATION] = fence.effect


class StagedNodes:
    """Every node that is asked for is there, and two more; of the others what was said."""

    def __init__(self) -> None:
        self._facts: dict[str, NodeFacts] = {}
        self._known: dict[str, StagedNode] = {}
        self._expected: dict[str, str] = {}
        """For which attempt a node was made ready."""

    def tell(self, facts: NodeFacts) -> None:
        """From now on the node is like this."""
        self._facts[facts.name] = facts
        self._known.pop(facts.name, None)

    def is_told(self, ref: WorkloadRef) -> bool:
        """Whether anything was said of the node."""
        return ref.name in self._facts

    def facts_of(self, ref: WorkloadRef) -> NodeFacts | None:
        """What was said of it."""
        return self._facts.get(ref.name)

    def find(self, ref: WorkloadRef, attempt: str = "", runbook: Runbook | None = None) -> StagedNode:
        """The node, as the runbook of that attempt expects to find it. Raises NotFound."""
        facts, known = self._facts.get(ref.name), self._known.get(ref.name)
        if facts is not None:
            if facts.missing:
                raise NotFound(f"{ref} does not exist")
            return self._known.setdefault(ref.name, _told_by(facts, ref))
        if known is None or (attempt and self._expected.get(ref.name) != attempt):
            fresh = _expected_by(runbook, ref)
            if known is not None:
                fresh.annotations = {**known.annotations, **fresh.annotations}
            self._known[ref.name], self._expected[ref.name] = fresh, attempt
            return fresh
        return known

    def all(self) -> tuple[Workload, ...]:
        """Every node, by name."""
        told = {name for name, facts in self._facts.items() if not facts.missing}
        alone = any(facts.last for facts in self._facts.values())
        names = told | self._known.keys() | (set() if alone else set(OTHERS))
        return tuple(self.find(node_ref(name)).snapshot() for name in sorted(names))


def _told_by(facts: NodeFacts, ref: WorkloadRef) -> StagedNode:
    annotations: Mapping[str, str] = {IGNORE_ANNOTATION: "true"} if facts.ignored else {}
    by = {"": "", "us": MANAGER, "somebody": SOMEBODY}[facts.cordoned]
    ours = {CORDONED_AT: format_instant(Instant(0))} if facts.cordoned == "us" else {}
    told = [text.split("/") for text in facts.pods]
    return StagedNode(
        ref=ref,
        cordoned_by=by,
        facts=facts,
        annotations={**annotations, **ours},
        pods=[ObjectRef(kind=POD, namespace=space, name=name) for space, name in told],
    )


def _expected_by(runbook: Runbook | None, ref: WorkloadRef) -> StagedNode:
    """What is to be uncordoned first is cordoned, by us."""
    steps = [] if runbook is None else [step.action for step in runbook.steps]
    first = next((action for action in steps if action in ("cordon", "drain", "uncordon")), "")
    if first == "uncordon":
        mark = {CORDONED_AT: format_instant(Instant(0))}
        return StagedNode(ref=ref, cordoned_by=MANAGER, annotations=mark)
    return StagedNode(ref=ref)
