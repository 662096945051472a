"""Records what docs/explain.md and docs/backtest.md show: their commands, and what they print.

``scripts/examples.py`` writes the output anew; tests compare it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
import tempfile
from pathlib import Path

from typer.testing import CliRunner

from remediator.cli.main import app

DOC = Path(__file__).parent.parent / "docs" / "explain.md"
BACKTEST = DOC.with_name("backtest.md")
BACKTEST_FILES = DOC.parent / "examples" / "backtest"
EXAMPLE = re.compile(r"^\$ remediator (.*)\n((?:(?!```).*\n)*)", re.MULTILINE)
POLICIES = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Run each command where its files are, and put down what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder) / "policies"
        policies.mkdir()
        (policies / "shop.yaml").write_text(POLICIES.findall(DOC.read_text())[0])
        record(DOC, Path(folder))
    record(BACKTEST, BACKTEST_FILES)
    return 0


def record(page: Path, folder: Path) -> None:
    """Put down what the commands of a page print in ``folder``."""

    def recorded(example: re.Match[str]) -> str:
        with contextlib.chdir(folder):
            done = CliRunner().invoke(app, shlex.split(example[1]))
        assert done.exit_code == 0, done.output
        return f"$ remediator {example[1]}\n{done.stdout}"

    page.write_text(EXAMPLE.sub(recorded, page.read_text()))


if __name__ == "__main__":
    sys.exit(main())
