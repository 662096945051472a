"""Events: what the controllers, the scheduler and the kubelets tell about objects.

The same thing told again about the same object counts up in one Event, as client-go's recorder does it.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from remediator.testing.apiserver.kinds import EVENTS, NAMESPACES
from remediator.testing.apiserver.objects import Json, clone, deleting

if TYPE_CHECKING:
    from remediator.testing.apiserver.cluster import Cluster

SCHEDULER = "default-scheduler"
_numbers = count(0x18EA938C00000000)
"""Suffixes of the names of Events; a real recorder takes the time in nanoseconds."""


def announce(
    cluster: Cluster,
    about: Json,
    component: str,
    reason: str,
    message: str,
    *,
    warning: bool = False,
    host: str = "",
    container: str = "",
) -> None:
    """Tell something about an object; ``container`` names the container of a pod that it is about."""
    namespace = about["metadata"].get("namespace", "default")
    present = cluster.store.get(NAMESPACES, ("", namespace))
    if present is None or deleting(present):
        return
    key = (about["metadata"]["uid"], component, reason, message, container)
    name = cluster.announced.get(key, "")
    told = cluster.store.get(EVENTS, (namespace, name))
    if told is not None and component != SCHEDULER:
        again = clone(told)
        again["count"], again["lastTimestamp"] = told["count"] + 1, cluster.timestamp()
        cluster.store.put(EVENTS, again)
        return
    name = f"{about['metadata']['name']}.{next(_numbers):x}"
    cluster.announced[key] = name
    event = {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": _reference(about, container),
        "reason": reason,
        "message": message,
        "type": "Warning" if warning else "Normal",
    }
    cluster.create(EVENTS, {**event, **_source(cluster, component, host)})


def _reference(about: Json, container: str) -> Json:
    meta = about["metadata"]
    found = {
        "kind": about["kind"],
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta["uid"],
    }
    found |= {"apiVersion": about["apiVersion"], "resourceVersion": meta["resourceVersion"]}
    found["fieldPath"] = f"spec.containers{{{container}}}" if container else None
    return {name: value for name, value in found.items() if value is not None}


def _source(cluster: Cluster, component: str, host: str) -> Json:
    """Who told it and when; the scheduler speaks the newer form (events.k8s.io), the others the older."""
    now = cluster.timestamp()
    if component == SCHEDULER:
        return {
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "eventTime": f"{now[:-1]}.000000Z",
            "action": "Binding",
            "reportingComponent": component,
            "reportingInstance": f"{component}-0",
        }
    return {
        "source": {"component": component} | ({"host": host} if host else {}),
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "eventTime": None,
        "reportingComponent": component,
        "reportingInstance": host,
    }
