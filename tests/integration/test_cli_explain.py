"""``remediator explain`` on what a real Alertmanager sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.test_cli_check import ROOT, run

RECORDINGS = ROOT / "tests" / "recordings" / "alertmanager"
CAPTURES = sorted(path.name for path in RECORDINGS.glob("*.json") if not path.name.endswith(".headers.json"))


@pytest.fixture
def outage(tmp_path: Path) -> Path:
    """A real notification, about one of ours."""
    captured = json.loads((RECORDINGS / "am033_firing.json").read_text())
    captured["alerts"][0]["labels"] = {
        "alertname": "ServiceDown",
        "namespace": "fintech-services",
        "service": "auth-service",
        "severity": "critical",
    }
    file = tmp_path / "outage.json"
    file.write_text(json.dumps(captured))
    return file


@pytest.mark.parametrize("name", CAPTURES)
def test_every_capture_can_be_explained(name: str) -> None:
    captured = json.loads((RECORDINGS / name).read_text())
    done = run("explain", "policies", RECORDINGS / name, "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    notifications = captured if isinstance(captured, list) else [captured]
    answers = answer if isinstance(captured, list) else [answer]
    assert [len(each["alerts"]) for each in answers] == [len(each["alerts"]) for each in notifications]
    assert {each["policy"] for each in answers} == {answers[0]["policy"]}


def test_an_outage_is_explained_to_a_person(outage: Path) -> None:
    done = run("explain", "policies", outage)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    for said in (
        "rule      service-down (policies/rules.yaml:",
        "incident  of service auth-service, grouped by service='auth-service'",
        "severity  SEV-2 (Partial outage or significant degradation): paged unless a fix is verified",
        "level 2  manager: 15m after the page",
        "do      restart deployment/auth-service in fintech-services",
        "guard   mode allows: rule service-down is in mode auto",
        "too late  other-critical",
        "close     slow",
    ):
        assert said in done.stdout, said


def test_the_ceiling_is_an_option(outage: Path) -> None:
    done = run("explain", "policies", outage, "--mode", "observe", "--json")
    answer = json.loads(done.stdout)
    assert answer["ceiling"] == "observe"
    assert answer["alerts"][0]["rule"]["mode"] == "observe"
    assert run("explain", "policies", outage, "--mode", "bold").returncode == 2


def test_an_unmatched_alert_is_offered_a_rule() -> None:
    done = run("explain", "policies", RECORDINGS / "am033_mixed_group_sequence.json")
    assert "no rule matches" in done.stdout
    assert "- name: a" in done.stdout


@pytest.mark.parametrize("body", ["", "{", "[{}]", "[1]", '{"version": "3"}', "\x00"])
def test_a_file_that_is_no_notification_exits_1_and_says_so(tmp_path: Path, body: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(body)
    done = run("explain", "policies", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not a webhook of Alertmanager" in done.stderr


def test_policies_with_errors_explain_nothing(tmp_path: Path, outage: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "a.yaml").write_text("severities: {SEV-1: {pgae: now}}\n")
    done = run("explain", bad, outage)
    assert done.returncode == 1
    assert "a.yaml:1:22: unknown key 'pgae'" in done.stderr


def test_a_path_that_does_not_exist_exits_2(outage: Path) -> None:
    assert run("explain", "nowhere", outage).returncode == 2
    assert run("explain", "policies", "nowhere.json").returncode == 2
    assert run("explain", "policies", ROOT).returncode == 2
