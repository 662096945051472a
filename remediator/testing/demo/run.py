"""The demo from its first line to its last, and the signals that end it early."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from remediator.testing.demo.alertmanager import Alertmanager
from remediator.testing.demo.closing import details, plays, summary
from remediator.testing.demo.ending import Ending, differences
from remediator.testing.demo.follower import Follower
from remediator.testing.demo.narrator import Narrator
from remediator.testing.demo.stage import Stage, check_extras, set_stage
from remediator.testing.demo.story import tell

INTERRUPTED = 130
"""Exit code of what was ended by Ctrl-C, as shells have it."""
TELLS_WITHIN = 1.0
"""Seconds for the end of a process to be noticed."""
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(kw_only=True)
class Outcome:
    """What is known when it ends. ``trouble``: what is not as it should be; None while that is not known."""

    trouble: list[str] | None = None
    endings: list[Ending] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def code(self) -> int:
        """For the shell: 0 when everything is as it should be, 1 when not, 130 when it was cut short."""
        return INTERRUPTED if self.trouble is None else int(bool(self.trouble))

    def as_json(self) -> str:
        """For ``--json``."""
        document = {
            "passed": self.trouble == [],
            "differences": self.trouble,
            "seconds": round(self.seconds, 1),
            "incidents": [ending.as_json() for ending in self.endings],
        }
        return json.dumps(document, indent=2, ensure_ascii=False)


class Curtain:
    """Ends the play early when a signal comes: once, and never while the stage is being cleared."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._falling = False

    def falls(self) -> None:
        """The end has begun, by itself."""
        self._falling = True

    @contextmanager
    def over(self, play: asyncio.Task[None]) -> Iterator[None]:
        """Signals end the play within this block; a lost terminal does not where nohup has asked for that."""
        loop = asyncio.get_running_loop()
        outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        heard = [number for number in ENDING_SIGNALS if not (outlives and number == signal.SIGHUP)]
        for number in heard:
            loop.add_signal_handler(number, self._fall, play)
        try:
            yield
        finally:
            for number in heard:
                loop.remove_signal_handler(number)

    def _fall(self, play: asyncio.Task[None]) -> None:
        if self._falling:
            return
        self._falling = True
        self._narrator.say("")
        self._narrator.say("Ending everything that was started ...")
        play.cancel()


async def run_demo(console: Console, *, interactive: bool) -> Outcome:
    """Play it on ``console``; with ``interactive``, keep everything up afterwards until a signal comes.

    Raises SettingsError when something is not installed, and DemoError when the demo cannot go on. Whatever
    happens, nothing is left running and no file is left.
    """
    check_extras()
    outcome, narrator = Outcome(), Narrator(console)
    curtain = Curtain(narrator)
    play = asyncio.get_running_loop().create_task(_play(outcome, narrator, curtain, interactive=interactive))
    with curtain.over(play):
        await asyncio.wait([play])
    if not play.cancelled():
        play.result()
    return outcome


async def _play(outcome: Outcome, narrator: Narrator, curtain: Curtain, *, interactive: bool) -> None:
    narrator.say(
        "Starting a store, a Kubernetes API server and a PagerDuty to play with, and the real daemon.", "bold"
    )
    async with set_stage(curtain.falls) as stage:
        took = time.monotonic() - outcome.began
        narrator.say(f"Ready after {took:.1f} s: 5 services run in the cluster, all of them well.")
        follower = Follower(stage, narrator)
        await _until_first_ends(
            _main(outcome, narrator, stage, follower, interactive=interactive),
            follower.run(),
            Alertmanager(stage, narrator.notified).run(),
            watch=stage.daemon.watch(),
        )


async def _until_first_ends(*parts: Coroutine[Any, Any, None], watch: Coroutine[Any, Any, None]) -> None:
    """Run all of them until one ends, and end the others. Raises what it ended with.

    When one fails because the daemon has, what ``watch`` says of the daemon is the better explanation.
    """
    watching = asyncio.create_task(watch)
    tasks = [watching, *map(asyncio.create_task, parts)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if any(task.exception() is not None for task in done):
            await asyncio.wait([watching], timeout=TELLS_WITHIN)
        for task in tasks:  # the watching one first
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _main(
    outcome: Outcome, narrator: Narrator, stage: Stage, follower: Follower, *, interactive: bool
) -> None:
    endings = await tell(stage, follower, narrator)
    outcome.endings, outcome.trouble = endings, differences(endings)
    outcome.seconds = time.monotonic() - outcome.began
    narrator.say("")
    narrator.table(summary(endings))
    narrator.say("")
    if outcome.trouble:
        narrator.say("This is not how it should have ended:", "bold red")
        for line in outcome.trouble:
            narrator.say(f"  {line}")
    if not interactive:
        narrator.say(
            "See the details and break things yourself, while everything stays up: "
            "remediator demo --interactive"
        )
        return
    _print_commands(narrator, stage, endings)
    await asyncio.get_running_loop().create_future()  # until a signal ends it


def _print_commands(narrator: Narrator, stage: Stage, endings: list[Ending]) -> None:
    """Each on one line, however long: it is there to be copied."""
    for title, commands in (
        ("See the details:", details(stage, endings)),
        ("Break things yourself; the timeline goes on below:", plays(stage)),
    ):
        narrator.say(title, "bold")
        for about, command in commands:
            narrator.command(about, command)
        narrator.say("")
    narrator.say("Ctrl-C ends everything and leaves nothing behind.", "bold")
    narrator.say("")
