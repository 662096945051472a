"""The permission review: rules that lack permissions are lowered before they try to act in vain.

Reviewed at the start, after every load of policies and every few minutes. A review that cannot be made leaves
every mode as it is: the API server itself still refuses what it does not allow.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from remediator.core.access import AccessReviewer
from remediator.core.errors import RemediatorError, Retryable
from remediator.core.incident import EffectId
from remediator.core.journal import Notice
from remediator.core.policies import Mode, Policy, Rule
from remediator.core.ports import Observer, Runtime
from remediator.core.store import NoticeStore
from remediator.policy.lowering import lowered, lowered_rules
from remediator.policy.rbac import demands

TOLD_RULES = 20
"""Rules that a notice names; the rest is counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewPace:
    """Seconds. ``every``: between two reviews of the same policy; ``again``: after one that failed.

    ``look``: between two looks at whether another policy was loaded; ``first``: for so long the daemon's
    start waits for the first review.
    """

    every: float = 300.0
    again: float = 30.0
    look: float = 1.0
    first: float = 3.0


class Trust(Protocol):
    """Who holds the policy in force."""

    def written(self) -> Policy:
        """As its files say."""

    async def restrict(self, lower: Callable[[Policy], Policy]) -> Policy:
        """Trust it with less; what is in force then."""


class PermissionReview:
    """Reviews, lowers and tells the operator."""

    def __init__(
        self,
        *,
        reviewer: AccessReviewer,
        trust: Trust,
        notices: NoticeStore,
        runtime: Runtime,
        observer: Observer,
        ceiling: Mode,
        pace: ReviewPace,
    ) -> None:
        self._reviewer, self._trust, self._notices = reviewer, trust, notices
        self._runtime, self._observer, self._ceiling, self._pace = runtime, observer, ceiling, pace
        self._reviewed: Policy | None = None
        self._due = 0.0

    async def begin(self) -> None:
        """The first review, which holds the start up for a moment at most."""
        try:
            async with asyncio.timeout(self._pace.first):
                await self.review()
        except TimeoutError:
            self._failed(f"no answer within {self._pace.first:g} s")
        except RemediatorError as error:
            self._failed(str(error))

    async def run(self) -> None:
        """Review when another policy was loaded or it is time, until cancelled."""
        while True:
            if self._trust.written() is not self._reviewed or self._runtime.monotonic() >= self._due:
                try:
                    await self.review()
                except RemediatorError as error:
                    self._failed(str(error))
            await self._runtime.sleep(self._pace.look)

    async def review(self) -> None:
        """Once. Raises Refused and Retryable; when the cluster does not tell, every mode stays as it is."""
        policy, ceiling = self._trust.written(), self._ceiling
        needed = await self._runtime.in_thread(lambda: demands(policy, ceiling=ceiling))
        missing = await self._reviewer.missing(needed)
        in_force = await self._trust.restrict(lambda written: lowered(written, missing, ceiling=ceiling))
        self._reviewed, self._due = policy, self._runtime.monotonic() + self._pace.every
        if rules := lowered_rules(in_force):
            await self._tell(rules, in_force.operator)

    async def _tell(self, rules: Sequence[Rule], operator: Collection[str]) -> None:
        """The rules are lowered, whether or not that can be told; it is told soon, then."""
        try:
            await self._notices.notify(notices_of(rules, operator))
        except RemediatorError as error:
            self._due = self._runtime.monotonic() + self._pace.again
            text = f"rules were lowered, and the operator could not be told: {error}"
            self._observer.trouble("permissions", Retryable(text))

    def _failed(self, why: str) -> None:
        self._reviewed, self._due = self._trust.written(), self._runtime.monotonic() + self._pace.again
        text = f"permissions could not be reviewed, modes stay as they are: {why}"
        self._observer.trouble("permissions", Retryable(text))


def notices_of(rules: Sequence[Rule], operator: Collection[str]) -> list[Notice]:
    """That these rules were lowered, to each channel."""
    told = "\n".join(f"{rule.name}: {rule.lowered}" for rule in rules[:TOLD_RULES])
    if len(rules) > TOLD_RULES:
        told += f"\nand {len(rules) - TOLD_RULES} more"
    every = "\n".join(f"{rule.name}: {rule.lowered}" for rule in rules)
    name = hashlib.sha256(every.encode()).hexdigest()[:16]
    count = "1 rule only observes" if len(rules) == 1 else f"{len(rules)} rules only observe"
    details = {
        "rules": told,
        "what to do": "remediator rbac POLICIES | kubectl apply -f -; "
        "with --check it says what is missing. They are raised again by themselves.",
    }
    return [
        Notice(
            id=EffectId(f"lowered/{name}/{channel}"),
            channel=channel,
            summary=f"remediator: {count}, because the daemon lacks permissions",
            details=details,
        )
        for channel in operator
    ]
