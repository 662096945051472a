"""``remediator schema``, and that editors find it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.integration.test_cli_check import ROOT, run

SCHEMAS = ROOT / "remediator" / "schema"
MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
SHIPPED = sorted((*ROOT.glob("policies/**/*.yaml"), *ROOT.glob("remediator/testing/**/*.yaml")))


@pytest.mark.parametrize(
    ("options", "name"), [([], "policy.schema.json"), (["--tests"], "tests.schema.json")]
)
def test_it_prints_what_is_checked_in(options: list[str], name: str) -> None:
    done = run("schema", *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (SCHEMAS / name).read_text(), "run: make schema"


def test_it_writes_a_file(tmp_path: Path) -> None:
    done = run("schema", "--out", tmp_path / "policy.schema.json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "policy.schema.json").read_text())["properties"].keys() >= {
        "rules",
        "services",
    }


def test_a_file_that_cannot_be_written_exits_2_and_says_so(tmp_path: Path) -> None:
    done = run("schema", "--out", tmp_path / "nowhere" / "x.json")
    assert done.returncode == 2
    assert "x.json cannot be written (No such file or directory)" in done.stderr


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_modeline_of_shipped_policies_leads_to_the_schema(path: Path) -> None:
    """From where the file stands: in the repository and, for the demo's, in an installed package."""
    found = MODELINE.search(path.read_text())
    assert found is not None, f"{path} has no modeline"
    name = "tests.schema.json" if path.name.endswith("_test.yaml") else "policy.schema.json"
    assert (path.parent / found[1]).resolve() == SCHEMAS / name
