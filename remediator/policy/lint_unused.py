"""Lints of what nothing mentions."""

from __future__ import annotations

from collections.abc import Iterator

from remediator.policy.lint_view import Note, View


def unused_objects(view: View) -> Iterator[Note]:
    """B201, E602, E603 and G423: runbooks, escalations, channels and time intervals that nothing mentions."""
    if not view.draft.whole:
        return
    for section, code, hint in (
        ("runbooks", "B201", "name it under runbooks of a rule, or remove it"),
        ("escalations", "E602", "name it as escalation of a severity, or remove it"),
        ("channels", "E603", "name it in an escalation or under operator, or remove it"),
        ("time_intervals", "G423", "name it under freeze of the guards or during of a runbook, or remove it"),
    ):
        found = view.draft.section(section)
        used = set(view.used(section))
        for name, item in found.items.items() if found is not None else ():
            if found is not None and name not in used:
                yield Note(at=item.at, code=code, message=f"{found.what} '{name}' is never used; {hint}")
