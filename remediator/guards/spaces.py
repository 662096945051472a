"""What the policy alone says of a namespace, and of an object in it."""

from __future__ import annotations

from remediator.core.objects import ObjectRef
from remediator.core.policies import GuardPolicy

ALWAYS_PROTECTED = frozenset({"kube-system", "kube-public", "kube-node-lease"})


def space_objection(namespace: str, guards: GuardPolicy) -> str:
    """Why nothing in that namespace may be touched; empty when it may."""
    if namespace in ALWAYS_PROTECTED:
        return f"namespace {namespace} is always protected"
    if namespace not in guards.namespaces:
        allowed = ", ".join(guards.namespaces) or "none at all"
        return f"namespace {namespace} is not allowed; allowed: {allowed}"
    return ""


def protection(ref: ObjectRef, guards: GuardPolicy) -> str:
    """That the object is protected; empty when it is not."""
    if str(ref) in guards.protect or f"{ref.namespace}/{ref}" in guards.protect:
        return f"{ref} is protected by guards.protect"
    return ""
