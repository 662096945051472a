"""What an attempt has changed, and how far that was taken back: parts of the incident's value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a step of a runbook with ``undo`` changed, in words. How to take it back is in the journal."""

    step: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Undoing:
    """How far an attempt has been taken back, all in words.

    ``why``: how its verification failed. ``kept``: what there is nothing to take back of, and why. ``left``:
    what should have been and is in place, and why: people hear of it.
    """

    why: str
    undone: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = (("left in place", self.left), ("undone", self.undone), ("not undone", self.kept))
        return "; ".join((self.why, *(f"{word}: {', '.join(texts)}" for word, texts in parts if texts)))
