"""What the demo prints: one line for each thing that happens, when it happens."""

from __future__ import annotations

import textwrap
import time
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text

WHO, WHAT = 20, 15
"""Widths of the columns that say whose line it is and what kind of thing happened."""
NARROW = 90
"""Columns; on a terminal with fewer, the text goes below the rest of the line."""
PLAIN_WIDTH = 100
"""Columns of the summary where no terminal says how wide it is."""
STYLES = {
    "opened": "bold yellow", "reopened": "bold yellow", "alert fired": "yellow", "alert resolved": "green",
    "severity raised": "bold red", "attempt started": "bold blue", "diagnosed": "cyan", "guard": "dim",
    "guard blocks": "bold red", "step": "bold blue", "verified": "bold green", "failed": "bold red",
    "page": "bold red", "page delivery": "red", "escalation": "bold red", "acknowledged": "bold green",
    "resolved": "bold green", "→ daemon": "magenta", "← trigger": "bold red", "← resolve": "green",
}  # fmt: skip
"""Colours by what happened. Whatever is not here is shown plainly."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """Something that happened ``at`` (seconds since the epoch): ``who`` did or met ``what``, and details."""

    at: float
    who: str
    what: str
    text: str


class Narrator:
    """Prints to one console: in colour on a terminal, plainly into a pipe, where a line is never wrapped."""

    def __init__(self, console: Console) -> None:
        self._console = console
        if not console.is_terminal:
            console.width = PLAIN_WIDTH
        self._zero = time.time()

    def begin(self) -> None:
        """T+0 is now."""
        self._zero = time.time()

    def table(self, table: Table) -> None:
        """A table; cells fold where it is narrow."""
        with self._console.capture() as drawn:
            self._console.print(table)
        lines = drawn.get().splitlines()
        self._console.out("\n".join(line.rstrip() for line in lines), highlight=False)

    def say(self, text: str, style: str = "") -> None:
        """A sentence of its own, wrapped where a person reads it."""
        if self._console.is_terminal:
            text = textwrap.fill(text, self._console.width, break_on_hyphens=False)
        self._console.print(text, style=style, soft_wrap=True)

    def command(self, about: str, command: str) -> None:
        """A command to copy: on one line, however long it is."""
        self._console.print(f"  # {about}", style="dim", soft_wrap=True)
        self._console.print(f"  {command}", soft_wrap=True)

    def notified(self, service: str, status: str, answer: str) -> None:
        """Alertmanager has sent something."""
        text = f"ServiceDown {service} {status}: {answer}"
        self.line(Line(at=time.time(), who="Alertmanager", what="→ daemon", text=text))

    def line(self, line: Line) -> None:
        """Something happened."""
        style = STYLES.get(line.what, "")
        clock = f"T+{max(line.at - self._zero, 0.0):4.1f}s"
        if not self._console.is_terminal:
            text = f"{clock}  {line.who:<{WHO}}  {line.what:<{WHAT}}  {line.text}"
            self._console.print(text, soft_wrap=True)
            return
        narrow = self._console.width < NARROW
        who, what = (line.who, line.what) if narrow else (f"{line.who:<{WHO}}", f"{line.what:<{WHAT}}")
        head = Text.assemble((clock, "dim"), "  ", who, "  ", (what, style), "  ")
        indent = 2 if narrow else len(head)
        room = max(self._console.width - indent, 16)
        wrapped = textwrap.wrap(line.text, room, break_on_hyphens=False)
        margin = f"\n{' ' * indent}"
        text = margin.join(wrapped)
        body = Text(f"{margin}{text}" if narrow else text, "dim" if style == "dim" else "")
        self._console.print(Text.assemble(head, body), soft_wrap=True)
