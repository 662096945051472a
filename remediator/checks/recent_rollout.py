"""``recent_rollout``: a rollout came shortly before the incident, and may well be its cause."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from remediator.checks.looking import read_target
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight, on_target
from remediator.core.rollouts import newest
from remediator.core.spans import Span
from remediator.core.times import MINUTE, Millis, format_duration

SECONDS = 1_000


class RecentRolloutParams(Params):
    """Parameters of the check ``recent_rollout``."""

    before: Span = Field(
        default=30 * MINUTE, description="How long before the incident opened it may have begun."
    )
    expect: Literal["one", "none"] = Field(
        default="one", description="Whether it holds when there was one, or when there was none."
    )


class RecentRollout:
    """Holds when the present revision was rolled out shortly before the incident opened.

    Meant for `when` of a step: to go back where a rollout came before the alert (`expect: one`), and to do
    something else where not (`expect: none`). A first revision, one that somebody rolled back to, and one
    that came after the incident opened are no such rollout. Once the attempt has rolled out something itself,
    neither holds: of two steps that depend on the one and on the other, one is performed.
    """

    name: ClassVar[str] = "recent_rollout"
    params: ClassVar[type[Params]] = RecentRolloutParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("get", "know which revisions are its own"),
        Permission(group="apps", resource="{revisions}", verbs=("list",), why="see when they were made"),
    )
    example: ClassVar[str] = "recent_rollout: {before: 30m}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Reads the workload and its revisions."""
        assert isinstance(params, RecentRolloutParams)
        if sight.rolled:  # clocks differ by more than that took, so it is not left to when it was made
            return CheckResult(holds=False, observed="what runs now was rolled out by a step before")
        seen = await read_target(sight)
        if isinstance(seen, CheckResult):
            return seen
        assert sight.cluster is not None, "the target was read"
        try:
            found = newest(await sight.cluster.revisions(seen), sight.opened_at)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=f"its revisions could not be read: {error}")
        if found is None:
            return CheckResult(holds=None, observed="which of its revisions is the present one is not known")
        wanted = params.expect == "one"
        if found.first:
            return CheckResult(holds=not wanted, observed=f"revision {found.number} is its first")
        if found.returned_from is not None:
            text = f"somebody rolled back to revision {found.number} from {found.returned_from}"
            return CheckResult(holds=not wanted, observed=text)
        if found.before is None:
            return CheckResult(holds=None, observed=f"when revision {found.number} was made is not known")
        recent = 0 <= found.before <= params.before
        return CheckResult(holds=recent is wanted, observed=_told(found.number, found.before))


def _told(number: int, before: Millis) -> str:
    length = format_duration(Millis(abs(before) // SECONDS * SECONDS))
    when = "before" if before >= 0 else "after"
    return f"revision {number} was rolled out {length} {when} the incident opened"
