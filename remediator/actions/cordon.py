"""``cordon``: let no new pods be placed on a node."""

from __future__ import annotations

from typing import ClassVar

from remediator.actions.noding import NODE_LISTED, NODE_PATCHED, node_of
from remediator.actions.uncordon import uncordoning
from remediator.core.changes import Change, CordonNode
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.nodes import CORDONED_AT
from remediator.core.objects import NODE
from remediator.core.plugins import EffectClass, NoParams, Params, Permission
from remediator.core.times import Instant, format_instant


class Cordon:
    """Let no new pods be placed on the node, as ``kubectl cordon``; those that are there stay.

    A node that is cordoned already is left as it is, whoever did it. That we did it, and when, is written
    onto the node in the same change. Fenced: on the node itself. Its inverse is ``uncordon``.
    """

    name: ClassVar[str] = "cordon"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (NODE_LISTED, NODE_PATCHED)
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = NODE
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "cordon: {}"

    def disrupts(self, params: Params) -> bool:
        """Pods that are there run on."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change, or none where it is cordoned. Raises Refused for what is no node."""
        return cordoning(seen, at)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """That it is uncordoned. Raises Refused where that is somebody else's cordon by now."""
        assert isinstance(change, CordonNode)
        back = uncordoning(now)
        if back is None or back.memory != change.mark:
            raise Refused(f"{change.target} is not cordoned as we did it any more")
        return back


def cordoning(seen: Snapshot, at: Instant) -> tuple[CordonNode, ...]:
    """What cordons the node; nothing where it is. Raises Refused for what is no node."""
    node, target = node_of(seen), seen.workload
    if node.cordoned:
        return ()
    memory = target.annotations.get(CORDONED_AT)
    return (CordonNode(target=target.ref, uid=target.uid, mark=format_instant(at), memory=memory),)
