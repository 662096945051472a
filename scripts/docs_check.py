"""What the documentation names is there: linked files and headings, settings, make targets, commands.

Run by ``make docs-check`` and ``make lint``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from remediator.cli.main import COMMANDS
from remediator.remote import RemoteSettings
from remediator.settings import PREFIX, Settings

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"(?:^|`|\$ )make ([a-z][a-z-]*)", re.MULTILINE)
COMMAND = re.compile(r"(?:^|`|\bbin/)remediator ([a-z][a-z-]*)", re.MULTILINE)
TESTING = frozenset(("TEST_CLUSTER", "TEST_IMAGE", "TEST_PATIENCE"))
"""Read by the tests alone."""


def main() -> int:
    """1 when the documentation names something that is not there."""
    files = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("policies/**/*.md")))
    found = [line for file in files for line in findings(file)]
    sys.stdout.write("".join(f"{line}\n" for line in found))
    return 1 if found else 0


def findings(file: Path) -> Iterator[str]:
    """``path:line: message`` of everything that ``file`` names and that is not there."""
    text = file.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    names = {name.upper() for model in (Settings, RemoteSettings) for name in model.model_fields} | TESTING
    settings = {f"{PREFIX}{name}" for name in names}
    checks = (
        (LINK, lambda link: _leads_somewhere(file, link), "leads nowhere"),
        (re.compile(rf"\b({PREFIX}[A-Z_]+[A-Z])\b"), settings.__contains__, "is no setting"),
        (TARGET, targets.__contains__, "is no target of the Makefile"),
        (COMMAND, COMMANDS.__contains__, "is no command of remediator"),
    )
    for pattern, known, complaint in checks:
        for match in pattern.finditer(text):
            if not known(match[1]):
                line = text.count("\n", 0, match.start()) + 1
                yield f"{file.relative_to(ROOT)}:{line}: {match[1]} {complaint}"


def _leads_somewhere(file: Path, link: str) -> bool:
    if link.startswith(("http://", "https://", "mailto:")):
        return True
    path, _, anchor = link.partition("#")
    target = (file.parent / path).resolve() if path else file
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


def _anchors(file: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", file.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


if __name__ == "__main__":
    sys.exit(main())
