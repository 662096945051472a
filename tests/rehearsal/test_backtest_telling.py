"""The report as people read it. ``golden/`` holds what it said when somebody last read it with care.

To write it anew after a change that is meant, set ``UPDATE_GOLDEN=1``.
"""

from __future__ import annotations

import io
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from remediator.cli.backtest_text import say_report
from remediator.rehearsal.backtest.markdown import as_markdown
from remediator.rehearsal.backtest.report import Report
from remediator.rehearsal.backtest.telling import tell
from tests.rehearsal.records import NOON, POLICIES, H, M, S, alert, archived, lines_of, outage, policy, replay

GOLDEN = Path(__file__).parent / "golden"
CANDIDATE = (
    POLICIES.replace("severity: SEV-3}", "severity: SEV-2}", 1)
    .replace("unless_verified_within: 15m", "unless_verified_within: 3m")
    .replace("hold: 2m", "hold: 1m")
    .replace("target: 2/10m", "target: 1/10m")
)


def usual() -> list[bytes]:
    """A little of everything."""
    return [
        *lines_of(
            *[outage("Slow", "web", NOON + n * 2 * H, 10 * M, pod=f"web-{n}") for n in range(9)],
            outage("Flaky", "api", NOON + M, 90 * S),
            outage("Down", "db", NOON + H, 40 * M),
            outage("Down", "web", NOON + 3 * H, 2 * M),
            outage("Down", "web", NOON + 3 * H + 4 * M, 2 * M, pod="b"),
            outage("Strange", "web", NOON, M),
        ),
        b"torn",
    ]


def said(report: Report) -> str:
    out = io.StringIO()
    say_report(Console(file=out, soft_wrap=True, highlight=False, markup=False, emoji=False), tell(report))
    return out.getvalue()


@pytest.mark.parametrize("form", ["txt", "md"])
@pytest.mark.parametrize("name", ["alone", "compared", "unchanged"])
def test_a_report_reads_as_it_did(tmp_path: Path, form: str, name: str) -> None:
    policies = [policy(tmp_path, "policies")]
    if name != "alone":
        policies.append(policy(tmp_path, "candidate", CANDIDATE if name == "compared" else POLICIES))
    report = replay(usual(), *policies)
    told = said(report) if form == "txt" else as_markdown(tell(report))
    text = re.sub(
        "digest [0-9a-f]{16}", "digest 0123456789abcdef", told
    )  # any key of the language changes it
    golden = GOLDEN / f"backtest-{name}.{form}"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


HOSTILE: dict[str, Any] = {
    "alertname": "`Down` | <!channel> **x** [a](http://evil) ~~~\n```",
    "service": "web|`$(id)`",
    "pod": "\x1b[2J\x07\u202eevil\u200b\r\nforged: line",
    "team": "@everyone <script>alert(1)</script> &#64;here",
}


def test_what_strangers_write_is_only_text(tmp_path: Path) -> None:
    """No control character, no tag, no mention, no cell and no code span of theirs; JSON alone is exact."""
    raws = [
        archived(NOON, alert("x", **HOSTILE)),
        archived(NOON, alert("y", **{**HOSTILE, "alertname": "Slow"})),
        b'{"<!channel>`|' + "\x1b[2J\u202e".encode(),
    ]
    report = replay(raws, policy(tmp_path, "policies"), policy(tmp_path, "candidate", CANDIDATE))
    text, markdown = said(report), as_markdown(tell(report))
    for shown in (text, markdown):
        assert shown.replace("\n", "").isprintable()
        assert not re.search(r"^\s*forged", shown, re.MULTILINE)
    assert "<" not in markdown
    for line in markdown.splitlines():
        if line.strip().startswith("```"):
            continue
        outside = re.sub(r"`[^`]*`", "", line)
        assert "`" not in outside  # every span is closed
        if "yaml" not in markdown or not line.startswith("  "):
            assert "@" not in outside
            assert "evil" not in outside
        if line.startswith("| "):
            assert line.count("|") == 9
    data = json.loads(json.dumps(report.as_data()))
    assert data["changes"]["severity"][0]["count"] == 1


def test_channels_may_be_called_as_fields_of_the_report_are(tmp_path: Path) -> None:
    """What is counted for a channel called ``at`` is a number, and no moment of 1970."""
    named = policy(tmp_path, "policies", POLICIES.replace("oncall", "at"))
    data: Any = replay([archived(NOON, alert("Down"))], named).as_data()
    assert data["current"]["pages"] == {"at": 1, "manager": 1}
    assert data["read"]["begins"] == "2025-11-25T12:00:00.000Z"


def test_what_is_counted_otherwise_is_told_whatever_it_is(tmp_path: Path) -> None:
    """A longer hold keeps an incident closed; nobody was to be paged, but a pipeline stops at the change."""
    raws = lines_of(outage("Slow", "web", NOON, 10 * M), outage("Slow", "web", NOON + 20 * M, 2 * M, pod="b"))
    longer = POLICIES.replace("severity: SEV-3}", "severity: SEV-3, hold: 3m}", 1)
    report = replay(raws, policy(tmp_path, "policies"), policy(tmp_path, "candidate", longer))
    assert report.changed
    assert "  - incidents reopened 1 → 0 (-1)\n" in said(report)


def test_a_record_that_no_rule_matches_has_no_table(tmp_path: Path) -> None:
    text = said(replay([archived(NOON, alert("Odd"))], policy(tmp_path, "policies")))
    assert "Rules\n  3 rules without an alert in this record.\n\n" in text
    assert "targets/hour" not in text


def test_a_report_of_very_different_alerts_stays_short(tmp_path: Path) -> None:
    raws = [archived(NOON + n, alert(f"Odd{n}", pod="x" * 3000)) for n in range(3000)]
    report = replay(raws, policy(tmp_path, "policies"))
    text = said(report)
    assert len(text) < 20_000
    assert "- and 2,980 more alerts" in text
    assert "3,000 alerts that no rule matches" in text
