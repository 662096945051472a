"""What is wrong with policy files, where, and what to write instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum

from remediator.core.text import plain

MOST_FINDINGS = 500
"""Of one level. Nobody reads more, and a hostile file could otherwise make millions."""

MOST_COMPARED = 300
"""Names among which the nearest is looked for: comparing takes long where there are thousands."""


class Level(StrEnum):
    """How bad it is. Errors keep the daemon from starting; errors and warnings fail ``check``."""

    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Spot:
    """A place in a policy file. Lines and columns count from 1, in characters."""

    path: str
    line: int = 1
    column: int = 1

    def moved(self, columns: int) -> Spot:
        """The place ``columns`` characters further on the same line."""
        return Spot(path=self.path, line=self.line, column=self.column + columns)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. ``code`` is stable and listed in ``policy/codes.py``."""

    at: Spot
    code: str
    level: Level
    message: str

    @property
    def path(self) -> str:
        """The file it stands in."""
        return self.at.path

    @property
    def line(self) -> int:
        """Its line, from 1."""
        return self.at.line

    @property
    def column(self) -> int:
        """Its column in characters, from 1."""
        return self.at.column

    def __str__(self) -> str:
        return f"{self.at}: {self.message}"


@dataclass(kw_only=True, slots=True)
class Findings:
    """Collects findings of one run, at most ``MOST_FINDINGS`` of a level; says so when it left some out.

    Each level has room of its own: notices by the thousand must not hide an error.
    """

    found: list[Finding] = field(default_factory=list)
    left_out: Counter[Level] = field(default_factory=Counter)
    _told: Counter[Level] = field(default_factory=Counter)
    _seen: set[Finding] = field(default_factory=set)

    def add(self, at: Spot, code: str, message: str, level: Level = Level.ERROR) -> None:
        """Note one. The same finding at the same place counts once."""
        finding = Finding(at=at, code=code, level=level, message=message)
        if finding in self._seen:
            return
        if self._told[level] >= MOST_FINDINGS:
            self.left_out[level] += 1
            return
        self._seen.add(finding)
        self._told[level] += 1
        self.found.append(finding)

    def leave_out(self) -> None:
        """Count an error that nobody would be told of, so that it need not be put into words."""
        self.left_out[Level.ERROR] += 1

    def keep(self, told: Iterable[Finding]) -> None:
        """Go on with these only."""
        self.found = list(told)
        self._told = Counter(each.level for each in self.found)

    @property
    def full(self) -> bool:
        """Whether there is no room for more errors."""
        return self._told[Level.ERROR] >= MOST_FINDINGS

    @property
    def has_errors(self) -> bool:
        """Whether any of them is an error."""
        return any(finding.level is Level.ERROR for finding in self.found)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.found)

    def ordered(self) -> tuple[Finding, ...]:
        """All, by path, line and column."""
        found = sorted(self.found)
        for level, count in self.left_out.items():
            text = f"{count} more of level {level} left out; correct those above and check again"
            found.append(Finding(at=found[-1].at, code="P000", level=level, message=text))
        return tuple(found)


def quoted(text: str) -> str:
    """Text out of a file, safe to print and short, in quotes."""
    return f"'{plain(text, 60)}'"


def suggestion(word: str, known: Iterable[str], *, otherwise: str = "write one of: ") -> str:
    """``did you mean 'x'?`` for the nearest known word, else the list of them."""
    words: Sequence[str] = sorted(known)
    near = get_close_matches(word[:60], words, n=1, cutoff=0.6) if len(words) <= MOST_COMPARED else []
    if near:
        return f"did you mean '{near[0]}'?"
    shown = ", ".join(words[:12]) + (", …" if len(words) > 12 else "")
    return f"{otherwise}{shown}" if words else "remove it"
