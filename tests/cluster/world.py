"""What the cluster tests set up, through nothing but the Kubernetes API: it works on every API server."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from remediator.adapters.kubernetes import Call, Kubernetes
from remediator.core.changes import Fence, RestartWorkload
from remediator.core.cluster import Workload
from remediator.core.errors import NotFound
from remediator.core.incident import EffectId
from remediator.core.policies import WorkloadRef
from remediator.core.times import Instant

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")

IMAGE = os.environ.get("REMEDIATOR_TEST_IMAGE")
"""Anything that serves on 8080 and answers /healthz. Without it: busybox's httpd, told to do so."""
HTTPD: Json = {
    "image": "busybox:1.36",
    "command": [
        "sh",
        "-c",
        "echo serving; mkdir -p /tmp/www && echo ok >/tmp/www/healthz && exec httpd -f -p 8080 -h /tmp/www",
    ],
}
PATIENCE = float(os.environ.get("REMEDIATOR_TEST_PATIENCE", "180"))
"""Seconds a real cluster may take to pull the image and roll out."""
KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
AT = Instant(1_790_000_000_123)


@dataclass(frozen=True, kw_only=True)
class World:
    """A namespace of our own on some cluster."""

    cluster: Kubernetes
    namespace: str

    def ref(self, name: str = "web", kind: str = "deployment") -> WorkloadRef:
        """A workload in the namespace."""
        return WorkloadRef(kind=kind, namespace=self.namespace, name=name)

    def path(self, ref: WorkloadRef) -> str:
        """Its path on the API server."""
        return f"{self.collection(ref.kind)}/{ref.name}"

    def collection(self, kind: str) -> str:
        """Where workloads of a kind are created."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{kind}s"

    async def send(self, method: str, path: str, body: Json | None = None, media: str = "") -> Json:
        """One request; its answer."""
        call = Call(
            method=method,
            path=path,
            doing=f"{method} {path}",
            body=body,
            media=media or "application/json",
        )
        answer: Json = await self.cluster.api.call(call)
        return answer

    async def raw(self, ref: WorkloadRef) -> Json:
        """The object as the API server tells it."""
        return await self.send("GET", self.path(ref))

    async def create(
        self, ref: WorkloadRef, *, template_annotations: Json | None = None, **spec: Any
    ) -> Workload:
        """A workload, rolled out."""
        await self.send("POST", self.collection(ref.kind), manifest(ref, template_annotations or {}, **spec))
        return await self.rolled_out(ref)

    async def rolled_out(self, ref: WorkloadRef) -> Workload:
        """The workload once its newest template runs everywhere."""

        async def look() -> Workload | None:
            seen = await self.cluster.reader.workload(ref)
            return seen if seen.rolled_out and seen.desired > 0 else None

        return await until(look, f"{ref} is rolled out")

    async def gone(self, ref: WorkloadRef) -> None:
        """Delete the workload and wait until it is not there."""
        await self.send("DELETE", self.path(ref))

        async def look() -> bool | None:
            try:
                await self.cluster.reader.workload(ref)
            except NotFound:
                return True
            return None

        await until(look, f"{ref} is gone")

    async def annotate(self, ref: WorkloadRef, annotations: Json) -> None:
        """What somebody else does with the object."""
        body = {"metadata": {"annotations": annotations}}
        await self.send("PATCH", self.path(ref), body, "application/merge-patch+json")


def manifest(ref: WorkloadRef, template_annotations: Json, **spec: Any) -> Json:
    """A workload of one container that becomes ready as soon as it listens."""
    labels = {"app": ref.name}
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    served = {"image": IMAGE} if IMAGE else HTTPD
    container = {"name": "web", **served, "ports": [{"containerPort": 8080}], "readinessProbe": probe}
    meta: Json = {"labels": labels}
    if template_annotations:
        meta["annotations"] = template_annotations
    body: Json = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": meta,
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
        },
    }
    if ref.kind != "daemonset":
        body["replicas"] = 2
    if ref.kind == "statefulset":
        body["serviceName"] = ref.name
    return {
        "apiVersion": "apps/v1",
        "kind": KINDS[ref.kind],
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": labels},
        "spec": body | spec,
    }


def fence(epoch: int, effect: str = "inc-1/step-1") -> Fence:
    """A fence of that epoch."""
    return Fence(epoch=epoch, effect=EffectId(effect))


def restart(seen: Workload, at: int = AT) -> RestartWorkload:
    """The restart of a workload that was just read."""
    return RestartWorkload(target=seen.ref, uid=seen.uid, at=Instant(at))


def template(obj: Json) -> Json:
    """The pod template: what a restart changes."""
    found: Json = obj["spec"]["template"]
    return found


async def until(look: Callable[[], Awaitable[T | None]], what: str) -> T:
    """What ``look`` finds, once it finds something. Fails after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while True:
        found = await look()
        if found is not None:
            return found
        assert time.monotonic() < end, f"after {PATIENCE} s it is not so that {what}"
        await asyncio.sleep(0.05)  # a cluster changes by itself; nothing tells us when
