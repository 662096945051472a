"""Reading snapshots of workloads and of what belongs to them. Changes nothing.

Every method is over within one deadline, repeats what failed for the moment a few times, and raises nothing
but NotFound, Refused and Retryable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remediator.adapters.kubernetes.api import Api, Deadline
from remediator.adapters.kubernetes.autoscalers import read_autoscalers
from remediator.adapters.kubernetes.budgets import read_budgets
from remediator.adapters.kubernetes.claims import read_claims
from remediator.adapters.kubernetes.events import read_events
from remediator.adapters.kubernetes.faults import Call, understood
from remediator.adapters.kubernetes.jobs import read_cron_job, read_job, read_job_pods
from remediator.adapters.kubernetes.listing import Listing, collect
from remediator.adapters.kubernetes.logs import Wanted, read_logs
from remediator.adapters.kubernetes.paths import (
    checked_name,
    core_path,
    found_call,
    group_path,
    nodes_path,
    object_path,
    read_call,
    resource_of,
)
from remediator.adapters.kubernetes.revisions import read_revisions
from remediator.adapters.kubernetes.selectors import label_selector
from remediator.adapters.kubernetes.snapshots import (
    KINDS,
    endpoints_of,
    named_of,
    node_of,
    pod_of,
    workload_of,
)
from remediator.adapters.kubernetes.usage import read_usage
from remediator.core.cluster import Autoscaler, Budget, ClusterEvent, Endpoints, Pod, Revision, Workload
from remediator.core.errors import NotFound, Refused
from remediator.core.holdings import Claim, PodUsage
from remediator.core.jobs import CronJob, Job
from remediator.core.objects import NODE, ObjectRef
from remediator.core.owners import Named
from remediator.core.policies import WorkloadRef
from remediator.core.times import Millis

__all__ = ["Reader", "checked_name", "object_path", "read_call"]

TOLD_REVISIONS = 2
"""Of so many of the newest revisions a Deployment's events are read: a quota refuses pods to a ReplicaSet."""


class Reader:
    """``core.cluster.ClusterReader`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def workload(self, ref: WorkloadRef) -> Workload:
        """The workload, or the node, of that name. Raises NotFound, Refused, Retryable."""
        if ref.kind not in (*KINDS, NODE):
            raise Refused(f"{ref}: the kind must be one of {', '.join(KINDS)}")
        obj = await self._api.call(read_call(ref))
        with understood(f"{ref}"):
            return node_of(obj) if ref.kind == NODE else workload_of(ref, obj)

    async def nodes(self) -> tuple[Workload, ...]:
        """Every node, page by page, by name. Raises Refused, Retryable."""
        listing = Listing(resource="nodes", namespace="", path=nodes_path())
        with understood("the nodes"):
            found = await collect(self._api, listing, node_of, self._api.deadline())
        return tuple(sorted(found, key=lambda one: one.ref.name))

    async def workloads(self, kind: str, namespace: str, names: frozenset[str]) -> tuple[Workload, ...]:
        """Those of the named that exist, from one list. Raises NotFound, Refused, Retryable."""
        resource = resource_of(WorkloadRef(kind=kind, namespace=namespace, name=""))
        path = group_path(resource.group, namespace, resource.plural, version=resource.version)
        listing = Listing(resource=str(resource), namespace=namespace, path=path)

        def made(obj: Any) -> Workload | None:
            name = obj["metadata"]["name"]
            if name not in names:
                return None
            return workload_of(WorkloadRef(kind=kind, namespace=namespace, name=name), obj)

        with understood(f"the {resource.plural} of namespace {namespace}"):
            return await collect(self._api, listing, made, self._api.deadline())

    async def pods(self, workload: Workload) -> tuple[Pod, ...]:
        """The pods its selector selects, or that are on the node, page by page.

        Raises NotFound, Refused, Retryable.
        """
        deadline = self._api.deadline()
        if workload.ref.kind == NODE:
            return await self._pods_on(workload, deadline)
        obj = await self._same(workload, deadline)
        with understood(f"the pods of {workload.ref}"):
            selector = label_selector(obj)
            if not selector:
                return ()
            namespace = workload.ref.namespace
            path = core_path(namespace, "pods")
            listing = Listing(resource="pods", namespace=namespace, path=path, labels=selector)
            return await collect(self._api, listing, pod_of, deadline)

    async def _pods_on(self, node: Workload, deadline: Deadline) -> tuple[Pod, ...]:
        fields = f"spec.nodeName={checked_name(node.ref.name)}"
        listing = Listing(resource="pods", namespace="", path="/api/v1/pods", fields=fields)
        with understood(f"the pods of {node.ref}"):
            return await collect(self._api, listing, pod_of, deadline)

    async def revisions(self, workload: Workload) -> tuple[Revision, ...]:
        """Its revisions, newest first. Raises NotFound, Refused, Retryable."""
        deadline = self._api.deadline()
        obj = await self._same(workload, deadline)
        with understood(f"the revisions of {workload.ref}"):
            return await read_revisions(self._api, workload.ref, obj, deadline)

    async def budgets(self, workload: Workload) -> tuple[Budget, ...]:
        """The disruption budgets that select its pods. Raises NotFound, Refused, Retryable."""
        deadline = self._api.deadline()
        obj = await self._same(workload, deadline)
        with understood(f"the disruption budgets of {workload.ref}"):
            return await read_budgets(self._api, workload.ref, obj, deadline)

    async def autoscalers(self, workload: Workload) -> tuple[Autoscaler, ...]:
        """The autoscalers that scale it, by name. Raises NotFound, Refused, Retryable."""
        with understood(f"the autoscalers of {workload.ref}"):
            return await read_autoscalers(self._api, workload.ref, self._api.deadline())

    async def events(self, workload: Workload, pods: Sequence[Pod]) -> tuple[ClusterEvent, ...]:
        """Events about the workload, the ReplicaSets of its newest revisions and those pods, newest first.

        Raises NotFound, Refused, Retryable.
        """
        deadline = self._api.deadline()
        uids = [workload.uid, *(pod.uid for pod in pods)]
        with understood(f"the events of {workload.ref}"):
            if workload.ref.kind == "deployment":
                obj = await self._same(workload, deadline)
                revisions = await read_revisions(self._api, workload.ref, obj, deadline)
                uids += [revision.uid for revision in revisions[:TOLD_REVISIONS]]
            return await read_events(self._api, workload.ref.namespace, uids, deadline)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        tail: int,
        previous: bool = False,
        since: Millis | None = None,
    ) -> tuple[str, ...]:
        """The last ``tail`` lines of a container, oldest first; of its run before this one if ``previous``.

        A log has at most a mebibyte; a pod that no node has yet has none, and no lines. Raises NotFound where
        nothing ran, Refused, Retryable.
        """
        wanted = Wanted(tail=tail, previous=previous, since=since)
        return await read_logs(self._api, namespace, pod, container, wanted, self._api.deadline())

    async def named(self, ref: ObjectRef) -> Named:
        """The object of that name, with its controller. Raises NotFound, Refused, Retryable."""
        obj = await self._api.call(found_call(ref))
        with understood(f"{ref}"):
            return named_of(ref, obj)

    async def endpoints(self, namespace: str, service: str) -> Endpoints:
        """What stands behind the Service of that name. Raises NotFound, Refused, Retryable."""
        call = Call(
            method="GET",
            path=core_path(namespace, "endpoints", service),
            doing=f"read the endpoints of service {service} in namespace {namespace}",
            needs=f"get endpoints in namespace {namespace}",
            repeatable=True,
        )
        obj = await self._api.call(call)
        with understood(f"the endpoints of service {service}"):
            return endpoints_of(obj)

    async def claims(self, workload: Workload, pods: Sequence[Pod]) -> tuple[Claim, ...]:
        """The claims of the workload and of those pods, by name. Raises NotFound, Refused, Retryable."""
        deadline = self._api.deadline()
        obj = await self._same(workload, deadline)
        with understood(f"the volume claims of {workload.ref}"):
            return await read_claims(self._api, workload.ref, obj, pods, deadline)

    async def usage(self, workload: Workload) -> tuple[PodUsage, ...]:
        """What its pods use, as far as it was measured, by name. Raises NotFound, Refused, Retryable."""
        deadline = self._api.deadline()
        obj = await self._same(workload, deadline)
        with understood(f"what the pods of {workload.ref} use"):
            return await read_usage(self._api, workload.ref.namespace, label_selector(obj), deadline)

    async def cron_job(self, namespace: str, name: str) -> CronJob:
        """The CronJob of that name. Raises NotFound, Refused, Retryable."""
        return await read_cron_job(self._api, namespace, name)

    async def job(self, namespace: str, name: str) -> Job:
        """The Job of that name. Raises NotFound, Refused, Retryable."""
        return await read_job(self._api, namespace, name)

    async def job_pods(self, job: Job) -> tuple[Pod, ...]:
        """The pods that it made, page by page. Raises NotFound, Refused, Retryable."""
        return await read_job_pods(self._api, job)

    async def _same(self, workload: Workload, deadline: Deadline) -> Any:
        """The object that the snapshot was made of, as it is now. Raises NotFound when it is another.

        Raises Refused for a node: what is asked of workloads is asked of none.
        """
        if workload.ref.kind not in KINDS:
            raise Refused(f"{workload.ref} is no workload: it has no such thing")
        obj = await self._api.call(read_call(workload.ref), deadline)
        with understood(f"{workload.ref}"):
            if obj["metadata"]["uid"] != workload.uid:
                raise NotFound(f"{workload.ref} was deleted; another of the same name took its place")
        return obj
