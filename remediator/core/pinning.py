"""What an attempt keeps of its runbook: all of it, its templates rendered."""

from __future__ import annotations

from remediator.core.aiming import astray, target_of
from remediator.core.errors import Refused
from remediator.core.incident import Incident
from remediator.core.policies import Policy, Rule, Runbook, Scope
from remediator.core.text import plain


def lacking(runbook: Runbook, rule: Rule | None) -> str:
    """Why no attempt of the runbook for the rule can be made in this version; empty when one can.

    Nothing is done in part: a step before the one that cannot be performed would not be the runbook's.
    """
    asked = [f"runbook {runbook.name} asks for {', '.join(runbook.lacks)}"] if runbook.lacks else []
    if rule is not None and rule.lacks:
        asked.append(f"rule {rule.name} asks for {', '.join(rule.lacks)}")
    return (
        plain(f"{' and '.join(asked)}, which this version cannot perform: nothing is changed", 300)
        if asked
        else ""
    )


def pin(runbook: Runbook, incident: Incident, policy: Policy, rule: str) -> tuple[Runbook, str]:
    """The runbook as an attempt for ``rule`` keeps it: rendered.

    As written, with the reason, where that cannot be or where this version cannot perform it.
    """
    known = policy.rule(rule)
    if lacks := lacking(runbook, known) or astray(incident, known):
        return runbook, plain(lacks, 300)
    scope = Scope(
        incident=incident.id,
        severity=incident.severity,
        service=incident.service,
        entry=policy.services.get(incident.service),
        target=target_of(incident, known, policy) if known is not None and known.target else None,
    )
    try:
        return policy.render(runbook, scope), ""
    except Refused as error:
        return runbook, plain(str(error), 300)
