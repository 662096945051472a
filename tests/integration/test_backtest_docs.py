"""What docs/backtest.md shows is what the program prints, digests apart: they change with the language."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest

from scripts.examples import BACKTEST, BACKTEST_FILES, EXAMPLE
from tests.integration.test_cli_check import CLEAN

EXAMPLES = EXAMPLE.findall(BACKTEST.read_text())
DIGEST = re.compile(r"digest [0-9a-f]{16}")


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_prints_what_the_page_shows(command: str, shown: str) -> None:
    program = [sys.executable, "-c", "from remediator.cli.main import main; main()", *shlex.split(command)]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=60, check=False, cwd=BACKTEST_FILES, env=CLEAN
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert DIGEST.sub("digest", done.stdout) == DIGEST.sub("digest", shown)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2
