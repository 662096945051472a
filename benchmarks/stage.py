"""Who takes part: the daemon, Redis servers, the fake API server, and what the daemon is compared with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from benchmarks.load import TOKEN
from tests.servers import RedisServer, free_port

STARTS_WITHIN = 20.0
ROOT = Path(__file__).parent.parent


class Process:
    """A process that is ended with the stage. Its output goes to a file of the folder."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str] = {}) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, **env}
            )

    def wait(self, ready: Callable[[], bool]) -> None:
        """Return as soon as it is. Raises RuntimeError with its log when that does not happen."""
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                if ready():
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"it did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.005)

    def busy(self) -> float:
        """Seconds of processor time so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def resident(self) -> int:
        """Bytes of memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL when that is not heard."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Reference(Process):
    """A handler to compare with; see ``benchmarks.reference``."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.port = free_port()
        super().__init__(kind, [sys.executable, "-m", "benchmarks.reference", kind, str(self.port)], folder)
        self.wait(lambda: answers(f"http://127.0.0.1:{self.port}/") == 404)


class Daemon(Process):
    """``remediator serve``, ready."""

    def __init__(self, name: str, folder: Path, redis: str, env: Mapping[str, str] = {}) -> None:
        self.port, self.ops = free_port(), free_port()
        settings = {
            "REMEDIATOR_REDIS_URL": redis,
            "REMEDIATOR_LISTEN": f"127.0.0.1:{self.port}",
            "REMEDIATOR_OPS_LISTEN": f"127.0.0.1:{self.ops}",
            "REMEDIATOR_WEBHOOK_TOKEN": TOKEN,
            "REMEDIATOR_POLICIES": str(ROOT / "policies"),
            "REMEDIATOR_DATA_DIR": str(folder / f"{name}-data"),
            "REMEDIATOR_LOG_LEVEL": "info",
        }
        self.started = time.monotonic()
        program = str(Path(sys.executable).with_name("remediator"))
        super().__init__(name, [program, "serve"], folder, {**settings, **env})
        self.wait(lambda: answers(f"http://127.0.0.1:{self.ops}/-/ready") == 200)
        self.ready_after = time.monotonic() - self.started
        """Seconds from its start to the first answer that it is ready."""

    def metric(self, name: str) -> float:
        """The sum of a metric's series."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ops}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def redis_server(stack: ExitStack, kind: str, folder: Path, fsync: str) -> RedisServer:
    """A server for the length of the stack. ``fsync``: ``always`` or ``everysec``."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(kind, folder, {"appendfsync": fsync})
    stack.callback(server.stop)
    return server


def answers(url: str) -> int:
    """The status there, whatever it is."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return int(error.code)


def post(url: str, body: object, token: str = TOKEN) -> Any:
    """The JSON answer to a body."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        return json.loads(answer.read())
