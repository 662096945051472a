"""The cluster as a test sets it up and directs it: objects, and what its programs and nodes do."""

from __future__ import annotations

from typing import Any

from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.kubelet import Kubelet
from remediator.testing.apiserver.controllers.machines import Machines
from remediator.testing.apiserver.executing import Answer, Commands
from remediator.testing.apiserver.kinds import (
    DAEMON_SETS,
    DEPLOYMENTS,
    KINDS,
    NAMESPACES,
    STATEFUL_SETS,
    Kind,
)
from remediator.testing.apiserver.logs import Logs
from remediator.testing.apiserver.metrics import Metrics, Usage
from remediator.testing.apiserver.objects import Json, digest

_BY_KIND = {(kind.api_version, kind.name): kind for kind in KINDS}


class Stage:
    """What a test does to the cluster behind the API. Nothing of it is in the ledger."""

    cluster: Cluster
    logs: Logs
    commands: Commands
    metrics: Metrics
    kubelet: Kubelet
    machines: Machines

    def namespace(self, name: str) -> Json:
        """The namespace, created if it is not there."""
        present = self.cluster.store.get(NAMESPACES, ("", name))
        return present or self.cluster.create(NAMESPACES, {"metadata": {"name": name}})

    def create(self, manifest: Json) -> Json:
        """Create an object as an administrator would, its namespace too.

        Raises ValueError for a kind this server does not serve, an invalid object or a name that is taken.
        """
        kind = _BY_KIND.get((str(manifest.get("apiVersion")), str(manifest.get("kind"))))
        if kind is None:
            raise ValueError(
                f"this fake API server serves no {manifest.get('apiVersion')} {manifest.get('kind')}"
            )
        filled = {**manifest, "metadata": dict(manifest["metadata"])}
        if kind.namespaced:
            self.namespace(filled["metadata"].setdefault("namespace", "default"))
        obj = self.cluster.prepare_create(kind, filled)
        if causes := kind.validate(obj):
            raise ValueError(f"{kind.name} {obj['metadata']['name']}: {causes[0].field}: {causes[0].message}")
        if self.cluster.store.get(kind, (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])):
            raise ValueError(f"{kind.name} {obj['metadata']['name']} exists")
        return self.cluster.store.put(kind, obj)

    def restore(self, obj: Json) -> Json:
        """Store an object exactly as it is, status included: a state that was recorded elsewhere."""
        kind = _BY_KIND[(obj["apiVersion"], obj["kind"])]
        if kind.namespaced:
            self.namespace(obj["metadata"]["namespace"])
        return self.cluster.store.put(kind, obj)

    def deployment(self, namespace: str, name: str, *, replicas: int = 2, **spec: Any) -> Json:
        """Create a plain Deployment with the label ``app: NAME``; ``spec`` adds to its spec."""
        labels = {"app": name}
        pod = {"containers": [{"name": name, "image": f"registry.local/{name}:v1"}]}
        meta = {"name": name, "namespace": namespace, "labels": labels}
        template = {"metadata": {"labels": labels}, "spec": pod}
        body = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **spec}
        return self.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body})

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """The object as it is now, or None. Must not be changed."""
        return self.cluster.store.get(kind, (namespace, name))

    def behave(self, namespace: str, name: str, behaviour: Behaviour) -> None:
        """From now on, the pods of this workload (or this bare pod) behave so."""
        revision = None
        for kind in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS):
            if (workload := self.get(kind, namespace, name)) is not None:
                revision = digest(workload["spec"]["template"])
        self.kubelet.apply(self.cluster, (namespace, name), behaviour, revision)

    def break_image(self, image: str, answer: str = "not found") -> None:
        """From now on this image cannot be pulled; ``answer`` is what the registry says."""
        self.cluster.behaviours.broken_images[image] = answer

    def mend_image(self, image: str) -> None:
        """The image can be pulled again: pods that wait for it start when they next try."""
        self.cluster.behaviours.broken_images.pop(image, None)

    def set_log(
        self, namespace: str, pod: str, text: str, *, container: str = "", previous: bool = False
    ) -> None:
        """What a pod's container has written."""
        self.logs.set((namespace, pod), text, container=container, previous=previous)

    def append_log(self, namespace: str, pod: str, text: str, *, container: str = "") -> None:
        """What a pod's container writes now."""
        self.logs.append((namespace, pod), text, container=container)

    def set_command(self, namespace: str, name: str, arguments: tuple[str, ...], answer: Answer) -> None:
        """What a command prints and exits with, in this pod or the pods of this workload.

        It is meant by every exec whose arguments begin with these; the latest word counts.
        """
        self.commands.set((namespace, name), arguments, answer)

    def set_usage(self, namespace: str, name: str, *, cpu: str, memory: str, container: str = "") -> None:
        """What this pod, or each pod of this workload, uses, such as ``250m`` and ``64Mi``.

        The first value brings the metrics API into being. Raises ValueError for what is no quantity.
        """
        self.metrics.set_pod((namespace, name), Usage(cpu=cpu, memory=memory), container=container)

    def set_node_usage(self, name: str, *, cpu: str, memory: str) -> None:
        """What a node uses, as in ``set_usage``."""
        self.metrics.set_node(name, Usage(cpu=cpu, memory=memory))

    def kill_kubelet(self, node: str) -> None:
        """The kubelet of a node dies: 50 seconds of the cluster later the node is Unknown and tainted, 5 more
        and its pods are driven out; its containers go on running."""
        self.kubelet.kill(self.cluster, node)
        self.machines.fall_silent(self.cluster, node)

    def start_kubelet(self, node: str) -> None:
        """The kubelet of a node is back."""
        self.machines.speak_again(self.cluster, node)
        self.kubelet.revive(self.cluster, node)
