"""What happened on a stage, in words and in the test's own time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from remediator.core.incident import Incident
from remediator.core.journal import Kind
from remediator.core.times import Instant, format_duration, parse_stamp, stamp_instant
from remediator.rehearsal.stage import Stage

MOST_LINES = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One thing that happened, ``at`` milliseconds into the test. ``service``: in whose incident."""

    at: int
    service: str
    text: str

    def __str__(self) -> str:
        return f"{moment(self.at):<10} {self.text}"


def moment(at: int) -> str:
    """``T+1m30s``."""
    return f"T+{format_duration(at)}"


_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.0-9]*Z")


def in_test_time(text: str, start: Instant) -> str:
    """The text, with every moment of the test in it as its other moments are told: ``T+1h``."""

    def told(found: re.Match[str]) -> str:
        try:
            at = stamp_instant(parse_stamp(found[0])) - start
        except ValueError:  # somebody's label, that only looks like one
            return found[0]
        return moment(at) if at >= 0 else found[0]

    return _STAMP.sub(told, text)


def tell_story(stage: Stage, start: Instant, service: str | None = None) -> tuple[Line, ...]:
    """The timelines of all incidents, or of one service's, as one; verdicts that allow are left out."""
    lines = []
    for incident in stage.store.every():
        if service is not None and incident.service != service:
            continue
        for entry in stage.timeline(incident.id):
            if entry.kind is Kind.GUARD and entry.data.get("verdict") == "allows":
                continue
            text = in_test_time(entry.text, start)
            text = text if len(text) <= 200 else f"{text[:199]}…"
            lines.append(Line(at=entry.at - start, service=incident.service, text=text))
    lines.sort(key=lambda line: line.at)
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES
        head = lines[: MOST_LINES // 4]
        gap = Line(at=head[-1].at, service="", text=f"… {left} lines left out …")
        lines = [*head, gap, *lines[len(head) + left :]]
    return tuple(lines)


_NEXT = {
    "hold": "it opens if it still fires at {}",
    "deadline": "people are paged at {} unless a fix is verified by then",
    "escalate": "level {level} is asked at {} unless somebody acknowledges",
    "progress": "level {level} is asked at {} unless it is over by then",
    "approval": "its attempt ends at {} unless somebody approves the plan",
    "raise": "its severity is raised at {} if it is still open",
    "linger": "people hear of it at {} if its alerts still fire then",
    "attach": "what it waits for is looked at again at {}",
    "locate": "what its alerts name counts as not found at {}",
    "poll": "its checks are asked again at {}",
    "act": "its step is tried again at {}",
}


def what_comes_next(stage: Stage, incident: Incident, start: Instant, *names: str) -> list[str]:
    """What is armed for an incident, in words; only timers of these names."""
    timers = stage.store.timers(incident.id)
    return [
        _NEXT[name].format(moment(timers[name] - start), level=incident.level + 1)
        for name in names
        if name in timers and name in _NEXT
    ]
