"""``remediator test`` as a person and a pipeline call it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.integration.test_cli_check import run
from tests.rehearsal.scenes import POLICY

TEST = """
tests:
  - name: the web is restarted
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect:
      - {at: 1s, rule: web-down, severity: SEV-2, changes: [restart deployment/web]}
  - name: nobody is woken at once
    alerts: [{at: 0s, fire: {alertname: WebDown}}]
    expect: [{at: 1m, pages: {oncall: 0}}]
"""


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A small policy directory with two tests that pass."""
    (tmp_path / "policies.yaml").write_text(POLICY)
    (tmp_path / "web_test.yaml").write_text(TEST)
    return tmp_path


def change(directory: Path, old: str, new: str) -> None:
    """Somebody tunes the policy."""
    file = directory / "policies.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_default_policies_pass_their_tests() -> None:
    """They are shipped with them."""
    done = run("test", "policies")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout.splitlines()[-1]


def test_tests_that_pass_exit_0(policies: Path) -> None:
    """One line; with -v one for each test."""
    done = run("test", policies)
    assert done.returncode == 0
    assert done.stdout.startswith("2 tests: 2 passed, in ")
    verbose = run("test", policies, "-v").stdout.splitlines()
    assert verbose[0].startswith(f"passed {policies}/web_test.yaml:3:11: the web is restarted (")


def test_a_threshold_that_was_changed_exits_1_and_says_what_it_means(policies: Path) -> None:
    """The test, the place of the expectation, expected and seen, the reason, and what happened."""
    change(policies, "unless_verified_within: 15m", "unless_verified_within: 30s")
    done = run("test", policies)
    assert done.returncode == 1
    assert done.stdout.splitlines()[:3] == [
        f"FAILED {policies}/web_test.yaml:7:11: nobody is woken at once",
        f"  {policies}/web_test.yaml:9:30: at T+1m: pages: expected oncall: 0, seen oncall: 1",
        "      because oncall took level 1 at T+30s; the last one because not verified in time; attempt 1 is "
        "verifying",
    ]
    assert (
        "    T+30s      paging oncall (level 1): not verified in time; attempt 1 is verifying" in done.stdout
    )
    assert done.stdout.splitlines()[-1].startswith("2 tests: 1 passed, 1 failed, in ")
    assert "\x1b" not in done.stdout


def test_some_tests_alone(policies: Path) -> None:
    """-k as in pytest; one that nothing matches is wrong use."""
    assert "1 test: 1 passed" in run("test", policies, "-k", "woken").stdout
    assert "1 test: 1 passed" in run("test", policies, "-k", "web_test and not woken").stdout
    nothing = run("test", policies, "-k", "database")
    assert nothing.returncode == 2
    assert "no test matches -k 'database'" in nothing.stderr
    assert run("test", policies, "-k", "and").returncode == 2


def test_mistakes_in_a_test_file_exit_1(policies: Path) -> None:
    """Each is one line with its place, and no test runs."""
    (policies / "web_test.yaml").write_text(TEST.replace("rule: web-down", "rule: web-donw"))
    done = run("test", policies)
    assert done.returncode == 1
    expected = (
        f"{policies}/web_test.yaml:6:24: there is no rule 'web-donw'; did you mean 'web-down'? [T831]\n"
    )
    assert done.stdout == expected
    found = json.loads(run("test", policies, "--json").stdout)
    assert found["ok"] is False
    assert (found["findings"][0]["line"], found["findings"][0]["code"]) == (6, "T831")


def test_a_directory_without_tests_says_how_to_begin(policies: Path) -> None:
    """It is a finding: a pipeline that tests nothing is no green one."""
    (policies / "web_test.yaml").unlink()
    done = run("test", policies)
    assert done.returncode == 1
    assert "there are no tests here; write one into a file named *_test.yaml" in done.stdout


def test_policies_with_errors_are_not_tested(policies: Path) -> None:
    """They are told as ``check`` tells them."""
    change(policies, "mode: auto", "mode: atuo")
    done = run("test", policies)
    assert done.returncode == 1
    assert "did you mean 'auto'?" in done.stdout
    assert "has errors; correct them first" in done.stderr


@pytest.mark.parametrize("name", ["nowhere", "policies.yaml"])
def test_what_is_no_directory_is_wrong_use(policies: Path, name: str) -> None:
    """Exit code 2, and what to do."""
    done = run("test", policies / name)
    assert done.returncode == 2
    assert "name the directory" in done.stderr


def test_results_as_json(policies: Path) -> None:
    """Everything that a person reads."""
    change(policies, "severity: SEV-2\n    service: web", "severity: SEV-3\n    service: web")
    found = json.loads(run("test", policies, "--json").stdout)
    assert found["counts"] == {"passed": 1, "failed": 1}
    failed = found["tests"][0]
    assert (failed["name"], failed["line"], failed["passed"]) == ("the web is restarted", 3, False)
    (difference,) = failed["failures"][0]["differences"]
    assert (difference["key"], difference["expected"], difference["seen"]) == ("severity", "SEV-2", "SEV-3")
    assert "rule web-down won" in difference["why"]
    assert failed["failures"][0]["timeline"][0]["at"] == "T+0s"


def test_results_as_junit(policies: Path) -> None:
    """In a file, for CI systems."""
    report = policies / "report.xml"
    assert run("test", policies, "--junit", report).returncode == 0
    (suite,) = ElementTree.parse(report).getroot()
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "0")
    nowhere = run("test", policies, "--junit", policies / "no" / "where")
    assert nowhere.returncode == 2
    assert nowhere.stdout.startswith("2 tests: 2 passed, in ")
    assert "cannot be written (No such file or directory)" in nowhere.stderr


def test_coverage_is_printed_and_can_be_a_bound(policies: Path) -> None:
    """Percentages, what is missing by name and place, and exit code 1 below the bound."""
    done = run("test", policies, "--coverage")
    assert done.returncode == 0
    assert "  rules               25%  1 of 4 won" in done.stdout
    assert f"  {policies}/policies.yaml:30:11: rule anything-down: never won in a test" in done.stdout
    assert run("test", policies, "--cover-rules", "25").returncode == 0
    below = run("test", policies, "--cover-rules", "26")
    assert below.returncode == 1
    assert "25% of the rules are covered, at least 26% are asked for" in below.stderr
    found = json.loads(run("test", policies, "--coverage", "--json").stdout)["coverage"]
    assert found["rules"]["percent"] == 25
    assert {"name": "anything-down", "where": f"{policies}/policies.yaml:30:11"} in found["rules"]["missing"]


def test_mutants_tell_what_no_test_notices_and_change_no_file(policies: Path) -> None:
    """In words, with place and advice; the bound is one on what is noticed."""
    before = {file: file.read_bytes() for file in policies.iterdir()}
    done = run("test", policies, "--mutate")
    assert done.returncode == 0
    assert "policies.yaml:14:5: rule database-down: hold 30s -> 15s: no test notices\n" in done.stdout
    assert "      expect incidents: 0 just before 30s and incidents: 1 just after\n" in done.stdout
    assert {file: file.read_bytes() for file in policies.iterdir()} == before
    assert run("test", policies, "--mutate", "--kill", "100").returncode == 1
    found = json.loads(run("test", policies, "--mutate", "--json").stdout)["mutants"]
    assert found["killed"] + len(found["survivors"]) == found["total"]
    hold = next(each for each in found["survivors"] if each["change"] == "hold 30s -> 15s")
    assert (hold["path"], hold["line"]) == (f"{policies}/policies.yaml", 14)


def test_a_bound_on_mutants_without_mutants_is_wrong_use(policies: Path) -> None:
    """A pipeline that asks for it and breaks nothing would always be green."""
    done = run("test", policies, "--kill", "100")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--kill is a bound for --mutate" in done.stderr


def test_mutants_are_made_of_policies_that_pass(policies: Path) -> None:
    """Where a test fails already, nothing can be learned from a mutant."""
    change(policies, "severity: SEV-2\n    service: web", "severity: SEV-3\n    service: web")
    done = run("test", policies, "--mutate")
    assert done.returncode == 1
    assert "mutants are made when every test passes" in done.stderr
