"""How stores list open incidents, so that those that wait for them find what comes first at the top."""

from __future__ import annotations

from collections.abc import Mapping

from remediator.core.incident import Incident, IncidentId, Status
from remediator.core.policies import SEVERITIES
from remediator.core.roots import Root

KEPT_ROOTS = 2
"""Of each name so many are answered: the first, and another one where that is the asking incident itself."""
_IDLE, _ATTACHED, _FOREIGN = 4, 8, 16


def _score(incident: Incident) -> int:
    """Lower comes first: our own, those that wait for nothing, those with a runbook, the most severe."""
    known = incident.severity in SEVERITIES
    rank = SEVERITIES.index(incident.severity) if known else len(SEVERITIES) - 1
    waits = incident.attached_to is not None
    return rank + _IDLE * (not incident.tried) + _ATTACHED * waits + _FOREIGN * bool(incident.foreign)


def root_of(incident: IncidentId, about: str, score: int) -> Root:
    """What a score that a store kept says."""
    return Root(
        incident=incident,
        about=about,
        severity=SEVERITIES[score % len(SEVERITIES)],
        attached=bool(score & _ATTACHED),
        idle=bool(score & _IDLE),
        foreign=bool(score & _FOREIGN),
    )


def _listed(incident: Incident | None) -> dict[str, int]:
    if incident is None or incident.status in (Status.HELD, Status.RESOLVED):
        return {}
    return dict.fromkeys(incident.about, _score(incident))


def listing(before: Incident | None, after: Incident) -> tuple[tuple[str, ...], Mapping[str, int]]:
    """Names under which it is listed no longer, and those under which it is, with its score."""
    there = _listed(after)
    was = _listed(before if before is not None and before.id == after.id else None)
    return tuple(name for name in was if name not in there), there
