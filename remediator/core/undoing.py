"""After a failed verification: what the steps changed is taken back, the last one first. Pure.

It goes back along the way that the runbook came. Where a step must not be taken back it stops there, so that
what is left is a state that was gone through on the way, and people are told.
"""

from __future__ import annotations

from dataclasses import replace

from remediator.core import verification
from remediator.core.attempts import enter
from remediator.core.decision import Draft
from remediator.core.incident import Attempt, Outcome, Phase
from remediator.core.journal import Acted, ActResult, Kind
from remediator.core.text import plain
from remediator.core.undone import Made, Undoing

LONGEST_WHY = 250
"""Characters of how the verification failed: what was undone is told after it."""
LONGEST_TEXT = 300

Ended = tuple[Outcome, str]
"""How an attempt ends, and why."""


def keep(attempt: Attempt, event: Acted) -> Attempt:
    """With what a step changed, where it may have to be taken back."""
    if not event.changes or not attempt.runbook.undo:
        return attempt
    before = next((made.text for made in attempt.made if made.step == attempt.step), "")
    text = plain("; ".join(filter(None, (before, *event.changes))), LONGEST_TEXT)
    others = tuple(made for made in attempt.made if made.step != attempt.step)
    return replace(attempt, made=(*others, Made(step=attempt.step, text=text)))


def begin(draft: Draft, attempt: Attempt, why: str) -> Ended | None:
    """The verification failed. None: what was changed is being taken back."""
    if not attempt.runbook.undo or not attempt.made:
        return Outcome.FAILED, why
    if not verification.failed_for_sure(attempt):
        return leave(draft, attempt, why, "what could not be verified is not known to have failed")
    attempt = replace(attempt, undoing=Undoing(why=plain(why, LONGEST_WHY)))
    draft.say(Kind.VERIFICATION, f"{why}: what was changed is taken back", attempt=attempt.number)
    return _go_back(draft, attempt)


def leave(draft: Draft, attempt: Attempt, why: str, reason: str, outcome: Outcome = Outcome.FAILED) -> Ended:
    """Nothing, or nothing more, is taken back: all that is left is told."""
    progress = attempt.undoing if attempt.undoing is not None else Undoing(why=plain(why, LONGEST_WHY))
    gone = len(attempt.runbook.steps) if attempt.undoing is None else attempt.step + 1
    texts = [made.text for made in attempt.made if made.step < gone]
    if texts:
        texts[-1] = f"{texts[-1]} ({plain(reason, LONGEST_TEXT)})"
    progress = replace(progress, left=tuple(texts))
    draft.change_attempt(replace(attempt, undoing=progress))
    return outcome, str(progress)


def unknown(draft: Draft, attempt: Attempt, reason: str) -> Ended:
    """Whether the step was taken back cannot be known."""
    text = f"whether it was taken back is unknown: {plain(reason, LONGEST_TEXT)}"
    return leave(draft, attempt, "", text, Outcome.UNKNOWN)


def _go_back(draft: Draft, attempt: Attempt) -> Ended | None:
    """Take back the last step that is left; None: it is being taken back."""
    assert attempt.undoing is not None
    at = len(attempt.runbook.steps) if attempt.phase is not Phase.UNDOING else attempt.step
    before = [made.step for made in attempt.made if made.step < at]
    if not before:
        return Outcome.FAILED, str(attempt.undoing)
    enter(draft, attempt, Phase.UNDOING, max(before))
    return None


def undone(draft: Draft, attempt: Attempt, event: Acted) -> Ended | None:
    """A step was taken back, or was not, and is not put off any more. None: it goes on."""
    progress = attempt.undoing
    assert progress is not None
    text = next(made.text for made in attempt.made if made.step == attempt.step)
    reason = plain(event.reason, LONGEST_TEXT)
    match event.result:
        case ActResult.DONE:
            if event.changes:
                progress = replace(progress, undone=(*progress.undone, *map(plain, event.changes)))
            else:
                progress = replace(progress, kept=(*progress.kept, f"{text} ({reason})"))
            return _go_back(draft, draft.change_attempt(replace(attempt, undoing=progress)))
        case ActResult.RETRY if event.in_doubt:
            return unknown(draft, attempt, reason)
        case ActResult.UNKNOWN:
            return unknown(draft, attempt, reason)
        case _:  # put off for too long, blocked, not trusted to, not agreed to, or failed
            return leave(draft, attempt, progress.why, reason)
