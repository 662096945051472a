"""Writes the table of ``docs/findings.md`` from the codes, and holds page and codes to each other.

``--check`` writes nothing and ends with 1 when the table is out of date, a code has no section, or a section
no code; ``make lint`` runs that.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from remediator.policy.codes import CODES, Code

PAGE = Path(__file__).parent.parent / "docs" / "findings.md"
BEGIN, END = "<!-- codes -->\n", "<!-- /codes -->\n"
SECTION = re.compile(r"^## ([A-Z][0-9]{3})$", re.MULTILINE)


def main(arguments: list[str]) -> int:
    """0, or 1 when something is to be done by hand, or with ``--check`` by this script."""
    text = PAGE.read_text()
    complaints = list(differences(text))
    fresh = with_table(text)
    if "--check" in arguments and fresh != text:
        complaints.append("docs/findings.md is out of date; run: make findings")
    elif fresh != text:
        PAGE.write_text(fresh)
    sys.stdout.write("".join(f"{line}\n" for line in complaints))
    return 1 if complaints else 0


def differences(text: str) -> Iterator[str]:
    """Codes without a section, and sections without a code or out of order."""
    sections = SECTION.findall(text)
    for name in CODES.keys() - set(sections):
        yield f"docs/findings.md: add a section: ## {name}"
    for name in sections:
        if name not in CODES:
            yield f"docs/findings.md: {name} is no code; add it to policy/codes.py or remove the section"


def with_table(text: str) -> str:
    """The page with the table as it should be."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    rows = "".join(map(_row, sorted(CODES.values(), key=_order)))
    return f"{before}{BEGIN}| code | level | what is wrong |\n|---|---|---|\n{rows}{END}{after}"


def _row(code: Code) -> str:
    return f"| [`{code.name}`](#{code.name.lower()}) | {code.level} | {code.title} |\n"


def _order(code: Code) -> tuple[int, str]:
    """By the part of the files that is meant, in the order of the page."""
    return "PRBSGECNKL".find(code.name[0]) % 100, code.name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
