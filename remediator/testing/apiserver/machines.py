"""The nodes of the fake cluster, as their kubelets register them."""

from __future__ import annotations

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import NODES
from remediator.testing.apiserver.objects import Json, clone

_ZEROS = "00000000-0000-0000-0000-000000000000"
_READY = {
    "MemoryPressure": ("False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    "Ready": ("True", "KubeletReady", "kubelet is posting ready status"),
}
_UNKNOWN = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")


def register(cluster: Cluster, name: str, number: int) -> Json:
    """A Node with two CPUs and 24 GiB; ``number`` is the last part of its address."""
    labels = {"kubernetes.io/hostname": name}
    for prefix in ("beta.kubernetes.io", "kubernetes.io"):
        labels |= {f"{prefix}/arch": "amd64", f"{prefix}/os": "linux"}
    annotations = {
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }
    node = cluster.prepare_create(
        NODES, {"metadata": {"name": name, "labels": labels, "annotations": annotations}}
    )
    amounts = {"cpu": "2", "hugepages-1Gi": "0", "hugepages-2Mi": "0", "pods": "110"}
    node["status"] = {
        "capacity": amounts | {"ephemeral-storage": "264212084Ki", "memory": "24684096Ki"},
        "allocatable": amounts | {"ephemeral-storage": "267847642337", "memory": "24479296Ki"},
        "conditions": [],
        "addresses": [
            {"type": "InternalIP", "address": f"10.99.0.{number}"},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": _info(),
    }
    return cluster.store.put(NODES, with_heartbeat(node, cluster.timestamp(), alive=True))


def _info() -> Json:
    return {
        "machineID": _ZEROS.replace("-", ""),
        "systemUUID": _ZEROS.replace("-", ""),
        "bootID": _ZEROS,
        "kernelVersion": "6.1.0",
        "osImage": "Debian GNU/Linux 12 (bookworm)",
        "containerRuntimeVersion": "containerd://1.6.20",
        "kubeletVersion": "v1.32.13",
        "kubeProxyVersion": "v1.32.13",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }


def with_heartbeat(node: Json, now: str, *, alive: bool) -> Json:
    """A copy of the Node with the conditions of a kubelet that reports, or that has fallen silent."""
    changed = clone(node)
    before = {one["type"]: one for one in changed["status"]["conditions"]}
    changed["status"]["conditions"] = [
        _condition(of, said if alive else _UNKNOWN, before.get(of), now, beats=alive)
        for of, said in _READY.items()
    ]
    return changed


def _condition(of: str, said: tuple[str, str, str], before: Json | None, now: str, *, beats: bool) -> Json:
    status, reason, message = said
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    beat = now if beats or before is None else before["lastHeartbeatTime"]
    times = {"lastHeartbeatTime": beat, "lastTransitionTime": since}
    return {"type": of, "status": status, **times, "reason": reason, "message": message}


def address_of(cluster: Cluster, name: str) -> str:
    """The address of a node; of one that is not there, one that no other has."""
    node = cluster.store.get(NODES, ("", name))
    addresses = node["status"].get("addresses", ()) if node else ()
    return next((str(one["address"]) for one in addresses if one["type"] == "InternalIP"), "10.99.0.250")
