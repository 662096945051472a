"""Whether a rollout came before an incident, as the revisions of a workload tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from remediator.core.cluster import Revision
from remediator.core.incident import Attempt
from remediator.core.times import Instant, Millis

ROLLING = frozenset(("restart", "rollback", "set_image", "set_resources"))
"""Actions that replace pods one by one: those of before stay ready until the new ones are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Newest:
    """The present revision, beside the others and the opening of an incident.

    ``returned_from``: the newer one from which somebody rolled back to it. ``before``: milliseconds from its
    rollout to the opening, negative where it came later. None: it was not so, or nobody knows.
    """

    number: int
    first: bool = False
    """There was none before it: it is no change of anything."""
    returned_from: int | None = None
    before: Millis | None = None


def has_rolled(attempt: Attempt) -> bool:
    """Whether a step of the attempt may have rolled out the target: what is seen then is our own doing."""
    before = attempt.runbook.steps[: attempt.step]
    return bool(attempt.changes) and any(step.action in ROLLING for step in before)


def newest(revisions: Sequence[Revision], opened_at: Instant | None) -> Newest | None:
    """How the present revision came about; None where no revision is known to be the present one.

    A revision that is run again keeps the time at which it was first made. So one that is older than another
    of a lower number was returned to, and when that happened is not known.
    """
    current = next((one for one in revisions if one.current), None)
    if current is None:
        return None
    later = [one for one in revisions if one.number < current.number and one.created_at > current.created_at]
    if later:
        left = max(later, key=lambda one: one.created_at)
        return Newest(number=current.number, returned_from=left.number)
    if len(revisions) == 1:
        return Newest(number=current.number, first=True)
    known = opened_at is not None and current.created_at
    before = Millis(opened_at - current.created_at) if known and opened_at is not None else None
    return Newest(number=current.number, before=before)
