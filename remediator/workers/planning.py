"""What a runbook would do, planned for people to agree to before any of it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from remediator.core.approval import digest_changes, digest_plan
from remediator.core.changes import Change
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.incident import ShownPlan
from remediator.core.policies import Step
from remediator.core.text import plain
from remediator.core.verdicts import ChangeRequest

MOST_LINES = 40
"""Lines of a plan that are told; the digest is of all of it."""


PlanStep = Callable[[Step], Awaitable[Sequence[Change]]]
"""The changes of one step, as the target is now. Raises what action and reader do."""


async def show_plan(
    request: ChangeRequest, number: int, own: Sequence[Change], plan_step: PlanStep
) -> ShownPlan:
    """The step of that number, as it was planned, and those after it, each as it would be done now.

    A later step that cannot be planned before an earlier one is done is told as it is written; it is asked
    about in its turn. Raises StoreUnavailable.
    """
    steps: list[str] = []
    lines: list[str] = []
    for place, step in enumerate(request.attempt.runbook.steps):
        if place < number or step.wait is not None:
            steps.append("")
            if place > number and step.wait is not None:
                lines.append(f"{place + 1}. wait for {step.wait.check}")
            continue
        try:
            changes = own if place == number else await plan_step(step)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            steps.append("")
            later = f"it is asked about in its turn, because now it cannot be planned: {error}"
            lines.append(plain(f"{place + 1}. {step.action}: {later}", 300))
            continue
        steps.append(digest_changes(changes))
        told = [plain(str(change), 300) for change in changes] or ["nothing is left to change"]
        lines += [f"{place + 1}. {text}" for text in told]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"and {len(lines) - MOST_LINES} more changes: the digest is of all"]
    digest = digest_plan(request.incident, request.attempt, steps)
    return ShownPlan(digest=digest, lines=tuple(lines), steps=tuple(steps))
