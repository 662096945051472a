"""Verifications, one per file. What cannot be found out does not hold."""

from __future__ import annotations

from remediator.checks.alert import AlertCheck
from remediator.checks.dependencies import DependenciesCheck
from remediator.checks.drained import Drained
from remediator.checks.endpoints import EndpointsCheck
from remediator.checks.exec import ExecCheck
from remediator.checks.http import HttpCheck
from remediator.checks.job import JobEnded
from remediator.checks.logs import LogsCheck
from remediator.checks.no_recurrence import NoRecurrence
from remediator.checks.promql import PromqlCheck
from remediator.checks.ready import Ready
from remediator.checks.recent_rollout import RecentRollout
from remediator.checks.rollout import Rollout
from remediator.core.plugins import CheckPlugin

CHECKS: dict[str, CheckPlugin] = {
    check.name: check
    for check in (
        *(Ready(), Rollout(), RecentRollout(), AlertCheck(), ExecCheck(), NoRecurrence()),
        *(EndpointsCheck(), PromqlCheck(), HttpCheck(), LogsCheck()),
        DependenciesCheck(),
    )
}
SETTLING: dict[str, CheckPlugin] = {check.name: check for check in (JobEnded(), Drained())}
"""What tells that what a step began is over (``core.plugins.Settling``). Policy files cannot ask it."""
