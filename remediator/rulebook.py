"""Which policy is in force: the newest that could be read, trusted with what the daemon is allowed to do.

It is replaced whole, while alerts go on arriving.

The event loop is never kept waiting: another process reads the files, and what it hands over is taken over
and compiled in small steps. See docs/decisions/0009-policies-are-read-by-another-process.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import structlog

from remediator.core.classify import Classifier
from remediator.core.errors import PolicyError, RemediatorError
from remediator.core.policies import Policy
from remediator.core.ports import Runtime
from remediator.core.rule_index import index_rules
from remediator.core.steps import Steps, with_breaks
from remediator.policy import reader
from remediator.policy.handover import take_over
from remediator.policy.load import load_policy
from remediator.policy.sources import look_of, size_of
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.trust import say_trust

SMALL = 64 << 10
"""Bytes of policy files that are read within the daemon when it starts, as long as nobody waits for it."""
SETTLES = 0.2
"""Seconds for which files must look the same before they are read: whoever writes them is done."""
SETTLE_TRIES = 50
AGAIN = 30.0
"""Seconds after which files are read again when the process that was to read them failed."""
T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Helper(Protocol):
    """Runs one of our programs as a process of its own."""

    async def __call__(self, module: str, *arguments: str) -> bytes:
        """What it writes. Raises RemediatorError when it does not end well."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What came of reading the files. ``changed``: they say something else than before."""

    policy: Policy
    changed: bool


def _as_written(policy: Policy) -> Policy:
    return policy


class Rulebook:
    """The newest policy, compiled."""

    def __init__(self, source: Path, runtime: Runtime, metrics: Metrics, helper: Helper) -> None:
        self._source, self._runtime, self._metrics, self._helper = source, runtime, metrics, helper
        self._rules: Classifier | None = None
        self._written: Policy | None = None
        self._lower: Callable[[Policy], Policy] = _as_written
        self._look: Hashable = None
        self._one = asyncio.Lock()
        self._next: asyncio.Future[Reading] | None = None
        self._work: set[asyncio.Future[None]] = set()

    async def load(self, why: str = "start") -> Reading:
        """Read the files as they are now. Raises PolicyError, and then the policy from before stays in force.

        Whoever asks while they are being read waits for one more reading, together with all others who do.
        """
        if self._next is None:
            self._next = self._begin(why)
        return await asyncio.shield(self._next)

    def _begin(self, why: str) -> asyncio.Future[Reading]:
        asked: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())  # perhaps nobody waits
        work = asyncio.ensure_future(self._runtime.spawn(self._answer(asked, why), "policies"))
        self._work.add(work)
        work.add_done_callback(self._work.discard)
        work.add_done_callback(lambda _: asked.cancel())
        return asked

    async def _answer(self, asked: asyncio.Future[Reading], why: str) -> None:
        try:
            async with self._one:
                self._next = None  # from now on the files may change behind our back
                asked.set_result(await self._read_anew(why))
        except Exception as error:  # noqa: BLE001  # those who asked get it
            if not isinstance(error, PolicyError):
                self._look = None  # the files are not to blame, and it is not over with them
                self._metrics.refused()
            asked.set_exception(error)

    async def _read_anew(self, why: str) -> Reading:
        self._look = await self._looked()
        try:
            fresh = await self._read()
        except PolicyError as error:
            self._metrics.refused()
            _log.error("policies refused", why=why, findings=error.findings)
            raise
        if self._rules is not None and fresh.digest == self.policy().digest:
            self._metrics.unchanged()
            _log.info("policies unchanged", why=why, digest=fresh.digest)
            return Reading(policy=self.policy(), changed=False)
        in_force = await self._put_in_force(fresh)
        self._metrics.loaded(fresh.digest)
        _log.info("policies loaded", why=why, digest=fresh.digest, rules=len(fresh.rules))
        return Reading(policy=in_force, changed=True)

    async def restrict(self, lower: Callable[[Policy], Policy]) -> Policy:
        """From now on ``lower`` is applied to what the files say, now and at every load; what is in force."""
        async with self._one:
            self._lower = lower
            return await self._put_in_force(self.written())

    async def _put_in_force(self, written: Policy) -> Policy:
        fresh = await self._runtime.in_thread(lambda: self._lower(written))
        index = await self._with_breaks(index_rules(fresh.rules))
        before = self._rules.policy if self._rules is not None else None
        self._rules, self._written = Classifier(fresh, index), written
        say_trust(before, fresh, self._metrics)
        self._metrics.promises(fresh)
        return fresh

    async def _read(self) -> Policy:
        if self._rules is None and await self._runtime.in_thread(lambda: size_of(self._source)) <= SMALL:
            return await self._runtime.in_thread(lambda: load_policy(self._source))
        try:
            said = await self._helper(reader.__name__, str(self._source))
            return await self._with_breaks(take_over(said))
        except (RemediatorError, ValueError) as error:
            if isinstance(error, PolicyError):
                raise
            self._look = None  # the files are not to blame, and it is not over with them
            text = f"the process that reads the policies failed: {error}; try remediator check {self._source}"
            raise PolicyError([f"{self._source}:1:1: {text}"]) from error

    async def _with_breaks(self, steps: Steps[T]) -> T:
        return await with_breaks(steps, lambda: self._runtime.sleep(0))

    async def follow(
        self, hints: AsyncGenerator[None, None], reload: Callable[[], Awaitable[object]]
    ) -> None:
        """``reload`` whenever the files look different from when they were last read. Never returns.

        ``hints``: moments at which they may.
        """
        async with aclosing(hints):
            async for _ in hints:
                if await self._looked() == self._look:
                    continue
                await self._settled()
                try:
                    await reload()
                except PolicyError:  # told with its findings; they are read again when they change
                    if self._look is None:
                        await self._runtime.sleep(AGAIN)

    async def _settled(self) -> None:
        """Wait for whoever writes the files, within reason."""
        look = await self._looked()
        for _ in range(SETTLE_TRIES):
            await self._runtime.sleep(SETTLES)
            look, before = await self._looked(), look
            if look == before:
                return

    async def _looked(self) -> Hashable:
        return await self._runtime.in_thread(lambda: look_of(self._source))

    async def stop(self) -> None:
        """Give up what is being read."""
        for work in tuple(self._work):
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def rules(self) -> Classifier:
        """The newest, compiled."""
        assert self._rules is not None  # the daemon does not start without
        return self._rules

    def policy(self) -> Policy:
        """The newest, as it is in force."""
        return self.rules().policy

    def written(self) -> Policy:
        """The newest, as its files say."""
        assert self._written is not None  # the daemon does not start without
        return self._written
