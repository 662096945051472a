"""Pages as messages: queued in the commit that decides them, tried again, resolved when all is over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from remediator.core.decision import Draft
from remediator.core.incident import KEPT_PAGES, Delivery, EffectId, PageState, Status
from remediator.core.journal import Kind, Page, Paged, PageKind
from remediator.core.text import plain
from remediator.core.times import Instant

OPERATOR_LEVEL = 0
"""Whoever hears of the daemon's own trouble, and of what nobody else took."""


def ask(draft: Draft, level: int, channels: Iterable[str], why: str) -> None:
    """Queue a page to each channel, in the very commit that decides it."""
    incident = draft.incident
    again = f"/{incident.reopened}" if incident.reopened else ""
    fresh = []
    for channel in channels:
        turn = f".{incident.attempt_count}" if level == OPERATOR_LEVEL else ""
        key = f"{incident.reopened}.{level}.{channel}{turn}"
        if incident.page(key) is None:
            fresh.append(
                PageState(
                    key=key,
                    level=level,
                    channel=channel,
                    dedup_key=f"{incident.id}/{level}{again}{turn}",
                    reason=plain(why, 500),
                    queued_at=draft.at,
                )
            )
    status = incident.status if incident.active is not None else Status.ESCALATED
    draft.change(
        pages=(*incident.pages, *fresh)[-KEPT_PAGES:],
        level=max(incident.level, level),
        status=status,
        deadline_at=None,
    )
    draft.cancel("deadline")
    if not fresh:
        draft.say(Kind.PAGE, f"there is nobody to page at level {level}: {plain(why, 300)}", outcome="nobody")
    for page in fresh:
        draft.say(
            Kind.PAGE,
            f"paging {page.channel} (level {level}): {page.reason}",
            channel=page.channel,
            level=level,
        )
        _send(draft, page, PageKind.TRIGGER)


def put_question(draft: Draft, channels: Iterable[str], asks: str, text: str) -> None:
    """Queue a question for approval to each channel: a message of its own, by which nobody is paged."""
    fresh = _queue_beside(draft, channels, f"asks{asks}", text, thread=f"asks/{asks}", asks=asks)
    if not fresh:
        draft.say(Kind.PAGE, "there is nobody to ask for approval", outcome="nobody")
    for page in fresh:
        draft.say(Kind.PAGE, f"asking {page.channel}: {page.reason}", channel=page.channel, asks=asks)


def tell_operator(draft: Draft, channels: Iterable[str], what: str, text: str) -> None:
    """Queue a message to the operator that pages nobody of the incident's own. ``what`` tells it apart."""
    for page in _queue_beside(draft, channels, what, text):
        draft.say(Kind.PAGE, f"telling {page.channel}: {page.reason}", channel=page.channel)


def ask_apart(draft: Draft, about: str, channels: Iterable[str], why: str) -> None:
    """Queue a page to each channel of what is not the outage itself, once for each ``about``.

    It says nothing about the incident's level and status, and stays when the incident is over.
    """
    if any(page.apart == about for page in draft.incident.pages):
        return
    fresh = _queue_beside(draft, channels, about, why, apart=about)
    if not fresh:
        draft.say(Kind.PAGE, f"there is nobody to page: {plain(why, 300)}", outcome="nobody")
    for page in fresh:
        text = f"paging {page.channel}: {page.reason}"
        draft.say(Kind.PAGE, text, channel=page.channel, level=OPERATOR_LEVEL)


def _queue_beside(
    draft: Draft,
    channels: Iterable[str],
    what: str,
    text: str,
    *,
    thread: str = "",
    asks: str = "",
    apart: str = "",
) -> tuple[PageState, ...]:
    """Queue a message to each channel, beside the escalation. ``what`` tells it apart."""
    incident = draft.incident
    fresh = tuple(
        PageState(
            key=f"{incident.reopened}.{OPERATOR_LEVEL}.{channel}.{what}",
            level=OPERATOR_LEVEL,
            channel=channel,
            dedup_key=f"{incident.id}/{thread or what}",
            reason=plain(text, 500),
            queued_at=draft.at,
            asks=asks,
            apart=apart,
        )
        for channel in dict.fromkeys(channels)
    )
    draft.change(pages=(*incident.pages, *fresh)[-KEPT_PAGES:])
    for page in fresh:
        _send(draft, page, PageKind.TRIGGER)
    return fresh


def take_back(draft: Draft, asks: str) -> None:
    """The question is answered, or is asked no longer. One still on its way is taken back when it arrives."""
    for page in draft.incident.pages:
        if page.asks == asks and page.trigger is Delivery.ACCEPTED and page.resolve is None:
            queue_resolve(draft, page)


def is_wanted(draft: Draft, page: PageState) -> bool:
    """Whether people are still to hear of it: it belongs to this opening, and what it asks is still asked."""
    attempt = draft.incident.active
    if page.asks:
        return attempt is not None and attempt.request is not None and attempt.request_name == page.asks
    return is_current(draft, page)


def resolve_apart(draft: Draft, about: str) -> None:
    """What such pages were about is over."""
    for page in draft.incident.pages:
        if page.apart != about:
            continue
        page = draft.change_page(replace(page, apart=""))
        if page.trigger is Delivery.ACCEPTED and page.resolve is None:
            queue_resolve(draft, page)


def _send(draft: Draft, page: PageState, kind: PageKind) -> None:
    effect = EffectId(f"{draft.incident.id}/page/{page.key}/{kind}/{page.tries}")
    draft.messages.append(
        Page(
            id=effect,
            incident=draft.incident.id,
            key=page.key,
            channel=page.channel,
            kind=kind,
            dedup_key=page.dedup_key,
        )
    )


def owed_since(page: PageState) -> Instant:
    """When the message that is owed now was queued."""
    return page.queued_at if page.resolve_queued_at is None else page.resolve_queued_at


def is_settled(page: PageState, kind: PageKind) -> bool:
    """Whether that message has had its final answer already: late and repeated answers change nothing."""
    state = page.trigger if kind is PageKind.TRIGGER else page.resolve
    return state is not Delivery.QUEUED


def say_delivery(draft: Draft, page: PageState, event: Paged, text: str) -> None:
    """What a channel made of a message."""
    what = "page" if event.kind is PageKind.TRIGGER else "resolve"
    draft.say(
        Kind.PAGE_DELIVERY,
        f"{what} to {page.channel}: {event.result}: {text}",
        channel=page.channel,
        outcome=event.result,
        message=event.kind,
    )


def is_current(draft: Draft, page: PageState) -> bool:
    """Whether the page belongs to this opening of the incident, not to one before it was reopened."""
    return page.key.startswith(f"{draft.incident.reopened}.")


def retry(draft: Draft, timer: str) -> None:
    """The pause before another delivery is over. Timers are named ``page/<kind>/<key>``."""
    prefix, kind, key = (*timer.split("/", 2), "", "")[:3]
    page = draft.incident.page(key)
    if prefix == "page" and page is not None and not is_settled(page, PageKind(kind)):
        _send(draft, page, PageKind(kind))


def resolve_pages(draft: Draft) -> None:
    """Resolve what was accepted. A trigger still on its way is resolved when it has arrived (P11)."""
    for page in draft.incident.pages:
        if page.trigger is Delivery.ACCEPTED and page.resolve is None and not page.apart:
            queue_resolve(draft, page)


def queue_resolve(draft: Draft, page: PageState) -> None:
    """Tell the channel that it is over."""
    page = draft.change_page(replace(page, resolve=Delivery.QUEUED, resolve_queued_at=draft.at, tries=0))
    _send(draft, page, PageKind.RESOLVE)
