"""Things to look at before acting, one per file. They only read."""

from __future__ import annotations

from remediator.core.plugins import DiagnosisPlugin
from remediator.diagnoses.dependencies import Dependencies
from remediator.diagnoses.events import Events
from remediator.diagnoses.exec import ExecOutput
from remediator.diagnoses.http import HttpAnswers
from remediator.diagnoses.logs import Logs
from remediator.diagnoses.pods import Pods
from remediator.diagnoses.promql import PromqlSamples
from remediator.diagnoses.pvcs import Pvcs
from remediator.diagnoses.rollout_history import RolloutHistory
from remediator.diagnoses.top import Top
from remediator.diagnoses.traces import Traces
from remediator.diagnoses.workload import WorkloadStatus

DIAGNOSES: dict[str, DiagnosisPlugin] = {
    diagnosis.name: diagnosis
    for diagnosis in (
        *(WorkloadStatus(), Pods(), Events(), Logs()),
        *(RolloutHistory(), PromqlSamples(), HttpAnswers()),
        *(Pvcs(), Top(), Traces(), ExecOutput()),
        Dependencies(),
    )
}
