"""What a client asks before it asks for objects: version, health, groups and their resources.

``resources.json`` lists every resource of Kubernetes v1.32, group by group in the server's order: what
discovery says is what a real server says, whether this fake serves the resource or answers 501. To make it
again, feed the two aggregated documents (``/api`` and ``/apis``, as one JSON list) to
``python -m remediator.testing.apiserver.discovery``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from remediator.testing.apiserver.objects import Json

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.13",
    "gitCommit": "63adf010aa20e104c0b7043b47f42f50c9f72b17",
    "gitTreeState": "clean",
    "buildDate": "2026-08-14T00:00:00Z",
    "goVersion": "go1.24.11",
    "compiler": "gc",
    "platform": "linux/amd64",
}
HEALTH = {"/healthz", "/livez", "/readyz"}
AGGREGATED = "as=APIGroupDiscoveryList"
AGGREGATED_FORM = f"g=apidiscovery.k8s.io;v=v2;{AGGREGATED}"
_LEGACY_GROUP = ""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource or subresource (``deployments/scale``); ``entry`` as it stands in ``resources.json``."""

    name: str
    entry: Json

    @property
    def verbs(self) -> Sequence[str]:
        """What can be done with it."""
        found: list[str] = self.entry["verbs"]
        return found


@cache
def _groups() -> list[Json]:
    found: list[Json] = json.loads(files(__package__).joinpath("resources.json").read_text())
    return found


def _version(group: str, version: str) -> Json | None:
    for known in _groups():
        if known["name"] == group:
            found: Json | None = known["versions"].get(version)
            return found
    return None


@cache
def find(group: str, version: str, name: str) -> Resource | None:
    """The resource (``pods``) or subresource (``pods/log``) a real server has under that name."""
    resource, _, subresource = name.partition("/")
    entry = (_version(group, version) or {}).get(resource)
    if entry is not None and subresource:
        entry = entry.get("subresources", {}).get(subresource)
    return None if entry is None else Resource(name=name, entry=entry)


def known_group(group: str) -> bool:
    """Whether a real server has that group, in whatever version."""
    return any(known["name"] == group for known in _groups())


def document(path: str, accept: str) -> Json | str | None:
    """The document at a path without a resource, or None where there is none."""
    clean = path.rstrip("/")
    if clean in HEALTH:
        return "ok"
    match clean.split("/"):
        case ["", "version"]:
            return dict(VERSION)
        case ["", "api" | "apis" as root] if AGGREGATED in accept:
            return _aggregated(core=root == "api")
        case ["", "api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        case ["", "apis"]:
            groups = [_group(known) for known in _groups() if known["name"]]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["", "api", "v1"]:
            return _resources(_LEGACY_GROUP, "v1")
        case ["", "apis", name] if name:
            found = [known for known in _groups() if known["name"] == name]
            return {"kind": "APIGroup", "apiVersion": "v1"} | _group(found[0]) if found else None
        case ["", "apis", name, version] if name:
            return _resources(name, version) if _version(name, version) else None
    return None


def _group(known: Json) -> Json:
    entries = [
        {"groupVersion": f"{known['name']}/{version}", "version": version} for version in known["versions"]
    ]
    return {"name": known["name"], "versions": entries, "preferredVersion": entries[0]}


def _resources(name: str, version: str) -> Json:
    entries = [
        entry
        for plural, resource in (_version(name, version) or {}).items()
        for entry in _listed(plural, resource)
    ]
    head: Json = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if name else {})
    group_version = f"{name}/{version}" if name else version
    return head | {"groupVersion": group_version, "resources": entries}


def _listed(plural: str, resource: Json) -> Iterator[Json]:
    """A resource and its subresources, each as one entry of an ``APIResourceList``."""
    namespaced = resource["namespaced"]
    shown = {key: resource[key] for key in ("shortNames", "categories") if key in resource}
    main = {"singularName": resource["singular"], "kind": resource["kind"], "verbs": resource["verbs"]}
    yield {"name": plural, "namespaced": namespaced} | main | shown
    for name, sub in resource.get("subresources", {}).items():
        foreign = {key: sub[key] for key in ("group", "version") if key in sub}
        yield {
            "name": f"{plural}/{name}",
            "singularName": "",
            "namespaced": namespaced,
            "kind": sub["kind"],
            "verbs": sub["verbs"],
        } | foreign


def _aggregated(*, core: bool) -> Json:
    items = []
    for known in _groups():
        if core == (known["name"] == _LEGACY_GROUP):
            versions = [
                {
                    "version": version,
                    "resources": [_aggregated_entry(*pair) for pair in resources.items()],
                    "freshness": "Current",
                }
                for version, resources in known["versions"].items()
            ]
            meta: Json = {"name": known["name"]} if known["name"] else {}
            items.append({"metadata": meta | {"creationTimestamp": None}, "versions": versions})
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}
    return head | {"items": items}


def _aggregated_entry(plural: str, resource: Json) -> Json:
    shown = {key: resource[key] for key in ("shortNames", "categories") if key in resource}
    subs = [
        {"subresource": name, "responseKind": _kind_of(sub), "verbs": sub["verbs"]}
        for name, sub in resource.get("subresources", {}).items()
    ]
    answer: Json = {
        "resource": plural,
        "responseKind": _kind_of(resource),
        "scope": "Namespaced" if resource["namespaced"] else "Cluster",
        "singularResource": resource["singular"],
        "verbs": resource["verbs"],
    }
    return answer | shown | ({"subresources": subs} if subs else {})


def _kind_of(entry: Json) -> Json:
    return {
        "group": entry.get("group", ""),
        "version": entry.get("version", ""),
        "kind": entry["kind"],
    }


def compact(documents: Sequence[Json]) -> list[Json]:
    """The content of ``resources.json`` from aggregated discovery documents."""
    return [
        {
            "name": item["metadata"].get("name", ""),
            "versions": {
                version["version"]: {
                    resource["resource"]: _compact_entry(resource) for resource in version["resources"]
                }
                for version in item["versions"]
            },
        }
        for document in documents
        for item in document["items"]
    ]


def _compact_entry(resource: Json) -> Json:
    kept = {key: resource[key] for key in ("shortNames", "categories") if key in resource}
    subs = {sub["subresource"]: _answer(sub) for sub in resource.get("subresources", ())}
    main = {"singular": resource["singularResource"], "namespaced": resource["scope"] == "Namespaced"}
    return _answer(resource) | main | kept | ({"subresources": subs} if subs else {})


def _answer(entry: Json) -> Json:
    kind = {key: value for key, value in entry["responseKind"].items() if value}
    return kind | {"verbs": entry["verbs"]}


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(group) for group in compact(json.load(sys.stdin)))
    sys.stdout.write(f"[\n{lines}\n]\n")
