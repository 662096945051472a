"""A replica that can be killed, frozen and lied to at every call it makes to the outside.

Killed means: no call of it is ever answered again, so that none of its code runs on, not even clean-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from remediator.core.errors import Retryable, StoreUnavailable, Unknown
from remediator.testing.simulation.history import LOOKING, Died, Froze, History

T = TypeVar("T")

SHORTLY = 120.0
"""Seconds for which it is held in a replica's favour that it stood frozen."""
TELLING = frozenset(
    (
        *("admit", "commit", "settle", "bury", "append", "load"),
        *("acquire", "holds", "use_limits", "intend"),
        *("claim", "apply", "dry_run", "prepare", "run", "send", "query", "create"),
    )
)
"""Calls at which faults are most instructive; the others are mostly idle polling."""
WRITES = {"cluster.apply": 6.0, "program.run": 10.0, "service.send": 10.0, "alertmanager.create": 6.0}
"""Calls that change something outside: there a process dies, or stands still, so much more often."""


@dataclass
class Chaos:
    """How likely what is, per telling call. All zero: the weather is fine."""

    crash: float = 0.0
    error: float = 0.0
    freeze: float = 0.0
    latency: float = 0.0
    """Mean seconds a call takes."""
    stop: float = 0.0
    """That a process stands still, for longer than a lease, between its last look and the change itself."""

    def calm(self) -> None:
        """From now on nothing goes wrong any more."""
        self.crash = self.error = self.freeze = self.latency = self.stop = 0.0


class Replica:
    """One process: its tasks, its random numbers, and the state of its health."""

    def __init__(self, name: str, rng: Random, chaos: Chaos, history: History) -> None:
        self.name, self.rng, self.chaos, self.history = name, rng, chaos, history
        self.dead = asyncio.Event()
        self.frozen_until = 0.0
        self.froze_at = -1e9
        self.froze_for = 0.0
        """Seconds that it stood frozen lately, in one go or with no time to look in between."""
        self.tasks: set[asyncio.Task[None]] = set()

    # --- core.ports.Runtime ---

    def monotonic(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Virtual seconds; a frozen process oversleeps, a dead one does not wake."""
        await asyncio.sleep(seconds)
        await self._stand()

    def random(self) -> float:
        """From the replica's own seed."""
        return self.rng.random()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task of this replica."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self.name}/{name}")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def in_thread(self, call: Callable[[], T]) -> T:
        """There are no threads here."""
        return call()

    # --- what befalls it ---

    def kill(self, where: str) -> None:
        """kill -9: nothing of it runs on."""
        if not self.dead.is_set():
            self.history.add(Died(replica=self.name, where=where, at=self.monotonic()))
            self.dead.set()

    def freeze(self, seconds: float) -> None:
        """SIGSTOP for that long."""
        now = self.monotonic()
        if now - self.frozen_until > LOOKING:  # else it may not have looked again in between
            self.froze_for = 0.0
        self.froze_for += seconds
        self.frozen_until, self.froze_at = now + seconds, now
        self.history.add(Froze(replica=self.name, seconds=seconds, at=self.monotonic()))

    async def _stand(self) -> None:
        """Where a dead process stays for ever and a frozen one waits."""
        while self.frozen_until > self.monotonic() and not self.dead.is_set():  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(self.frozen_until - self.monotonic())
        if self.dead.is_set():
            await asyncio.get_running_loop().create_future()

    async def call(self, kind: str, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One call to the outside, and what may befall the process and the answer around it."""
        weight = 1.0 if name in TELLING else 0.02
        where = f"{kind}.{name}"
        harder = WRITES.get(where, weight)
        if where in WRITES and self.rng.random() < self.chaos.stop:
            self.freeze(self.rng.choice([45.0, 70.0]))
        await self._befall(harder, f"before {where}")
        if self.rng.random() < self.chaos.error * weight:
            raise _refusal(kind, where)
        answer = await work()
        await self._befall(harder, f"after {where}")
        if self.rng.random() < self.chaos.error * weight / 2:
            raise _lost(kind, where)
        return answer

    async def _befall(self, weight: float, where: str) -> None:
        await self._stand()
        if self.chaos.latency and weight >= 1.0:
            await asyncio.sleep(self.rng.expovariate(1 / self.chaos.latency))
        if self.rng.random() < self.chaos.crash * weight:
            self.kill(where)
        elif self.rng.random() < self.chaos.freeze * weight:
            self.freeze(self.rng.choice([1.0, 10.0, 45.0, 70.0]))
        await self._stand()


def _refusal(kind: str, where: str) -> Exception:
    if kind == "store":
        return StoreUnavailable(f"{where}: refused, nothing happened")
    return Retryable(f"{where}: refused, nothing happened")


def _lost(kind: str, where: str) -> Exception:
    if kind == "store":
        return StoreUnavailable(f"{where}: the answer was lost")
    return Unknown(f"{where}: the answer was lost")


class Gate:
    """Stands for a port of the replica: each of its calls goes through ``Replica.call``."""

    def __init__(self, replica: Replica, kind: str, inner: object) -> None:
        self._replica, self._kind, self._inner = replica, kind, inner

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._inner, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._replica.call(self._kind, name, lambda: method(*args, **kwargs))

        return call
