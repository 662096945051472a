"""The real daemon, as a process of its own: ``remediator serve``, just as anybody would start it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from remediator.adapters.redis.embedded import EmbeddedServer
from remediator.testing.demo.errors import DemoError

STARTS_WITHIN = 60.0
"""Seconds; a machine that does much else imports slowly."""
ENDS_WITHIN = 20.0
"""Seconds; more than the daemon grants what it is in the middle of."""
LONGEST_LINE = 1 << 20
SHOWN_LINES = 8
DATA = "data"
OURS = ("REMEDIATOR_", "PAGERDUTY_", "KUBERNETES_", "KUBECONFIG", "SSL_CERT_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where the daemon listens: URLs without a trailing slash."""

    receiver: str
    operations: str


class Daemon:
    """The process. Make one with ``launch``, and end it with ``stop``."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.log = folder / "daemon.log"
        self._process, self._data_dir = process, folder / DATA
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[Addresses] = loop.create_future()
        self._listening = loop.create_task(self._listen())

    @classmethod
    async def launch(cls, folder: Path, settings: Mapping[str, str]) -> Daemon:
        """``remediator serve`` with these variables, its data and its log in ``folder``."""
        own = {
            "REMEDIATOR_DATA_DIR": str(folder / DATA),
            "TMPDIR": str(folder),  # should it be killed, what it leaves goes with everything else
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "remediator",
            "serve",
            cwd=folder,
            env={**clean_environment(os.environ), **own, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends the daemon in an orderly way
            limit=LONGEST_LINE,
        )
        return cls(process, folder)

    @property
    def addresses(self) -> Addresses:
        """Known once it has started."""
        return self._started.result()

    async def _listen(self) -> None:
        """Keep what it logs, and hear in it where it listens; until it ends."""
        assert self._process.stderr is not None
        with _append_to(self.log) as kept:
            async for line in self._process.stderr:
                kept.write(line)
                kept.flush()
                if not self._started.done() and (found := _addresses(line)) is not None:
                    self._started.set_result(found)
        if not self._started.done():
            self._started.set_exception(DemoError(f"the daemon did not start:\n{_last_lines(self.log)}"))
            self._started.exception()  # whoever waits hears of it; when nobody does, it was ended early

    async def started(self) -> None:
        """Return when it listens. Raises DemoError when it ends instead, or takes too long."""
        try:
            async with asyncio.timeout(STARTS_WITHIN):
                await asyncio.shield(self._started)
        except TimeoutError:
            raise DemoError(
                f"the daemon did not start within {STARTS_WITHIN:.0f} s:\n{_last_lines(self.log)}"
            ) from None

    async def watch(self) -> None:
        """Raises DemoError when it ends, which it should not."""
        await self._process.wait()
        raise DemoError(f"the daemon has ended:\n{_last_lines(self.log)}")

    async def stop(self) -> None:
        """End it, and its store with it. What does not hear is killed."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if (self._process.returncode or 0) < 0:  # killed, so its store may still run
            left = await EmbeddedServer.start(self._data_dir)
            await left.stop()
        await self._listening


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Without anything that would lead the daemon to a real store, cluster or pager, or past ours."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(OURS) and not name.lower().endswith("_proxy")
    }


def _append_to(log: Path) -> IO[bytes]:
    return log.open("ab")


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  {line}" for line in lines[-SHOWN_LINES:])


def _addresses(line: bytes) -> Addresses | None:
    """What the daemon says of itself when it has started; None for any other line."""
    try:
        said: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("event") != "started":
        return None
    receiver = urlsplit(str(said["receiver"]))
    return Addresses(receiver=f"{receiver.scheme}://{receiver.netloc}", operations=str(said["operations"]))
