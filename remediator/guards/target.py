"""Guard 5, ``target``: there is exactly one target, and it may be touched."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import IGNORE_ANNOTATION
from remediator.core.errors import NotFound
from remediator.core.naming import say_object
from remediator.core.objects import ObjectRef
from remediator.core.owners import CHANGEABLE
from remediator.core.plugins import Permission, on_target
from remediator.core.policies import GuardPolicy, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict

ALWAYS_PROTECTED = frozenset({"kube-system", "kube-public", "kube-node-lease"})


class Target:
    """Blocks unless there is a target that exists, is allowed, is not protected, not opted out.

    It is the workload that the catalog names or, for a rule with a ``target``, the one that owns what its
    alerts name: that very one, by its UID. It must be the one that the attempt began with: a step is not done
    elsewhere than the step before it.
    """

    name: ClassVar[str] = "target"
    asks: ClassVar[str] = "that exactly one such workload exists and has not opted out"
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
            forbidden = static_objection(request.incident.service, target, request.policy.guards)
        if target is not None and not forbidden:
            forbidden = request.attempt.began_elsewhere(target)
        if forbidden or target is None:
            return Verdict(guard=self.name, allowed=False, text=forbidden or "no target")
        try:
            seen = await ports.workload(target)
        except NotFound:
            text = f"{target} does not exist in namespace {target.namespace}"
            return Verdict(guard=self.name, allowed=False, text=text)
        if request.target_uid not in ("", seen.uid):
            text = f"{target} was deleted; another of the same name took its place"
            return Verdict(guard=self.name, allowed=False, text=text)
        if IGNORE_ANNOTATION in seen.annotations:
            text = f"{target} carries the annotation {IGNORE_ANNOTATION}"
            return Verdict(guard=self.name, allowed=False, text=text)
        text = f"{target} in {target.namespace}, {seen.ready} of {seen.desired} pods ready"
        return Verdict(guard=self.name, allowed=True, text=text)


def space_objection(namespace: str, guards: GuardPolicy) -> str:
    """Why nothing in that namespace may be touched; empty when it may."""
    if namespace in ALWAYS_PROTECTED:
        return f"namespace {namespace} is always protected"
    if namespace not in guards.namespaces:
        allowed = ", ".join(guards.namespaces) or "none at all"
        return f"namespace {namespace} is not allowed; allowed: {allowed}"
    return ""


def looking_objection(ref: ObjectRef, guards: GuardPolicy) -> str:
    """Why an object that an alert names is not even looked for; empty when it is."""
    objection = space_objection(ref.namespace, guards)
    return f"{say_object(ref)}: {objection}" if objection else ""


def static_objection(service: str, target: WorkloadRef | None, guards: GuardPolicy) -> str:
    """Why the policy alone forbids the target; empty when it does not."""
    if target is None:
        return f"service {service} has no workload in the catalog"
    if objection := space_objection(target.namespace, guards):
        return objection
    if target.kind not in CHANGEABLE:
        return f"{target} is of a kind that no action changes"
    if str(target) in guards.protect or f"{target.namespace}/{target}" in guards.protect:
        return f"{target} is protected by guards.protect"
    return ""
