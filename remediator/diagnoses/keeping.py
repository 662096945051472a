"""Which diagnoses are kept as evidence before a change, whatever a runbook looks at by itself."""

from __future__ import annotations

from dataclasses import replace

from remediator.core.plugins import DiagnosisPlugin, Permission
from remediator.diagnoses.events import Events
from remediator.diagnoses.logs import Logs
from remediator.diagnoses.pods import Pods
from remediator.diagnoses.rollout_history import RolloutHistory
from remediator.diagnoses.top import Top
from remediator.diagnoses.workload import WorkloadStatus

TOLD: tuple[DiagnosisPlugin, ...] = (WorkloadStatus(), Pods(), Events(), Top(), RolloutHistory())
"""What they tell is kept as they tell it: bounded, plain, without secrets."""
EVIDENCE = "evidence"
"""What it is called among the parts of an attempt."""
PERMISSIONS: tuple[Permission, ...] = tuple(
    replace(permission, why="keep what there is before pods go")
    for plugin in (*TOLD, Logs())
    for permission in plugin.permissions
)
"""What it takes. Who lacks one of them acts all the same: less is kept."""
