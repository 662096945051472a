"""When a ready pod counts as available: after ``minReadySeconds``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.controllers.pods import is_ready
from remediator.testing.apiserver.objects import Json


def count_available(cluster: Cluster, owner: Json, pods: Sequence[Json], again: Callable[[], None]) -> int:
    """How many of the pods are available now; ``again`` is called when the next one may have become so."""
    wanted = float(owner["spec"].get("minReadySeconds", 0)) * cluster.pace.second
    now, count, waits = cluster.clock(), 0, []
    for pod in filter(is_ready, pods):
        left = wanted - (now - cluster.moments.get(pod["metadata"]["uid"], now))
        if left <= 0:
            count += 1
        else:
            waits.append(left)
    if waits:
        cluster.after(min(waits), again)
    return count
