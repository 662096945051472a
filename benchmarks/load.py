"""Load by wrk: one process, keep-alive connections, each sending its next request when it has its answer."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
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
