"""``python -m dashboards``: writes ``chart/dashboards/*.json``; ``--check`` says what is out of date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import health, outcomes, tuning
from dashboards.frame import DOCS, build

FOLDER = Path(__file__).parent.parent / "chart" / "dashboards"
BOARDS = {"outcomes": outcomes.BOARD, "tuning": tuning.BOARD, "health": health.BOARD}


def texts(docs: str = DOCS) -> dict[str, str]:
    """What each file is to hold, by its name. ``docs``: the address of the documentation."""
    return {
        f"{name}.json": json.dumps(build(board, docs), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"
        for name, board in BOARDS.items()
    }


def main() -> int:
    """0, or 1 when ``--check`` finds a file out of date."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 when something is out of date")
    parser.add_argument("--docs", default=DOCS, help="where docs/ is to be read, for the links of panels")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write to")
    asked = parser.parse_args()
    wanted = texts(asked.docs)
    there = {path.name: path.read_text() for path in asked.folder.glob("*.json")}
    if asked.check:
        odd = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        for name in odd:
            sys.stdout.write(f"{asked.folder / name} is not what the code makes; run: make dashboards\n")
        return 1 if odd else 0
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (asked.folder / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
