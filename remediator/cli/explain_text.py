"""An explanation as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from remediator.policy.explain import AlertExplanation, Explanation, IncidentPlan, RunbookNote, SeverityPlan

_VERDICTS = {"allows": "green", "blocks": "red", "asked when acting": "dim"}

Line = tuple[str, str]
"""A text and its style."""


def say_explanation(out: Console, explanation: Explanation) -> None:
    """Say everything about every alert of one notification."""
    for alert in explanation.alerts:
        out.print(
            Text.assemble(
                (f"{alert.name or 'alert'} ", "bold"), (f"{alert.fingerprint} ", "dim"), alert.status
            )
        )
        for text, style in _lines(alert):
            out.print(Text(f"  {text}", style=style))
    for reason in explanation.rejected:
        out.print(Text(f"an alert would become a dead letter: {reason}", style="red"))
    if not explanation.alerts and not explanation.rejected:
        out.print("the notification holds no alerts")


def _lines(alert: AlertExplanation) -> Iterator[Line]:
    if alert.rule is None:
        yield "no rule matches: it is counted and listed, nothing else", "yellow"
    else:
        yield f"rule      {alert.rule.name} ({alert.rule.where}), mode {alert.rule.mode}", "green"
        if alert.rule.lowered:
            yield f"lowered   {alert.rule.lowered}", "yellow"
    if alert.status == "resolved":
        yield "resolved  it ends its episode; it opens nothing", ""
    if alert.incident is not None:
        yield from _incident(alert.incident)
    if alert.severity is not None:
        yield from _severity(alert.severity)
        yield from _story(alert.severity)
    if alert.foreign is not None:
        yield (
            f"foreign   it fails guards.accept {alert.foreign}: recorded and paged, never acted upon",
            "yellow",
        )
    if alert.rule is not None and not alert.runbooks:
        yield "runbooks  none: people do it", ""
    for note in alert.runbooks:
        yield from _runbook(note)
    for late in alert.too_late:
        yield f"too late  {late.name} ({late.where}) matches too, but comes after", "dim"
    for miss in alert.near:
        why = (
            f"{miss.matcher} fails: it saw {miss.saw!r}"
            if miss.saw
            else f"{miss.matcher} fails: there is none"
        )
        yield f"close     {miss.rule.name} ({miss.rule.where}), {miss.held} of {miss.of} hold; {why}", "dim"
    if alert.skeleton is not None:
        yield "a rule to begin with:", ""
        for line in alert.skeleton.splitlines():
            yield f"  {line}", "cyan"


def _incident(plan: IncidentPlan) -> Iterator[Line]:
    grouped = ", ".join(f"{name}={value!r}" for name, value in plan.grouped_by.items())
    yield f"incident  of service {plan.service}, grouped by {grouped} (group {plan.group})", ""
    if plan.hold is not None:
        yield f"hold      opened only if it still fires after {plan.hold}", ""
    if not plan.in_catalog:
        yield f"catalog   {plan.service} is not in it: every change for it is blocked", "yellow"
    if plan.waits_for:
        yield f"depends   on {', '.join(plan.waits_for)}", ""


def _severity(plan: SeverityPlan) -> Iterator[Line]:
    summary = f" ({plan.summary})" if plan.summary else ""
    promises = [f"respond within {plan.respond_within}" if plan.respond_within else ""]
    promises.append(f"resolve within {plan.resolve_within}" if plan.resolve_within else "")
    said = "".join(f", {promise}" for promise in promises if promise)
    yield f"severity  {plan.name}{summary}: {plan.page}{said}", "bold"
    if plan.page_at is not None:
        for level in plan.levels:
            when = (
                f"{level.after} after the page, unanswered"
                if level.level > 1
                else f"at T+{plan.page_at} at the latest"
            )
            yield f"  level {level.level}  {', '.join(level.channels)}: {when}", ""


def _story(plan: SeverityPlan) -> Iterator[Line]:
    for number, line in enumerate(plan.story):
        yield f"{'begins' if number == 0 else '':<9} {line}", ""


def _runbook(note: RunbookNote) -> Iterator[Line]:
    plan = note.plan
    yield f"runbook   {plan.name}" + (f": {plan.summary}" if plan.summary else ""), "bold"
    for word, parts in (("look", plan.diagnose), ("do", plan.steps), ("prove", plan.verify)):
        for part in parts:
            yield f"  {word:<7} {part}", ""
    yield f"  limits  {plan.limits}", "dim"
    if note.blocked is not None:
        yield f"  blocked {note.blocked}", "red"
    for guard in note.guards:
        yield f"  guard   {guard.name} {guard.verdict}: {guard.text}", _VERDICTS[guard.verdict]
