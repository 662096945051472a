"""An explanation as a person reads it: a word on the left says what a line is about, the rest beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from remediator.policy.explained import (
    AlertExplanation,
    Explanation,
    Fate,
    IncidentPlan,
    LevelPlan,
    NearMiss,
    RaiseNote,
    RunbookNote,
    SeverityPlan,
    StepNote,
    TargetNote,
)

_VERDICTS = {"allows": "green", "asks": "yellow", "blocks": "red", "asked when acting": "dim"}
_KEPT = "evidence, where it may act: logs of both runs, states, events, usage, revisions"
_NARROWEST = 40
_WIDTHS = (10, 8, 2)
"""Of the words on the left, at each depth."""


class Line(NamedTuple):
    """One line: what it is about, what it says, how it looks and how deep it stands."""

    word: str
    text: str
    style: str = ""
    depth: int = 0


def say_explanation(out: Console, explanation: Explanation, *, every: bool = False) -> None:
    """Say everything about every alert of one notification. ``every``: of each rule that does not match."""
    for alert in explanation.alerts:
        fingerprint = (f"{alert.fingerprint} ", "dim") if alert.fingerprint else ""
        out.print(Text.assemble((f"{alert.name or 'alert'} ", "bold"), fingerprint, alert.status))
        for line in _lines(alert, every=every):
            _say(out, line)
    for reason in explanation.rejected:
        _say(out, Line("rejected", f"an alert would become a dead letter: {reason}", "red"))
    if not explanation.alerts and not explanation.rejected:
        out.print("the notification holds no alerts")


def _say(out: Console, line: Line) -> None:
    """On a terminal wrapped beside its word; else a line is a line."""
    indent = "  " * (line.depth + 1)
    begin = f"{indent}{line.word:<{_WIDTHS[line.depth]}}"
    text = Text(line.text, style=line.style)
    room = max(out.width - len(begin), _NARROWEST)
    parts = text.wrap(out, room) if out.is_terminal else [text]
    for number, part in enumerate(parts):
        part.rstrip()
        said = Text.assemble((begin if number == 0 else " " * len(begin), line.style), part)
        said.rstrip()
        out.print(said)


def _lines(alert: AlertExplanation, *, every: bool) -> Iterator[Line]:
    if alert.rule is None:
        nothing_more = alert.fate is Fate.UNMATCHED
        yield Line("unmatched", alert.because if nothing_more else "no rule matches", "yellow")
    else:
        yield Line("rule", f"{alert.rule.name} ({alert.rule.where}), mode {alert.rule.mode}", "green")
        if alert.rule.lowered:
            yield Line("lowered", alert.rule.lowered, "yellow")
    if alert.fate is not Fate.UNMATCHED:
        yield Line(_word(alert.fate), alert.because, "bold")
    if alert.incident is not None:
        yield from _incident(alert.incident)
    if alert.severity is not None:
        yield from _severity(alert.severity)
    if alert.foreign is not None:
        text = f"it fails guards.accept {alert.foreign}: recorded and paged, never acted upon"
        yield Line("foreign", text, "yellow")
    if alert.severity is not None and not alert.runbooks:
        yield Line("runbooks", "none: people do it")
    for note in alert.runbooks:
        yield from _runbook(note)
    yield from _others(alert, every=every)
    if alert.skeleton is not None:
        yield Line("begin", "with a rule such as")
        for text in alert.skeleton.splitlines():
            yield Line("", text, "cyan")


def _word(fate: Fate) -> str:
    words = {Fate.OPENS_OR_JOINS: "incident", Fate.ENDS: "resolved", Fate.NOTHING: "nothing"}
    return words.get(fate, str(fate))


def _incident(plan: IncidentPlan) -> Iterator[Line]:
    if plan.now is not None:
        now = plan.now
        tried = f", {now.attempts} attempts" if now.attempts != 1 else ", 1 attempt"
        by = f", acknowledged by {now.acknowledged_by}" if now.acknowledged_by else ""
        text = f"{now.id}: {now.severity}, {now.status}, {now.alerts} alerts firing{tried}{by}"
        yield Line("now", f"{text}, opened {now.opened_at}")
    grouped = ", ".join(f"{name}={value!r}" for name, value in plan.grouped_by.items()) or "nothing"
    yield Line("group", f"of service {plan.service}, grouped by {grouped} ({plan.group})")
    if plan.target is not None:
        yield Line("target", *_target(plan.target))
    if plan.hold is not None:
        yield Line("hold", f"opened only if it still fires after {plan.hold}")
    if not plan.in_catalog and plan.target is None:
        yield Line("catalog", f"{plan.service} is not in it: every change for it is blocked", "yellow")
    if plan.attached_to is not None:
        text = f"would attach to {plan.attached_to}: none of its runbooks starts while that one is open"
        yield Line("attaches", text, "yellow")
    elif plan.waits_for:
        text = f"on {', '.join(plan.waits_for)}: it would attach to an open incident of theirs"
        yield Line("depends", text)


def _target(note: TargetNote) -> tuple[str, str]:
    if note.trouble:
        return f"{note.named}: nothing is changed: {note.trouble}", "yellow"
    if note.workload is None:
        return f"{note.named}: which workload owns it is found out before anything is planned", ""
    return f"{note.named}, of {note.workload}", ""


def _severity(plan: SeverityPlan) -> Iterator[Line]:
    summary = f" ({plan.summary})" if plan.summary else ""
    promises = [f"respond within {plan.respond_within}" if plan.respond_within else ""]
    promises.append(f"resolve within {plan.resolve_within}" if plan.resolve_within else "")
    said = "".join(f", {promise}" for promise in promises if promise)
    yield Line("severity", f"{plan.name}{summary}: {plan.page}{said}", "bold")
    if plan.page_at is not None or any(level.asked for level in plan.levels):
        for level in plan.levels:
            yield Line(f"level {level.level}", _level(level), depth=1)
    for each in plan.raises:
        yield Line("raise", _raise(each), "yellow" if each.holds else "", depth=1)
    for number, line in enumerate(plan.story):
        yield Line("story" if number == 0 else "", line)


def _level(plan: LevelPlan) -> str:
    same = len(set(plan.kinds)) == 1 and len(plan.kinds) == len(plan.channels)
    kinds = f" ({plan.kinds[0]})" if same else f" ({', '.join(plan.kinds)})" if plan.kinds else ""
    if plan.asked:
        when = "was asked already"
    elif plan.level == 1 and plan.at is not None:
        when = "at once" if plan.at == "T+0s" else f"at {plan.at} at the latest"
    elif plan.at is not None:
        when = f"{plan.after} after the page, unanswered, {plan.at}"
    elif plan.after is not None:
        when = f"{plan.after} after the page, unanswered"
    else:
        when = "when the level before makes no progress"
    bounds = f"; to acknowledge within {plan.acknowledge_within}" if plan.acknowledge_within else ""
    if plan.progress_within:
        bounds += f"; over {plan.progress_within} after that, or the next level is asked"
    return f"{', '.join(plan.channels)}{kinds}: {when}{bounds}"


def _raise(note: RaiseNote) -> str:
    text = f"to {note.to}: {note.condition} (says {note.by})"
    if note.at is not None:
        return f"{text}, {note.at}"
    if note.observed is None:
        return f"{text}; asked while it is open"
    word = {True: "holds now", False: "does not hold now", None: "not known now"}[note.holds]
    return f"{text}; {word}: {note.observed}"


def _runbook(note: RunbookNote) -> Iterator[Line]:
    plan = note.plan
    yield Line("runbook", plan.name + (f": {plan.summary}" if plan.summary else ""), "bold")
    if note.had_turn:
        yield Line("had its", "turn in this incident already: each gets one", "yellow", 1)
    for part in plan.diagnose:
        yield Line("look", part, depth=1)
    if plan.evidence:
        yield Line("keep", _KEPT, "dim", 1)
    for step in note.steps:
        yield from _step(step)
    for part in plan.verify:
        yield Line("prove", part, depth=1)
    for part in plan.undo:
        yield Line("undo", part, depth=1)
    yield Line("limits", plan.limits, "dim", 1)
    if note.approval is not None:
        yield Line("approve", note.approval, "yellow", 1)
    if note.blocked is not None:
        yield Line("blocked", note.blocked, "red", 1)
    for guard in note.guards:
        yield Line("guard", f"{guard.name} {guard.verdict}: {guard.text}", _VERDICTS[guard.verdict], 1)


def _step(note: StepNote) -> Iterator[Line]:
    yield Line("do", note.step, depth=1)
    for line in note.diff:
        yield Line("", line, "cyan" if note.known == "now" else "dim", 2)
    if note.trouble is not None:
        what = "" if note.known == "now" else "what it would change cannot be found out: "
        yield Line("", f"{what}{note.trouble}", "yellow", 2)


def _others(alert: AlertExplanation, *, every: bool) -> Iterator[Line]:
    for late in alert.too_late:
        yield Line("too late", f"{late.name} ({late.where}) matches too, but comes after", "dim")
    for miss in alert.others if every else alert.near:
        yield Line("close" if miss.held else "no match", _miss(miss), "dim")
    shown = len(alert.others if every else alert.near)
    left = len(alert.others) - shown + alert.others_left_out
    if left:
        how = "" if every else "; --all shows why"
        yield Line("others", f"{left} more {'rule does' if left == 1 else 'rules do'} not match{how}", "dim")


def _miss(miss: NearMiss) -> str:
    saw = f"it saw {miss.saw!r}" if miss.saw else "there is none"
    place = f"{miss.rule.name} ({miss.rule.where})"
    return f"{place}, {miss.held} of {miss.of} hold; {miss.matcher} fails: {saw}"
