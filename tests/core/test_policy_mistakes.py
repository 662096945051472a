"""A directory of policy files with more than a hundred mistakes: every one is told, in one run, at its place.

``mistakes/expected.txt`` is the whole report. Of each finding it says the place and the code, what stands
there in the file, and the message. After a change that means to change it, write it anew with
``python -m tests.core.test_policy_mistakes`` and read the difference.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from remediator.policy.findings import Finding, Level
from remediator.policy.load import read_policies

DIRECTORY = Path(__file__).parent / "mistakes"
EXPECTED = DIRECTORY / "expected.txt"
SHOWN = 30
"""Characters of the file that are shown from the place of a finding on."""


def texts() -> dict[str, str | bytes]:
    """The files by their names, so that no path of this machine is in the report."""
    return {path.name: path.read_bytes() for path in DIRECTORY.glob("*.yaml")}


def findings() -> tuple[Finding, ...]:
    return read_policies(texts()).findings


def report() -> Iterator[str]:
    """Three lines for each finding."""
    files = {name: str(text, "utf-8", "replace").split("\n") for name, text in texts().items()}  # type: ignore[arg-type]
    for each in findings():
        yield f"{each.at} {each.code} {each.level}"
        yield f"  at   {files[each.path][each.line - 1][each.column - 1 :][:SHOWN]}".rstrip()
        yield f"  says {each.message}"


def test_every_mistake_of_the_directory_is_told_exactly() -> None:
    """Path, line, column, code and message of each, in the order of the files."""
    assert list(report()) == EXPECTED.read_text().splitlines()


def test_the_mistakes_are_many_and_of_many_kinds() -> None:
    """Of every code that reading can give but those for whole directories, and no two messages alike."""
    found = [each for each in findings() if each.level is Level.ERROR]
    codes = {each.code for each in found}
    kinds = {re.sub(r"'[^']*'|[0-9]+", "_", each.message) for each in found}
    assert len(found) >= 100
    assert len(kinds) >= 80
    assert {f"P{number:03d}" for number in (1, 2, 3, 4, 5, 10, *range(12, 28))} <= codes


def test_no_message_repeats_a_secret() -> None:
    """Whatever was written where a secret belongs, or looks like one."""
    told = "\n".join(map(str, findings()))
    written = ("0123456789abcdef", "xoxb-", "hunter2", "secrets/token", "SLACK TOKEN")
    assert [secret for secret in written if secret in told] == []


if __name__ == "__main__":
    EXPECTED.write_text("\n".join(report()) + "\n")
    sys.stdout.write(f"{EXPECTED}: {len(findings())} findings\n")
