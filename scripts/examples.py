"""Records what docs/explain.md shows: its policies, its commands, and what they print.

``scripts/examples.py`` writes the output anew; a test compares it.
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
EXAMPLE = re.compile(r"^\$ remediator (.*)\n((?:(?!```).*\n)*)", re.MULTILINE)
POLICIES = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Run each command in a directory that has the policies, and put down what it prints."""
    text = DOC.read_text()
    with tempfile.TemporaryDirectory() as folder:
        policies = Path(folder) / "policies"
        policies.mkdir()
        (policies / "shop.yaml").write_text(POLICIES.findall(text)[0])

        def recorded(example: re.Match[str]) -> str:
            with contextlib.chdir(folder):
                done = CliRunner().invoke(app, shlex.split(example[1]))
            assert done.exit_code == 0, done.output
            return f"$ remediator {example[1]}\n{done.stdout}"

        DOC.write_text(EXAMPLE.sub(recorded, text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
