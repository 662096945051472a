"""Paths on the API server, built from names alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.snapshots import KINDS
from remediator.core.errors import Refused
from remediator.core.jobs import JOB
from remediator.core.objects import HPA, NODE, ObjectRef

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
"""An RFC 1123 subdomain: what Kubernetes names can be, and what no path can be broken with."""


def checked_name(name: str) -> str:
    """``name``, if it can be one. Raises Refused."""
    if _NAME.fullmatch(name) is None or ".." in name:
        raise Refused(f"{name[:80]!r} cannot be the name of anything in Kubernetes")
    return name


def core_path(namespace: str, *parts: str) -> str:
    """A path of the core group in a namespace: a resource, a name, a subresource. Raises Refused."""
    return "/".join(("/api/v1/namespaces", *map(checked_name, (namespace, *parts))))


def group_path(group: str, namespace: str, *parts: str, version: str = "v1") -> str:
    """As ``core_path``, in a version of an API group such as ``apps``. Raises Refused."""
    return "/".join((f"/apis/{group}/{version}/namespaces", *map(checked_name, (namespace, *parts))))


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """Where objects of a kind are: the resource, its API group and the version that we speak."""

    plural: str
    group: str
    version: str = "v1"

    def __str__(self) -> str:
        """As RBAC names it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


AUTOSCALERS = Resource(plural="horizontalpodautoscalers", group="autoscaling", version="v2")
RESOURCES = {kind: Resource(plural=plural, group="apps") for kind, plural in KINDS.items()} | {
    HPA: AUTOSCALERS,
    JOB: Resource(plural="jobs", group="batch"),
    NODE: Resource(plural="nodes", group=""),
}
"""The kinds that carry epochs and marks."""


FOUND = {
    "pod": Resource(plural="pods", group=""),
    "replicaset": Resource(plural="replicasets", group="apps"),
    "job": Resource(plural="jobs", group="batch"),
    "cronjob": Resource(plural="cronjobs", group="batch"),
    **{kind: RESOURCES[kind] for kind in (*KINDS, NODE)},
}
"""The kinds that an alert may name, and those that may own them."""


def found_call(ref: ObjectRef) -> Call:
    """The request that finds an object by its name. Raises Refused for a kind or name that cannot be."""
    if ref.kind not in FOUND:
        raise Refused(f"{ref}: objects of that kind are not looked for")
    where = FOUND[ref.kind]
    return Call(
        method="GET",
        path=_path(where, ref),
        doing=doing(f"read {ref}", ref),
        needs=f"get {where} {place_of(ref)}",
        repeatable=True,
    )


def resource_of(ref: ObjectRef) -> Resource:
    """Where it is. Raises Refused for a kind that cannot be."""
    if ref.kind not in RESOURCES:
        raise Refused(f"{ref}: the kind must be one of {', '.join(RESOURCES)}")
    return RESOURCES[ref.kind]


def object_path(ref: ObjectRef) -> str:
    """The object's path on the API server. Raises Refused for a kind or name that cannot be."""
    return _path(resource_of(ref), ref)


def _path(where: Resource, ref: ObjectRef) -> str:
    if ref.kind == NODE:
        return nodes_path(ref.name)
    parts = (ref.namespace, where.plural, ref.name)
    return group_path(where.group, *parts, version=where.version) if where.group else core_path(*parts)


def nodes_path(*name: str) -> str:
    """The path of a node, or of all. Raises Refused for a name that cannot be."""
    return "/".join(("/api/v1/nodes", *map(checked_name, name)))


def doing(what: str, ref: ObjectRef) -> str:
    """``restart deployment/web in namespace shop``; of what is in no namespace no place is told."""
    return f"{what} {place_of(ref)}" if ref.namespace else what


def place_of(ref: ObjectRef) -> str:
    """``in namespace shop``; ``in the whole cluster`` of what is in none."""
    return f"in namespace {ref.namespace}" if ref.namespace else "in the whole cluster"


def read_call(ref: ObjectRef) -> Call:
    """The request that reads it. Raises Refused for a kind or name that cannot be."""
    return Call(
        method="GET",
        path=object_path(ref),
        doing=doing(f"read {ref}", ref),
        needs=f"get {resource_of(ref)} {place_of(ref)}",
        repeatable=True,
    )
