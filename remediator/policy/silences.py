"""Comments that silence a finding: ``# remediator: allow R101 because it is tested by hand``.

Such a comment stands at the end of the line of the finding, or alone on a line before it; several may stand
above each other. It silences one code, says why, and is itself a finding when it does not. What is an error
cannot be silenced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.events import ScalarEvent

from remediator.core.text import plain
from remediator.policy.codes import CODES, Stage
from remediator.policy.findings import Finding, Level, Spot, suggestion
from remediator.policy.lint_view import Note
from remediator.policy.nodes import PARSER_FAULTS

HOW = "write # remediator: allow R101 because …"

_MARK = re.compile(r"#\s*remediator:", re.IGNORECASE)
_COMMENT = re.compile(r"(?:(?<=\s)|(?<![\s\S]))#[^\r\n\x85\u2028\u2029]*")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_ALLOW = re.compile(r"#\s*remediator:\s*allow\s+(?P<code>\S+)(?:\s+because\b\s*(?P<reason>.*))?", re.DOTALL)
_MEANT = re.compile(r"#\s*remediator:.*?(?:\ballow\b|\b[A-Z][0-9]{3}\b)", re.IGNORECASE)
"""Else it is prose that begins with the program's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Silence:
    """One comment. ``at``: where it stands; ``line``: the line whose findings of ``code`` it silences."""

    at: Spot
    line: int
    code: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Silenced:
    """A finding that somebody has an answer to."""

    finding: Finding
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What is left: the findings that are told, those that are silenced, and what silences are wrong."""

    told: tuple[Finding, ...]
    silenced: tuple[Silenced, ...]
    notes: tuple[Note, ...]


def read_silences(texts: Mapping[str, str]) -> tuple[tuple[Silence, ...], tuple[Note, ...]]:
    """The silences of all files by path, and what is wrong with how they are written."""
    silences: list[Silence] = []
    notes: list[Note] = []
    for path, text in texts.items():
        for each in _in_file(path, text) if _MARK.search(text) else ():
            if isinstance(each, Silence):
                silences.append(each)
            else:
                notes.append(each)
    return tuple(silences), tuple(notes)


def apply_silences(
    findings: Iterable[Finding], silences: Collection[Silence], asked: Collection[Stage], *, whole: bool
) -> Heard:
    """Take out what is silenced. ``asked``: what was looked at; ``whole``: nothing kept a lint from looking.

    A silence of something that was not looked for is given the benefit of the doubt.
    """
    waiting: dict[tuple[str, int, str], list[Silence]] = defaultdict(list)
    for silence in silences:
        waiting[silence.at.path, silence.line, silence.code].append(silence)
    told, silenced, notes = [], [], []
    used: set[Silence] = set()
    for finding in findings:
        own = waiting.get((finding.path, finding.line, finding.code), [])
        used.update(own)
        if not own:
            told.append(finding)
        elif finding.level is Level.ERROR:
            told.append(finding)
            text = f"{finding.code} is an error here, and errors cannot be silenced; correct it"
            notes.append(Note(at=own[0].at, code="K954", message=text))
        else:
            silenced.append(Silenced(finding=finding, reason=own[0].reason))
    for silence in silences:
        if silence not in used and whole and CODES[silence.code].stage in asked:
            where = f"line {silence.line} has no finding {silence.code}"
            text = f"this silences nothing: {where}; remove the comment"
            notes.append(Note(at=silence.at, code="K952", message=text))
    silenced.sort(key=lambda each: each.finding)
    return Heard(told=tuple(told), silenced=tuple(silenced), notes=tuple(notes))


def _in_file(path: str, text: str) -> Iterator[Silence | Note]:
    comments = list(_comments(text))
    targets: dict[int, int] = {}
    for line, _, _, is_alone in reversed(comments):
        if is_alone:
            targets[line] = targets.get(line + 1, line + 1)
    for line, column, comment, _ in comments:
        if _MARK.match(comment) and _MEANT.match(comment):
            yield _read(comment, Spot(path=path, line=line, column=column), targets.get(line, line))


def _read(comment: str, at: Spot, line: int) -> Silence | Note:
    found = _ALLOW.match(comment)
    if found is None:
        shown = plain(comment, 60)
        return Note(at=at, code="K953", message=f"'{shown}' is not understood; {HOW}")
    code, reason = found["code"], plain(found["reason"] or "", 300)
    if code not in CODES:
        text = f"'{plain(code, 20)}' is no code of a finding; {suggestion(code, CODES, otherwise='such as ')}"
        return Note(at=at, code="K953", message=text)
    if not any(map(str.isalnum, reason)):
        text = f"{code} is not silenced without a reason; write # remediator: allow {code} because …"
        return Note(at=at, code="K951", message=text)
    return Silence(at=at, line=line, code=code, reason=reason)


def _comments(text: str) -> Iterator[tuple[int, int, str, bool]]:
    """Every comment with its line, its column, and whether it stands alone on its line.

    Where values stand is what the YAML parser says, so that no text that looks like a comment is one.
    """
    spans, lines = _scalars(text), [0, *(found.end() for found in _BREAK.finditer(text))]
    starts = [start for start, _ in spans]
    for found in _COMMENT.finditer(text):
        before = bisect_right(starts, found.start()) - 1
        if before >= 0 and found.start() < spans[before][1]:
            continue
        line = bisect_right(lines, found.start())
        begin = lines[line - 1]
        yield line, found.start() - begin + 1, found[0].rstrip(), not text[begin : found.start()].strip()


def _scalars(text: str) -> list[tuple[int, int]]:
    """Where values begin and end, in characters. The header of a block may be followed by a comment."""
    spans: list[tuple[int, int]] = []
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            if isinstance(event, ScalarEvent):
                start, end = event.start_mark.index, event.end_mark.index
                if event.style in ("|", ">"):
                    start = max(text.find("\n", start), start)
                spans.append((start, end))
    except PARSER_FAULTS:  # which is told elsewhere; comments further down are not read
        return [*spans, (spans[-1][1] if spans else 0, len(text))]
    return spans
