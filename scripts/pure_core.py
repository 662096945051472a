"""Core asks no clock: ``datetime.now()`` and its kin are errors there. Run by ``make lint``.

Modules that read clocks or draw random numbers cannot be imported in core at all (``.importlinter``), but
``datetime`` is needed for calendars.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).parent.parent / "remediator" / "core"
ASKING = frozenset(("now", "today", "utcnow", "monotonic", "perf_counter"))


def findings(source: str, path: str) -> Iterator[str]:
    """``path:line:column: message`` of every call that asks a clock."""
    for node in ast.walk(ast.parse(source, path)):
        if isinstance(node, ast.Attribute) and node.attr in ASKING:
            where = f"{path}:{node.lineno}:{node.col_offset + 1}"
            yield f"{where}: .{node.attr} asks a clock; take the time as an argument, at"


def main() -> int:
    """1 when core asks a clock."""
    found = [line for file in sorted(CORE.rglob("*.py")) for line in findings(file.read_text(), str(file))]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
