"""What the performers of effects work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from remediator.checks import CHECKS, SETTLING
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.incident import Attempt, EffectId, Incident
from remediator.core.plugins import AlertRules, CheckPlugin, DiagnosisPlugin, HttpProber, Metrics
from remediator.core.policies import Mode, Policy
from remediator.core.ports import Observer
from remediator.core.programs import ProgramRunner
from remediator.core.requests import HttpSender
from remediator.core.silencing import Silencer
from remediator.core.store import GuardStore, IncidentStore
from remediator.core.times import Millis
from remediator.diagnoses import DIAGNOSES
from remediator.workers.lookout import Lookout


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What the runner works with. ``reader``, ``executor`` and ``programs`` are None where no cluster is.

    ``metrics`` and ``alert_rules``: None where no Prometheus is. ``lookout``: what Alertmanagers say of an
    incident's alerts, and ``silencer``: None where there are none.
    """

    incidents: IncidentStore
    guards: GuardStore
    reader: ClusterReader | None
    executor: Executor | None
    policy: Callable[[], Policy]
    ceiling: Mode
    clock_trouble: Callable[[], str | None]
    observer: Observer
    replica: str
    lease: Millis
    metrics: Metrics | None = None
    alert_rules: AlertRules | None = None
    lookout: Callable[[Incident], Lookout | None] = lambda incident: None
    http: HttpProber | None = None
    programs: ProgramRunner | None = None
    sender: HttpSender | None = None
    silencer: Silencer | None = None
    checks: Mapping[str, CheckPlugin] = field(default_factory=lambda: CHECKS)
    settling: Mapping[str, CheckPlugin] = field(default_factory=lambda: SETTLING)
    diagnoses: Mapping[str, DiagnosisPlugin] = field(default_factory=lambda: DIAGNOSES)


def awaiting(incident: Incident | None, effect: EffectId) -> Attempt | None:
    """The attempt that waits for exactly this effect, if any."""
    attempt = incident.active if incident is not None and not incident.resolved else None
    return attempt if attempt is not None and attempt.pending == effect else None
