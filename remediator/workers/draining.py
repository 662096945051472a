"""Performs a drain: the node is cordoned, and each of its pods asked to go when there is room for it.

What is to go is journalled before the first of them, and no performance takes any other. Whether one may go
is asked right before its eviction: whose it is, whether that is paused, and whether enough healthy pods are
left. What must wait holds nothing up: the others have their turn, and the step is put off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.core.changes import Change, EvictPod, Fence
from remediator.core.cluster import EFFECT_ANNOTATION
from remediator.core.errors import NotFound, Retryable, StoreUnavailable
from remediator.core.evicting import room_of
from remediator.core.journal import Acted, ActResult
from remediator.core.store import Intent
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import Verdict
from remediator.guards.evictions import objection
from remediator.guards.target import Target
from remediator.workers.outcomes import Done, acted
from remediator.workers.performers import Made
from remediator.workers.step import Work

AGAIN = Millis(10 * SECOND)
"""When what had to wait is asked again, unless the server says later."""
NAMED = 2
"""Changes that are told when the step is put off; all of them are kept."""


class Draining(Work):
    """One performance of a drain."""

    async def _look_back(self, intent: Intent) -> Acted | None:
        """As ever; but where somebody has uncordoned the node meanwhile, nothing more goes."""
        found = await super()._look_back(intent)
        if not intent.pods or (found is not None and found.result is not ActResult.DONE):
            return found
        if told := any(text.startswith("evict pod ") for text in self._request.attempt.changes):
            self._gone = ()  # each was told when it went
        target = self._request.target
        assert target is not None, "its pods were looked for there"
        seen = await self.workload(target)
        if seen.node is not None and seen.node.cordoned:
            return found if found is None else replace(found, changes=self._gone)
        if told or seen.annotations.get(EFFECT_ANNOTATION) == self._request.effect:
            text = f"{target} was uncordoned meanwhile: nothing more is evicted"
            return acted(self.effect, ActResult.BLOCKED, text, changes=self._gone)
        return None  # it was never cordoned: that is done first

    async def _make(self, planned: Sequence[Change], fence: Fence, done: Done) -> Verdict | None:
        """Whatever may go goes. Where something must wait, raises Retryable at the end."""
        waits: list[Retryable] = []
        for change in planned:
            try:
                made = await self._turn(change, fence)
            except StoreUnavailable:
                raise
            except Retryable as error:
                if not isinstance(change, EvictPod):
                    raise
                waits.append(error)
                continue
            if isinstance(made, Verdict):
                return made
            done.add(change, made)
        if waits:
            delay = max(AGAIN, min(each.delay or AGAIN for each in waits))
            total = sum(isinstance(change, EvictPod) for change in planned)
            told = "".join(f"{each}; " for each in done.told[:NAMED])
            more = len(done.told) - NAMED
            told += f"{more} more; " if more > 0 else ""
            raise Retryable(f"{told}{len(waits)} of {total} pods have to wait: {waits[0]}", delay=delay)
        return None

    async def _turn(self, change: Change, fence: Fence) -> Made | Verdict:
        """Make one change; an eviction if it may go now. Raises Retryable where it has to wait."""
        if isinstance(change, EvictPod):
            self._evicted.pop(change.pod_uid, None)  # as it is now
            if forbidden := await objection(change, self._request, self):
                return Verdict(guard=Target.name, allowed=False, text=forbidden)
            await self._make_sure_of_room(change)
        return await self._perform(change, fence)

    async def _make_sure_of_room(self, change: EvictPod) -> None:
        """Raises Retryable unless enough healthy pods of its workload are left without it."""
        bound = self._request.policy.guards.max_unavailable
        if bound is None or not change.ready:
            return
        try:
            room = room_of(await self.evicted(change), bound)
        except NotFound:
            return  # it is gone, and takes nothing away
        if room is not None and not room.now:
            raise Retryable(room.text)
