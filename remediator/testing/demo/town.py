"""The cluster of the demo: a handful of services, and what befalls two of them."""

from __future__ import annotations

from dataclasses import dataclass

from remediator.testing.apiserver import Behaviour, FakeApiServer, Health, Pace, Program, Run
from remediator.testing.apiserver.kinds import PODS

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
    """Something breaks. ``told`` is the sentence that introduces it; ``then`` what happens to its pods.

    ``log`` is what these have written; ``crashed``: and then they ended, so that it is the previous run's.
    """

    service: str
    told: str
    then: Behaviour
    log: str
    crashed: bool = False

    def happen(self, cluster: FakeApiServer) -> None:
        """From now on it is so."""
        cluster.behave(NAMESPACE, self.service, self.then)
        for pod in cluster.cluster.store.list(PODS, NAMESPACE):
            if pod["metadata"]["labels"]["app"] == self.service:
                cluster.set_log(NAMESPACE, pod["metadata"]["name"], self.log, previous=self.crashed)


GIVES_UP = "starting\nerror: the setting ISSUER is missing, giving up\n"
HEALS = Scene(
    service="notification-service",
    told="notification-service hangs: its 3 pods run, but none of them answers any more.",
    then=Behaviour(present=Health.UNREADY),
    log="sent 214 mails\nerror: all 16 workers wait for the same lock\n",
)
STAYS_BROKEN = Scene(
    service="auth-service",
    told="auth-service crashes at start: a setting is missing, and no restart brings it back.",
    then=Behaviour(
        present=Health.CRASHING,
        rolled_out=Program(runs=(Run(ready=False, ends_after=0.2, exit_code=1, log=GIVES_UP),)),
    ),
    log=GIVES_UP,
    crashed=True,
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
