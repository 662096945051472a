"""Reading snapshots of workloads and their pods. Changes nothing."""

from __future__ import annotations

import re
from typing import Any

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.faults import Call, Expired
from remediator.adapters.kubernetes.snapshots import KINDS, label_selector, pod_of, workload_of
from remediator.core.cluster import Pod, Workload
from remediator.core.errors import NotFound, Refused
from remediator.core.policies import WorkloadRef

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
"""An RFC 1123 subdomain: what Kubernetes names can be, and what no path can be broken with."""


def checked_name(name: str) -> str:
    """``name``, if it can be one. Raises Refused."""
    if _NAME.fullmatch(name) is None or ".." in name:
        raise Refused(f"{name[:80]!r} cannot be the name of anything in Kubernetes")
    return name


def workload_path(ref: WorkloadRef) -> str:
    """The workload's path on the API server. Raises Refused for a kind or name that cannot be."""
    if ref.kind not in KINDS:
        raise Refused(f"{ref}: the kind must be one of {', '.join(KINDS)}")
    namespace, name = checked_name(ref.namespace), checked_name(ref.name)
    return f"/apis/apps/v1/namespaces/{namespace}/{KINDS[ref.kind]}/{name}"


def read_call(ref: WorkloadRef) -> Call:
    """The request that reads a workload."""
    return Call(
        method="GET",
        path=workload_path(ref),
        doing=f"read {ref} in namespace {ref.namespace}",
        needs=f"get {KINDS[ref.kind]}.apps in namespace {ref.namespace}",
        repeatable=True,
    )


class Reader:
    """``core.cluster.ClusterReader`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The workload of that name. Raises NotFound, Refused, Retryable."""
        return workload_of(ref, await self._api.call(read_call(ref)))

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The pods its selector selects, page by page. Raises NotFound, Refused, Retryable."""
        deadline = self._api.deadline()
        obj = await self._api.call(read_call(workload.ref), deadline)
        if obj["metadata"]["uid"] != workload.uid:
            raise NotFound(f"{workload.ref} was deleted; another of the same name took its place")
        selector = label_selector(obj)
        if not selector:
            return ()
        try:
            return await self._list(workload.ref.namespace, selector, deadline)
        except Expired:  # the pages took longer than the server remembers: once more, from the start
            return await self._list(workload.ref.namespace, selector, deadline)

    async def _list(self, namespace: str, selector: str, deadline: Deadline) -> tuple[Pod, ...]:
        found: list[Pod] = []
        following = ""
        while True:
            page = await self._page(namespace, selector, following, deadline)
            found += [pod_of(item) for item in page.get("items") or ()]
            following = (page.get("metadata") or {}).get("continue") or ""
            if not following:
                return tuple(found)

    async def _page(self, namespace: str, selector: str, following: str, deadline: Deadline) -> Any:
        more = (("continue", following),) if following else ()
        call = Call(
            method="GET",
            path=f"/api/v1/namespaces/{checked_name(namespace)}/pods",
            doing=f"list pods in namespace {namespace}",
            needs=f"list pods in namespace {namespace}",
            query=(("labelSelector", selector), ("limit", str(self._api.limits.page)), *more),
            repeatable=True,
        )
        return await self._api.call(call, deadline)
