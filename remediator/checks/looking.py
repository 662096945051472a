"""How checks read the target: what cannot be read is an answer too."""

from __future__ import annotations

from remediator.core.cluster import Workload
from remediator.core.errors import RemediatorError
from remediator.core.journal import CheckResult
from remediator.core.objects import NODE
from remediator.core.plugins import Sight


async def read_target(sight: Sight, *, nodes: bool = False) -> Workload | CheckResult:
    """The target's snapshot, or the answer of a check that cannot see it, or is for no such target.

    ``nodes``: it can be asked of a node, too.
    """
    if sight.cluster is None:
        return CheckResult(holds=None, observed="no cluster is configured")
    if sight.target is None:
        return CheckResult(holds=None, observed="the service has no workload in the catalog")
    if sight.target.kind == NODE and not nodes:
        return CheckResult(holds=None, observed=f"{sight.target} is a node: that is asked of workloads")
    try:
        return await sight.cluster.workload(sight.target)
    except RemediatorError as error:
        return CheckResult(holds=None, observed=f"{sight.target} could not be read: {error}")
