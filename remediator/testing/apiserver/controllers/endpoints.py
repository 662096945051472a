"""The Endpoints of every Service with a selector: the addresses of its ready pods."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_active, is_ready
from remediator.testing.apiserver.kinds import ENDPOINTS, PODS, SERVICES
from remediator.testing.apiserver.objects import Json, Key
from remediator.testing.apiserver.selectors import of_object
from remediator.testing.apiserver.store import Event


class EndpointAddresses:
    """Writes Endpoints beside Services."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Services that change, and those that select a pod that does."""
        return services_of(cluster, event)

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Write the addresses, or take the Endpoints away with their Service."""
        service = cluster.store.get(SERVICES, key)
        if service is None:
            cluster.store.remove(ENDPOINTS, key)
            return
        if not selector_of(service):
            return
        subsets = _subsets(cluster, service)
        present = cluster.store.get(ENDPOINTS, key)
        if present is None:
            headless = (
                {"service.kubernetes.io/headless": ""} if service["spec"].get("clusterIP") == "None" else {}
            )
            labels = {**service["metadata"].get("labels", {}), **headless}
            meta = {"name": key[1], "namespace": key[0], "labels": labels}
            cluster.create(ENDPOINTS, {"metadata": meta, **subsets})
        else:
            kept = {name: value for name, value in present.items() if name != "subsets"}
            cluster.store.put(ENDPOINTS, {**kept, **subsets})


def selector_of(service: Json) -> dict[str, str]:
    """The labels of the pods of a Service; empty when nobody chooses them for it."""
    found: dict[str, str] = service["spec"].get("selector") or {}
    return found


def services_of(cluster: Cluster, event: Event) -> Iterable[Key]:
    """The Service that changes, or those that select the pod that does."""
    if event.kind is SERVICES:
        yield event.key
    elif event.kind is PODS:
        labels = event.obj["metadata"].get("labels", {})
        for service in cluster.store.list(SERVICES, event.obj["metadata"]["namespace"]):
            if selector_of(service).items() <= labels.items():
                yield service["metadata"]["namespace"], service["metadata"]["name"]


def selected(cluster: Cluster, service: Json) -> list[Json]:
    """The pods of a Service that have an address."""
    selector = of_object({"matchLabels": selector_of(service)})
    return [
        pod
        for pod in cluster.store.list(PODS, service["metadata"]["namespace"])
        if selector.matches(pod["metadata"].get("labels", {})) and "podIP" in pod["status"] and is_active(pod)
    ]


def _subsets(cluster: Cluster, service: Json) -> Json:
    pods = selected(cluster, service)
    ready, waiting = [pod for pod in pods if is_ready(pod)], [pod for pod in pods if not is_ready(pod)]
    subset: Json = {
        "addresses": list(map(_address, ready)),
        "notReadyAddresses": list(map(_address, waiting)),
    }
    subset = {name: addresses for name, addresses in subset.items() if addresses}
    return {"subsets": [subset | {"ports": ports_of(service)}]} if subset else {}


def _address(pod: Json) -> Json:
    meta = pod["metadata"]
    target = {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}
    return {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target}


def ports_of(service: Json) -> list[Json]:
    """The ports of the pods behind a Service."""
    found = []
    for port in service["spec"].get("ports", ()):
        named = {"name": port["name"]} if "name" in port else {}
        found.append({**named, "port": port["targetPort"], "protocol": port["protocol"]})
    return found
