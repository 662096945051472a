"""Every kind this server serves. A new kind is a new file here and its place in ``KINDS``."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import Kind
from remediator.testing.apiserver.kinds.batch import CRON_JOBS, JOBS
from remediator.testing.apiserver.kinds.core import CONFIG_MAPS, ENDPOINTS, NAMESPACES, PODS, SERVICES
from remediator.testing.apiserver.kinds.events import EVENTS, EVENTS_V1
from remediator.testing.apiserver.kinds.nodes import LEASES, NODES
from remediator.testing.apiserver.kinds.policy import (
    AUTOSCALERS,
    AUTOSCALERS_V1,
    LIMIT_RANGES,
    POD_DISRUPTION_BUDGETS,
    QUOTAS,
)
from remediator.testing.apiserver.kinds.rbac import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    ROLE_BINDINGS,
    ROLES,
)
from remediator.testing.apiserver.kinds.slices import ENDPOINT_SLICES
from remediator.testing.apiserver.kinds.storage import CLAIMS, STORAGE_CLASSES, VOLUMES
from remediator.testing.apiserver.kinds.workloads import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)

KINDS = (
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    CLAIMS,
    VOLUMES,
    PODS,
    QUOTAS,
    REPLICATION_CONTROLLERS,
    SERVICES,
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    AUTOSCALERS,
    CRON_JOBS,
    ENDPOINT_SLICES,
    JOBS,
    LEASES,
    POD_DISRUPTION_BUDGETS,
    CLUSTER_ROLES,
    CLUSTER_ROLE_BINDINGS,
    ROLES,
    ROLE_BINDINGS,
    STORAGE_CLASSES,
)
"""The kinds that are stored, each once."""
SERVED = (*KINDS, AUTOSCALERS_V1, EVENTS_V1)
"""The stored kinds and their second versions."""

__all__ = [
    "AUTOSCALERS",
    "AUTOSCALERS_V1",
    "CLAIMS",
    "CLUSTER_ROLES",
    "CLUSTER_ROLE_BINDINGS",
    "CONFIG_MAPS",
    "CONTROLLER_REVISIONS",
    "CRON_JOBS",
    "DAEMON_SETS",
    "DEPLOYMENTS",
    "ENDPOINTS",
    "ENDPOINT_SLICES",
    "EVENTS",
    "EVENTS_V1",
    "JOBS",
    "KINDS",
    "LEASES",
    "LIMIT_RANGES",
    "NAMESPACES",
    "NODES",
    "PODS",
    "POD_DISRUPTION_BUDGETS",
    "QUOTAS",
    "REPLICATION_CONTROLLERS",
    "REPLICA_SETS",
    "ROLES",
    "ROLE_BINDINGS",
    "SERVED",
    "SERVICES",
    "STATEFUL_SETS",
    "STORAGE_CLASSES",
    "VOLUMES",
    "Kind",
]
