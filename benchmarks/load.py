"""Load by wrk: one process, keep-alive connections, each sending its next request when it has its answer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

CONNECTIONS = 64
TOKEN = "benchmark-token"
PATH = "/v1/alertmanager"
_SCRIPT = Path(__file__).with_name("load.lua")
_runs = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What one run of wrk saw. ``rate``: answers a second; ``median``: seconds until an answer."""

    rate: float
    median: float
    refused: int
    """Answers that were not 2xx."""
    broken: int
    """Requests without an answer."""


def wrk() -> str:
    """The program. Raises SystemExit with what to do where it is missing."""
    found = shutil.which("wrk")
    if found is None:
        raise SystemExit("wrk is missing, which makes the load: apt-get install wrk")
    return found


@contextmanager
def awake() -> Iterator[None]:
    """Keep every processor from falling asleep, by work that yields to any other (SCHED_IDLE).

    A load generator that waits for answers sleeps in between, and who answers pays for waking it: up to half
    of what parsing an alert costs, on a virtual machine. Who is slower would look slower still.
    """
    spin = "import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    spinning = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for each in spinning:
            each.kill()
            each.wait()


def put_load(port: int, bodies: Sequence[str], seconds: float, connections: int = CONNECTIONS) -> Load:
    """Post ``bodies`` in turn to the receiver on that port of the loopback for so long."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as file:
        file.write("".join(f"{body}\n" for body in bodies))
    command = [wrk(), "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(_SCRIPT)]
    command += [f"http://127.0.0.1:{port}{PATH}", "--", file.name, str(next(_runs)), TOKEN]
    try:
        told = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=seconds + 30
        ).stdout
    finally:
        Path(file.name).unlink()
    line = next(line for line in told.splitlines() if line.startswith("RESULT "))
    requests, microseconds, refused, broken, median = map(int, line.split()[1:])
    return Load(rate=requests / (microseconds / 1e6), median=median / 1e6, refused=refused, broken=broken)
