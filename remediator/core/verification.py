"""How a verification stands: since when each check holds, and which do not."""

from __future__ import annotations

from remediator.core.incident import Attempt, CheckProgress, Phase
from remediator.core.journal import CheckResult
from remediator.core.text import plain
from remediator.core.times import SECOND, Instant, format_duration

UNWATCHED = 30 * SECOND
"""After so long without a look (a jump of the clock, a daemon that was down) stability begins anew."""


def progress(before: CheckProgress, result: CheckResult, at: Instant) -> CheckProgress:
    """What is known of a check after one more answer."""
    seen = before.asked_at is not None and at - before.asked_at <= UNWATCHED
    since = (before.since if before.since is not None and seen else at) if result.holds else None
    if since is not None and result.since is not None:
        since = max(since, min(result.since, at))
    observed = plain(result.observed, 200)
    return CheckProgress(
        since=since,
        asked_at=at,
        observed=f"unknown: {observed}" if result.holds is None else observed,
        holds=result.holds,
    )


def failed_for_sure(attempt: Attempt) -> bool:
    """Whether the last look found every check out, and one does not hold.

    What could not be found out anywhere makes the whole of it unknown. Where everything holds by now, only
    not for long enough, the fix may well be one.
    """
    answers = [progress.holds for progress in attempt.checks]
    return None not in answers and False in answers


def unmet(attempt: Attempt, at: Instant) -> str:
    """Which checks did not come true, in words. Unknown counts as not true (P14)."""
    lines = []
    for check, progress in zip(attempt.awaited, attempt.checks, strict=True):
        if progress.since is None:
            lines.append(f"{check.check}: {progress.observed}")
        elif at - progress.since < check.stable:
            held = format_duration(at - progress.since)
            lines.append(f"{check.check}: held for {held} only, not {format_duration(check.stable)}")
    what = "waited in vain for" if attempt.phase is Phase.WAITING else "not verified in"
    return f"{what} {format_duration(at - attempt.phase_at)}: " + "; ".join(lines)
