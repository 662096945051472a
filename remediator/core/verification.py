"""How a verification stands: since when each check holds, which do not, and when that is the last word."""

from __future__ import annotations

from remediator.core.incident import Attempt, CheckProgress, Phase
from remediator.core.journal import CheckResult
from remediator.core.lag import lags
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


def earliest(attempt: Attempt) -> Instant:
    """Before this moment a verification is neither believed nor given up; a waiting step knows no such."""
    lagging = attempt.phase is Phase.VERIFYING and lags(attempt.awaited)
    return Instant(attempt.phase_at + ((attempt.lag or 0) if lagging else 0))


def latest(attempt: Attempt) -> Instant:
    """From then on it is too late: the longest `within`, counted from the earliest moment."""
    return Instant(earliest(attempt) + max(check.within for check in attempt.awaited))


def complete(attempt: Attempt) -> Instant | None:
    """When all of its checks have held for long enough, as they hold now; None: one does not.

    While Prometheus cannot be asked how long to wait, that is the last moment there is.
    """
    moments = [earliest(attempt)]
    for check, progress in zip(attempt.awaited, attempt.checks, strict=True):
        if progress.since is None:
            return None
        moments.append(Instant(progress.since + check.stable))
    if attempt.phase is Phase.VERIFYING and attempt.lag_unread and attempt.lag is None:
        moments.append(latest(attempt))
    return max(moments)


def failed_for_sure(attempt: Attempt) -> bool:
    """Whether the last look found every check out, and one does not hold.

    What could not be found out anywhere makes the whole of it unknown. Where everything holds by now, only
    not for long enough, the fix may well be one. So it may while it is not known how long its alerts' rules
    take to notice.
    """
    if attempt.lag is None and attempt.lag_unread:
        return False
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
    words = {Phase.WAITING: "waited in vain for", Phase.SETTLING: "not over after"}
    what = words.get(attempt.phase, "not verified in")
    return f"{what} {format_duration(at - attempt.phase_at)}: " + "; ".join(lines)
