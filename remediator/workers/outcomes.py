"""What a performance came to, as the decision that waits for it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remediator.core.changes import Change
from remediator.core.journal import Act, Acted, ActResult, EndIsolation, EndSilences, Undo, VerdictNote
from remediator.core.times import Millis
from remediator.core.verdicts import Verdict
from remediator.workers.performers import Made

Changing = Act | Undo | EndIsolation | EndSilences
"""Effects that change something."""


def acted(
    effect: Changing,
    result: ActResult,
    reason: str,
    *,
    verdicts: Sequence[Verdict] = (),
    changes: Sequence[str] = (),
    retry_after: Millis | None = None,
    in_doubt: bool = False,
) -> Acted:
    """What came of the effect, as a decision is told of it."""
    notes = tuple(VerdictNote(guard=v.guard, allowed=v.allowed, text=v.text, asks=v.asks) for v in verdicts)
    return Acted(
        effect=effect.id,
        result=result,
        reason=reason,
        changes=tuple(changes),
        verdicts=notes,
        retry_after=retry_after,
        in_doubt=in_doubt,
    )


@dataclass(kw_only=True, slots=True)
class Done:
    """What a performance has come to so far."""

    changes: list[str]
    told: list[str]
    """The changes, and how they went."""
    output: tuple[str, ...] = ()

    def add(self, change: Change, made: Made) -> None:
        """It was made."""
        self.changes.append(str(change))
        self.told.append(f"{change}: {made.said}" if made.said else str(change))
        self.output += made.output

    def acted(self, effect: Changing, result: ActResult, reason: str, verdicts: Sequence[Verdict]) -> Acted:
        """The outcome that tells of it."""
        outcome = acted(effect, result, reason, verdicts=verdicts, changes=self.changes)
        return replace(outcome, output=self.output)
