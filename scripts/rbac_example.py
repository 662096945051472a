"""Writes ``docs/examples/rbac.yaml``: what ``remediator rbac policies`` prints for the default policies.

``--check`` writes nothing and ends with 1 when the file is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "examples" / "rbac.yaml"


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds the file out of date."""
    command = [sys.executable, "-m", "remediator", "rbac", "policies"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603  # our own
    if "--check" in arguments:
        if FILE.read_text() != text:
            sys.stdout.write("docs/examples/rbac.yaml is out of date; run: make reference\n")
            return 1
        return 0
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
