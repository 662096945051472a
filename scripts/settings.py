"""Writes the table of ``docs/configure.md`` from the settings themselves.

``--check`` writes nothing and ends with 1 when the table is out of date; ``make lint`` runs that.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic_core import PydanticUndefined

from remediator.core.times import format_duration
from remediator.settings import PREFIX, Settings

PAGE = Path(__file__).parent.parent / "docs" / "configure.md"
BEGIN, END = "<!-- settings -->\n", "<!-- /settings -->\n"
SPANS = ("retention", "archive_retention")
"""Defaults that are milliseconds."""
SIZES = ("archive_size", "archive_file_size")
"""Defaults that are bytes."""


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds the page out of date."""
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    fresh = "".join((before, BEGIN, *rows(), END, rest.split(END)[1]))
    if "--check" in arguments:
        if fresh != text:
            sys.stdout.write("docs/configure.md is out of date; run: make reference\n")
            return 1
        return 0
    PAGE.write_text(fresh)
    return 0


def rows() -> Iterator[str]:
    """One for each setting; that it can stand in a file is said beside it."""
    yield "| variable | flag of `serve` | default | meaning |\n|---|---|---|---|\n"
    fields = Settings.model_fields
    for name, field in fields.items():
        if name.endswith("_file") and name.removesuffix("_file") in fields:
            continue
        variable = f"`{PREFIX}{name.upper()}`"
        if f"{name}_file" in fields:
            variable += f" or `{PREFIX}{name.upper()}_FILE`"
        flag = f"`--{name.replace('_', '-')}`"
        yield f"| {variable} | {flag} | {_default(name, field.default)} | {field.description} |\n"


def _default(name: str, default: object) -> str:
    if default in (None, "", PydanticUndefined):
        return ""
    if name in SPANS and isinstance(default, int):
        return f"`{format_duration(default)}`"
    if name in SIZES and isinstance(default, int):
        return f"`{default >> 20}MiB`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
