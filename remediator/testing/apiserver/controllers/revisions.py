"""ControllerRevisions: the templates that StatefulSets and DaemonSets have had."""

from __future__ import annotations

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import CONTROLLER_REVISIONS, PODS, Kind
from remediator.testing.apiserver.objects import Json, Key, clone, digest, owner_reference, owner_uid

HASH = "controller-revision-hash"


def owned_pods(cluster: Cluster, owner: Json) -> list[Json]:
    """Every pod of an owner, those that are ending too."""
    uid = owner["metadata"]["uid"]
    return [pod for pod in cluster.store.list(PODS, owner["metadata"]["namespace"]) if owner_uid(pod) == uid]


def owner_keys(kind: Kind, obj: Json) -> list[Key]:
    """The keys of the owners of that kind."""
    namespace = obj["metadata"].get("namespace", "")
    references = obj["metadata"].get("ownerReferences", ())
    return [(namespace, one["name"]) for one in references if one["kind"] == kind.name]


def ensure_revision(cluster: Cluster, owner: Json) -> str:
    """The hash of the owner's template; its revision is recorded, or becomes the newest again."""
    template, meta = owner["spec"]["template"], owner["metadata"]
    short, uid = digest(template), meta["uid"]
    known = [
        one for one in cluster.store.list(CONTROLLER_REVISIONS, meta["namespace"]) if owner_uid(one) == uid
    ]
    newest = max((one["revision"] for one in known), default=0)
    name = f"{meta['name']}-{short}"
    present = next((one for one in known if one["metadata"]["name"] == name), None)
    if present is None:
        data = {"spec": {"template": {"$patch": "replace", **template}}}
        daemon = owner["kind"] == "DaemonSet"
        hash_label = HASH if daemon else "controller.kubernetes.io/hash"
        labels = {**template["metadata"].get("labels", {}), hash_label: short}
        own: Json = {"name": name, "namespace": meta["namespace"], "labels": labels}
        if daemon:
            own["annotations"] = meta["annotations"]
        own["ownerReferences"] = [owner_reference(owner)]
        cluster.create(CONTROLLER_REVISIONS, {"metadata": own, "data": data, "revision": newest + 1})
    elif present["revision"] < newest:
        changed = clone(present)
        changed["revision"] = newest + 1
        cluster.update(CONTROLLER_REVISIONS, changed)
    return short


def template_of(cluster: Cluster, owner: Json, revision: str) -> Json:
    """The pod template of a recorded revision, or the present one when it is not recorded."""
    found = cluster.store.get(CONTROLLER_REVISIONS, (owner["metadata"]["namespace"], revision))
    template: Json = found["data"]["spec"]["template"] if found else owner["spec"]["template"]
    return {name: value for name, value in template.items() if name != "$patch"}


def pod_from(owner: Json, template: Json, name: str, labels: dict[str, str]) -> Json:
    """A pod manifest made from a template."""
    meta: Json = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": {**template["metadata"].get("labels", {}), **labels},
        "ownerReferences": [owner_reference(owner)],
    }
    if template["metadata"].get("annotations"):
        meta["annotations"] = template["metadata"]["annotations"]
    return {"metadata": meta, "spec": clone(template["spec"])}
