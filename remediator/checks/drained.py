"""``drained``: the pods that a step evicts from a node are gone. Not for policy files: ``drain`` asks it."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.errors import NotFound, RemediatorError, StoreUnavailable
from remediator.core.evicting import stays
from remediator.core.journal import CheckResult
from remediator.core.plugins import NoParams, Params, Permission, Sight

NAMED = 3


class Drained:
    """Holds when nothing is left on the node that a drain takes away; it is final that it was uncordoned."""

    name: ClassVar[str] = "drained"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = ()  # those of the action that began it
    example: ClassVar[str] = "drained: {}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the pods that are there, those on their way out among them."""
        if sight.cluster is None or sight.target is None:
            return CheckResult(holds=None, observed="no cluster, or no node")
        try:
            node = await sight.cluster.workload(sight.target)
            pods = await sight.cluster.pods(node)
        except NotFound as error:
            gone = f"{sight.target} is gone, and nobody saw its pods go: {error}"
            return CheckResult(holds=None, observed=gone, final=True)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=f"{sight.target} could not be read: {error}")
        if node.node is None or not node.node.cordoned:
            return CheckResult(holds=False, observed=f"{node.ref} is not cordoned any more", final=True)
        left = [pod for pod in pods if not stays(pod)]
        if not left:
            return CheckResult(holds=True, observed=f"{node.ref} is drained")
        ending = sum(pod.terminating for pod in left)
        named = ", ".join(f"{pod.namespace}/{pod.name}" for pod in left[:NAMED])
        more = ", …" if len(left) > NAMED else ""
        observed = f"{len(left)} pods left on {node.ref}, {ending} of them ending: {named}{more}"
        return CheckResult(holds=False, observed=observed)
