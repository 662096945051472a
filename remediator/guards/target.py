"""Guard 5, ``target``: there is exactly one target, and it may be touched."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.cluster import IGNORE_ANNOTATION
from remediator.core.errors import NotFound
from remediator.core.plugins import Permission, on_target
from remediator.core.policies import GuardPolicy, WorkloadRef
from remediator.core.verdicts import ChangeRequest, GuardPorts, Verdict

ALWAYS_PROTECTED = frozenset({"kube-system", "kube-public", "kube-node-lease"})


class Target:
    """Blocks unless the catalog names a workload that exists, is allowed, is not protected, not opted out.

    It must be the one that the attempt began with: a step is not done elsewhere than the step before it.
    """

    name: ClassVar[str] = "target"
    asks: ClassVar[str] = "that exactly one such workload exists and has not opted out"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "see that it is there and has not opted out"),
    )

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Asks the catalog and the policy first, then the cluster."""
        target = request.target
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
        if IGNORE_ANNOTATION in seen.annotations:
            text = f"{target} carries the annotation {IGNORE_ANNOTATION}"
            return Verdict(guard=self.name, allowed=False, text=text)
        text = f"{target} in {target.namespace}, {seen.ready} of {seen.desired} pods ready"
        return Verdict(guard=self.name, allowed=True, text=text)


def static_objection(service: str, target: WorkloadRef | None, guards: GuardPolicy) -> str:
    """Why the policy alone forbids the target; empty when it does not."""
    if target is None:
        return f"service {service} has no workload in the catalog"
    if target.namespace in ALWAYS_PROTECTED:
        return f"namespace {target.namespace} is always protected"
    if target.namespace not in guards.namespaces:
        allowed = ", ".join(guards.namespaces) or "none at all"
        return f"namespace {target.namespace} is not allowed; allowed: {allowed}"
    if str(target) in guards.protect or f"{target.namespace}/{target}" in guards.protect:
        return f"{target} is protected by guards.protect"
    return ""
