"""``uncordon``: let pods be placed on a node again that we have cordoned."""

from __future__ import annotations

from typing import ClassVar

from remediator.actions.noding import NODE_LISTED, NODE_PATCHED, node_of
from remediator.core.changes import Change, CordonNode, UncordonNode
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.nodes import CORDONED_AT, ours
from remediator.core.objects import NODE
from remediator.core.plugins import EffectClass, NoParams, Params, Permission
from remediator.core.text import plain
from remediator.core.times import Instant


class Uncordon:
    """Let pods be placed on the node again; the inverse of ``cordon``.

    Only what we have cordoned ourselves and nobody else since, as the node's own annotation and the API
    server's record of who wrote the field tell: somebody else's cordon is never undone. Fenced: on the node
    itself. Its inverse is ``cordon``.
    """

    name: ClassVar[str] = "uncordon"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (NODE_LISTED, NODE_PATCHED)
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = NODE
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "uncordon: {}"

    def disrupts(self, params: Params) -> bool:
        """It only gives room."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change, or none where it is not cordoned. Raises Refused for somebody else's cordon."""
        back = uncordoning(seen)
        return () if back is None else (back,)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """That it is cordoned again, as it was. Raises Refused where somebody has cordoned it since."""
        assert isinstance(change, UncordonNode)
        if node_of(now).cordoned:
            raise Refused(f"{change.target} is cordoned again by now")
        return CordonNode(
            target=change.target,
            uid=change.uid,
            mark=change.memory,
            memory=now.workload.annotations.get(CORDONED_AT),
        )


def uncordoning(seen: Snapshot) -> UncordonNode | None:
    """What uncordons the node; None where it is not cordoned. Raises Refused for somebody else's cordon."""
    node, target = node_of(seen), seen.workload
    if not node.cordoned:
        return None
    if not ours(node, target.annotations):
        by = " and ".join(plain(name, 60) for name in node.cordoned_by) or "somebody else"
        raise Refused(f"{target.ref} was cordoned by {by}, not by us: that is left to them")
    return UncordonNode(target=target.ref, uid=target.uid, memory=target.annotations[CORDONED_AT])
