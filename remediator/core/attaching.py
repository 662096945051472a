"""While something that a service depends on has an open incident, the service's own attaches to that one.

It starts no runbook meanwhile, because the cause is looked after elsewhere, and pages nobody that the cause
pages for as well. What it waits for is no pointer that could dangle: after every event, and at the timer
``attach``, the open incidents are looked at anew, by the newest policy. So it cannot wait in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.core.decision import Draft
from remediator.core.incident import Incident, Status
from remediator.core.journal import Kind
from remediator.core.policies import PageNever, PageNow, PagePolicy, PageUnlessVerified, Policy, severity_rank
from remediator.core.roots import Root, dependencies, first_cause, named
from remediator.core.times import SECOND

ATTACH_EVERY = 30 * SECOND
"""How often what it waits for is looked at anew, whatever else happens."""
TIMER = "attach"


def waits_for(draft: Draft, policy: Policy) -> Root | None:
    """The open incident that comes first. One that it is attached to stays, while it is one of them."""
    incident = draft.incident
    others = [root for root in draft.facts.roots if root.incident != incident.id]
    roots = named(others, dependencies(incident.service, policy.services))
    kept = [root for root in roots if root.incident == incident.attached_to and not root.attached]
    return first_cause(kept or roots, policy) or _same_owner(incident, others)


def _same_owner(incident: Incident, others: Sequence[Root]) -> Root | None:
    """Another one about the workload that owns what the alerts name, which comes before this one.

    One with a runbook before one without, then the more severe, then the older: so of two only one waits.
    """
    if incident.aim is None or incident.aim.owner is None:
        return None
    same = [root for root in others if root.about in incident.about and not (root.attached or root.foreign)]
    kept = next((root for root in same if root.incident == incident.attached_to), None)
    mine = (not incident.tried, severity_rank(incident.severity), str(incident.id))
    first = min(same, key=_turn, default=None)
    return kept or (first if first is not None and _turn(first) < mine else None)


def _turn(root: Root) -> tuple[bool, int, str]:
    return root.idle, severity_rank(root.severity), str(root.incident)


def attach(draft: Draft, policy: Policy) -> bool:
    """Whether it waits for another incident; from now on, if there is one that comes first.

    What runs already goes on until a guard stops it; what has fallen silent waits for nothing.
    """
    incident = draft.incident
    if incident.attached_to is not None:
        return True
    if incident.status in (Status.HELD, Status.RESOLVED) or incident.active is not None or draft.firing == 0:
        return False
    root = waits_for(draft, policy)
    if root is None:
        return False
    _take(draft, root, policy)
    return True


def _take(draft: Draft, root: Root, policy: Policy) -> None:
    draft.change(attached_to=root.incident, verified_at=None)
    draft.arm(TIMER, draft.at + ATTACH_EVERY)
    service = draft.incident.service
    why = f"{service} depends on {root.about}, whose incident comes first"
    if root.about not in dependencies(service, policy.services):
        why = f"it is about {root.about} as well, and comes first"
    text = f"attached to {root.incident}: {why}"
    if hides_page(draft, policy):
        text += f"; people are asked for that one, which is {root.severity}"
        draft.cancel("deadline")
        draft.change(deadline_at=None)
    draft.say(Kind.ATTACHED, text, to=root.incident, root=root.about, severity=root.severity)


def hides_page(draft: Draft, policy: Policy) -> bool:
    """Whether who is asked for the other incident need not be asked for this one.

    Never for one that is more severe, nor where the other asks nobody or asks later, nor where the other is
    not ours to act upon.
    """
    incident = draft.incident
    root = next((one for one in draft.facts.roots if one.incident == incident.attached_to), None)
    if root is None or root.foreign or incident.level:
        return False
    if severity_rank(root.severity) > severity_rank(incident.severity):
        return False
    return _patience(root.severity, policy) <= _patience(incident.severity, policy)


def _patience(severity: str, policy: Policy) -> float:
    """Milliseconds until people are asked. A severity that is gone from the policy asks at once."""
    known = policy.severities.get(severity)
    page: PagePolicy = known.page if known is not None else PageNow()
    match page:
        case PageNow():
            return 0
        case PageUnlessVerified(within=within):
            return within
        case PageNever():
            return float("inf")


def look_again(draft: Draft, policy: Policy) -> bool:
    """Whether what it waited for is over: then it decides again. Else it waits on, maybe for another one."""
    incident = draft.incident
    if incident.attached_to is None:
        return False
    root = waits_for(draft, policy)
    if root is None:
        draft.say(
            Kind.DETACHED, f"{incident.attached_to} is over: it is decided again", was=incident.attached_to
        )
        let_go(draft)
        return True
    if root.incident != incident.attached_to:
        _take(draft, root, policy)
    elif not draft.is_armed(TIMER):
        draft.arm(TIMER, draft.at + ATTACH_EVERY)
    return False


def let_go(draft: Draft) -> None:
    """It waits for nothing any more."""
    if draft.is_armed(TIMER):
        draft.cancel(TIMER)
    if draft.incident.attached_to is not None:
        draft.change(attached_to=None)
