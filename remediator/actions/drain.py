"""``drain``: cordon a node and evict its pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from remediator.actions.cordon import cordoning
from remediator.actions.noding import NODE_LISTED, NODE_PATCHED
from remediator.core.changes import Change, EvictPod
from remediator.core.cluster import Need, Pod, Snapshot
from remediator.core.errors import Refused
from remediator.core.evicting import stays
from remediator.core.incident import EffectId
from remediator.core.objects import NODE
from remediator.core.plugins import EffectClass, Params, Permission, no_inverse
from remediator.core.policies import Check
from remediator.core.spans import Span
from remediator.core.times import MINUTE, Instant, Millis

NAMED = 3


class DrainParams(Params):
    """Parameters of ``drain``."""

    timeout: Span = Field(
        default=10 * MINUTE,
        description="How long disruption budgets and guards may hold evictions up before it has failed; and "
        "again, once all are asked to go, how long the pods may take to end.",
    )
    grace: Span | None = Field(
        default=None, description="How long a pod may take to end. Default: what the pod itself says."
    )
    local_data: bool = Field(
        default=False, description="Evict pods with an emptyDir as well, whose data is lost with them."
    )
    unmanaged: bool = Field(
        default=False, description="Evict pods without a controller as well, which nothing makes anew."
    )


def _owners(group: str, *resources: str) -> tuple[Permission, ...]:
    why = "find out whose pods would go, and what is left of those"
    return tuple(Permission(group=group, resource=each, verbs=("get",), why=why) for each in resources)


class Drain:
    """Cordon the node and evict its pods, as ``kubectl drain``; never by deleting them.

    Those of DaemonSets stay, and so do mirror pods, what has finished, and what has opted out. Pods with an
    emptyDir or without a controller keep it from beginning unless the parameters allow it; so does any pod
    outside ``guards.namespaces``, or of a workload that is protected or has opted out. Every eviction is
    asked for by itself, when ``guards.max_unavailable`` leaves room for it at that moment; what that or a
    disruption budget forbids is put off and asked again, while nobody waits. The step is done when the pods
    are gone. Fenced: on the node itself; a pod is named by its UID, and a step never takes any but those it
    first meant. It has no inverse: the node stays cordoned, until ``uncordon``. Where somebody uncordons it
    meanwhile, it goes no further.
    """

    name: ClassVar[str] = "drain"
    params: ClassVar[type[Params]] = DrainParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        NODE_LISTED,
        Permission(
            group="",
            resource="pods",
            verbs=("list",),
            cluster_wide=True,
            why="find every pod that is on the node, of whatever namespace",
        ),
        *_owners("", "pods"),
        *_owners("apps", "replicasets", "deployments", "statefulsets"),
        *_owners("batch", "jobs", "cronjobs"),
        NODE_PATCHED,
        Permission(group="", resource="pods/eviction", verbs=("create",), acting=True, why="evict a pod"),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PODS})
    fenced_on: ClassVar[str] = NODE
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "drain: {timeout: 10m}"

    def disrupts(self, params: Params) -> bool:
        """Whatever runs there goes."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """That it is cordoned, where it is not, and an eviction for each pod that has to go.

        Raises Refused for what is no node, and for pods that the parameters do not allow to evict.
        """
        assert isinstance(params, DrainParams)
        node, cordon = seen.workload, cordoning(seen, at)
        leaving = [pod for pod in seen.pods if not stays(pod) and not pod.terminating]
        if not params.unmanaged:
            _none([pod for pod in leaving if not pod.controller], "no controller", "unmanaged")
        if not params.local_data:
            _none([pod for pod in leaving if pod.scratch], "data in an emptyDir", "local_data")
        evictions = (
            EvictPod(
                target=node.ref,
                uid=node.uid,
                pod=pod.name,
                pod_uid=pod.uid,
                ready=pod.ready,
                namespace=pod.namespace,
                grace=None if params.grace is None else Millis(params.grace),
            )
            for pod in sorted(leaving, key=lambda pod: (pod.ready, pod.namespace, pod.name))
        )
        return (*cordon, *evictions)

    def patience(self, params: Params) -> Millis:
        """Its timeout."""
        assert isinstance(params, DrainParams)
        return Millis(params.timeout)

    def settles(self, params: Params, step: EffectId) -> Check | None:
        """That the pods are gone."""
        assert isinstance(params, DrainParams)
        return Check(check="drained", params={}, within=Millis(params.timeout))

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: pods that were evicted run elsewhere by now. Raises Refused."""
        raise no_inverse(self.name)


def _none(pods: Sequence[Pod], what: str, allow: str) -> None:
    """Raises Refused where there are any."""
    if not pods:
        return
    named = ", ".join(f"{pod.namespace}/{pod.name}" for pod in pods[:NAMED])
    more = f" and {len(pods) - NAMED} more" if len(pods) > NAMED else ""
    verb = "has" if len(pods) == 1 else "have"
    raise Refused(f"{named}{more} {verb} {what}: that would be lost; {allow}: true allows it")
