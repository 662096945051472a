"""What became of a performance whose answer got lost, or whose performer did not come back.

What an action of effect ``once`` is about to do stands in the journal under the very performance: found
there, it is not done again, and not looked for, for nothing would show it. Everything else is looked for
where it shows: by the mark on the object that it was fenced on, or by the pods it was about to take away.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.actions import ACTIONS
from remediator.core.aiming import astray
from remediator.core.changes import Fence
from remediator.core.cluster import EFFECT_ANNOTATION, Executor
from remediator.core.errors import Fenced, NotFound, Permanent, Refused, Retryable, StoreUnavailable, Unknown
from remediator.core.incident import EffectId
from remediator.core.jobs import JOB, wake_of
from remediator.core.journal import Acted, ActResult
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.plugins import NOTHING, EffectClass, FromCronJob
from remediator.core.policies import WorkloadRef
from remediator.core.store import Intent
from remediator.core.text import plain
from remediator.core.times import SECOND, Millis, format_instant
from remediator.core.verdicts import Guard, Verdict
from remediator.guards import ask_guard
from remediator.guards.freeze import Freeze
from remediator.guards.kill_switch import KillSwitch
from remediator.guards.target import static_objection
from remediator.workers.outcomes import Changing, acted
from remediator.workers.reach import Reach

STANDSTILL: tuple[Guard, ...] = (KillSwitch(), Freeze())
LOOK_AGAIN = Millis(2 * SECOND)


class LookingBack(Reach):
    """The part of a performance that finds out about earlier ones of the same step."""

    effect: Changing
    _doubt: str = ""
    """What an earlier performance may still do, whatever becomes of this one."""

    @property
    def _once(self) -> bool:
        action, said = ACTIONS.get(self._request.step.action), self._request.step.effect
        own = action.effect if action is not None else None
        return (said or own) == EffectClass.ONCE

    @property
    def _shows(self) -> bool:
        """Whether what it changes shows afterwards that it was changed."""
        action = ACTIONS.get(self._request.step.action)
        return action is None or action.fenced_on != NOTHING

    @property
    def _journalled(self) -> EffectId:
        """Under which name its intent stands: the step's, however often it is performed.

        What is never repeated has one for each performance. A performance that came back with an outcome was
        put off for certain, and is followed by another; one that did not come back is found by its own name.
        """
        return self.effect.id if self._once else self._request.effect

    @property
    def _begun(self) -> EffectId:
        """What stands in the journal once it may have taken effect: until it is woken, a job sleeps."""
        action = ACTIONS.get(self._request.step.action)
        return wake_of(self._journalled) if isinstance(action, FromCronJob) else self._journalled

    async def _look_back(self, intent: Intent) -> Acted | None:
        """What became of the performance that journalled this and told no outcome. None: do it."""
        if self._once:
            reason = (
                f"{self._request.step.action} was about to be done at {format_instant(intent.at)} by "
                "somebody who did not come back; it is never done twice"
            )
            return acted(self.effect, ActResult.UNKNOWN, reason)
        if not self._shows:
            return None  # its author says that it may be done again
        if intent.pods:
            return await self._look_for_pods(intent.pods)
        return await self._look_for_it(intent.before, intent.on)

    async def _in_doubt(
        self, error: Unknown, verdicts: Sequence[Verdict], before: str, on: Anchor | None
    ) -> Acted:
        """Look at once; when that fails too, later. Nothing is sent again before it is known."""
        try:
            found = await self._look_for_it(before, on)
        except Retryable as again:
            if isinstance(again, StoreUnavailable):
                raise
            found = acted(self.effect, ActResult.RETRY, str(again), in_doubt=True)
        except Unknown as again:
            found = acted(self.effect, ActResult.RETRY, str(again), in_doubt=True)
        if found is not None:
            return found
        text = f"{error}; it did not take effect"
        return acted(self.effect, ActResult.RETRY, text, verdicts=verdicts)

    async def _look_for_it(self, before: str, on: Anchor | None) -> Acted | None:
        """Whether an earlier performance took effect, found out under a new epoch.

        It is looked for on the object that it was fenced on: ``on``, or the target. Once the new epoch is
        there, whatever the earlier owner still has under way fails: only then the mark from ``before`` means
        "did not happen". None: it surely did not, and may be done.
        """
        target = self._findable()
        if isinstance(target, Acted):
            return target
        for guard in STANDSTILL:
            still = await ask_guard(guard, self._request, self)
            if not still.allowed:  # even the epoch is not written to a target while everything stands still
                reason = f"it cannot be looked for: {still.text}"
                return acted(self.effect, ActResult.RETRY, reason, retry_after=LOOK_AGAIN, in_doubt=True)
        if self._request.withheld:  # nor where nothing may be changed any more
            reason = "it cannot be looked for: its rule is no longer trusted to change anything"
            return acted(self.effect, ActResult.UNKNOWN, reason)
        if self._lease is not None:
            await self._store.release(self._lease)  # the next one has a new epoch
            self._lease = None
        lease = await self.lease(target.path)
        if isinstance(lease, str):
            reason = f"{target} is being worked on by {lease}"
            return acted(self.effect, ActResult.RETRY, reason, retry_after=LOOK_AGAIN, in_doubt=True)
        fence = Fence(epoch=lease.epoch, effect=self._request.effect)
        place: ObjectRef = target if on is None else on.ref
        try:
            seen = None
            if on is None:
                seen = await self._reader.workload(target)
                on = Anchor(ref=target, uid=seen.uid)
            claimed = await self._executor.claim(place, on.uid, fence)
        except NotFound:
            gone = f"{place} no longer exists"
            if place.kind == JOB:  # it may have run and have been removed since
                return acted(self.effect, ActResult.UNKNOWN, f"{gone}: whether it ran cannot be seen")
            return acted(self.effect, ActResult.FAILED, gone)
        except Fenced as error:
            return acted(self.effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except (Unknown, Retryable) as error:
            if isinstance(error, StoreUnavailable):
                raise
            return acted(self.effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except Permanent as error:
            return acted(self.effect, ActResult.UNKNOWN, str(error))
        mark = claimed.annotations.get(EFFECT_ANNOTATION, "")
        if mark == before != fence.effect:
            self._seen = seen  # after our claim its controllers are behind for a moment
            return None
        if mark != fence.effect:
            reason = f"{place} was changed by {plain(mark, 80)} since: whether ours happened cannot be seen"
            return acted(self.effect, ActResult.UNKNOWN, reason)
        done = self._what
        reason = f"{done}: found done after its answer was lost"
        return acted(self.effect, ActResult.DONE, reason, changes=[done])

    async def _look_for_pods(self, meant: frozenset[str]) -> Acted | None:
        """Which of the pods an earlier performance was about to take away are gone. None: some are left.

        No epoch is needed for that: what may still be under way takes away one of these very pods, or none.
        """
        target = self._findable()
        if isinstance(target, Acted):
            return target
        try:
            pods = await self._reader.pods(await self._reader.workload(target))
        except NotFound:
            return acted(self.effect, ActResult.FAILED, f"{target} no longer exists")
        except Retryable as error:
            return acted(self.effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except Permanent as error:
            return acted(self.effect, ActResult.UNKNOWN, str(error))
        self._meant = meant
        left = sum(pod.uid in meant and not pod.terminating for pod in pods)
        text = f"{self._request.step.action} {target}: {len(meant) - left} of {len(meant)} pods found gone"
        told = self._request.attempt.changes
        self._gone = (text,) if left < len(meant) and text not in told else ()
        taken = "1 pod" if left == 1 else f"{left} pods"
        self._doubt = (
            f"an earlier performance was about to take {taken} away and may yet do so" if left else ""
        )
        return None if left else acted(self.effect, ActResult.DONE, text, changes=self._gone)

    def _findable(self) -> WorkloadRef | Acted:
        """The target in which an earlier performance is looked for."""
        target = self._request.target
        objection = astray(self._request.incident, self._request.rule) if target is None else ""
        objection = objection or static_objection(
            self._request.incident.service, target, self._request.policy.guards
        )
        if target is not None and not objection:
            objection = self._request.attempt.began_elsewhere(target)
        if objection or target is None:
            return acted(self.effect, ActResult.UNKNOWN, f"it cannot be looked for: {objection}")
        return target

    @property
    def _executor(self) -> Executor:
        if self._means.executor is None:
            raise Refused("no cluster is configured")
        return self._means.executor
