"""Severities and escalations broken: who is asked, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from remediator.core.policies import (
    Escalation,
    Level,
    PageNever,
    PageNow,
    PagePolicy,
    PageUnlessVerified,
    Policy,
    Severity,
    describe_page_policy,
)
from remediator.core.times import MINUTE, Millis, format_duration
from remediator.rehearsal.coverage import raises_of
from remediator.rehearsal.mutants.base import RAISE_HINT, Mutant, raises_changed, spans
from remediator.rehearsal.places import Places


def mutants_of_severities(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Page policies, escalations and raises of the severities that incidents can have."""
    used = {rule.severity for rule in policy.rules}
    used |= {each.to for _, each in raises_of(policy)}
    remedied = {rule.severity for rule in policy.rules if rule.runbooks}
    if remedied:
        remedied |= {each.to for _, each in raises_of(policy)}
    for name, severity in policy.severities.items():
        if name not in used:
            continue

        def made(key: str, change: str, hint: str, changed: Severity, known: str = name) -> Mutant:
            return Mutant(
                section="severities",
                subject=f"severity {known}",
                where=str(places.find("severities", known, key) or places.find("severities", known) or ""),
                change=change,
                hint=hint,
                policy=replace(policy, severities={**policy.severities, known: changed}),
                touches=("severities", known),
            )

        hint = f"expect who has been paged for a {name}, right after it opened and after a deadline"
        for words, page in _page_policies(severity.page, remedied=name in remedied):
            yield made("page", words, hint, replace(severity, page=page))
        if severity.escalation is not None:
            hint = f"expect pages of a {name}: pages: {{…: 1}}"
            yield made("escalation", "escalation removed", hint, replace(severity, escalation=None))
        for _, words, raises in raises_changed(severity.raises):
            yield made("raise", words, RAISE_HINT, replace(severity, raises=raises))


def _page_policies(page: PagePolicy, *, remedied: bool) -> Iterator[tuple[str, PagePolicy]]:
    """``remedied``: whether there are runbooks to try first; where not, a deadline is as good as now."""
    match page:
        case PageNow():
            later = PageUnlessVerified(within=Millis(15 * MINUTE))
            others: list[tuple[str, PagePolicy]] = [("", PageNever())]
            others += [("", later)] if remedied else []
        case PageNever():
            others = [("", PageNow())]
        case PageUnlessVerified(within=within):
            others = [("", PageNever())]
            if remedied:
                others.append(("", PageNow()))
                times = spans("unless_verified_within", within)
                others += [(words, PageUnlessVerified(within=span)) for words, span in times]
        case _:
            assert_never(page)
    for words, other in others:
        yield words or f"{describe_page_policy(page)} -> {describe_page_policy(other)}", other


def mutants_of_escalations(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Levels, their channels and their deadlines, of the escalations that severities name."""
    used = {severity.escalation for severity in policy.severities.values()}
    for name, escalation in policy.escalations.items():
        if name not in used:
            continue
        for number, level in enumerate(escalation.levels):
            for keys, words, hint, levels in _levels(escalation, number, level):
                changed = replace(escalation, levels=levels)
                at = places.find("escalations", name, str(number), *keys)
                yield Mutant(
                    section="escalations",
                    subject=f"escalation {name}, level {level.level}",
                    where=str(at or places.find("escalations", name) or ""),
                    change=words,
                    hint=hint,
                    policy=replace(policy, escalations={**policy.escalations, name: changed}),
                    touches=("escalations", name),
                )


def _levels(
    escalation: Escalation, number: int, level: Level
) -> Iterator[tuple[tuple[str, ...], str, str, tuple[Level, ...]]]:
    before, after = escalation.levels[:number], escalation.levels[number + 1 :]
    if before or after:
        renumbered = tuple(replace(each, level=each.level - 1) for each in after)
        hint = "let nobody acknowledge, and expect who has been paged after each level's deadline"
        yield (), "removed", hint, (*before, *renumbered)
    for index, channel in enumerate(level.channels):
        if len(level.channels) > 1 or not (before or after):
            rest = tuple(other for other in level.channels if other != channel)
            hint = f"expect pages: {{{channel}: …}} when level {level.level} is asked"
            yield (
                ("channels", str(index)),
                f"channel {channel} removed",
                hint,
                (
                    *before,
                    replace(level, channels=rest),
                    *after,
                ),
            )
    for key in ("acknowledge_within", "progress_within"):
        span = getattr(level, key)
        if span is not None:
            hint = f"expect who has been paged just before {format_duration(span)} and just after"
            for words, other in spans(key, span):
                changed = replace(level, **{key: other})  # type: ignore[arg-type]  # by the dataclass
                yield (key,), words, hint, (*before, changed, *after)
