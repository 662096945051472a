"""From an object to the workload that owns it, controller by controller. Never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from remediator.core.errors import NotFound, Refused
from remediator.core.naming import say_object
from remediator.core.objects import NODE, Anchor, ObjectRef
from remediator.core.policies import WorkloadRef
from remediator.core.times import SECOND, Instant

POD, REPLICASET, JOB, CRONJOB = "pod", "replicaset", "job", "cronjob"
CHANGEABLE = ("deployment", "statefulset", "daemonset")
"""Kinds of workloads that actions know."""
OWNERS: dict[str, tuple[str, ...]] = {
    POD: (REPLICASET, "statefulset", "daemonset", JOB),
    REPLICASET: ("deployment",),
    JOB: (CRONJOB,),
}
"""Which kinds can be the controller of which. Whatever else is in charge of one of these is a stranger."""
GROUPS = {
    POD: "",
    REPLICASET: "apps",
    JOB: "batch",
    CRONJOB: "batch",
    NODE: "",
    **dict.fromkeys(CHANGEABLE, "apps"),
}
"""The API group of each kind."""
SKEW = 5 * SECOND
"""By so much the clocks of Prometheus and the API server may differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """An object as it was found by its name. ``controller``: who manages it; a stranger's kind holds a dot.

    ``ignored``: it has opted out, by annotation.
    """

    ref: ObjectRef
    uid: str
    created_at: Instant = Instant(0)
    controller: Anchor | None = None
    ignored: bool = False


class Finder(Protocol):
    """Finds objects by their names."""

    async def named(self, ref: ObjectRef) -> Named:
        """The object of that name. Raises NotFound, Refused, Retryable."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """The workload that an object belongs to, or the node that it is, and its UID."""

    ref: WorkloadRef
    uid: str


async def find_owner(finder: Finder, ref: ObjectRef, began: Instant | None) -> Owner:
    """What the object belongs to, or itself where it is a workload or a node.

    ``began``: when the alert about it did. Raises NotFound, Refused with the reason, Retryable.
    """
    try:
        seen = await finder.named(ref)
    except NotFound:
        raise NotFound(f"{say_object(ref)} does not exist: it is gone, or never was there") from None
    if seen.ignored:
        raise Refused(f"{say_object(ref)} has opted out by annotation")
    if ref.kind in (POD, NODE) and began is not None and seen.created_at > began + SKEW:
        raise Refused(f"{say_object(ref)} was made after the alert began: it replaced the one that is meant")
    seen = await climb(finder, seen)
    if seen.ref.kind == POD:
        raise Refused(f"{say_object(ref)} has no controller: nothing would make another one")
    owner = WorkloadRef(kind=seen.ref.kind, namespace=seen.ref.namespace, name=seen.ref.name)
    return Owner(ref=owner, uid=seen.uid)


async def climb(finder: Finder, seen: Named) -> Named:
    """From an object to what owns it in the end; a pod that nothing manages is its own. Raises as the finder,
    and Refused where a stranger is in charge."""
    while seen.ref.kind in OWNERS and seen.controller is not None:
        seen = await _controller(finder, seen, seen.controller)
    return seen


async def _controller(finder: Finder, of: Named, who: Anchor) -> Named:
    if who.ref.kind not in OWNERS[of.ref.kind]:
        raise Refused(f"{of.ref} belongs to {who.ref}, which is of no kind that is known here")
    try:
        found = await finder.named(who.ref)
    except NotFound:
        raise NotFound(f"{of.ref} belongs to {who.ref}, which does not exist any more") from None
    if found.uid != who.uid:
        raise Refused(f"{of.ref} belonged to another {who.ref}: one of the same name took its place")
    return found


def looked_up(kind: str) -> tuple[str, ...]:
    """The kinds of all objects that may be read on the way from one of that kind."""
    found = [kind]
    for each in found:
        found += [owner for owner in OWNERS.get(each, ()) if owner not in found]
    return tuple(found)


def changeable_from(kind: str) -> tuple[str, ...]:
    """The kinds of what may be changed for an alert about an object of that kind."""
    return tuple(each for each in looked_up(kind) if each in (*CHANGEABLE, NODE))
