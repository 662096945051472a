"""Paths on the API server, built from names alone."""

from __future__ import annotations

import re

from remediator.adapters.kubernetes.faults import Call
from remediator.adapters.kubernetes.snapshots import KINDS
from remediator.core.errors import Refused
from remediator.core.policies import WorkloadRef

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


def group_path(group: str, namespace: str, *parts: str) -> str:
    """As ``core_path``, in the first version of an API group such as ``apps``. Raises Refused."""
    return "/".join((f"/apis/{group}/v1/namespaces", *map(checked_name, (namespace, *parts))))


def workload_path(ref: WorkloadRef) -> str:
    """The workload's path on the API server. Raises Refused for a kind or name that cannot be."""
    if ref.kind not in KINDS:
        raise Refused(f"{ref}: the kind must be one of {', '.join(KINDS)}")
    return group_path("apps", ref.namespace, KINDS[ref.kind], ref.name)


def read_call(ref: WorkloadRef) -> Call:
    """The request that reads a workload."""
    return Call(
        method="GET",
        path=workload_path(ref),
        doing=f"read {ref} in namespace {ref.namespace}",
        needs=f"get {KINDS[ref.kind]}.apps in namespace {ref.namespace}",
        repeatable=True,
    )
