"""What a runbook would do to a service, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from remediator.actions import ACTIONS
from remediator.core.plugins import no_inverse
from remediator.core.policies import Check, Runbook, Step, WorkloadRef
from remediator.core.programs import say_command
from remediator.core.redact import redact
from remediator.core.times import format_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class RunbookPlan:
    """The parts of a runbook in their order, a line each."""

    name: str
    summary: str
    target: str | None
    diagnose: tuple[str, ...]
    evidence: bool
    """Whether what there is of the target is kept before the first step; see ``core.evidence``."""
    steps: tuple[str, ...]
    verify: tuple[str, ...]
    limits: str
    undo: tuple[str, ...] = ()
    """What becomes of each change after a failed verification, the last first; empty: nothing is undone."""


def plan_runbook(runbook: Runbook, target: WorkloadRef | None) -> RunbookPlan:
    """What it would do to that workload, without looking at it."""
    limits = runbook.limits
    return RunbookPlan(
        name=runbook.name,
        summary=runbook.summary,
        target=None if target is None else target.path,
        diagnose=tuple(_words(each.diagnosis, each.params) for each in runbook.diagnose),
        evidence=runbook.evidence,
        steps=tuple(say_step(each, target) for each in runbook.steps),
        verify=tuple(map(_check, runbook.verify)),
        limits=(
            f"at most {limits.attempts} attempt{'' if limits.attempts == 1 else 's'} in "
            f"{format_duration(limits.per)}, "
            f"{format_duration(limits.cooldown)} between two"
        ),
        undo=_undo(runbook),
    )


def _undo(runbook: Runbook) -> tuple[str, ...]:
    changing = [step for step in runbook.steps if step.wait is None] if runbook.undo else []
    return tuple(map(_undone, reversed(changing)))


def _undone(step: Step) -> str:
    """What an undo makes of a step."""
    action = ACTIONS.get(step.action)
    if action is None or not action.invertible:
        return str(no_inverse(step.action))
    return f"{step.action}: taken back while it is as it was set, unless that took healthy pods away"


def say_step(step: Step, target: WorkloadRef | None) -> str:
    """A step in words."""
    place = "" if target is None or not target.namespace else f" in {target.namespace}"
    where = "" if target is None or not step.acts else f" {target}{place}"
    effect = "" if step.effect is None else f", effect: {step.effect}"
    said = (
        f"wait: {_check(step.wait)}"
        if step.wait is not None
        else _words(step.action, step.params) + where + effect
    )
    return said if step.when is None else f"{said}; only when {_words(step.when.check, step.when.params)}"


def _check(check: Check) -> str:
    text = _words(check.check, check.params)
    if check.stable:
        text += f", for {format_duration(check.stable)}"
    return f"{text}, within {format_duration(check.within)}"


def _words(name: str, params: Mapping[str, object]) -> str:
    said = ", ".join(
        f"{key}: {_value(key, value)}"
        for key, value in params.items()
        if value != ""  # left to the plugin
    )
    return f"{name} ({said})" if said else name


def _value(key: str, value: object) -> str:
    if key == "command" and isinstance(value, list):
        return say_command([str(word) for word in value])
    text = value if isinstance(value, str) else json.dumps(value)
    return redact(text) if key == "body" else text
