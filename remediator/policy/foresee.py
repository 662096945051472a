"""What would happen to an alert, by the very function that decides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remediator.core.alerts import Alert, AlertStatus, Fingerprint
from remediator.core.classify import Match
from remediator.core.decide import decide
from remediator.core.decision import Decision, Facts
from remediator.core.journal import Fired, Page, TimerDue
from remediator.core.policies import Policy
from remediator.core.times import Instant, Millis, Stamp

_NOBODY = Fingerprint("0")
_BEGINNING = Stamp("1970-01-01T00:00:00.000000000Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """What follows when such an alert fires and no incident of its group is open.

    ``page_at``: milliseconds from the opening to the page at the latest; None: there will be none.
    ``story``: the first lines of its timeline.
    """

    page_at: Millis | None
    story: tuple[str, ...]


def foresee(policy: Policy, match: Match, labels: Mapping[str, str]) -> Foreseen:
    """Decide as the daemon would, at time zero; a hold is waited out."""
    alert = Alert(
        fingerprint=_NOBODY,
        status=AlertStatus.FIRING,
        labels=labels,
        annotations={},
        starts_at=_BEGINNING,
        ends_at=None,
    )
    decisions = [decide(None, [Fired(alert=alert, match=match)], Facts(), policy, Instant(0))]
    held = next(((name, due) for name, due in decisions[0].arm.items() if name.startswith("hold#")), None)
    if held is not None:
        name, due = held
        facts = Facts(firing=1, members=frozenset({_NOBODY}))
        due_event = TimerDue(name=name, due=due)
        decisions.append(decide(decisions[0].incident, [due_event], facts, policy, due))
    story = tuple(entry.text for decision in decisions for entry in decision.timeline)
    return Foreseen(page_at=_page_at(decisions[-1]), story=story)


def _page_at(decision: Decision) -> Millis | None:
    if any(isinstance(message, Page) for message in decision.messages):
        return Millis(0)
    incident = decision.incident
    if incident is None or incident.deadline_at is None:
        return None
    return Millis(incident.deadline_at - incident.opened_at)
