"""What an explanation may ask about the world, and what it hears where there is no daemon: nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from remediator.core.alerts import Alert
from remediator.core.changes import Change
from remediator.core.classify import Match
from remediator.core.cluster import Snapshot
from remediator.core.journal import CheckResult, Located
from remediator.core.policies import Scope
from remediator.core.raising import Watched
from remediator.core.standing import Lowering
from remediator.core.verdicts import ChangeRequest, GuardPorts, NotAskedError
from remediator.policy.foresee import Standing
from remediator.policy.opinions import Offline


class Present(Protocol):
    """How things stand now. ``live``: a running daemon knows. Nothing is taken or changed by asking.

    All of it raises StoreUnavailable, and NotAskedError where it can only be known when acting.
    """

    live: bool

    async def standing(self, alert: Alert, match: Match | None) -> Standing:
        """The newest incident of the alert's group, or the one that it is known to belong to."""

    async def surrounded(self, before: Standing, found: Located | None) -> Standing:
        """With the open incidents that come before one about that workload."""

    async def located(self, alert: Alert, match: Match) -> Located:
        """Which workload owns the object that the alert names, or why none does."""

    def ports(self, request: ChangeRequest) -> GuardPorts:
        """What guards look through."""

    async def lowered(self, rule: str) -> Lowering | None:
        """That the rule is trusted with less than its file says, as far as that is known."""

    async def planned(self, request: ChangeRequest) -> tuple[Sequence[Change], Snapshot]:
        """The step's changes, and what they were planned from. Raises Pointless and what the reader does."""

    async def weigh(self, conditions: Sequence[Watched], scope: Scope) -> Sequence[CheckResult]:
        """What each condition to raise the severity looks like."""


class Nowhere:
    """``Present`` where there is no daemon."""

    live = False

    async def standing(self, alert: Alert, match: Match | None) -> Standing:
        """No incident is known."""
        return Standing()

    async def surrounded(self, before: Standing, found: Located | None) -> Standing:
        """None are known."""
        return before

    async def located(self, alert: Alert, match: Match) -> Located:
        """The cluster cannot be looked at."""
        raise NotAskedError

    def ports(self, request: ChangeRequest) -> GuardPorts:
        """Only what the policy itself says is known."""
        return Offline()

    async def lowered(self, rule: str) -> Lowering | None:
        """Only a daemon knows."""
        return None

    async def planned(self, request: ChangeRequest) -> tuple[Sequence[Change], Snapshot]:
        """The target cannot be looked at."""
        raise NotAskedError

    async def weigh(self, conditions: Sequence[Watched], scope: Scope) -> Sequence[CheckResult]:
        """Nobody can be asked."""
        raise NotAskedError
