"""Whether every change is on the timeline of its incident, and nothing else is told as done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from remediator.core.journal import Entry, Kind
from remediator.testing.simulation.history import Began, Changed, History

ADMITS = frozenset(("done", "begun", "failed", "unknown"))
"""Results of a step that say that it changed something, or may have."""
SAYS_SO = ("done before that", "may yet do so")
"""What is told of a step that was put off, or stopped, after it had changed something, or may have."""
CLAIMS = frozenset(("done", "begun"))
NOT_MADE = ("nothing is left to do", "gone", "nothing to change")
"""What is told of a step that had nothing left to change."""


def told_truthfully(history: History, timelines: Mapping[str, Sequence[Entry]]) -> Iterator[str]:
    """What was changed, attempt by attempt, against what is told of its steps."""
    began = {record.attempt: record for record in history.of(Began)}
    told = {
        name: entry for incident, entries in timelines.items() for name, entry in _told(incident, entries)
    }
    changed: dict[tuple[str, str], list[Changed]] = defaultdict(list)
    for change in history.of(Changed):
        if not change.looks and change.attempt in began:
            action = began[change.attempt].steps[change.step]
            prefix = "undo:" if change.undoes else "end:" if change.ends else ""
            changed[change.attempt, prefix + action].append(change)
    late = {incident for incident, entries in timelines.items() if any(map(_reported_late, entries))}
    for (attempt, action), changes in changed.items():
        entries = told.get(attempt, {}).get(action, [])
        if changes[0].ends:  # told whenever that is, in the midst of other attempts
            every = (e for by in _attempts(told, changes[0].incident) for e in by.get(action, []))
            entries = list(every)
        admitted = any(map(_admits, entries)) or changes[0].incident in late
        if any(c.rolled for c in changes) and not admitted:
            yield f"timeline: {action} of {attempt} was done at {changes[0].at:.1f}, and nothing tells of it"
    for attempt, by_action in told.items():
        for action, entries in by_action.items():
            if (
                any(map(_claims, entries))
                and not action.startswith("end:")
                and (attempt, action) not in changed
            ):
                yield f"timeline: {action} of {attempt} is told as done, and nothing of it was seen outside"


def _told(incident: str, entries: Sequence[Entry]) -> Iterator[tuple[str, dict[str, list[Entry]]]]:
    """What is told of steps, by the attempts of an incident and their actions."""
    attempt, by_action = "", defaultdict[str, list[Entry]](list)
    for entry in entries:
        if entry.kind is Kind.ATTEMPT_STARTED:
            if attempt:
                yield attempt, by_action
            attempt, by_action = f"{incident}/{entry.data['attempt']}", defaultdict(list)
        elif entry.kind is Kind.STEP:
            by_action[str(entry.data.get("action"))].append(entry)
    if attempt:
        yield attempt, by_action


def _attempts(told: Mapping[str, dict[str, list[Entry]]], incident: str) -> Iterator[dict[str, list[Entry]]]:
    return (by_action for name, by_action in told.items() if name.startswith(f"{incident}/"))


def _reported_late(entry: Entry) -> bool:
    return entry.kind is Kind.STEP and entry.text.startswith("reported late")


def _admits(entry: Entry) -> bool:
    return entry.data.get("result") in ADMITS or any(text in entry.text for text in SAYS_SO)


def _claims(entry: Entry) -> bool:
    """That it changed something itself. Steps that wait and pause change nothing."""
    done = entry.data.get("result") in CLAIMS and entry.data.get("action") not in ("wait", "pause", None)
    return done and not any(text in entry.text for text in NOT_MADE)
