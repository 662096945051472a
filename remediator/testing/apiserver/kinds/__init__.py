"""Every kind this server serves. A new kind is a new file here and its place in ``KINDS``."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import Kind
from remediator.testing.apiserver.kinds.batch import JOBS
from remediator.testing.apiserver.kinds.core import CONFIG_MAPS, ENDPOINTS, NAMESPACES, PODS, SERVICES
from remediator.testing.apiserver.kinds.events import EVENTS
from remediator.testing.apiserver.kinds.nodes import NODES
from remediator.testing.apiserver.kinds.policy import POD_DISRUPTION_BUDGETS
from remediator.testing.apiserver.kinds.workloads import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
)

KINDS = (
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    NODES,
    PODS,
    SERVICES,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    JOBS,
    POD_DISRUPTION_BUDGETS,
)
GROUPS = {(kind.group, kind.version) for kind in KINDS} | {("authorization.k8s.io", "v1")}

__all__ = [
    "CONFIG_MAPS",
    "CONTROLLER_REVISIONS",
    "DAEMON_SETS",
    "DEPLOYMENTS",
    "ENDPOINTS",
    "EVENTS",
    "GROUPS",
    "JOBS",
    "KINDS",
    "NAMESPACES",
    "NODES",
    "PODS",
    "POD_DISRUPTION_BUDGETS",
    "REPLICA_SETS",
    "SERVICES",
    "STATEFUL_SETS",
    "Kind",
]
