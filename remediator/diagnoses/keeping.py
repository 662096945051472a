"""Which diagnoses are kept as evidence before a change, whatever a runbook looks at by itself."""

from __future__ import annotations

from remediator.core.evidence import LOGS
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
PERMISSIONS: tuple[tuple[str, Permission], ...] = tuple(
    (f"{EVIDENCE} {name}", permission)
    for name, permissions in (*((one.name, one.permissions) for one in TOLD), (LOGS, Logs.permissions))
    for permission in permissions
)
"""What it takes, and which piece it is for. Who lacks one of them acts all the same: less is kept."""
