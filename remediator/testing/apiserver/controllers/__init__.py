"""The controllers a cluster runs. A new one is a new file here and its place in ``default_controllers``."""

from __future__ import annotations

from collections.abc import Sequence

from remediator.testing.apiserver.cluster import Controller
from remediator.testing.apiserver.controllers.budgets import Budgets
from remediator.testing.apiserver.controllers.cordons import Cordons
from remediator.testing.apiserver.controllers.daemonsets import DaemonSets
from remediator.testing.apiserver.controllers.deployments import Deployments
from remediator.testing.apiserver.controllers.endpoints import EndpointAddresses
from remediator.testing.apiserver.controllers.garbage import EndingNamespaces, Garbage
from remediator.testing.apiserver.controllers.jobs import Jobs
from remediator.testing.apiserver.controllers.kubelet import Kubelet
from remediator.testing.apiserver.controllers.machines import Machines
from remediator.testing.apiserver.controllers.quotas import Quotas
from remediator.testing.apiserver.controllers.replicasets import ReplicaSets
from remediator.testing.apiserver.controllers.scheduler import Scheduler
from remediator.testing.apiserver.controllers.slices import EndpointSlices
from remediator.testing.apiserver.controllers.statefulsets import StatefulSets
from remediator.testing.apiserver.controllers.volumes import Claims, Volumes


def default_controllers(kubelet: Kubelet, machines: Machines) -> Sequence[Controller]:
    """In the order in which they look at a change."""
    workloads = (Deployments(), ReplicaSets(), StatefulSets(), DaemonSets(), Jobs())
    nodes = (Scheduler(), kubelet, machines)
    bounds = (Budgets(), Cordons(), Quotas(), Claims(), Volumes())
    return (*workloads, *nodes, EndpointAddresses(), EndpointSlices(), *bounds, Garbage(), EndingNamespaces())
