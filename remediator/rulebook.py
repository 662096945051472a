"""Which policy is in force: the newest that could be read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from remediator.core.classify import Classifier
from remediator.core.errors import PolicyError
from remediator.core.policies import Policy
from remediator.core.ports import Runtime
from remediator.policy.load import load_policy
from remediator.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class Rulebook:
    """The newest policy, compiled. Replaced whole or not at all."""

    def __init__(self, source: Path, runtime: Runtime, metrics: Metrics) -> None:
        self._source, self._runtime, self._metrics = source, runtime, metrics
        self._rules: Classifier | None = None
        self._one = asyncio.Lock()

    async def load(self) -> Policy:
        """Read the files anew. Raises PolicyError, and then the policy from before stays in force."""
        async with self._one:
            try:
                fresh = await self._runtime.in_thread(lambda: Classifier(load_policy(self._source)))
            except PolicyError as error:
                self._metrics.refused()
                _log.error("policies refused", findings=error.findings)
                raise
            self._rules = fresh
        self._metrics.loaded(fresh.policy.digest)
        _log.info("policies loaded", digest=fresh.policy.digest, rules=len(fresh.policy.rules))
        return fresh.policy

    def rules(self) -> Classifier:
        """The newest, compiled."""
        assert self._rules is not None  # the daemon does not start without
        return self._rules

    def policy(self) -> Policy:
        """The newest."""
        return self.rules().policy
