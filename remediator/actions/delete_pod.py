"""``delete_pod``: delete single pods, chosen by their state."""

from __future__ import annotations

from typing import ClassVar

from remediator.actions.picking import MEASURING, PickParams, pick
from remediator.core.changes import Change, DeletePod
from remediator.core.cluster import Need, Snapshot
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, no_inverse
from remediator.core.times import Instant


class DeletePods:
    """Delete pods that are in a bad way, as ``kubectl delete pod``; their controller makes new ones.

    Idempotent: a pod is named by its UID, and a step never takes any but those it first meant.
    It has no inverse.
    Budgets do not bind a deletion; the guard ``disruption_budget`` holds it to them all the same.
    """

    name: ClassVar[str] = "delete_pod"
    params: ClassVar[type[Params]] = PickParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="", resource="pods", verbs=("list",), why="find the pods that are meant"),
        MEASURING,
        Permission(
            group="",
            resource="pods",
            verbs=("get",),
            acting=True,
            why="see that a pod is still as it was, and when it is gone",
        ),
        Permission(group="", resource="pods", verbs=("delete",), acting=True, why="delete a pod"),
    )
    effect: ClassVar[EffectClass] = EffectClass.IDEMPOTENT
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PODS})
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "delete_pod: {which: crash_looping}"

    def disrupts(self, params: Params) -> bool:
        """The oldest pod, or the one with the most restarts, may be well by now."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change for each pod. Raises Refused when no pod is in that state."""
        target = seen.workload
        return tuple(
            DeletePod(target=target.ref, uid=target.uid, pod=pod.name, pod_uid=pod.uid, ready=pod.ready)
            for pod in pick(params, seen)
        )

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: a pod that is gone does not come back. Raises Refused."""
        raise no_inverse(self.name)
