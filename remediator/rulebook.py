"""Which policy is in force: the newest that could be read, trusted with what the daemon is allowed to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog

from remediator.core.classify import Classifier
from remediator.core.errors import PolicyError
from remediator.core.policies import Policy
from remediator.core.ports import Runtime
from remediator.policy.load import load_policy
from remediator.telemetry.metrics import Metrics
from remediator.telemetry.trust import say_trust

_log = structlog.get_logger(__name__)


def _as_written(policy: Policy) -> Policy:
    return policy


class Rulebook:
    """The newest policy, compiled. Replaced whole or not at all."""

    def __init__(self, source: Path, runtime: Runtime, metrics: Metrics) -> None:
        self._source, self._runtime, self._metrics = source, runtime, metrics
        self._rules: Classifier | None = None
        self._written: Policy | None = None
        self._lower: Callable[[Policy], Policy] = _as_written
        self._one = asyncio.Lock()

    async def load(self) -> Policy:
        """Read the files anew. Raises PolicyError, and then the policy from before stays in force."""
        async with self._one:
            try:
                written = await self._runtime.in_thread(lambda: load_policy(self._source))
            except PolicyError as error:
                self._metrics.refused()
                _log.error("policies refused", findings=error.findings)
                raise
            fresh = await self._put_in_force(written)
        self._metrics.loaded(fresh.digest)
        _log.info("policies loaded", digest=fresh.digest, rules=len(fresh.rules))
        return fresh

    async def restrict(self, lower: Callable[[Policy], Policy]) -> Policy:
        """From now on ``lower`` is applied to what the files say, now and at every load; what is in force."""
        async with self._one:
            self._lower = lower
            return await self._put_in_force(self.written())

    async def _put_in_force(self, written: Policy) -> Policy:
        fresh = await self._runtime.in_thread(lambda: Classifier(self._lower(written)))
        before = self._rules.policy if self._rules is not None else None
        self._rules, self._written = fresh, written
        say_trust(before, fresh.policy, self._metrics)
        return fresh.policy

    def rules(self) -> Classifier:
        """The newest, compiled."""
        assert self._rules is not None  # the daemon does not start without
        return self._rules

    def policy(self) -> Policy:
        """The newest, as it is in force."""
        return self.rules().policy

    def written(self) -> Policy:
        """The newest, as its files say."""
        assert self._written is not None
        return self._written
