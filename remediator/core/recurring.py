"""A fix that is verified and comes undone, again and again, is none: its attempts are spent. Pure.

The limits of a runbook count attempts in a window that slides. What recurs a little more slowly than they
allow would be mended for ever, and nobody would hear of it.
"""

from __future__ import annotations

from remediator.core.incident import Incident, Outcome
from remediator.core.policies import Runbook
from remediator.core.times import Instant, format_duration


def recurred(incident: Incident, at: Instant) -> dict[str, int]:
    """How often what each runbook had mended came undone in a row, now that it fires again, at ``at``.

    It counts where that is within ``per`` of the runbook's limits. Longer after that all begins anew, and so
    it does where the last attempt mended nothing: people have heard of that.
    """
    last = incident.attempts[-1] if incident.attempts else None
    if last is None or last.ended_at is None or last.outcome is not Outcome.VERIFIED:
        return {}
    if at - last.ended_at > last.runbook.limits.per:
        return {}
    name = last.runbook.name
    return {**incident.recurred, name: incident.recurred.get(name, 0) + 1}


def spent(incident: Incident, runbook: Runbook) -> str:
    """Why the runbook is not tried once more; empty when it may be."""
    times, limits = incident.recurred.get(runbook.name, 0), runbook.limits
    if times < limits.attempts:
        return ""
    often = "once" if times == 1 else f"{times} times in a row"
    return (
        f"it was verified, and an alert fired again within {format_duration(limits.per)} of that, {often}: "
        f"it does not last, and at most {limits.attempts} attempts are allowed"
    )
