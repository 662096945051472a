"""How it ended, and whether that is how it should have."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from remediator.testing.demo.stage import DAEMON, Stage
from remediator.testing.demo.town import HEALS, NAMESPACE, STAYS_BROKEN


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What became of one incident.

    ``attempts``: each runbook and its outcome. ``restarts``: how often the cluster saw the daemon restart the
    workload. ``paged``: the channels PagerDuty was triggered for, in that order, one entry for each trigger.
    ``mitigated_after``: seconds from opening to the verified fix; None where there was none.
    """

    service: str
    severity: str
    status: str
    attempts: tuple[tuple[str, str], ...]
    restarts: int
    paged: tuple[str, ...]
    acknowledged_by: str | None
    mitigated_after: float | None
    id: str = ""
    changes: tuple[str, ...] = ()
    reason: str = ""
    """Why the last attempt ended as it did."""

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return asdict(self) | {"attempts": [{"runbook": name, "outcome": how} for name, how in self.attempts]}


def ending_of(stage: Stage, incident: dict[str, Any]) -> Ending:
    """From what the daemon's API says, PagerDuty received and the cluster saw."""
    service = incident["service"]
    restarts = sum(
        effect.template_changed
        for effect in stage.cluster.ledger.of(NAMESPACE, service)
        if effect.user == DAEMON
    )
    triggers = [event for event in stage.pager.triggers() if event.dedup_key.split("/")[0] == incident["id"]]
    attempts = incident["attempts"]
    return Ending(
        id=incident["id"],
        service=service,
        severity=incident["severity"],
        status=incident["status"],
        attempts=tuple((each["runbook"], str(each["outcome"])) for each in attempts),
        restarts=restarts,
        paged=tuple(stage.channel(event.routing_key) for event in triggers),
        acknowledged_by=incident["acknowledged_by"],
        mitigated_after=_seconds_between(incident["opened_at"], incident["verified_at"]),
        changes=tuple(change for each in attempts for change in each["changes"]),
        reason=attempts[-1]["reason"] if attempts else "",
    )


def differences(endings: list[Ending]) -> list[str]:
    """What is not as it should be after both scenes; nothing, when all is."""
    found = {ending.service: ending for ending in endings}
    wanted: dict[str, dict[str, Any]] = {
        HEALS.service: {
            "severity": "SEV-2",
            "status": "resolved",
            "attempts": (("restart-service", "verified"),),
            "restarts": 1,
            "paged": (),
            "acknowledged_by": None,
        },
        STAYS_BROKEN.service: {
            "severity": "SEV-2",
            "status": "escalated",
            "attempts": (("restart-service", "failed"),),
            "restarts": 1,
            "paged": ("oncall", "manager"),
            "acknowledged_by": "manager",
            "mitigated_after": None,
        },
    }
    lines = [f"{service}: there is no incident" for service in wanted if service not in found]
    lines += [f"{service}: there should be no incident" for service in found if service not in wanted]
    for service, ending in found.items():
        for name, value in wanted.get(service, {}).items():
            is_so = getattr(ending, name)
            if is_so != value:
                lines.append(f"{service}: {name} is {is_so!r}, and should be {value!r}")
    if HEALS.service in found and found[HEALS.service].mitigated_after is None:
        lines.append(f"{HEALS.service}: no fix was verified")
    return lines


def _seconds_between(begin: str, end: str | None) -> float | None:
    if end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()
