"""The metrics API (``metrics.k8s.io/v1beta1``): what a test says that pods and nodes use.

As in a cluster without a metrics server, the group is not there until the first value is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediator.testing.apiserver.bodies import Request
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_active, owners
from remediator.testing.apiserver.kinds import NODES, PODS
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.objects import Json, Key
from remediator.testing.apiserver.selectors import parse_labels
from remediator.testing.apiserver.statuses import method_not_allowed, no_such_resource, not_found

GROUP = "metrics.k8s.io"
_VERSION = "v1beta1"
_WINDOW = "30s"
_KINDS = (("nodes", "NodeMetrics"), ("pods", "PodMetrics"))


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Quantities as Kubernetes writes them, such as ``250m`` and ``64Mi``. Raises ValueError for another."""

    cpu: str
    memory: str

    def __post_init__(self) -> None:
        quantity(self.cpu)
        quantity(self.memory)

    def as_json(self) -> Json:
        """As it stands in ``usage``."""
        return {"cpu": self.cpu, "memory": self.memory}


@dataclass(kw_only=True)
class Metrics:
    """Usage by pod (or workload) and container, and by node."""

    _pods: dict[tuple[Key, str], Usage] = field(default_factory=dict)
    _nodes: dict[str, Usage] = field(default_factory=dict)

    @property
    def installed(self) -> bool:
        """Whether there is anything to serve."""
        return bool(self._pods or self._nodes)

    def set_pod(self, key: Key, usage: Usage, *, container: str = "") -> None:
        """What each pod of that name or workload uses, in one container or in each."""
        self._pods[(key, container)] = usage

    def set_node(self, name: str, usage: Usage) -> None:
        """What a node uses."""
        self._nodes[name] = usage

    def of_container(self, keys: list[Key], container: str) -> Usage | None:
        """What is known of a container whose pod has these owners."""
        places = [(key, name) for key in keys for name in (container, "")]
        return next((self._pods[place] for place in places if place in self._pods), None)

    def of_node(self, name: str) -> Usage | None:
        """What is known of a node."""
        return self._nodes.get(name)


def answer(metrics: Metrics, cluster: Cluster, request: Request) -> Json:
    """Get or list. Raises ApiError 404 or 405."""
    asked = request.asked
    if asked.version != _VERSION or asked.resource not in {"pods", "nodes"} or asked.subresource:
        raise no_such_resource()
    if asked.verb not in {"get", "list"}:
        raise method_not_allowed()
    kind = PODS if asked.resource == "pods" else NODES
    found = [
        one
        for obj in cluster.store.list(kind, asked.namespace)
        if parse_labels(request.query.get("labelSelector", "")).matches(obj["metadata"].get("labels", {}))
        if (one := _of(metrics, cluster, obj)) is not None
    ]
    if asked.verb == "list":
        name = "PodMetricsList" if kind is PODS else "NodeMetricsList"
        return {"kind": name, "apiVersion": f"{GROUP}/{_VERSION}", "metadata": {}, "items": found}
    for one in found:
        if one["metadata"]["name"] == asked.name:
            return {"kind": f"{kind.name}Metrics", "apiVersion": f"{GROUP}/{_VERSION}", **one}
    raise not_found(kind.plural, GROUP, asked.name)


def _of(metrics: Metrics, cluster: Cluster, obj: Json) -> Json | None:
    meta = {
        name: obj["metadata"][name] for name in ("name", "namespace", "labels") if name in obj["metadata"]
    }
    now = cluster.timestamp()
    head: Json = {"metadata": meta | {"creationTimestamp": now}, "timestamp": now, "window": _WINDOW}
    if obj["kind"] == "Node":
        usage = metrics.of_node(meta["name"])
        return None if usage is None else {**head, "usage": usage.as_json()}
    if not is_active(obj):
        return None
    names = [one["name"] for one in obj["spec"]["containers"]]
    keys = owners(cluster, obj)
    containers = [
        {"name": name, "usage": usage.as_json()}
        for name in names
        if (usage := metrics.of_container(keys, name)) is not None
    ]
    return {**head, "containers": containers} if containers else None


def added(document: Json | str | None) -> Json | str | None:
    """A discovery document with the group in it, where it lists groups."""
    if not isinstance(document, dict):
        return document
    if document["kind"] == "APIGroupList":
        return document | {"groups": [*document["groups"], group()]}
    items = document.get("items", ())
    if document["kind"] != "APIGroupDiscoveryList" or not any("name" in one["metadata"] for one in items):
        return document
    resources = [
        {
            "resource": name,
            "responseKind": {"group": GROUP, "version": _VERSION, "kind": kind},
            "scope": "Namespaced" if name == "pods" else "Cluster",
            "singularResource": "",
            "verbs": ["get", "list"],
        }
        for name, kind in _KINDS
    ]
    version = {"version": _VERSION, "resources": resources, "freshness": "Current"}
    own = {"metadata": {"name": GROUP, "creationTimestamp": None}, "versions": [version]}
    return document | {"items": [*items, own]}


def discovery(path: str) -> Json | None:
    """The group's documents: its versions, and its resources."""
    if path == f"/apis/{GROUP}":
        return {"kind": "APIGroup", "apiVersion": "v1", **group()}
    if path != f"/apis/{GROUP}/{_VERSION}":
        return None
    resources = [
        {
            "name": name,
            "singularName": "",
            "namespaced": name == "pods",
            "kind": kind,
            "verbs": ["get", "list"],
        }
        for name, kind in _KINDS
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{GROUP}/{_VERSION}",
        "resources": resources,
    }


def group() -> Json:
    """Its entry in the list of groups."""
    entry = {"groupVersion": f"{GROUP}/{_VERSION}", "version": _VERSION}
    return {"name": GROUP, "versions": [entry], "preferredVersion": entry}


def parse_usage(document: Mapping[str, object]) -> Usage:
    """From JSON. Raises KeyError or ValueError."""
    return Usage(cpu=str(document["cpu"]), memory=str(document["memory"]))
