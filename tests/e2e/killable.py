"""``python -m tests.e2e.killable``: the real daemon, which kills or stops itself at one named call.

``REMEDIATOR_TEST_FUSE=kill:before:intend:1`` dies (-9) before the first call of ``intend`` reaches its port,
``stop:after:apply:1`` stops (SIGSTOP) after the first ``apply`` was answered. Of several replicas with the
same ``REMEDIATOR_TEST_ONCE`` file only the first burns. Without a fuse it is the daemon with replicas that
are quicker to succeed each other, so that tests need not wait.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import uvloop

from remediator.adapters.redis.batch import IntakeBatcher
from remediator.app import App
from remediator.core.cluster import ClusterReader, Executor
from remediator.core.plugins import Channel
from remediator.core.policies import ChannelSpec
from remediator.core.store import IntakeStore, Store
from remediator.core.times import SECOND, Millis
from remediator.settings import read_settings
from remediator.telemetry.logging import configure_logging
from remediator.workers.crew import Ports
from remediator.workers.pace import Pace


class Fuse:
    """Counts calls of one name and ends the process at the one that was asked for."""

    def __init__(self, spec: str) -> None:
        action, moment, self.name, count = (spec or "kill:never::0").split(":")
        self.signal = signal.SIGKILL if action == "kill" else signal.SIGSTOP
        self.before, self.left = moment == "before", int(count)

    def wrap(self, port: object) -> Any:
        """The port, with the fuse in it."""
        return _Wired(port, self)

    def burn(self, *, before: bool) -> None:
        """One call more. The process may not survive it."""
        if before is self.before:
            self.left -= 1
            if self.left == 0 and self._first():
                os.kill(os.getpid(), self.signal)

    def _first(self) -> bool:
        """Whether no other process has burnt."""
        once = os.environ.get("REMEDIATOR_TEST_ONCE")
        if not once:
            return True
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


class _Wired:
    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[object]] = getattr(self._port, name)
        if name != self._fuse.name:
            return method

        async def call(*args: object, **kwargs: object) -> object:
            self._fuse.burn(before=True)
            answer = await method(*args, **kwargs)
            self._fuse.burn(before=False)
            return answer

        return call


class KillableApp(App):
    """The daemon with a fuse in each of its ports."""

    fuse = Fuse(os.environ.get("REMEDIATOR_TEST_FUSE", ""))
    pace = Pace(heartbeat=0.5, idle=Millis(2 * SECOND), lease=Millis(4 * SECOND))

    def _ports(self, store: Store, intake: IntakeBatcher) -> Ports:
        ports = super()._ports(store, intake)
        channel = ports.channel

        def wired_channel(spec: ChannelSpec) -> Channel:
            return cast(Channel, self.fuse.wrap(channel(spec)))

        return replace(
            ports,
            store=cast(Store, self.fuse.wrap(ports.store)),
            intake=cast(IntakeStore, self.fuse.wrap(ports.intake)),
            reader=cast(ClusterReader, self.fuse.wrap(ports.reader)) if ports.reader else None,
            executor=cast(Executor, self.fuse.wrap(ports.executor)) if ports.executor else None,
            channel=wired_channel,
        )


@asynccontextmanager
async def killable() -> AsyncIterator[KillableApp]:
    """As ``App.running``."""
    settings = read_settings({})
    configure_logging(settings.log_level)
    async with KillableApp.running(settings) as app:
        yield cast(KillableApp, app)


async def _main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with killable() as app:
        await app.settled()
        sys.stdout.write(f"{app.receiver_address[1]} {app.ops_address[1]}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main())
