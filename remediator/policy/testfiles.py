"""The tests beside policy files, as far as a linter reads them: which alerts they let fire."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from remediator.policy.findings import Findings
from remediator.policy.nodes import Scalar, Table, compose, follow
from remediator.policy.sources import LARGEST_FILE, MOST_FILES, Source

SUFFIX = "_test.yaml"


def fired_labels(source: Source) -> Iterator[Mapping[str, str]]:
    """The labels of every alert that a test fires. What cannot be read is left out: ``test`` complains."""
    for path, text in _test_files(source):
        for document in compose(path, text, Findings()) or ():
            fired = ("tests", "*", "alerts", "*", "fire")
            for node in (*follow(document, fired), *follow(document, (*fired, "*"))):
                if isinstance(node, Table):
                    yield {
                        entry.key.text: entry.value.text
                        for entry in node.entries
                        if isinstance(entry.value, Scalar)
                    }


def _test_files(source: Source) -> Iterator[tuple[str, str]]:
    if isinstance(source, Mapping):
        for path, text in source.items():
            if path.endswith(SUFFIX):
                yield path, text if isinstance(text, str) else text.decode("utf-8", "replace")
        return
    for file in list(_walk(Path(source)))[:MOST_FILES]:
        try:
            with file.open("rb") as opened:
                yield str(file), opened.read(LARGEST_FILE).decode("utf-8-sig", "replace")
        except OSError:
            continue


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder) / name
            if name.endswith(SUFFIX) and not name.startswith(".") and path.is_file():
                yield path
