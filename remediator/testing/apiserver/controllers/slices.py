"""The EndpointSlice of every Service with a selector: its pods, ready or not, one slice for all of them."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.endpoints import ports_of, selected, selector_of, services_of
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.kinds import ENDPOINT_SLICES, SERVICES
from remediator.testing.apiserver.objects import Json, Key, clone, digest, owner_reference, owner_uid
from remediator.testing.apiserver.store import Event

_SERVICE = "kubernetes.io/service-name"
_MANAGED = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
_HEADLESS = "service.kubernetes.io/headless"
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"


class EndpointSlices:
    """Writes slices beside Services; with its Service a slice is collected as garbage."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Services that change, and those that select a pod that does."""
        return services_of(cluster, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Write the endpoints."""
        service = cluster.store.get(SERVICES, key)
        if service is None or not selector_of(service):
            return
        endpoints = [_endpoint(pod) for pod in selected(cluster, service)]
        content = {"endpoints": endpoints, "ports": ports_of(service)}
        present = next(
            (
                one
                for one in cluster.store.list(ENDPOINT_SLICES, key[0])
                if owner_uid(one) == service["metadata"]["uid"]
            ),
            None,
        )
        if present is None:
            cluster.create(ENDPOINT_SLICES, _slice(service) | content)
        elif {name: present.get(name) for name in content} != content:
            changed = clone(present) | content
            changed["metadata"].setdefault("annotations", {})[_TRIGGER] = cluster.timestamp()
            changed["metadata"]["generation"] += 1
            cluster.store.put(ENDPOINT_SLICES, changed)


def _slice(service: Json) -> Json:
    meta = service["metadata"]
    labels = {**meta.get("labels", {}), **_MANAGED, _SERVICE: meta["name"]}
    if service["spec"].get("clusterIP") == "None":
        labels[_HEADLESS] = ""
    return {
        "metadata": {
            "name": f"{meta['name']}-{digest(meta['uid'])[-5:]}",
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
    }


def _endpoint(pod: Json) -> Json:
    meta, ready = pod["metadata"], is_ready(pod)
    conditions = {"ready": ready, "serving": ready, "terminating": False}
    target = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    found = {"addresses": [pod["status"]["podIP"]], "conditions": conditions, "targetRef": target}
    named = {"hostname": pod["spec"]["hostname"]} if "subdomain" in pod["spec"] else {}
    return found | named | {"nodeName": pod["spec"]["nodeName"]}
