"""What a client asks before it asks for objects: version, health, groups and their resources."""

from __future__ import annotations

from remediator.testing.apiserver.kinds import GROUPS, KINDS, Kind
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

ELSEWHERE = {
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "flowcontrol.apiserver.k8s.io",
}
"""Groups every Kubernetes has and this fake does not: answered 501, not 404."""

CORE_ELSEWHERE = {
    "bindings",
    "componentstatuses",
    "events",
    "limitranges",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "serviceaccounts",
}


RESOURCES_ELSEWHERE = {
    ("authorization.k8s.io", "localsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "subjectaccessreviews"),
}


def document(path: str) -> Json | str | None:
    """The document at a path without a resource, or None where there is none."""
    clean = path.rstrip("/")
    if clean in HEALTH:
        return "ok"
    match clean.split("/"):
        case ["", "version"]:
            return dict(VERSION)
        case ["", "api"]:
            addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1:6443"}]
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
        case ["", "apis"]:
            groups = [group(name) for name, _ in sorted(GROUPS) if name]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
        case ["", "api", "v1"]:
            return resources("", "v1")
        case ["", "apis", name] if any(name == known for known, _ in GROUPS):
            return {"kind": "APIGroup", "apiVersion": "v1"} | group(name)
        case ["", "apis", name, version] if (name, version) in GROUPS:
            return resources(name, version)
    return None


def group(name: str) -> Json:
    """One entry of the list of groups."""
    version = next(version for known, version in GROUPS if known == name)
    entry = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def resources(name: str, version: str) -> Json:
    """The resources of a group, with their subresources."""
    found: list[Json] = []
    for kind in sorted(KINDS, key=lambda kind: kind.plural):
        if (kind.group, kind.version) == (name, version):
            found += _entries(kind)
    if name == "authorization.k8s.io":
        found.append(
            _entry("selfsubjectaccessreviews", "SelfSubjectAccessReview", ["create"], namespaced=False)
        )
        found[-1]["singularName"] = "selfsubjectaccessreview"
    group_version = f"{name}/{version}" if name else version
    head: Json = {"kind": "APIResourceList"} | ({"apiVersion": "v1"} if name else {})
    return head | {"groupVersion": group_version, "resources": found}


def _entries(kind: Kind) -> list[Json]:
    main = _entry(kind.plural, kind.name, list(kind.verbs), namespaced=kind.namespaced)
    main["singularName"] = kind.singular
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    found = [main]
    if kind.plural == "pods":
        found.append(_entry("pods/log", "Pod", ["get"], namespaced=True))
    if kind.scalable:
        scale = _entry(f"{kind.plural}/scale", "Scale", ["get", "patch", "update"], namespaced=True)
        found.append(scale | {"group": "autoscaling", "version": "v1"})
    if kind.status_subresource:
        verbs = ["get", "patch", "update"]
        found.append(_entry(f"{kind.plural}/status", kind.name, verbs, namespaced=kind.namespaced))
    return found


def _entry(name: str, kind: str, verbs: list[str], *, namespaced: bool) -> Json:
    return {"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs}
