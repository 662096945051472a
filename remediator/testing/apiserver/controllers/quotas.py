"""The quota controller: what a namespace uses stands in the status of its quotas."""

from __future__ import annotations

from collections.abc import Iterable

from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.kinds import QUOTAS
from remediator.testing.apiserver.objects import Key, key_of
from remediator.testing.apiserver.quotas import used, written
from remediator.testing.apiserver.store import Event


class Quotas:
    """Counts again when anything in the namespace changes."""

    def keys(self, cluster: Cluster, event: Event) -> Iterable[Key]:
        """Quotas that change, and those of the namespace something changes in."""
        if event.kind is QUOTAS:
            yield event.key
        elif namespace := event.key[0]:
            yield from (key_of(quota) for quota in cluster.store.list(QUOTAS, namespace))

    def reconcile(self, cluster: Cluster, key: Key) -> None:
        """Write the sums."""
        quota = cluster.store.get(QUOTAS, key)
        if quota is None:
            return
        sums = {name: written(name, amount) for name, amount in used(cluster.store, quota).items()}
        cluster.set_status(QUOTAS, key, {"hard": quota["spec"].get("hard", {}), "used": sums})
