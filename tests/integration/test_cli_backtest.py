"""``remediator backtest`` as a person and a pipeline call it; and on a real Prometheus."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import pty
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.peers import Process, fetch, program, until
from tests.integration.daemon import alert as daemon_alert
from tests.integration.daemon import daemon, write_policies
from tests.integration.test_cli_check import CLEAN, ROOT, run
from tests.rehearsal.records import NOON, POLICIES, H, M, lines_of, outage, write_lines
from tests.rude_server import rude_server, say
from tests.servers import free_port, redis_server


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return write_policies(tmp_path / "current", POLICIES)


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    text = POLICIES.replace("severity: SEV-3}", "severity: SEV-2}", 1)
    return write_policies(tmp_path / "candidate", text)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    raws = lines_of(outage("Slow", "web", NOON, 10 * M), outage("Down", "api", NOON + H, 40 * M))
    return write_lines(tmp_path / "record.jsonl", [*raws, raws[0][:50]])


def test_a_change_is_told_to_a_person(current: Path, candidate: Path, record: Path) -> None:
    done = run("backtest", current, "--against", candidate, "--alerts", record)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    for said in (
        f"From {current}, digest ",
        "- alerts that change severity 1, that change rule alone 0",
        "What the candidate says otherwise\n"
        f"  - rule slow: severity SEV-3 → SEV-2 ({candidate}/all.yaml:12:47)\n",
        "- 1 alert: SEV-3 by slow → SEV-2 by slow",
        "before: none; after: oncall at 12:00:00",
        f"{record}:",
        "1 line could not be read",
    ):
        assert said in done.stdout, said


def test_one_policy_alone_in_json(current: Path, record: Path) -> None:
    done = run("backtest", current, "--alerts", record, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["version"], report["candidate"], report["changes"]) == (1, None, None)
    assert report["read"]["begins"] == "2025-11-25T12:00:00.000Z"
    assert report["read"]["unreadable_count"] == 1
    assert report["current"]["incidents"] == {"SEV-2": 1, "SEV-3": 1}


def test_markdown_goes_to_a_file_beside_the_report_or_to_standard_output(
    current: Path, candidate: Path, record: Path, tmp_path: Path
) -> None:
    file = tmp_path / "report.md"
    asked = ("backtest", current, "--against", candidate, "--alerts", record, "--markdown")
    beside = run(*asked, file)
    assert beside.returncode == 0
    assert beside.stdout.startswith("Backtest\n")
    alone = run(*asked, "-")
    assert alone.stdout == file.read_text()
    assert alone.stdout.startswith("## Backtest\n")
    nowhere = run(*asked, tmp_path / "no" / "where")
    assert (nowhere.returncode, nowhere.stdout) == (2, beside.stdout)
    assert "cannot be written (No such file or directory)" in nowhere.stderr


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(current: Path, record: Path, *, packed: bool) -> None:
    body = record.read_bytes()
    command = [sys.executable, "-c", "from remediator.cli.main import main; main()", "backtest"]
    done = subprocess.run(
        [*command, str(current), "--alerts", "-", "--json"], input=gzip.compress(body) if packed else body,
        capture_output=True, timeout=60, check=True, cwd=ROOT, env=CLEAN,
    )  # fmt: skip
    assert json.loads(done.stdout)["read"]["record"] == "standard input"
    assert json.loads(done.stdout)["read"]["alerts"] == 12


def test_a_pipeline_can_stop_at_a_change(current: Path, candidate: Path, record: Path) -> None:
    asked = ("backtest", current, "--alerts", record, "--fail-on", "change", "--against")
    assert run(*asked, candidate).returncode == 1
    assert run(*asked, current).returncode == 0


def test_a_threshold_that_this_record_does_not_reach_is_told_all_the_same(
    current: Path, tmp_path: Path, record: Path
) -> None:
    """Whoever reads that nothing changes also reads what was changed; what is the same is told once."""
    roomy = write_policies(tmp_path / "roomy", POLICIES.replace("cluster: 10/1h", "cluster: 20/1h"))
    done = run("backtest", current, "--against", roomy, "--alerts", record)
    assert "- nothing changes over this record\n" in done.stdout
    assert f"- guards: rate cluster 10/1h → 20/1h ({roomy}/all.yaml:20:37)" in done.stdout
    assert "- both: pages in the worst hour: 2, until " in done.stdout
    report = json.loads(run("backtest", current, "--against", roomy, "--alerts", record, "--json").stdout)
    assert report["differences"] == [
        {
            "subject": "guards",
            "key": "rate cluster",
            "before": "10/1h",
            "after": "20/1h",
            "where": f"{roomy}/all.yaml:20:37",
        }
    ]
    same = run("backtest", current, "--against", current, "--alerts", record)
    assert "- nothing changes over this record: the policies say the same\n" in same.stdout


def test_policies_with_errors_exit_1_and_are_named(current: Path, record: Path, tmp_path: Path) -> None:
    broken = write_policies(tmp_path / "broken", "rules: [\n")
    for asked in ((broken,), (current, "--against", broken)):
        done = run("backtest", *asked, "--alerts", record)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{broken}/all.yaml:" in done.stderr
        assert "correct them first" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "name one record: --alerts FILE or --prometheus URL"),
        (("--alerts", "a", "--prometheus", "http://h"), "name one record"),
        (("--alerts", "nowhere.jsonl"), "nowhere.jsonl does not exist"),
        (("--alerts", "-", "--against", "nowhere"), "nowhere does not exist"),
        (("--alerts", "-", "--beyond", "soon"), "--beyond: 'soon' is not a duration"),
        (("--alerts", "-", "--fail-on", "change"), "--against"),
        (("--alerts", "-", "--save", "x"), "--save"),
        (
            ("--alerts", "-", "--from", "30d"),
            "--from, --to and --step choose from the series of --prometheus",
        ),
        (("--alerts", "-", "--step", "1m"), "a file is played as it is"),
        (("--alerts", "-", "--json", "--markdown", "-"), "both want standard output"),
        (("--prometheus", "http://127.0.0.1:1", "--from", "1h", "--to", "2h"), "--from must be before --to"),
        (("--prometheus", "http://127.0.0.1:1", "--from", "noon"), "'noon' is no time"),
        (("--prometheus", "http://127.0.0.1:1", "--step", "1ms"), "--step must be from 1s to 1d"),
        (("--prometheus", "ftp://h"), "REMEDIATOR_PROMETHEUS_URL"),
        (("--prometheus", "http://u:hunter2@127.0.0.1:1"), "cannot be reached"),
    ],
)
def test_wrong_use_exits_2_and_says_what_to_do(current: Path, options: tuple[str, ...], said: str) -> None:
    done = run("backtest", current, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_progress_is_shown_on_a_terminal_and_only_there(current: Path, record: Path) -> None:
    """On standard error: the report on standard output stays what it is in a pipe."""
    plain = run("backtest", current, "--alerts", record)
    mine, theirs = pty.openpty()
    command = [sys.executable, "-c", "from remediator.cli.main import main; main()", "backtest"]
    with subprocess.Popen(
        [*command, str(current), "--alerts", str(record)], stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT,
        env={**CLEAN, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 4096):
                shown += piece
        except OSError:
            pass  # the other end is closed
        assert process.stdout is not None
        assert process.stdout.read().decode() == plain.stdout
    os.close(mine)
    assert b"replaying" in shown
    assert b"alerts, " in shown
    assert b"/s" in shown


async def test_what_a_daemon_archived_can_be_played(tmp_path: Path, current: Path) -> None:
    """Answered 2xx, written down, played again: the same dispositions."""
    data = tmp_path / "data"
    (tmp_path / "redis").mkdir()
    with redis_server("redis-7.0", tmp_path / "redis") as redis:
        async with daemon(current, redis_url=redis.url, archive="files", data_dir=data) as running:
            await running.ready()
            answers = [
                await running.post(daemon_alert("Slow")),
                await running.post(daemon_alert("Slow"), daemon_alert("Strange")),
                await running.post(daemon_alert("Slow", resolved=True)),
            ]
    done = run("backtest", current, "--alerts", data / "archive", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    told: dict[str, int] = {}
    for status, counts in answers:
        assert status == 200
        for name, count in counts.items():
            told[name] = told.get(name, 0) + count
    assert report["current"]["dispositions"] == told
    assert report["current"]["incidents"] == {"SEV-3": 1}
    assert report["read"]["untimed"] == 0


# --- a real Prometheus --------------------------------------------------------------------------------


class Blinking(Process):
    """A Prometheus with an alert that fires for three seconds of six, and one that always does."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        rules, config = folder / "rules.yml", folder / "prometheus.yml"
        rules.write_text(
            "groups:\n- name: test\n  interval: 200ms\n  rules:\n"
            "  - {alert: Down, expr: 'vector(time()) % 6 < 3', labels: {service: web}}\n"
            "  - {alert: Slow, expr: 'vector(1)', labels: {service: api}}\n"
            "  - {alert: Strange, expr: 'vector(1)', for: 1h}\n"
        )
        config.write_text(f"global: {{evaluation_interval: 200ms}}\nrule_files: [{rules}]\n")
        command = [
            program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]  # fmt: skip
        super().__init__("prometheus", command, folder)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def query(self, promql: str) -> Any:
        """The first sample of an instant query, or None."""
        asked = urllib.parse.urlencode({"query": promql})
        result = fetch(f"{self.url}/api/v1/query?{asked}")["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@pytest.fixture
def blinking(tmp_path: Path) -> Iterator[Blinking]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    process = Blinking(folder)
    try:
        yield process
    finally:
        process.stop()


def test_the_alerts_of_a_real_prometheus_are_a_record(
    blinking: Blinking, current: Path, tmp_path: Path
) -> None:
    """Pending ones are none, a pause is a resolution, and what was fetched can be kept and played again."""
    begun = int(time.time())
    down = 'ALERTS{alertname="Down",alertstate="firing"}'
    for _ in range(2):
        until("Down fires", lambda: blinking.query(down))
        until("Down has resolved", lambda: blinking.query(f"absent({down})"))
    kept = tmp_path / "kept.jsonl"
    begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))
    asked = ("--from", begins, "--step", "1s", "--save", kept, "--json")
    done = run("backtest", current, "--prometheus", blinking.url, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["read"]["record"] == f"ALERTS of {blinking.url}"
    dispositions = report["current"]["dispositions"]
    assert dispositions["new"] >= 3
    assert dispositions["resolved"] in (dispositions["new"] - 1, dispositions["new"] - 2)
    assert report["current"]["incidents"] == {"SEV-2": 1, "SEV-3": 1}
    assert report["current"]["unmatched"] == []
    again = json.loads(run("backtest", current, "--alerts", kept, "--json").stdout)
    assert again["current"] == report["current"]


async def test_a_prometheus_that_wants_a_token_is_shown_one_and_never_tells(current: Path) -> None:
    refusal = say("403 No", b'{"status":"error","error":"hush-hush is no good"}')
    async with rude_server(refusal) as rude:
        url = f"http://{rude.host}"
        asked = ("backtest", current, "--prometheus", url)
        done = await asyncio.to_thread(run, *asked, REMEDIATOR_PROMETHEUS_TOKEN="hush-hush")
    assert "Authorization: Bearer hush-hush\r\n" in rude.heads[0]
    assert "query=ALERTS%7Balertstate%3D%22firing%22%7D" in rude.heads[0]
    assert done.returncode == 2
    assert "the ALERTS series cannot be read: Prometheus answered 403" in done.stderr
    assert "hush-hush" not in done.stderr
