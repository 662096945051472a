"""``remediator check`` as a person and a pipeline call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remediator.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("REMEDIATOR", "PAGERDUTY"))}


def run(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with these arguments."""
    command = [sys.executable, "-c", "from remediator.cli.main import main; main()", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT, env=CLEAN | environment
    )


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("severities:\n  SEV-1: {pgae: now}\n")
    (tmp_path / "b.yaml").write_text("rules: [\n")
    return tmp_path


def test_the_default_policies_are_fine() -> None:
    done = run("check", "policies")
    assert (done.returncode, done.stdout) == (0, "")
    assert "nothing to complain about; 11 rules" in done.stderr


def test_findings_exit_1_one_line_each_and_plain_in_a_pipe(broken: Path) -> None:
    done = run("check", broken)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == f"{broken}/a.yaml:2:11: unknown key 'pgae'; did you mean 'page'? [P010]"
    assert [line.split(": ")[0] for line in lines] == [f"{broken}/a.yaml:2:11", f"{broken}/b.yaml:2:1"]
    assert "\x1b" not in done.stdout + done.stderr


def test_findings_as_json(broken: Path) -> None:
    done = run("check", broken, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["digest"], answer["counts"]["error"]) == (False, None, 2)
    assert answer["findings"][0] == {
        "path": f"{broken}/a.yaml",
        "line": 2,
        "column": 11,
        "code": "P010",
        "level": "error",
        "message": "unknown key 'pgae'; did you mean 'page'?",
    }


def test_warnings_exit_1_and_notices_exit_0(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "severities: {SEV-4: {}}\nescalations: {e: [{level: 1, channels: [c]}]}\n"
    )
    (tmp_path / "c.yaml").write_text("channels: {c: {pagerduty: {routing_key: {env: K}}}}\n")
    noticed = run("check", tmp_path)
    assert (noticed.returncode, noticed.stdout.count("notice: ")) == (0, 1)
    (tmp_path / "b.yml").write_text("")
    warned = run("check", tmp_path)
    assert (warned.returncode, warned.stdout.count("warning: ")) == (1, 1)


@pytest.mark.parametrize("args", ["", "check", "check nowhere", "bogus", "check policies --bogus"])
def test_wrong_use_exits_2_and_says_why(args: str) -> None:
    done = run(*args.split())
    assert done.returncode == 2
    assert done.stdout + done.stderr


def test_a_single_file_can_be_checked() -> None:
    done = run("check", ROOT / "policies" / "severities.yaml")
    assert done.returncode == 1
    assert "escalation 'critical' is not defined" in done.stdout


def test_the_version_and_the_help() -> None:
    version, told = run("--version"), run("--help")
    assert (version.returncode, version.stdout) == (0, "remediator 0.1.0\n")
    assert told.returncode == 0
    for command in COMMANDS:
        assert command in told.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_table_can_be_called(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"remediator {command}" in done.stdout.replace("-c ", "remediator ")


def test_a_terminal_gets_colour(broken: Path) -> None:
    told = run("check", broken, FORCE_COLOR="1")
    assert "\x1b[1;31m" in told.stdout


def test_check_needs_neither_web_server_nor_cluster_client() -> None:
    """Importing these costs more than the check itself."""
    probe = (
        "import sys\nfrom remediator.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'aiohttp', 'kubernetes_asyncio', 'redis', 'pagerduty', 'asyncio'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "check", "policies"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == "[]\n"
