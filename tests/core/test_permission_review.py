"""The permission review beside its daemon: what it says when it cannot say it to the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from remediator.adapters.runtime import AsyncioRuntime
from remediator.core.access import Access, Grants
from remediator.core.errors import StoreUnavailable
from remediator.core.journal import Notice
from remediator.core.policies import Mode, Policy
from remediator.testing.simulation.world import Silent
from remediator.workers.permissions import PermissionReview, ReviewPace
from tests.core.builders import policy


class Nothing:
    """An account that may do nothing."""

    async def missing(self, wanted: Collection[Access]) -> frozenset[Access]:
        return frozenset(wanted)

    async def granted(self, namespace: str) -> Grants:
        return Grants(rules=(), complete=True)


class Held:
    """Who holds the policy in force."""

    def __init__(self) -> None:
        self.in_force = self._written = replace(policy(), operator=("operator",))

    def written(self) -> Policy:
        return self._written

    async def restrict(self, lower: Callable[[Policy], Policy]) -> Policy:
        self.in_force = lower(self._written)
        return self.in_force


class AwayAtFirst:
    """A store that is away when it is first told something."""

    def __init__(self) -> None:
        self.tries = 0
        self.told = asyncio.Event()

    async def notify(self, notices: Sequence[Notice]) -> int:
        self.tries += 1
        if self.tries == 1:
            raise StoreUnavailable("nobody answers")
        self.told.set()
        return len(notices)


class Heard(Silent):
    def trouble(self, where: str, error: BaseException) -> None:
        self.troubles.append(str(error))


async def test_an_operator_who_could_not_be_told_is_told_soon_and_the_log_says_what_is_true() -> None:
    """The rules are lowered all the same: a log that says otherwise would mislead."""
    trust, notices, observer, runtime = Held(), AwayAtFirst(), Heard(), AsyncioRuntime()
    review = PermissionReview(
        reviewer=Nothing(),
        trust=trust,
        notices=notices,
        runtime=runtime,
        observer=observer,
        ceiling=Mode.AUTO,
        pace=ReviewPace(every=3600.0, again=0.0, look=0.0),
    )
    await review.begin()
    assert [rule.mode for rule in trust.in_force.rules if rule.runbooks] == [Mode.OBSERVE]
    [said] = observer.troubles
    assert said == "rules were lowered, and the operator could not be told: nobody answers"
    running = asyncio.ensure_future(review.run())
    async with asyncio.timeout(10):
        await notices.told.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    runtime.close()
