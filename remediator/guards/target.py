"""Guard 5, ``target``: there is exactly one target, and it may be touched."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import IGNORE_ANNOTATION, Workload
from remediator.core.errors import NotFound
from remediator.core.naming import say_object
from remediator.core.nodes import mismatch
from remediator.core.objects import NODE, ObjectRef
from remediator.core.owners import CHANGEABLE
from remediator.core.plugins import Permission, on_target
from remediator.core.policies import GuardPolicy, WorkloadRef
from remediator.core.text import plain
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict
from remediator.guards.evictions import evictions, objection
from remediator.guards.spaces import protection, space_objection


class Target:
    """Blocks unless there is a target that exists, is allowed, is not protected, not opted out.

    It is the workload that the catalog names or, for a rule with a ``target``, the one that owns what its
    alerts name: that very one, by its UID. It must be the one that the attempt began with: a step is not done
    elsewhere than the step before it. Of a rule whose target is a node it is that node, which is in no
    namespace: never one of the control plane, none that ``guards.protect`` names, and none while
    ``guards.namespaces`` is empty. Actions on nodes are for such rules alone, and such rules for those
    actions. Every pod that a drain would evict must be in ``guards.namespaces`` and of a workload that is
    neither protected nor has opted out, and that nobody has paused.
    """

    name: ClassVar[str] = "target"
    asks: ClassVar[str] = "that exactly one such workload or node exists and has not opted out"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "see that it is there and has not opted out"),
    )

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Asks the catalog and the policy first, then the cluster."""
        target, rule = request.target, request.rule
        forbidden = ""
        if rule is not None and rule.target is not None and target is None:
            forbidden = await ports.astray()
        if not forbidden:
            kind, named = (target.kind, str(target)) if target is not None else ("", "what it is about")
            forbidden = mismatch(request.step.action, kind, named)
        if not forbidden:
            forbidden = static_objection(request.incident.service, target, request.policy.guards)
        if target is not None and not forbidden:
            forbidden = request.attempt.began_elsewhere(target)
        if forbidden or target is None:
            return Verdict(guard=self.name, allowed=False, text=forbidden or "no target")
        try:
            seen = await ports.workload(target)
        except NotFound:
            where = f" in namespace {target.namespace}" if target.namespace else ""
            text = f"{target} does not exist{where}"
            return Verdict(guard=self.name, allowed=False, text=text)
        if request.target_uid not in ("", seen.uid):
            text = f"{target} was deleted; another of the same name took its place"
            return Verdict(guard=self.name, allowed=False, text=text)
        if IGNORE_ANNOTATION in seen.annotations:
            text = f"{target} carries the annotation {IGNORE_ANNOTATION}"
            return Verdict(guard=self.name, allowed=False, text=text)
        if seen.node is not None and seen.node.control_plane:
            text = f"{target} is of the control plane: such a node is never changed"
            return Verdict(guard=self.name, allowed=False, text=text)
        if target.kind == NODE:
            for change in evictions(await ports.plan()):
                if forbidden := await objection(change, request, ports):
                    return Verdict(guard=self.name, allowed=False, text=forbidden)
        return Verdict(guard=self.name, allowed=True, text=_said(seen))


def _said(seen: Workload) -> str:
    if seen.node is None:
        return f"{seen.ref} in {seen.ref.namespace}, {seen.ready} of {seen.desired} pods ready"
    ready = "ready" if seen.ready else f"not ready ({plain(seen.node.trouble, 60)})"
    return f"{seen.ref}, {ready}" + (", cordoned" if seen.node.cordoned else "")


def _place_objection(ref: ObjectRef, guards: GuardPolicy) -> str:
    """A node is in no namespace; where none may be touched, it may not be either."""
    if ref.kind != NODE:
        return space_objection(ref.namespace, guards)
    return "" if guards.namespaces else "guards.namespaces is empty: nothing is ever changed"


def looking_objection(ref: ObjectRef, guards: GuardPolicy) -> str:
    """Why an object that an alert names is not even looked for; empty when it is."""
    objection = _place_objection(ref, guards)
    return f"{say_object(ref)}: {objection}" if objection else ""


def static_objection(service: str, target: WorkloadRef | None, guards: GuardPolicy) -> str:
    """Why the policy alone forbids the target; empty when it does not."""
    if target is None:
        return f"service {service} has no workload in the catalog"
    if objection := _place_objection(target, guards):
        return objection
    if target.kind not in (*CHANGEABLE, NODE):
        return f"{target} is of a kind that no action changes"
    return protection(target, guards)
