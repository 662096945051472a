"""How controllers make pods: through the same admission as everybody, and once more when there is room."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver import limits
from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import LIMIT_RANGES, PODS, QUOTAS, Kind
from remediator.testing.apiserver.objects import Json, Key, key_of
from remediator.testing.apiserver.quotas import exceeded
from remediator.testing.apiserver.store import Event


def make_pod(cluster: Cluster, manifest: Json) -> str:
    """Store a new pod; or why limit ranges and quotas refuse it."""
    pod = cluster.prepare_create(PODS, manifest)
    limits.fill(cluster.store, pod)
    broken = limits.broken(cluster.store, pod) or next(exceeded(cluster.store, PODS, pod, None), "")
    if broken:
        return f'pods "{pod["metadata"]["name"]}" is forbidden: {broken}'
    cluster.store.put(PODS, pod)
    return ""


def tell_refused(cluster: Cluster, owner: Json, component: str, why: str) -> None:
    """The event about an owner whose pod could not be made."""
    announce(cluster, owner, component, "FailedCreate", f"Error creating: {why}", warning=True)


def owners_with_room(cluster: Cluster, kind: Kind, event: Event) -> Iterable[Key]:
    """The owners in a namespace whose bounds changed: what was refused may be admitted now."""
    if event.kind in (QUOTAS, LIMIT_RANGES):
        yield from (key_of(owner) for owner in cluster.store.list(kind, event.key[0]))
