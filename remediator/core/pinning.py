"""What an attempt keeps of its runbook: all of it, its templates rendered."""

from __future__ import annotations

from remediator.core.errors import Refused
from remediator.core.incident import Incident
from remediator.core.policies import Policy, Runbook, Scope
from remediator.core.text import plain


def pin(runbook: Runbook, incident: Incident, policy: Policy) -> tuple[Runbook, str]:
    """The runbook as an attempt keeps it: rendered. As written, with the reason, where that cannot be."""
    scope = Scope(
        incident=incident.id,
        severity=incident.severity,
        service=incident.service,
        entry=policy.services.get(incident.service),
    )
    try:
        return policy.render(runbook, scope), ""
    except Refused as error:
        return runbook, plain(str(error), 300)
