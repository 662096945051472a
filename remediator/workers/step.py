"""Performs one step: guards, journal, fence, change. The only caller of the executor.

looked for before   an intent without an outcome: somebody crashed, or an answer got lost
guards              in their order; the lease and the limits are taken on the way
intend              journalled under the lease's epoch, durably, before anything is touched
claim               the epoch goes onto the target: from here on no older owner can change it
last look           kill switch, resolution and lease once more; every guard, if the policy is another
apply               tests the target's identity and our epoch
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.core.aiming import astray
from remediator.core.changes import Change, Fence
from remediator.core.cluster import EFFECT_ANNOTATION
from remediator.core.disruption import pod_changes
from remediator.core.errors import Fenced, NotFound, Permanent, Retryable, StoreUnavailable, Unknown
from remediator.core.incident import Attempt, Incident
from remediator.core.journal import Act, Acted, ActResult, EndIsolation, Undo, VerdictNote
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.planned import changes_json
from remediator.core.policies import WorkloadRef
from remediator.core.text import plain
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, Guard, Verdict
from remediator.guards import GUARDS, LAST_LOOK, ask_guard, ask_guards
from remediator.guards.freeze import Freeze
from remediator.guards.kill_switch import KillSwitch
from remediator.guards.target import static_objection
from remediator.workers.means import Means
from remediator.workers.reach import Reach

STANDSTILL: tuple[Guard, ...] = (KillSwitch(), Freeze())
LOOK_AGAIN = Millis(2 * SECOND)


class StepPerformer:
    """Performs ``Act`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def act(self, effect: Act, incident: Incident, attempt: Attempt) -> Acted:
        """The step's outcome. Raises StoreUnavailable; everything else is an outcome."""
        return await performed(Work(self._means, requested(self._means, effect, incident, attempt), effect))


def requested(means: Means, effect: Act | Undo, incident: Incident, attempt: Attempt) -> ChangeRequest:
    """What the guards are asked about."""
    return ChangeRequest(
        incident=incident,
        attempt=attempt,
        step=attempt.runbook.steps[effect.step],
        effect=effect.step_id,
        at=effect.at,
        policy=means.policy(),
        ceiling=means.ceiling,
    )


async def performed(work: Work) -> Acted:
    """Its outcome. Raises StoreUnavailable; everything else is an outcome."""
    try:
        try:
            return await work.perform()
        finally:
            await work.give_back()
    except Retryable as error:
        if isinstance(error, StoreUnavailable):
            raise
        delay = Millis(error.delay or LOOK_AGAIN)
        return acted(work.effect, ActResult.RETRY, str(error), retry_after=delay)


def acted(
    effect: Act | Undo | EndIsolation,
    result: ActResult,
    reason: str,
    *,
    verdicts: Sequence[Verdict] = (),
    changes: Sequence[str] = (),
    retry_after: Millis | None = None,
    in_doubt: bool = False,
) -> Acted:
    notes = tuple(VerdictNote(guard=v.guard, allowed=v.allowed, text=v.text) for v in verdicts)
    return Acted(
        effect=effect.id,
        result=result,
        reason=reason,
        changes=tuple(changes),
        verdicts=notes,
        retry_after=retry_after,
        in_doubt=in_doubt,
    )


class Work(Reach):
    """One performance of one step."""

    async def perform(self) -> Acted:
        """Look for an earlier performance, ask the guards, change."""
        intent = await self._store.intended(self._request.effect)
        if intent is not None:
            looked = (
                self._look_for_pods(intent.pods)
                if intent.pods
                else self._look_for_it(intent.before, intent.on)
            )
            if (found := await looked) is not None:
                return found
        verdicts = await self._ask_guards()
        last = verdicts[-1]
        withheld = next((verdict for verdict in verdicts if verdict.withholds), None)
        if withheld is not None:
            return self._tell_withheld(withheld, verdicts)
        if not last.allowed:
            result = ActResult.BLOCKED if last.retry_after is None else ActResult.RETRY
            reason = f"{last.guard}: {last.text}"
            return acted(
                self.effect,
                result,
                reason,
                verdicts=verdicts,
                changes=self._gone,
                retry_after=last.retry_after,
            )
        return await self._change(verdicts)

    async def _ask_guards(self) -> tuple[Verdict, ...]:
        self._withheld = self._request.withheld
        verdicts = await ask_guards(self._request, self)
        self._means.observer.judged(self._request.incident.id, verdicts)
        return verdicts

    def _tell_withheld(self, withheld: Verdict, verdicts: Sequence[Verdict]) -> Acted:
        would = "; ".join(str(change) for change in self._plan or ())
        objection = next((v for v in verdicts if not v.allowed and not v.withholds), None)
        if objection is not None:
            text = f"{withheld.text}; it would have been blocked by {objection.guard}: {objection.text}"
        else:
            text = f"{withheld.text}; otherwise: {would}"
        told = acted(self.effect, ActResult.WITHHELD, text, verdicts=verdicts, changes=self._gone)
        return replace(told, mode=self._request.mode)

    async def _change(self, verdicts: Sequence[Verdict]) -> Acted:
        assert self._lease is not None
        planned = tuple(await self.plan())
        pods = frozenset(change.pod_uid for change in pod_changes(planned))
        before, on = self._mark(planned), self._anchor(planned)
        kept = changes_json(planned) if self._invertible else ""
        if not await self._store.intend(self._request.effect, self._lease, before, pods, on, kept):
            lost = "the lease was lost before the change"
            return acted(self.effect, ActResult.RETRY, lost, verdicts=verdicts, changes=self._gone)
        fence = Fence(epoch=self._lease.epoch, effect=self._request.effect)
        done = list(self._gone)
        try:
            for change in planned:
                if (objection := await self._perform(change, fence)) is not None:
                    return self._stopped(objection, verdicts, done)
                done.append(str(change))
        except Unknown as error:
            if pods:  # which of them are gone shows itself when it is performed again
                text = str(error)
                return acted(
                    self.effect, ActResult.RETRY, text, verdicts=verdicts, changes=done, in_doubt=True
                )
            return await self._in_doubt(error, verdicts, before, on)
        except StoreUnavailable:
            raise
        except (Retryable, Fenced) as error:
            delay = Millis(error.delay or LOOK_AGAIN) if isinstance(error, Retryable) else None
            return acted(
                self.effect, ActResult.RETRY, str(error), verdicts=verdicts, changes=done, retry_after=delay
            )
        except Permanent as error:
            return acted(self.effect, ActResult.FAILED, str(error), verdicts=verdicts, changes=done)
        reason = "; ".join(done) or "nothing is left to do"
        return acted(self.effect, ActResult.DONE, reason, verdicts=verdicts, changes=done)

    async def _perform(self, change: Change, fence: Fence) -> Verdict | None:
        """Claim the target and make the change; or what objects to it at the last look."""
        if (objection := await self._last_look()) is not None:
            return objection
        claimed = await self._executor.claim(change.fenced_on, change.uid, fence)
        if not pod_changes([change]) and claimed.annotations.get(EFFECT_ANNOTATION) == fence.effect:
            return None
        if (objection := await self._last_look()) is not None:
            return objection
        await self._executor.apply(change, fence)
        return None

    async def _last_look(self) -> Verdict | None:
        newest, guards = self._means.policy(), LAST_LOOK
        if newest is not self._request.policy:  # what they agreed to was another policy
            self._request, guards = replace(self._request, policy=newest), GUARDS
        verdicts = await ask_guards(self._request, self, guards)
        return next((verdict for verdict in verdicts if not verdict.allowed), None)

    def _stopped(self, objection: Verdict, verdicts: Sequence[Verdict], done: Sequence[str]) -> Acted:
        self._means.observer.judged(self._request.incident.id, [objection])
        result = ActResult.BLOCKED if objection.retry_after is None else ActResult.RETRY
        return acted(
            self.effect,
            result,
            f"stopped at the last look: {objection.guard}: {objection.text}",
            verdicts=(*verdicts, objection),
            changes=done,
            retry_after=objection.retry_after,
        )

    # --- when an answer got lost ---

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
            return acted(self.effect, ActResult.FAILED, f"{place} no longer exists")
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

    async def give_back(self) -> None:
        """The lease always; the limits, and before it, only when nothing can have been changed."""
        if self._lease is None:
            return
        if self._limits and self._is_first:
            await self._store.refund(self._limits, self._request.member, self._request.effect, self._lease)
        await self._store.release(self._lease)

    @property
    def _is_first(self) -> bool:
        """Whether its attempt can have changed nothing before."""
        if not isinstance(self.effect, Act):
            return False
        steps = self._request.attempt.runbook.steps[: self.effect.step]
        return all(step.wait is not None for step in steps) and not self._request.attempt.changes
