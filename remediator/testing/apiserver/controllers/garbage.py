"""Garbage collection: dependents of what is gone, foreground deletions, namespaces that end."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import EVENTS, KINDS, NAMESPACES, NODES, Kind
from remediator.testing.apiserver.objects import Json, Key, clone, deleting, key_of
from remediator.testing.apiserver.store import Event

FOREGROUND = "foregroundDeletion"
_OWNED = tuple(kind for kind in KINDS if kind not in (EVENTS, NODES))
"""Kinds that may have an owner or dependents; to look through every Event for one would take long."""
ORPHAN = "orphan"


class Garbage:
    """Keys are uids of objects that are gone or going (with an empty namespace)."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """What was deleted, and what waits for its dependents."""
        if event.kind is EVENTS:
            return
        if event.type == "DELETED":
            yield "", event.obj["metadata"]["uid"]
            for reference in event.obj["metadata"].get("ownerReferences", ()):
                yield "", reference["uid"]
        elif _going(event.obj, FOREGROUND) or _going(event.obj, ORPHAN):
            yield "", event.obj["metadata"]["uid"]

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Delete the dependents; when none is left, finish a foreground deletion."""
        uid = key[1]
        owner = _find(cluster, uid)
        if owner is not None and _going(owner[1], ORPHAN):
            orphan(cluster, uid)
            _release(cluster, *owner, ORPHAN)
            return
        if owner is not None and not _going(owner[1], FOREGROUND):
            return
        left = _dependents(cluster, uid)
        for kind, obj in left:
            if not deleting(obj):
                _delete_dependent(cluster, kind, obj, foreground=owner is not None)
        if owner is not None and not left:
            _release(cluster, *owner, FOREGROUND)


def _going(obj: Json, finalizer: str) -> bool:
    return deleting(obj) and finalizer in obj["metadata"].get("finalizers", ())


def _release(cluster: Cluster, kind: Kind, obj: Json, finalizer: str) -> None:
    """Take a finalizer away; without any, the object is gone."""
    left = [one for one in obj["metadata"]["finalizers"] if one != finalizer]
    if left:
        cluster.store.put(kind, {**obj, "metadata": obj["metadata"] | {"finalizers": left}})
    else:
        cluster.store.remove(kind, key_of(obj))


def _delete_dependent(cluster: Cluster, kind: Kind, obj: Json, *, foreground: bool) -> None:
    if foreground and not kind.graceful and _dependents(cluster, obj["metadata"]["uid"]):
        cluster.store.put(kind, cluster.mark_deleting(kind, obj, 0, finalizer=FOREGROUND))
    else:
        cluster.delete(kind, key_of(obj))


def _find(cluster: Cluster, uid: str) -> tuple[Kind, Json] | None:
    for kind in _OWNED:
        for obj in cluster.store.list(kind):
            if obj["metadata"]["uid"] == uid:
                return kind, obj
    return None


def _dependents(cluster: Cluster, uid: str) -> list[tuple[Kind, Json]]:
    return [
        (kind, obj)
        for kind in _OWNED
        for obj in cluster.store.list(kind)
        if any(reference["uid"] == uid for reference in obj["metadata"].get("ownerReferences", ()))
    ]


def orphan(cluster: Cluster, uid: str) -> None:
    """Let the dependents go on without their owner."""
    for kind, obj in _dependents(cluster, uid):
        freed = clone(obj)
        references = [one for one in freed["metadata"]["ownerReferences"] if one["uid"] != uid]
        freed["metadata"]["ownerReferences"] = references
        if not references:
            del freed["metadata"]["ownerReferences"]
        cluster.store.put(kind, freed)


class EndingNamespaces:
    """Removes what is in a namespace that is being deleted, then the namespace."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Namespaces that end, and those something leaves."""
        if event.kind is NAMESPACES and event.type != "DELETED" and deleting(event.obj):
            yield event.key
        elif event.type == "DELETED" and event.obj["metadata"].get("namespace"):
            yield "", event.obj["metadata"]["namespace"]

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Delete what is left; with nothing left, the namespace is gone."""
        namespace = cluster.store.get(NAMESPACES, key)
        if namespace is None or not deleting(namespace):
            return
        left = [(kind, obj) for kind in KINDS if kind.namespaced for obj in cluster.store.list(kind, key[1])]
        for kind, obj in left:
            if not deleting(obj):
                cluster.delete(kind, key_of(obj))
        if not left:
            cluster.store.remove(NAMESPACES, key)
