"""Lints of severities and escalations: who is asked, when, and whether that keeps what is promised."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.core.policies import (
    Escalation,
    Mode,
    PageNever,
    PageUnlessVerified,
    QueryBound,
    Raise,
    Rule,
    ServicesAffected,
    Severity,
    StillOpen,
    severity_rank,
)
from remediator.core.times import Millis, format_duration
from remediator.policy.lint_runbooks import verification_window
from remediator.policy.lint_view import Note, View


def pages_nobody(view: View) -> Iterator[Note]:
    """S301: a severity that pages, but does not say whom."""
    for name, severity in view.policy.severities.items():
        if not isinstance(severity.page, PageNever) and severity.escalation is None:
            text = f"{name} pages but names no escalation; add escalation: NAME, or write page: never"
            yield Note(at=view.spot("severities", name), code="S301", message=text)


def deadlines_too_short(view: View) -> Iterator[Note]:
    """S302: the page leaves before the runbooks of a rule can be proven."""
    for rule in view.policy.rules:
        severity = view.policy.severities.get(rule.severity)
        if severity is None or not isinstance(severity.page, PageUnlessVerified):
            continue
        if rule.mode is Mode.OBSERVE:
            continue  # nothing is done, so nothing is verified
        books = [view.policy.runbooks[name] for name in rule.runbooks if name in view.policy.runbooks]
        needed = sum(map(verification_window, books))
        if needed > severity.page.within:
            text = (
                f"verifying the runbooks of rule '{rule.name}' may take {format_duration(needed)}, but "
                f"{rule.severity} pages after {format_duration(severity.page.within)}; shorten within: of "
                "their checks, or give the severity more time"
            )
            yield Note(at=view.spot("rules", rule.name, "runbooks"), code="S302", message=text)


def unused_severities(view: View) -> Iterator[Note]:
    """S303: a severity that no rule gives and nothing is raised to."""
    if not view.sound or not view.policy.rules:
        return
    used = set(view.used("severities"))
    for name in view.policy.severities:
        if name not in used:
            text = f"no rule is of {name}: only people can declare such an incident; remove it, or use it"
            yield Note(at=view.spot("severities", name), code="S303", message=text)


def late_answers(view: View) -> Iterator[Note]:
    """S304: somebody on the escalation is asked only when the time to respond is over."""
    for name, severity in view.policy.severities.items():
        escalation = view.policy.escalations.get(severity.escalation or "")
        if severity.respond_within is None or escalation is None or isinstance(severity.page, PageNever):
            continue
        first = severity.page.within if isinstance(severity.page, PageUnlessVerified) else 0
        late = _late_level(escalation, first, severity.respond_within)
        if late is not None:
            number, after = late
            text = (
                f"level {number} of escalation '{escalation.name}' is asked after {format_duration(after)}, "
                f"but {name} promises an answer within {format_duration(severity.respond_within)}; "
                "climb sooner"
            )
            yield Note(at=view.spot("severities", name, "respond_within"), code="S304", message=text)


def _late_level(escalation: Escalation, first: int, within: int) -> tuple[int, Millis] | None:
    """The first level that is asked too late, and when, in milliseconds after the incident opens."""
    asked = first
    for level in escalation.levels:
        if asked >= within:
            return level.level, Millis(asked)
        if level.acknowledge_within is None:
            return None
        asked += level.acknowledge_within
    return None


def promises_in_order(view: View) -> Iterator[Note]:
    """S305: over before it is answered."""
    for name, severity in view.policy.severities.items():
        respond, resolve = severity.respond_within, severity.resolve_within
        if respond is not None and resolve is not None and resolve < respond:
            text = (
                f"{name} promises to be resolved within {format_duration(resolve)}, but to be answered only "
                f"within {format_duration(respond)}; exchange them"
            )
            yield Note(at=view.spot("severities", name, "resolve_within"), code="S305", message=text)


def levels_never_reached(view: View) -> Iterator[Note]:
    """E601 and E604: a level after one that waits for ever, and a wait after which nobody is left."""
    for name, escalation in view.policy.escalations.items():
        for number, level in enumerate(escalation.levels[:-1]):
            if level.acknowledge_within is None:
                text = (
                    f"escalation '{name}' never climbs above level {level.level} by itself; "
                    "add acknowledge_within: 15m to that level"
                )
                yield Note(at=view.spot("escalations", name, str(number)), code="E601", message=text)
        last = len(escalation.levels) - 1
        if escalation.levels[last].acknowledge_within is not None:
            text = (
                f"level {last + 1} is the last of escalation '{name}': when nobody acknowledges, there is "
                "nobody left to ask; add a level, or remove acknowledge_within"
            )
            at = view.spot("escalations", name, str(last), "acknowledge_within")
            yield Note(at=at, code="E604", message=text)


def idle_raises(view: View) -> Iterator[Note]:
    """R111: raises that never happen, because another one of the same holder comes first."""
    holders: list[Rule | Severity] = [*view.policy.rules, *view.policy.severities.values()]
    for holder in holders:
        section = "rules" if isinstance(holder, Rule) else "severities"
        for number, each in enumerate(holder.raises):
            other = _earlier(each, holder.raises)
            if other is not None:
                text = f"this raise to {each.to} never happens: another one raises to {other.to} before it; "
                at = view.spot(section, holder.name, "raise", str(number), "to")
                yield Note(at=at, code="R111", message=text + "remove one of them")


def _earlier(each: Raise, raises: tuple[Raise, ...]) -> Raise | None:
    """A raise that always comes before this one and goes as far."""
    own = _reached_at(each)
    for other in raises:
        there = _reached_at(other)
        if own is None or there is None or type(other.when) is not type(each.when):
            continue
        if there < own and severity_rank(other.to) <= severity_rank(each.to):
            return other
    return None


def _reached_at(each: Raise) -> int | None:
    """What must have been reached, where conditions of one kind can be compared."""
    match each.when:
        case StillOpen(after=after):
            return after
        case ServicesAffected(at_least=at_least):
            return at_least
        case QueryBound():
            return None
