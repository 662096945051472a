"""The cluster of the demo: a handful of services, and what befalls two of them."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.testing.apiserver import Behaviour, FakeApiServer, Health, Pace

NAMESPACE = "fintech-services"
DEPLOYMENTS = {
    "auth-service": 2,
    "account-service": 2,
    "analytics-service": 2,
    "notification-service": 3,
}
PACE = Pace(ready_after=1.0, stop_after=0.3)
"""Seconds; a pod of a real cluster takes longer, and nobody wants to watch that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Something breaks. ``told`` is the sentence that introduces it; ``then`` what happens to its pods."""

    service: str
    told: str
    then: Behaviour


HEALS = Scene(
    service="notification-service",
    told="notification-service hangs: its 3 pods run, but none of them answers any more.",
    then=Behaviour(present=Health.UNREADY),
)
STAYS_BROKEN = Scene(
    service="auth-service",
    told="auth-service crashes at start: a setting is missing, and no restart can bring that back.",
    then=Behaviour.stays_broken(),
)


def settle_town(cluster: FakeApiServer) -> None:
    """Create the services, all of them well."""
    for name, replicas in DEPLOYMENTS.items():
        cluster.deployment(NAMESPACE, name, replicas=replicas)
    labels = {"app": "postgres"}
    container = {"name": "postgres", "image": "registry.local/postgres:17"}
    cluster.create(
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "postgres", "namespace": NAMESPACE, "labels": labels},
            "spec": {
                "serviceName": "postgres",
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        }
    )
