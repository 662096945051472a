"""When people are asked, who, and what happens when they do not answer.

A page deadline is a timer of its own and depends on no remediation (P18). A level's deadline starts when
the level before was accepted by its channel, so no clock jump climbs more than one level (P12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from remediator.core import attaching, paging, patience, trust
from remediator.core.aiming import is_sought
from remediator.core.decision import DeadLetter, Draft
from remediator.core.incident import Delivery, PageState, Status
from remediator.core.journal import Acknowledged, Kind, Paged, PageKind, PageResult
from remediator.core.patience import level_of
from remediator.core.policies import Level, PageNever, PageNow, PagePolicy, PageUnlessVerified, Policy
from remediator.core.text import plain
from remediator.core.times import HOUR, MINUTE, SECOND, Instant, format_duration

DELIVER_WITHIN = HOUR
"""How long a channel may fail before its page is given up and the next level is asked."""
FEWEST_TRIES = 10
"""So often a channel is tried at least: the clock may have jumped."""
LINGER = 15 * MINUTE
"""How long alerts may fire on after a verified fix before people hear of it."""
LONGEST_BACKOFF = MINUTE


def page_policy(draft: Draft, policy: Policy) -> PagePolicy:
    """What the incident's severity asks for. A severity that is gone from the policy pages at once."""
    severity = policy.severities.get(draft.incident.severity)
    return severity.page if severity is not None else PageNow()


def apply_page_policy(draft: Draft, policy: Policy, *, anew: bool = False) -> None:
    """The incident opened, or its severity rose: page now, or arm the deadline, or neither.

    ``anew``: the time until the deadline begins now.
    """
    incident = draft.incident
    if incident.level or attaching.hides_page(draft, policy):
        return
    asked = page_policy(draft, policy)
    match asked:
        case PageNow():
            ask_level(draft, policy, 1, f"{incident.severity} is paged at once")
        case PageUnlessVerified() if not incident.tried and not is_sought(incident):
            ask_level(draft, policy, 1, "there is no runbook to try first")
        case PageUnlessVerified() if _nothing_left(draft):
            ask_level(draft, policy, 1, f"there is no runbook left to try{_last_reason(draft)}")
        case PageUnlessVerified(within=within):
            fresh = anew or incident.reopened or incident.verified_at is not None
            due = Instant((draft.at if fresh else incident.opened_at) + within)
            if incident.deadline_at is None or due < incident.deadline_at:
                draft.change(deadline_at=due)
                draft.arm("deadline", due)
        case PageNever():
            pass
        case _:
            assert_never(asked)


def _nothing_left(draft: Draft) -> bool:
    """Whether every runbook has had its turn, in vain."""
    incident = draft.incident
    idle = not incident.plan and incident.active is None and incident.verified_at is None
    return idle and not is_sought(incident)


def widen(draft: Draft, policy: Policy, before: Sequence[Level]) -> None:
    """The severity rose, and with it the escalation, from that ``before``.

    Whoever the new one asks first and was not asked yet is asked now; whoever was asked has no longer than it
    says.
    """
    incident = draft.incident
    if not incident.level or isinstance(page_policy(draft, policy), PageNever):
        return
    first = level_of(incident.levels, 1)
    asked = {page.channel for page in incident.pages if paging.is_current(draft, page)}
    new = [channel for channel in first.channels if channel not in asked] if first is not None else []
    if new:
        paging.ask(draft, incident.level, new, f"raised to {incident.severity}; {_first_reason(draft)}")
    patience.hasten(draft, before)


def deadline(draft: Draft, policy: Policy) -> None:
    """The page deadline is here: people are asked unless a fix was verified."""
    incident = draft.incident
    draft.change(deadline_at=None)
    if incident.resolved or incident.level or incident.verified_at is not None:
        return
    active = incident.active
    progress = f"; attempt {active.number} is {active.phase}" if active else ""
    ask_level(draft, policy, 1, f"not verified in time{progress}{_last_reason(draft)}")


def _last_reason(draft: Draft) -> str:
    ended = [attempt for attempt in draft.incident.attempts if attempt.outcome is not None]
    return f"; {ended[-1].runbook.name}: {ended[-1].outcome}: {ended[-1].reason}" if ended else ""


def expect_resolution(draft: Draft) -> None:
    """A fix was verified but alerts still fire: give them a while."""
    draft.arm("linger", draft.at + LINGER)


def lingers(draft: Draft, policy: Policy) -> None:
    """A verified fix, and still its alerts fire: it was no fix."""
    if draft.incident.resolved or draft.firing == 0:
        return
    if draft.incident.active is not None:
        draft.arm("linger", draft.at + MINUTE)  # another attempt is at it; look again when it may be done
        return
    trust.recurred(draft)
    why = f"verified {format_duration(LINGER)} ago, yet {draft.firing} of its alerts still fire"
    remediation_failed(draft, policy, why)


def remediation_failed(draft: Draft, policy: Policy, why: str, *, unknown: bool = False) -> None:
    """No runbook is left: people take over, whatever time is left until the deadline."""
    if not unknown and attaching.attach(draft, policy) and attaching.hides_page(draft, policy):
        return
    incident = draft.incident
    draft.cancel("deadline")
    draft.change(deadline_at=None)
    if isinstance(page_policy(draft, policy), PageNever):
        if unknown:
            paging.ask(draft, paging.OPERATOR_LEVEL, policy.operator, why)
            return
        draft.say(Kind.PAGE, f"nobody is paged, {incident.severity} never is: {why}", outcome="withheld")
        if draft.firing == 0 and incident.active is None:
            draft.change(status=Status.ESCALATED)
        return
    if incident.level:
        draft.change(status=Status.ESCALATED)
        draft.say(
            Kind.ESCALATION,
            f"remediation is over, people have been asked already: {why}",
            level=incident.level,
        )
        return
    ask_level(draft, policy, 1, why)


def left_in_place(draft: Draft, policy: Policy, why: str) -> None:
    """What was changed should have been taken back and is there: people hear of it at once.

    Where the incident's own people have been asked already, or never are, the operator does.
    """
    if draft.incident.level or isinstance(page_policy(draft, policy), PageNever):
        paging.ask(draft, paging.OPERATOR_LEVEL, policy.operator, why)
    else:
        ask_level(draft, policy, 1, why)


def ask_level(draft: Draft, policy: Policy, number: int, why: str, *, unheard: bool = False) -> None:
    """Page every channel of a level; the operator where the severity has no such levels at all.

    ``unheard``: nobody has taken a page yet, so the operator hears of it when there is no further level.
    """
    level = level_of(draft.incident.levels, number)
    if level is not None:
        draft.cancel("escalate")
        paging.ask(draft, number, level.channels, why)
        patience.expect_progress(draft)  # somebody may have acknowledged before anybody was asked
    elif number == 1:
        paging.ask(draft, number, policy.operator, f"{draft.incident.severity} has no escalation: {why}")
    elif unheard:
        paging.ask(draft, paging.OPERATOR_LEVEL, policy.operator, why)
    else:
        draft.say(Kind.ESCALATION, f"there is no level {number} to climb to: {why}", level=number)


def paged(draft: Draft, event: Paged, policy: Policy) -> None:
    """A channel answered: keep it, try again later, or ask somebody else."""
    page = draft.incident.page(event.key)
    if page is None or paging.is_settled(page, event.kind):
        return
    detail = plain(event.detail, 200)
    match event.result:
        case PageResult.ACCEPTED:
            _accepted(draft, page, event.kind, detail, policy)
        case PageResult.RETRY if (
            page.tries < FEWEST_TRIES or draft.at - paging.owed_since(page) < DELIVER_WITHIN
        ):
            page = draft.change_page(replace(page, tries=page.tries + 1))
            delay = max(event.retry_after or 0, min(SECOND * 2 ** min(page.tries - 1, 10), LONGEST_BACKOFF))
            paging.say_delivery(draft, page, event, f"{detail}; again in {format_duration(delay)}")
            draft.arm(f"page/{event.kind}/{page.key}", draft.at + delay)
        case PageResult.RETRY | PageResult.REFUSED:
            _refused(draft, page, event, detail, policy)


def _hopeless(draft: Draft, page: PageState) -> bool:
    """Whether the channel has failed for so long, and so often, that somebody else is asked."""
    return page.tries >= FEWEST_TRIES and draft.at - paging.owed_since(page) >= DELIVER_WITHIN


def _accepted(draft: Draft, page: PageState, kind: PageKind, detail: str, policy: Policy) -> None:
    what = "page" if kind is PageKind.TRIGGER else "resolve"
    draft.say(
        Kind.PAGE_DELIVERY,
        f"{what} to {page.channel} accepted: {detail}",
        channel=page.channel,
        outcome=PageResult.ACCEPTED,
        message=kind,
    )
    if kind is PageKind.RESOLVE:
        draft.change_page(replace(page, resolve=Delivery.ACCEPTED))
        return
    page = draft.change_page(replace(page, trigger=Delivery.ACCEPTED, accepted_at=draft.at))
    if not page.apart and (draft.incident.resolved or not paging.is_wanted(draft, page)):
        paging.queue_resolve(draft, page)
        return
    levels = draft.incident.levels
    level = next((level for level in levels if level.level == page.level == draft.incident.level), None)
    first = not any(
        other.trigger is Delivery.ACCEPTED and other.key != page.key and other.level == page.level
        for other in draft.incident.pages
        if paging.is_current(draft, other)
    )
    if level is not None and first:
        patience.expect_answer(draft, level)


def _refused(draft: Draft, page: PageState, event: Paged, detail: str, policy: Policy) -> None:
    why = (
        detail
        if event.result is PageResult.REFUSED
        else f"given up after {format_duration(DELIVER_WITHIN)}: {detail}"
    )
    paging.say_delivery(draft, page, event, f"{why}; it is a dead letter now")
    draft.dead.append(
        DeadLetter(queue="outbox", reason=why, payload=f"{event.kind} {page.dedup_key} to {page.channel}")
    )
    if event.kind is PageKind.RESOLVE:
        draft.change_page(replace(page, resolve=Delivery.REFUSED))
        return
    page = draft.change_page(replace(page, trigger=Delivery.REFUSED))
    if page.asks:
        _unheard_question(draft, page, policy)
        return
    same_level = [p for p in draft.incident.pages if p.level == page.level and paging.is_current(draft, p)]
    hopeless = all(other.trigger is Delivery.REFUSED for other in same_level)
    if hopeless and not draft.incident.resolved and page.level == draft.incident.level and page.level > 0:
        why = f"no channel of level {page.level} took the page; {_first_reason(draft)}"
        ask_level(draft, policy, page.level + 1, why, unheard=True)


def _unheard_question(draft: Draft, page: PageState, policy: Policy) -> None:
    """Whoever was to approve cannot be told: then it is a page, because nobody would ever answer."""
    asked = [each for each in draft.incident.pages if each.asks == page.asks]
    heard = any(each.trigger is not Delivery.REFUSED for each in asked)
    if heard or draft.incident.level or not paging.is_wanted(draft, page):
        return
    if not isinstance(page_policy(draft, policy), PageNever):
        ask_level(draft, policy, 1, "no channel took the question for approval")


def climb(draft: Draft, policy: Policy) -> None:
    """Nobody acknowledged in time: ask the next level."""
    incident = draft.incident
    if incident.resolved or incident.acknowledged_at is not None or not incident.level:
        return
    why = f"level {incident.level} did not acknowledge in time"
    draft.say(Kind.ESCALATION, why, level=incident.level + 1)
    ask_level(draft, policy, incident.level + 1, f"{why}; {_first_reason(draft)}")


def _first_reason(draft: Draft) -> str:
    """Why people were asked in the first place, since the incident last opened."""
    return next(
        (page.reason for page in draft.incident.pages if page.level and paging.is_current(draft, page)), ""
    )


def acknowledged(draft: Draft, event: Acknowledged) -> None:
    """A person took it on: nothing climbs any more, unless the level also promises progress.

    A second acknowledgement of one level changes nothing; that of the level asked for want of progress does.
    """
    if draft.incident.resolved or draft.incident.acknowledged_at is not None:
        return
    by = plain(event.by, 60)
    draft.change(acknowledged_by=by, acknowledged_at=draft.at)
    draft.cancel("escalate")
    if draft.incident.stalled:  # people took it on long ago: that was the time to acknowledge
        draft.say(Kind.ACKNOWLEDGED, f"acknowledged by {by} of level {draft.incident.level}", by=by)
    else:
        took = draft.at - draft.incident.open_since
        draft.say(Kind.ACKNOWLEDGED, f"acknowledged by {by}", by=by, took=took)
    patience.expect_progress(draft)


def stalled(draft: Draft, policy: Policy) -> None:
    """Acknowledged long ago and not over: ask the next level, which has to acknowledge for itself."""
    incident = draft.incident
    if incident.resolved or incident.acknowledged_at is None:
        return
    ago = format_duration(max(draft.at - incident.acknowledged_at, 0) // SECOND * SECOND)
    why = f"acknowledged by {incident.acknowledged_by} {ago} ago, not over"
    number = incident.level + 1
    if level_of(incident.levels, number) is None:
        draft.say(Kind.ESCALATION, f"{why}; there is no level {number} to ask", level=number)
        return
    draft.change(acknowledged_by=None, acknowledged_at=None, stalled=incident.stalled + 1)
    draft.say(Kind.ESCALATION, f"{why}: level {number} is asked", level=number)
    ask_level(draft, policy, number, f"{why}; {_first_reason(draft)}")
