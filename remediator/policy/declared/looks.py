"""Checks and diagnoses that are declared and not performed yet."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import NoParams, Params


class NoRecurrence:
    """Holds while no alert of the incident fires again; ``for`` is the window."""

    name: ClassVar[str] = "no_recurrence"
    params: ClassVar[type[Params]] = NoParams
    example: ClassVar[str] = "no_recurrence: {for: 15m, within: 30m}"
