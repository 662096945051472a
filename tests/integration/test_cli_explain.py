"""``remediator explain`` on what a real Alertmanager sent."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from remediator.cli.explain_text import say_explanation
from remediator.core.policies import Mode, Policy
from remediator.policy.explained import Explanation
from remediator.policy.load import load_policy
from tests.core.explaining import of_labels
from tests.integration.test_cli_check import CLEAN, ROOT, run

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
        "rule      service-down (policies/rules-20-services.yaml:",
        "incident  it joins the incident of its group, or opens one",
        "group     of service auth-service, grouped by service='auth-service'",
        "severity  SEV-2 (Partial outage or significant degradation): paged unless a fix is verified",
        "level 2 manager (pagerduty): 15m after the page, unanswered, T+30m; to acknowledge within 5m",
        "do      restart deployment/auth-service in fintech-services",
        "guard   mode allows: rule service-down is in mode auto",
        "too late  other-critical",
        "close     service-down-by-app",
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


DOC = ROOT / "docs" / "explain.md"
EXAMPLES = re.findall(r"^\$ remediator (.*)\n((?:(?!```).*\n)*)", DOC.read_text(), re.MULTILINE)


def documented(tmp_path: Path) -> Path:
    """The policies that the documentation explains, in the working directory it assumes."""
    [text] = re.findall(r"^```yaml\n(.*?)^```", DOC.read_text(), re.MULTILINE | re.DOTALL)
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "shop.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_the_documentation_shows_what_is_printed(tmp_path: Path, command: str, shown: str) -> None:
    program = [sys.executable, "-c", "from remediator.cli.main import main; main()", *shlex.split(command)]
    done = subprocess.run(
        program, capture_output=True, text=True, timeout=60, check=False, cwd=documented(tmp_path), env=CLEAN
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


def test_labels_stand_for_a_file(tmp_path: Path) -> None:
    done = run("explain", "policies", "--labels", '{alertname="ServiceDown", service=auth-service}', "--json")
    assert done.returncode == 0, done.stderr
    [one] = json.loads(done.stdout)["alerts"]
    assert (one["rule"]["name"], one["fate"]) == ("service-down", "opens or joins")
    assert len(one["others"]) + len(one["too_late"]) + 1 == len(load_policy(ROOT / "policies").rules)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ('alertname!="x"', "only = is possible"),
        ('a="1",a="2"', "a label stands twice"),
        ("{}", "there are none"),
        ("alertname", "--labels: "),
        ('a="x', "--labels: "),
    ],
)
def test_labels_that_are_none_exit_2_and_say_what_to_write(labels: str, said: str) -> None:
    done = run("explain", "policies", "--labels", labels)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "service=" in done.stderr


def test_a_file_or_labels_and_not_both(outage: Path) -> None:
    for arguments in (("policies",), ("policies", str(outage), "--labels", 'a="b"')):
        done = run("explain", *arguments)
        assert (done.returncode, "one of the two" in done.stderr) == (2, True)


def test_all_shows_why_every_other_rule_did_not_match(outage: Path) -> None:
    rules = load_policy(ROOT / "policies").rules
    few, every = run("explain", "policies", outage), run("explain", "policies", outage, "--all")
    assert "--all shows why" in few.stdout
    assert "--all shows why" not in every.stdout
    for rule in rules:
        assert f" {rule.name} (policies/" in every.stdout, rule.name


@pytest.mark.parametrize("width", [80, 200])
def test_a_terminal_wraps_beside_the_word(width: int) -> None:
    """No line is wider than the terminal, and no word hides what hangs beside another."""
    text = on_terminal(load_policy(ROOT / "policies"), OUTAGE, width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert any(len(line) > width - 30 for line in lines)
    assert all(line.startswith("  ") for line in lines[1:])


def test_hostile_labels_move_no_cursor_and_forge_no_line(tmp_path: Path) -> None:
    hostile = "x\n\x1b[31m[bold]rule  forged (p.yaml:1:1), mode auto[/bold]\u202e{{7*7}}"
    labels = {"alertname": hostile, "service": hostile, "env": hostile, "job": hostile}
    rules = load_policy({"p.yaml": HOSTILE})
    for width in (80, 200):
        text = on_terminal(rules, labels, width)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert sum(line.startswith("  rule ") for line in text.splitlines()) == 1
        assert "49" not in text


HOSTILE = """\
severities: {SEV-3: {}}
rules:
  - {name: near, match: ['alertname=~"(?s)x.*"', 'env="prod"'], severity: SEV-3}
  - {name: all, match: [], severity: SEV-3, group_by: [alertname, job]}
"""
OUTAGE = {
    "alertname": "ServiceDown",
    "namespace": "fintech-services",
    "service": "auth-service",
    "severity": "critical",
}


def on_terminal(rules: Policy, labels: dict[str, str], width: int) -> str:
    """What a terminal of that width shows."""
    out = StringIO()
    terminal = Console(
        file=out,
        width=width,
        force_terminal=True,
        color_system=None,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
    )
    told = asyncio.run(of_labels(rules, labels))
    explanation = Explanation(policy="", ceiling=Mode.AUTO, live=False, alerts=(told,), rejected=())
    say_explanation(terminal, explanation, every=True)
    return out.getvalue()
