"""An alert names an object: which workload owns it is found out before anything is planned.

Asked by an effect, ``Locate``, whose answer is an event like any other. Pages do not wait for it.
"""

from __future__ import annotations

from dataclasses import replace

from remediator.core.aiming import is_sought, service_of_owner
from remediator.core.classify import Match
from remediator.core.decision import Draft
from remediator.core.incident import Aim, EffectId, Status
from remediator.core.journal import EffectLost, Kind, Locate, Located
from remediator.core.policies import Policy
from remediator.core.text import plain
from remediator.core.times import MINUTE, SECOND

LOCATE_AGAIN = 5 * SECOND
"""From an answer that may be another one soon to the next question."""
LOCATE_WITHIN = MINUTE
"""After that nothing is asked any more: it counts as not found."""
TIMER = "locate"
KEPT_LINKS = 8


def aim_at(draft: Draft, match: Match) -> None:
    """An alert joins whose rule has a target."""
    if match.rule.target is None:
        return
    aim = draft.incident.aim
    if aim is None:
        trouble = "" if match.target is not None else f"{match.told} cannot be the name of any object"
        draft.change(aim=Aim(ref=match.target, told=match.told, trouble=trouble))
        if trouble:
            draft.say(Kind.LOCATED, f"nothing will be changed: {trouble}", found=False)
    elif aim.ref != match.target and not aim.trouble:
        both = f"{aim.told} and {match.told}"
        _lead_nowhere(draft, aim, f"its alerts name two objects, {both}: add target to group_by of the rule")


def seek(draft: Draft) -> None:
    """Ask, unless it is known or asked already. The timer sees to it that nobody waits for ever."""
    incident, aim = draft.incident, draft.incident.aim
    if aim is None or not is_sought(incident) or aim.asking is not None or draft.is_armed(TIMER):
        return
    if incident.status in (Status.HELD, Status.RESOLVED):
        return
    since = aim.since if aim.since is not None else draft.at
    effect = EffectId(f"{incident.id}/locate/{incident.reopened}.{aim.asked}")
    draft.change(aim=replace(aim, asking=effect, asked=aim.asked + 1, since=since))
    draft.effects.append(Locate(id=effect, incident=incident.id))
    draft.arm(TIMER, since + LOCATE_WITHIN)


def located(draft: Draft, event: Located, policy: Policy) -> bool:
    """Whether it was the answer that is waited for."""
    aim = draft.incident.aim
    if aim is None or aim.asking != event.effect:
        return False
    draft.cancel(TIMER)
    if event.owner is not None:
        _found(draft, replace(aim, owner=event.owner, uid=event.uid, asking=None), policy)
    elif event.again and aim.since is not None and draft.at + LOCATE_AGAIN < aim.since + LOCATE_WITHIN:
        draft.change(aim=replace(aim, asking=None))
        draft.arm(TIMER, draft.at + LOCATE_AGAIN)
        return False
    else:
        _lead_nowhere(draft, aim, plain(event.reason, 300))
    return True


def _found(draft: Draft, aim: Aim, policy: Policy) -> None:
    assert aim.owner is not None
    incident = draft.incident
    service = service_of_owner(aim.owner, policy)
    known = policy.services.get(service) if service is not None else None
    links = {**(known.links if known is not None else {}), **incident.links}
    draft.change(
        aim=aim,
        service=incident.service if service is None else service,
        links=dict(list(links.items())[:KEPT_LINKS]),
    )
    of = f"service {service}" if service is not None else "no service of the catalog"
    itself = aim.ref is not None and aim.ref.path == aim.owner.path
    what = f"{aim.told} is there" if itself else f"{aim.told} belongs to {aim.owner}"
    text = f"{what}, of {of}"
    draft.say(Kind.LOCATED, text, found=True, workload=aim.owner.path, uid=aim.uid)


def _lead_nowhere(draft: Draft, aim: Aim, why: str) -> None:
    draft.cancel(TIMER)
    draft.change(aim=replace(aim, trouble=why, asking=None))
    draft.say(Kind.LOCATED, f"nothing will be changed: {why}", found=False)


def lost(draft: Draft, event: EffectLost) -> bool:
    """The question became a dead letter: whether it was the one that is waited for."""
    aim = draft.incident.aim
    if aim is None or aim.asking != event.effect:
        return False
    _lead_nowhere(draft, aim, f"{aim.told} could not be looked for: {plain(event.reason)}")
    return True


def rang(draft: Draft) -> None:
    """It is time to ask again, or nobody has answered for far too long."""
    aim = draft.incident.aim
    if aim is None or not is_sought(draft.incident):
        return
    if aim.asking is not None:
        _lead_nowhere(draft, aim, f"{aim.told} could not be found within a minute")


def forget(draft: Draft) -> None:
    """Another outage: what owns the object now is found out anew."""
    if draft.is_armed(TIMER):
        draft.cancel(TIMER)
    if draft.incident.aim is not None:
        draft.change(aim=None)


def stop(draft: Draft) -> None:
    """It is over: nobody is asked any more."""
    if draft.is_armed(TIMER):
        draft.cancel(TIMER)
    aim = draft.incident.aim
    if aim is not None and aim.asking is not None:
        draft.change(aim=replace(aim, asking=None))
