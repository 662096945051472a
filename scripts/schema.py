"""Writes ``remediator/schema/*.schema.json`` from the models: what ``remediator schema`` prints.

``--check`` writes nothing and ends with 1 when a file is not what it would write; ``make lint`` runs that.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from remediator.policy.json_schema import policy_schema
from remediator.rehearsal.json_schema import schema_of_tests

FOLDER = Path(__file__).parent.parent / "remediator" / "schema"


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds a file out of date."""
    stale = [name for name, text in files().items() if not _says(FOLDER / name, text)]
    if "--check" in arguments:
        sys.stdout.write(
            "".join(f"remediator/schema/{name} is out of date; run: make schema\n" for name in stale)
        )
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(files()[name])
    return 0


def files() -> dict[str, str]:
    """Every file by name, with what it holds."""
    schemas = {"policy.schema.json": policy_schema(), "tests.schema.json": schema_of_tests()}
    return {name: json.dumps(each, indent=2, ensure_ascii=False) + "\n" for name, each in schemas.items()}


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
