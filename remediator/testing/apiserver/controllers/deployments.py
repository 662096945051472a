"""The Deployment controller: one ReplicaSet per template, rolled from the old ones to the new one.

Source of the arithmetic: ``pkg/controller/deployment`` of Kubernetes (``rolling.go``, ``sync.go``,
``progress.go`` and ``util/deployment_util.go``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from remediator.testing.apiserver.announcing import announce
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers import progress
from remediator.testing.apiserver.controllers.replicasets import active_pods
from remediator.testing.apiserver.kinds import DEPLOYMENTS, REPLICA_SETS
from remediator.testing.apiserver.objects import (
    Json,
    Key,
    clone,
    deleting,
    digest,
    key_of,
    owner_reference,
    owner_uid,
)
from remediator.testing.apiserver.store import Event

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_OWN = {REVISION, HISTORY, DESIRED, MAXIMUM, "kubectl.kubernetes.io/last-applied-configuration"}


@dataclass(frozen=True, kw_only=True)
class View:
    """A Deployment with its ReplicaSets: the one of the present template, if there is one, and the others."""

    deployment: Json
    new: Json | None
    old: tuple[Json, ...]

    @property
    def all(self) -> tuple[Json, ...]:
        """Every ReplicaSet."""
        return (*self.old, self.new) if self.new is not None else self.old

    @property
    def replicas(self) -> int:
        """How many pods are wanted."""
        return int(self.deployment["spec"]["replicas"])


class Deployments:
    """Creates and scales ReplicaSets."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Deployments that change, and owners of ReplicaSets that do."""
        if event.kind is DEPLOYMENTS and event.type != "DELETED":
            yield event.key
        elif event.kind is REPLICA_SETS:
            for reference in event.obj["metadata"].get("ownerReferences", ()):
                if reference["kind"] == "Deployment":
                    yield event.obj["metadata"]["namespace"], reference["name"]

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """One step of the rollout, then the status."""
        deployment = cluster.store.get(DEPLOYMENTS, key)
        if deployment is None:
            return
        still = deleting(deployment) or _note_pause(cluster, deployment)
        self._write_status(cluster, key, look(cluster, key) if still else self._roll(cluster, key))

    def _roll(self, cluster: Cluster, key: Key) -> View | None:
        """One step; what the status is to be counted from, or None for no status now.

        As in the real controller that is what was looked at before anything was scaled; and once it has
        written a new revision onto the Deployment, its status is out of date and waits for the next look.
        """
        if (view := look(cluster, key)) is None:
            return None
        if self._scale_only(cluster, view):
            return view
        recreate = view.deployment["spec"]["strategy"]["type"] == "Recreate"
        if recreate and (_shrink(cluster, view, list(view.old)) or _still_running(cluster, view)):
            return view
        announced = self._ensure_new(cluster, view)
        view = look(cluster, key)
        if view is not None and view.new is not None and not _grow_new(cluster, view):
            _shrink_old(cluster, view)
        return None if announced else view

    def _scale_only(self, cluster: Cluster, view: View) -> bool:
        """A change of ``spec.replicas`` alone is applied at once when a single ReplicaSet is active."""
        active = [one for one in view.all if one["spec"]["replicas"] > 0]
        stale = [one for one in active if one["metadata"]["annotations"].get(DESIRED) != str(view.replicas)]
        if len(active) != 1 or not stale or active[0] is not view.new:
            return False
        _scale(cluster, view, active[0], view.replicas)
        return True

    def _ensure_new(self, cluster: Cluster, view: View) -> bool:
        """See that the present template has a ReplicaSet; whether the Deployment had to be told of it."""
        revision = 1 + max((_revision(one) for one in view.old), default=0)
        if view.new is None:
            created = cluster.create(REPLICA_SETS, _replica_set(view, revision))
            _tell_scaled(cluster, view, created, 0)
            message = f'Created new replica set "{created["metadata"]["name"]}"'
            self._announce(cluster, view, revision, ("True", "NewReplicaSetCreated", message))
            return True
        found = _revision(view.new) < revision
        if found:
            changed = clone(view.new)
            annotations = changed["metadata"]["annotations"]
            past = [annotations.get(HISTORY), annotations.get(REVISION)]
            annotations |= {HISTORY: ",".join(filter(None, past)), REVISION: str(revision)}
            cluster.update(REPLICA_SETS, changed)
            message = f'Found new replica set "{changed["metadata"]["name"]}"'
            said = ("True", "FoundNewReplicaSet", message)
            self._announce(cluster, view, revision, None if progress.reason(view.deployment) else said)
        _copy_annotations(cluster, view)
        return found

    def _announce(
        self, cluster: Cluster, view: View, revision: int, said: tuple[str, str, str] | None
    ) -> None:
        changed = clone(view.deployment)
        changed["metadata"].setdefault("annotations", {})[REVISION] = str(revision)
        if said is not None:
            progress.set_progress(cluster, changed, changed["status"], said)
        cluster.store.put(DEPLOYMENTS, changed)

    def _write_status(self, cluster: Cluster, key: Key, view: View | None) -> None:
        if view is None:
            return
        status = progress.status(cluster, view.deployment, view.new, view.all)
        cluster.set_status(DEPLOYMENTS, key, status)
        remaining = progress.deadline_in(cluster, view.deployment, status)
        if remaining is not None:
            cluster.after(remaining, lambda: cluster.enqueue(self, key), deadline=True)


def look(cluster: Cluster, key: Key) -> View | None:
    """The Deployment and its ReplicaSets as they are now."""
    deployment = cluster.store.get(DEPLOYMENTS, key)
    if deployment is None:
        return None
    uid = deployment["metadata"]["uid"]
    owned = [one for one in cluster.store.list(REPLICA_SETS, key[0]) if owner_uid(one) == uid]
    owned.sort(key=_revision)
    wanted = digest(deployment["spec"]["template"])
    new = next((one for one in owned if one["metadata"]["labels"][HASH] == wanted), None)
    return View(deployment=deployment, new=new, old=tuple(one for one in owned if one is not new))


def _revision(replica_set: Json) -> int:
    return int(replica_set["metadata"].get("annotations", {}).get(REVISION, "0"))


def _note_pause(cluster: Cluster, deployment: Json) -> bool:
    """Keep the Progressing condition true to ``spec.paused``; whether it is paused."""
    paused = bool(deployment["spec"].get("paused"))
    reason = progress.reason(deployment)
    if paused == (reason == "DeploymentPaused"):
        return paused
    changed = clone(deployment)
    word = "paused" if paused else "resumed"
    said = ("Unknown", f"Deployment{word.title()}", f"Deployment is {word}")
    progress.set_progress(cluster, changed, changed["status"], said)
    cluster.store.put(DEPLOYMENTS, changed)
    return paused


def _replica_set(view: View, revision: int) -> Json:
    spec, (namespace, name) = view.deployment["spec"], key_of(view.deployment)
    label = {HASH: digest(spec["template"])}
    template = clone(spec["template"])
    template["metadata"]["labels"] = {**template["metadata"].get("labels", {}), **label}
    selector = clone(spec["selector"])
    selector["matchLabels"] = {**selector.get("matchLabels", {}), **label}
    empty = View(deployment=view.deployment, new={"spec": {"replicas": 0}}, old=view.old)
    return {
        "metadata": {
            "name": f"{name}-{label[HASH]}",
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
            "annotations": {**_inherited(view), **_sizes(view), REVISION: str(revision)},
            "ownerReferences": [owner_reference(view.deployment)],
        },
        "spec": {"replicas": _wanted_new(empty), "selector": selector, "template": template}
        | ({"minReadySeconds": spec["minReadySeconds"]} if "minReadySeconds" in spec else {}),
    }


def _inherited(view: View) -> dict[str, str]:
    annotations = view.deployment["metadata"].get("annotations", {})
    return {key: value for key, value in annotations.items() if key not in _OWN}


def _sizes(view: View) -> dict[str, str]:
    surge, _ = progress.limits(view.deployment)
    return {DESIRED: str(view.replicas), MAXIMUM: str(view.replicas + surge)}


def _copy_annotations(cluster: Cluster, view: View) -> None:
    assert view.new is not None
    present = cluster.store.get(REPLICA_SETS, key_of(view.new))
    assert present is not None
    changed = clone(present)
    changed["metadata"]["annotations"] |= _inherited(view)
    cluster.update(REPLICA_SETS, changed)


def _wanted_new(view: View) -> int:
    """How many pods the new ReplicaSet may have now."""
    assert view.new is not None
    present = int(view.new["spec"]["replicas"])
    if view.deployment["spec"]["strategy"]["type"] == "Recreate":
        return view.replicas
    surge, _ = progress.limits(view.deployment)
    total = sum(one["spec"]["replicas"] for one in view.all)
    room = view.replicas + surge - total
    return present if room <= 0 else present + min(room, view.replicas - present)


def _grow_new(cluster: Cluster, view: View) -> bool:
    assert view.new is not None
    if view.new["spec"]["replicas"] == view.replicas:
        return False
    wanted = view.replicas if view.new["spec"]["replicas"] > view.replicas else _wanted_new(view)
    return _scale(cluster, view, view.new, wanted)


def _shrink_old(cluster: Cluster, view: View) -> bool:
    """Take away old pods: the unhealthy first, then as many as availability allows."""
    assert view.new is not None
    old = [one for one in view.old if one["spec"]["replicas"] > 0]
    _, unavailable = progress.limits(view.deployment)
    minimum = view.replicas - unavailable
    total = sum(one["spec"]["replicas"] for one in view.all)
    new_unavailable = view.new["spec"]["replicas"] - view.new["status"].get("availableReplicas", 0)
    room = total - minimum - new_unavailable
    if not old or room <= 0:
        return False
    targets = {key_of(one): one["spec"]["replicas"] for one in old}
    for one in old:
        broken = min(room, targets[key_of(one)] - one["status"].get("availableReplicas", 0))
        targets[key_of(one)] -= max(0, broken)
        room -= max(0, broken)
    spare = sum(one["status"].get("availableReplicas", 0) for one in view.all) - minimum
    for one in old:
        less = max(0, min(spare, room, targets[key_of(one)]))
        targets[key_of(one)] -= less
        spare, room = spare - less, room - less
    scaled = [_scale(cluster, view, one, targets[key_of(one)]) for one in old]
    return any(scaled)


def _shrink(cluster: Cluster, view: View, old: list[Json]) -> bool:
    scaled = [_scale(cluster, view, one, 0) for one in old if one["spec"]["replicas"] > 0]
    return any(scaled)


def _still_running(cluster: Cluster, view: View) -> bool:
    return any(active_pods(cluster, one) for one in view.old)


def _scale(cluster: Cluster, view: View, replica_set: Json, replicas: int) -> bool:
    changed = clone(replica_set)
    changed["metadata"]["annotations"] |= _sizes(view)
    changed["spec"]["replicas"] = replicas
    cluster.update(REPLICA_SETS, changed)
    _tell_scaled(cluster, view, changed, replica_set["spec"]["replicas"])
    return bool(replica_set["spec"]["replicas"] != replicas)


def _tell_scaled(cluster: Cluster, view: View, replica_set: Json, before: int) -> None:
    now = replica_set["spec"]["replicas"]
    if now != before:
        way = "up" if now > before else "down"
        message = f"Scaled {way} replica set {replica_set['metadata']['name']} from {before} to {now}"
        announce(cluster, view.deployment, "deployment-controller", "ScalingReplicaSet", message)
