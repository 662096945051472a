"""Who would be asked about an incident and when, and what would make it more severe: for explanations."""

from __future__ import annotations

from remediator.core.policies import (
    Level,
    PageUnlessVerified,
    Policy,
    Rule,
    Scope,
    StillOpen,
    describe_page_policy,
)
from remediator.core.raising import Watched, describe_condition, watched
from remediator.core.text import plain
from remediator.core.times import SECOND, format_duration
from remediator.core.verdicts import NotAskedError
from remediator.policy.explained import LevelPlan, RaiseNote, SeverityPlan
from remediator.policy.foresee import Foreseen, Standing
from remediator.policy.present import Present


def span(of: int | None) -> str | None:
    """As a duration, to the second from a minute on."""
    if of is None:
        return None
    return format_duration(of if of < 60 * SECOND else of // SECOND * SECOND)


async def plan_severity(
    policy: Policy, rule: Rule, foreseen: Foreseen, before: Standing, present: Present, scope: Scope
) -> SeverityPlan | None:
    """What the incident's severity promises then. None: the policy does not know it."""
    incident = foreseen.incident
    name = rule.severity if incident is None else incident.severity
    severity = policy.severities.get(name)
    if severity is None:
        return None
    asked = before.incident.level if before.incident is not None and foreseen.continues else 0
    page = describe_page_policy(severity.page)
    if asked:
        page += f"; level {asked} was asked already"
    elif isinstance(severity.page, PageUnlessVerified) and not rule.runbooks and not foreseen.continues:
        page += "; there is no runbook to try first, so at once"
    return SeverityPlan(
        name=name,
        summary=severity.summary,
        page=page,
        page_at=span(foreseen.page_at),
        story=foreseen.story,
        respond_within=span(severity.respond_within),
        resolve_within=span(severity.resolve_within),
        escalation=severity.escalation,
        levels=_levels(policy, name, foreseen, asked),
        raises=await _raises(policy, foreseen, before, present, scope),
    )


def _levels(policy: Policy, severity: str, foreseen: Foreseen, asked: int) -> tuple[LevelPlan, ...]:
    """All that can be reached; the operator, where people are asked and there is no level."""
    pinned = foreseen.incident.levels if foreseen.incident is not None else policy.levels(severity)
    operator = (Level(level=1, channels=policy.operator),) if foreseen.page_at is not None else ()
    plans: list[LevelPlan] = []
    after: int | None = 0
    for level in pinned or operator:
        at = None if after is None or foreseen.page_at is None else f"T+{span(foreseen.page_at + after)}"
        kinds = [policy.channels[name].kind for name in level.channels if name in policy.channels]
        plans.append(
            LevelPlan(
                level=level.level,
                after=span(after),
                at=at,
                channels=level.channels,
                kinds=tuple(kinds),
                acknowledge_within=span(level.acknowledge_within),
                progress_within=span(level.progress_within),
                asked=level.level <= asked,
            )
        )
        if level.acknowledge_within is None and level.progress_within is None:
            break
        climbs = after is not None and level.acknowledge_within is not None
        after = (after or 0) + (level.acknowledge_within or 0) if climbs else None
    return tuple(plans)


async def _raises(
    policy: Policy, foreseen: Foreseen, before: Standing, present: Present, scope: Scope
) -> tuple[RaiseNote, ...]:
    incident = foreseen.incident
    if incident is None:
        return ()
    wanted = watched(policy, incident.severity, incident.fed_by)
    asked = [each for each in wanted if not isinstance(each.when, StillOpen)]
    seen: dict[Watched, tuple[bool | None, str]] = {}
    if asked:
        try:
            results = await present.weigh(asked, scope)
            seen = {
                each: (result.holds, result.observed) for each, result in zip(asked, results, strict=True)
            }
        except NotAskedError:
            pass  # nobody has looked, and the notes say so
    now = before.at if foreseen.continues else incident.open_since
    notes = []
    for each in wanted:
        at = None
        if isinstance(each.when, StillOpen):
            at = f"T+{span(max(incident.open_since + each.when.after - now, 0))}"
        holds, observed = seen.get(each, (None, None))
        notes.append(
            RaiseNote(
                to=each.to,
                condition=describe_condition(each.when),
                by=each.by,
                where=each.where,
                at=at,
                holds=holds,
                observed=None if observed is None else plain(observed, 300),
            )
        )
    return tuple(notes)
