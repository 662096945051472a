"""Findings for a person at a terminal: the line that is meant, and a mark under the place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from remediator.cli.output import STYLES, finding_line
from remediator.policy.findings import Finding

WIDEST = 100
"""Characters of a line that are shown; of a longer one those around the place."""
BEFORE = 60

_TELLING = re.compile(r"pass|token|secret|key|auth|cookie|credential|://[^/\s]*@", re.IGNORECASE)
"""Lines that may hold a secret are not repeated, whatever is wrong with them."""
_CHANNELS = re.compile(r"""(\s*)[{"']*channels["']?\s*:""")
_UNPRINTABLE = re.compile("[^\\S ]|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def say_findings(out: Console, findings: Iterable[Finding], texts: Mapping[str, str]) -> None:
    """A line for each; on a terminal with the source below it."""
    lines: dict[str, Sequence[str]] = {}
    hidden: dict[str, frozenset[int]] = {}
    for finding in findings:
        out.print(finding_line(finding))
        if out.is_terminal and finding.path in texts:
            if finding.path not in lines:
                lines[finding.path] = texts[finding.path].split("\n")
                hidden[finding.path] = _settings_of_channels(lines[finding.path])
            if finding.line in hidden[finding.path]:
                continue
            for shown in _source(finding, lines[finding.path]):
                out.print(shown)


def _settings_of_channels(lines: Sequence[str]) -> frozenset[int]:
    """The numbers of the lines of ``channels``, by their indentation: any word there may be a key."""
    found: set[int] = set()
    depth = -1
    for number, line in enumerate(lines, 1):
        begins = _CHANNELS.match(line)
        indent = len(line) - len(line.lstrip())
        if depth >= 0 and line.strip() and indent <= depth and begins is None:
            depth = -1
        if begins is not None and (depth < 0 or indent <= depth):
            depth = len(begins[1])
        if depth >= 0:
            found.add(number)
    return frozenset(found)


def _source(finding: Finding, lines: Sequence[str]) -> Iterator[Text]:
    """The line that is meant and a caret; nothing when it may hold a secret, or there is none."""
    if finding.line > len(lines):
        return
    line = lines[finding.line - 1].rstrip("\r")
    if not line.strip() or finding.code in ("P019", "B211") or _TELLING.search(line):
        return
    start = 0 if len(line) <= WIDEST else max(0, min(finding.column - BEFORE, len(line) - WIDEST))
    shown = _UNPRINTABLE.sub(" ", line[start : start + WIDEST])
    before = shown[: finding.column - 1 - start]
    number = f"{finding.line:>6} "
    yield Text.assemble((f"{number}| ", "dim"), shown)
    yield Text.assemble(
        (f"{' ' * len(number)}| ", "dim"), " " * cell_len(before), ("^", STYLES[finding.level])
    )
