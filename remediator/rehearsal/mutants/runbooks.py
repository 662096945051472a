"""Runbooks broken: what is done, what is proven, and how often it may be tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from remediator.core.policies import Check, Policy, Runbook, Step
from remediator.core.times import Millis, format_duration, parse_duration
from remediator.rehearsal.mutants.base import Mutant, bounds, counts, spans
from remediator.rehearsal.places import Places

SPANS = {"isolate": "for", "job": "timeout", "silence": "for"}
"""The parameter of an action that is a span of time."""
BOUNDS = ("above", "below", "equals")
OUTLASTED = "all checks are waited for as long as the longest of them"
"""Why a test cannot notice that a check is waited for a little longer, or not as long."""
Made = Callable[[tuple[str, ...], str, str, Runbook], Mutant | None]


def mutants_of_runbooks(policy: Policy, places: Places) -> Iterator[Mutant]:
    """Every runbook that a rule names. What its author left to the defaults stays."""
    used = {name for rule in policy.rules for name in rule.runbooks}
    for name, book in policy.runbooks.items():
        if name in used and not book.lacks:  # of which nothing is performed, nobody can notice anything
            yield from filter(None, _of_one(policy, places, book))


def _of_one(policy: Policy, places: Places, book: Runbook) -> Iterator[Mutant | None]:
    def made(keys: tuple[str, ...], change: str, hint: str, changed: Runbook) -> Mutant | None:
        at = places.find("runbooks", book.name, *keys)
        if at is None:
            return None
        return Mutant(
            section="runbooks",
            subject=f"runbook {book.name}",
            where=str(at),
            change=change,
            hint=hint,
            policy=replace(policy, runbooks={**policy.runbooks, book.name: changed}),
            touches=("runbooks", book.name),
        )

    yield from _steps(book, made)
    yield from _checks(book, made)
    yield from _limits(book, made)
    yield from _windows(book, made)
    yield from _approval(book, made)
    if book.undo:
        hint = "let a check fail, and expect what is taken back: changes: [...], or what is left: timeline"
        yield made(("undo",), "undo: never", hint, replace(book, undo=False))


def _steps(book: Runbook, made: Made) -> Iterator[Mutant | None]:
    for number, step in enumerate(book.steps):
        at = ("steps", str(number))
        others = book.steps[:number], book.steps[number + 1 :]
        hint = (
            f"expect what it changes (changes: [...]), or let {step.action} fail and expect outcome: failed"
        )
        if step.wait is not None:
            hint = f"let check {step.wait.check} fail, and expect that the attempt fails"
        elif step.pause is not None:
            hint = "expect the attempt running just before the pause is over, and what follows it just after"
        yield made(
            at,
            f"step {number + 1}, {step.action}, removed",
            hint,
            replace(book, steps=(*others[0], *others[1])),
        )
        for keys, words, other in _step_numbers(step):
            changed = replace(book, steps=(*others[0], other, *others[1]))
            yield made((*at, step.action, *keys), f"{step.action}: {words}", hint, changed)
        for keys, words, other, how in _conditions(step):
            changed = replace(book, steps=(*others[0], other, *others[1]))
            yield made((*at, "when", *keys), f"{step.action}: {words}", how, changed)


def _conditions(step: Step) -> Iterator[tuple[tuple[str, ...], str, Step, str]]:
    """What a step depends on, removed, and its numbers."""
    if step.when is None:
        return
    hint = f"let check {step.when.check} not hold, and expect that {step.action} changes nothing"
    yield (), "when removed", replace(step, when=None), hint
    for key, words, check, how in _check_numbers(step.when):
        if key not in ("for", "within"):  # it is asked once
            yield (step.when.check, key), f"when {words}", replace(step, when=check), how


def _step_numbers(step: Step) -> Iterator[tuple[tuple[str, ...], str, Step]]:
    if step.wait is not None:
        for words, span in spans("timeout", step.wait.within):
            yield ("timeout",), words, replace(step, wait=replace(step.wait, within=span))
        for key, words, check, _ in _check_numbers(step.wait):
            if key != "within":  # that is its timeout
                yield ("for", step.wait.check, key), words, replace(step, wait=check)
        return
    if step.pause is not None:
        for words, span in spans("for", step.pause):
            said = {"for": format_duration(span)}
            yield ("for",), words, replace(step, params=said, pause=span)
        return
    if (own := SPANS.get(step.action)) is not None:
        for words, span in spans(own, parse_duration(str(step.params[own]))):
            yield (own,), words, replace(step, params={**step.params, own: format_duration(span)})
        return
    for key, value in step.params.items():
        if isinstance(value, int) and not isinstance(value, bool):
            for words, other in counts(key, value, 0 if key == "to" else 1):
                yield (key,), words, replace(step, params={**step.params, key: other})


def _checks(book: Runbook, made: Made) -> Iterator[Mutant | None]:
    for number, check in enumerate(book.verify):
        at = ("verify", str(number))
        others = book.verify[:number], book.verify[number + 1 :]
        hint = (
            f"let it fail: outcomes: [{{check: {check.check}, result: failed}}], and expect outcome: failed"
        )
        yield made(at, f"check {check.check} removed", hint, replace(book, verify=(*others[0], *others[1])))
        for key, words, other, how in _check_numbers(check):
            changed = replace(book, verify=(*others[0], other, *others[1]))
            if key == "within" and (longest := _longest(book)) == _longest(changed):
                how = f"{OUTLASTED}, here {format_duration(longest)}: nothing that a test could notice"
            yield made((*at, check.check, key), f"check {check.check}: {words}", how, changed)


def _longest(book: Runbook) -> Millis:
    return max(check.within for check in book.verify)


def _check_numbers(check: Check) -> Iterator[tuple[str, str, Check, str]]:
    hint = "expect the attempt running just before that moment, and verified just after"
    for words, span in spans("for", check.stable):
        yield "for", words, replace(check, stable=span), hint
    hint = (
        f"let check {check.check} fail, and expect the attempt running just before that moment, then failed"
    )
    for words, span in spans("within", check.within):
        yield "within", words, replace(check, within=span), hint
    for key in BOUNDS:
        value = check.params.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            hint = "give the query a value just within the bound, and one just beyond it: query: {'…': 0.009}"
            for words, bound in bounds(key, float(value)):
                yield key, words, replace(check, params={**check.params, key: bound}), hint
    count = check.params.get("at_least")
    if isinstance(count, int):
        hint = "say how many pods are ready: cluster: [{workload: …, replicas: 3, ready: 1}]"
        for words, other in counts("at_least", count):
            yield "at_least", words, replace(check, params={**check.params, "at_least": other}), hint


def _limits(book: Runbook, made: Made) -> Iterator[Mutant | None]:
    limits = book.limits

    def changed(**values: int) -> Runbook:
        return replace(book, limits=replace(limits, **values))  # type: ignore[arg-type]  # by the dataclass

    hint = "let the alert resolve and fire again until an attempt is blocked, and expect blocked_by: limits"
    for words, count in counts("attempts", limits.attempts):
        yield made(("limits", "attempts"), f"limits: {words}", hint, changed(attempts=count))
    for words, span in spans("per", limits.per):
        yield made(("limits", "per"), f"limits: {words}", hint, changed(per=span))
    for words, span in spans("cooldown", limits.cooldown):
        yield made(("limits", "cooldown"), f"limits: {words}", hint, changed(cooldown=span))


def _windows(book: Runbook, made: Made) -> Iterator[Mutant | None]:
    if book.during:
        hint = f"let a test begin (start) outside of {', '.join(book.during)}, and expect blocked_by: window"
        yield made(("during",), "during removed", hint, replace(book, during=()))
    for number, name in enumerate(book.during if len(book.during) > 1 else ()):
        rest = tuple(other for other in book.during if other != name)
        hint = f"let a test begin (start) within {name} alone, and expect a change"
        yield made(("during", str(number)), f"not during {name}", hint, replace(book, during=rest))


def _approval(book: Runbook, made: Made) -> Iterator[Mutant | None]:
    terms = book.approval
    if terms is None:
        return
    hint = "expect outcome: approving and changes: [] before somebody approves: {at: 3m, approve: oncall}"
    yield made(("approval",), "approval removed", hint, replace(book, approval=None))
    for severity in terms.asked_for if len(terms.asked_for) > 1 else ():
        rest = tuple(other for other in terms.asked_for if other != severity)
        changed = replace(book, approval=replace(terms, asked_for=rest))
        yield made(("approval", "for"), f"no approval for {severity}", hint, changed)
    late = "let nobody answer, and expect outcome: approving just before that moment, and blocked just after"
    for words, span in spans("within", terms.within):
        changed = replace(book, approval=replace(terms, within=span))
        yield made(("approval", "within"), f"approval: {words}", late, changed)
    if terms.by:
        hint = "let somebody else approve, and expect that the attempt still waits"
        changed = replace(book, approval=replace(terms, by=()))
        yield made(("approval", "by"), "anybody may approve", hint, changed)
