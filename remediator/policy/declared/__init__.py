"""Actions, checks and diagnoses of the policy language that this version reads and does not perform.

Their parameters are checked like those of any other. A runbook that steps or verifies with one is blocked
when its turn comes, and people are asked; a diagnosis is left out.
"""

from __future__ import annotations

from remediator.policy.declared.kinds import Declared, DeclaredAction
from remediator.policy.declared.looks import (
    ExecCheck,
    ExecDiagnosis,
    LogsCheck,
    Pvcs,
    Top,
    Traces,
)
from remediator.policy.declared.nodes import Cordon, Drain, Uncordon
from remediator.policy.declared.programs import Exec, HttpAction, Job
from remediator.policy.declared.quiet import Pause, Silence

DECLARED_ACTIONS: dict[str, type[DeclaredAction]] = {
    action.name: action
    for action in (
        *(Cordon, Drain, Uncordon),
        *(Job, Exec, HttpAction, Silence, Pause),
    )
}
DECLARED_CHECKS: dict[str, type[Declared]] = {check.name: check for check in (ExecCheck, LogsCheck)}
DECLARED_DIAGNOSES: dict[str, type[Declared]] = {
    diagnosis.name: diagnosis for diagnosis in (Pvcs, Top, ExecDiagnosis, Traces)
}
