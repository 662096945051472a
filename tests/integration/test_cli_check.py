"""``remediator check`` as a person and a pipeline call it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.cells import cell_len

from remediator.cli.finding_formats import as_github
from remediator.cli.main import COMMANDS
from remediator.policy.codes import CODES
from remediator.policy.findings import Finding, Level, Spot

ROOT = Path(__file__).parents[2]
CLEAN = {key: value for key, value in os.environ.items() if not key.startswith(("REMEDIATOR", "PAGERDUTY"))}


def run(*args: str | Path, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with these arguments."""
    command = [sys.executable, "-c", "from remediator.cli.main import main; main()", *map(str, args)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, cwd=cwd, env=CLEAN | environment
    )


def plain_lines(told: str) -> list[str]:
    """Without colours and links."""
    return re.sub("\x1b(\\[[0-9;]*m|\\]8;[^\x1b]*\x1b\\\\)", "", told).splitlines()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("severities:\n  SEV-1: {pgae: now}\n")
    (tmp_path / "b.yaml").write_text("rules: [\n")
    return tmp_path


def test_the_default_policies_are_fine() -> None:
    done = run("check", "policies")
    assert done.returncode == 0
    assert re.search(r"[0-9]+ rules, [0-9]+ runbooks, [0-9]+ services, digest [0-9a-f]{16}$", done.stderr)
    for line in done.stdout.splitlines():
        assert re.search(r": notice: .* is checked but not performed by this version: .* \[N7..\]$", line)


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
        "page": "docs/findings.md#p010",
    }
    assert run("check", broken, "--format", "json").stdout == done.stdout


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


@pytest.mark.parametrize(
    "args",
    [
        "",
        "check",
        "check nowhere",
        "bogus",
        "check policies --bogus",
        "check policies --format xml",
        "check policies --json --format sarif",
    ],
)
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


def test_a_terminal_gets_colour_and_sees_the_place(broken: Path) -> None:
    told = run("check", broken, FORCE_COLOR="1").stdout
    assert "\x1b[1;31m" in told
    lines = plain_lines(told)
    assert lines[1:3] == ["     2 |   SEV-1: {pgae: now}", "       |           ^"]


@pytest.mark.parametrize(
    "line",
    [
        "  oncall: {pagerduty: {routing_kye: hunter2}}",
        "  web: {links: {a: 'https://me:hunter2@web/'}, nonsense: 1}",
        "  web: {password: hunter2}",
    ],
)
def test_a_line_that_may_hold_a_secret_is_never_shown(tmp_path: Path, line: str) -> None:
    section = "channels" if "pagerduty" in line else "services"
    (tmp_path / "a.yaml").write_text(f"severities: {{SEV-4: {{}}}}\n{section}:\n{line}\n")
    for form in ("text", "json", "github", "sarif"):
        told = run("check", tmp_path, "--format", form, FORCE_COLOR="1")
        assert told.returncode == 1
        assert "hunter2" not in told.stdout + told.stderr


def test_wide_characters_and_tabs_do_not_move_the_mark(tmp_path: Path) -> None:
    text = "severities: {SEV-4: {}}\nservices: {a: {links: {名前: '名前'},\tnonsense: 1}}\n"
    (tmp_path / "a.yaml").write_text(text)
    told = run("check", tmp_path, FORCE_COLOR="1").stdout
    lines = plain_lines(told)
    source, mark = next(pair for pair in pairwise(lines) if "名" in pair[0])
    assert cell_len(source[: source.index("nonsense")]) == mark.index("^")


def test_a_line_of_thousands_of_characters_is_shown_around_the_place(tmp_path: Path) -> None:
    text = "services: {a: {links: {" + ", ".join(f"l{each}: x" for each in range(300)) + "}, nonsense: 1}}\n"
    (tmp_path / "a.yaml").write_text(text)
    told = run("check", tmp_path, FORCE_COLOR="1").stdout
    lines = plain_lines(told)
    source, mark = next(pair for pair in pairwise(lines) if "nonsense: 1" in pair[0])
    assert len(source) < 120
    assert source[mark.index("^") :].startswith("nonsense")


def test_github_gets_workflow_commands_with_paths_of_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "a, b:c"
    folder.mkdir()
    (folder / "p.yaml").write_text("severities:\n  SEV-4: {pgae: 100%}\n  SEV-9: {}\n")
    done = run("check", "a, b:c", "--format", "github", cwd=tmp_path)
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first == (
        "::error file=a%2C b%3Ac/p.yaml,line=2,col=11,title=P010::"
        "unknown key 'pgae'; did you mean 'page'? (see docs/findings.md#p010 of remediator)"
    )
    assert second.startswith("::error file=a%2C b%3Ac/p.yaml,line=3,col=3,title=P018::")


def test_github_data_is_escaped() -> None:
    at = Spot(path="x.yaml")
    finding = Finding(at=at, code="P013", level=Level.NOTICE, message="100%\r\n::error::x")
    (line,) = as_github([finding])
    assert line.startswith("::notice file=x.yaml,line=1,col=1,title=P013::100%25%0D%0A::error::x (see ")


def test_sarif_is_a_log_of_2_1_0(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "policies", tmp_path / "my policies")
    (tmp_path / "my policies" / "x.yaml").write_text("services: {cart: {nmespace: x}}\n")
    done = run("check", "my policies", "--format", "sarif", cwd=tmp_path)
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert_sarif(log)
    (run_,) = log["runs"]
    told = [each for each in run_["results"] if "suppressions" not in each]
    (told,) = (each for each in told if each["ruleId"] == "P010")
    assert told["level"] == "error"
    assert told["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "my%20policies/x.yaml"},
        "region": {"startLine": 1, "startColumn": 19},
    }
    silenced = [each for each in run_["results"] if "suppressions" in each]
    assert "S304" in {each["ruleId"] for each in silenced}
    assert all(each["suppressions"][0]["justification"] for each in silenced)


def test_sarif_tells_two_equal_findings_apart_and_keeps_them_when_lines_move(tmp_path: Path) -> None:
    def prints(before: str) -> list[str]:
        twice = "".join(f"  - {{name: {each}, match: [], severity: SEV-4, x: 1}}\n" for each in "ab")
        (tmp_path / "p.yaml").write_text(f"{before}severities: {{SEV-4: {{}}}}\nrules:\n{twice}")
        log = json.loads(run("check", tmp_path, "--format", "sarif").stdout)
        return [each["partialFingerprints"]["remediator/v1"] for each in log["runs"][0]["results"]]

    first = prints("")
    assert len(set(first)) == len(first) == 2
    assert prints("# another line\n") == first


def assert_sarif(log: Any) -> None:
    """What the schema of SARIF 2.1.0 asks of the parts that we write, each by its own sentence."""
    assert log.keys() == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    assert urlsplit(log["$schema"]).scheme == "https"
    for each in log["runs"]:
        assert each["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        assert each["invocations"] == [{"executionSuccessful": True}]
        driver = each["tool"]["driver"]
        assert driver["name"] == "remediator"
        rules = driver["rules"]
        assert [rule["id"] for rule in rules] == list(CODES)
        for rule in rules:
            assert rule["shortDescription"]["text"]
            assert "helpUri" not in rule  # it must be a URL, and the page has none
            assert f"docs/findings.md#{rule['id'].lower()}" in rule["help"]["text"]
            assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        for result in each["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert result["message"]["text"]
            for location in result["locations"]:
                region = location["physicalLocation"]["region"]
                assert region["startLine"] >= 1
                assert region["startColumn"] >= 1
                assert " " not in location["physicalLocation"]["artifactLocation"]["uri"]
            assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
            for suppression in result.get("suppressions", ()):
                assert suppression["kind"] in ("inSource", "external")


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
    assert done.stdout.splitlines()[-1] == "[]"
