"""Performs one step: guards, journal, fence, change. The only caller of the executor.

looked for before   an intent without an outcome: somebody crashed, or an answer got lost
guards              in their order; the lease and the limits are taken on the way
intend              journalled under the lease's epoch, durably, before anything is touched
claim               the epoch goes onto the target: from here on no older owner can change it; an object that
                    is made ready only then, asleep, such as a job, is journalled before it is woken
last look           kill switch, resolution and lease once more; every guard, if the policy is another
apply               tests the target's identity and our epoch

What an action of effect ``once`` is about to do stands in the journal under the very performance: found
there, it is not done again, and not looked for, for nothing would show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remediator.actions import ACTIONS
from remediator.core.approval import differs
from remediator.core.changes import Change, Fence
from remediator.core.cluster import EFFECT_ANNOTATION, Executor
from remediator.core.disruption import pod_changes
from remediator.core.errors import Fenced, NotFound, Permanent, Refused, Retryable, StoreUnavailable, Unknown
from remediator.core.incident import Attempt, EffectId, Incident
from remediator.core.jobs import JOB, wake_of
from remediator.core.journal import Act, Acted, ActResult, VerdictNote
from remediator.core.objects import Anchor, ObjectRef
from remediator.core.plugins import NOTHING, EffectClass, FromCronJob, settling_of
from remediator.core.policies import Step, WorkloadRef
from remediator.core.running import looks_that_run
from remediator.core.store import Intent
from remediator.core.text import plain
from remediator.core.times import SECOND, Millis, format_instant
from remediator.core.verdicts import ChangeRequest, Guard, Verdict
from remediator.guards import GUARDS, LAST_LOOK, ask_guard, ask_guards
from remediator.guards.error_budget import held_to_budget
from remediator.guards.freeze import Freeze
from remediator.guards.kill_switch import KillSwitch
from remediator.guards.target import static_objection
from remediator.workers.means import Means
from remediator.workers.performers import FailedWith, Made
from remediator.workers.planning import show_plan
from remediator.workers.reach import Reach

STANDSTILL: tuple[Guard, ...] = (KillSwitch(), Freeze())
LOOK_AGAIN = Millis(2 * SECOND)
DO_AGAIN = Millis(10 * SECOND)
"""After an answer got lost of what is done again as a whole: each time, every guard is asked and told of."""


class StepPerformer:
    """Performs ``Act`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def act(self, effect: Act, incident: Incident, attempt: Attempt) -> Acted:
        """The step's outcome. Raises StoreUnavailable; everything else is an outcome."""
        step = attempt.runbook.steps[effect.step]
        request = ChangeRequest(
            incident=incident,
            attempt=attempt,
            step=step,
            effect=effect.step_id,
            at=effect.at,
            policy=self._means.policy(),
            ceiling=self._means.ceiling,
        )
        try:
            work = _Work(self._means, request, effect)
            try:
                return _with_settling(await work.perform(), request)
            finally:
                await work.give_back()
        except Retryable as error:
            if isinstance(error, StoreUnavailable):
                raise
            return _acted(effect, ActResult.RETRY, str(error), retry_after=Millis(error.delay or LOOK_AGAIN))


def _with_settling(acted: Acted, request: ChangeRequest) -> Acted:
    """The outcome, with what tells that it is over where the step has only begun something."""
    if acted.result is not ActResult.DONE:
        return acted
    step = request.step
    return replace(acted, settles=settling_of(ACTIONS.get(step.action), step.params, request.effect))


def _acted(
    effect: Act,
    result: ActResult,
    reason: str,
    *,
    verdicts: Sequence[Verdict] = (),
    changes: Sequence[str] = (),
    retry_after: Millis | None = None,
    in_doubt: bool = False,
) -> Acted:
    notes = tuple(VerdictNote(guard=v.guard, allowed=v.allowed, text=v.text, asks=v.asks) for v in verdicts)
    return Acted(
        effect=effect.id,
        result=result,
        reason=reason,
        changes=tuple(changes),
        verdicts=notes,
        retry_after=retry_after,
        in_doubt=in_doubt,
    )


@dataclass(kw_only=True, slots=True)
class _Done:
    """What a performance has come to so far."""

    changes: list[str]
    told: list[str]
    """The changes, and how they went."""
    output: tuple[str, ...] = ()

    def add(self, change: Change, made: Made) -> None:
        """It was made."""
        self.changes.append(str(change))
        self.told.append(f"{change}: {made.said}" if made.said else str(change))
        self.output += made.output

    def acted(self, effect: Act, result: ActResult, reason: str, verdicts: Sequence[Verdict]) -> Acted:
        """The outcome that tells of it."""
        acted = _acted(effect, result, reason, verdicts=verdicts, changes=self.changes)
        return replace(acted, output=self.output)


class _Work(Reach):
    """One performance of one step."""

    _prepared: Anchor | None = None
    """What was made ready for the change and was about to be changed: the job that was about to be woken."""

    def __init__(self, means: Means, request: ChangeRequest, effect: Act) -> None:
        super().__init__(means, request, effect)
        self._effect = effect

    async def perform(self) -> Acted:
        """Look for an earlier performance, ask the guards, change."""
        intent = await self._store.intended(self._begun)
        if intent is not None and (found := await self._look_back(intent)) is not None:
            return found
        verdicts = await self._ask_guards()
        last = verdicts[-1]
        withheld = [verdict for verdict in verdicts if verdict.withholds]
        if (refused := next((verdict for verdict in withheld if not verdict.asks), None)) is not None:
            return self._tell_withheld(refused, verdicts)
        if withheld and last.allowed:
            return await self._ask_people(withheld[0].text, verdicts)
        if not last.allowed:
            result = ActResult.BLOCKED if last.retry_after is None else ActResult.RETRY
            reason = f"{last.guard}: {last.text}"
            return _acted(
                self._effect,
                result,
                reason,
                verdicts=verdicts,
                changes=self._gone,
                retry_after=last.retry_after,
            )
        if self._request.needs_approval and not self._meant and self._is_another_plan(await self.plan()):
            return await self._ask_people(
                "the plan that was approved is not what would be done now", verdicts
            )
        return await self._change(verdicts)

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
        return self._effect.id if self._once else self._request.effect

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
            return _acted(self._effect, ActResult.UNKNOWN, reason)
        if not self._shows:
            return None  # its author says that it may be done again
        if intent.pods:
            return await self._look_for_pods(intent.pods)
        return await self._look_for_it(intent.before, intent.on)

    def _is_another_plan(self, planned: Sequence[Change]) -> bool:
        """Pods that an earlier performance was about to take away were agreed to before it began."""
        return differs(self._request.attempt, self._effect.step, planned)

    async def _ask_people(self, why: str, verdicts: Sequence[Verdict]) -> Acted:
        async def plan_step(step: Step) -> Sequence[Change]:
            return await Reach(self._means, replace(self._request, step=step), self._effect).plan()

        plan = await show_plan(self._request, self._effect.step, await self.plan(), plan_step)
        acted = _acted(self._effect, ActResult.ASKS, why, verdicts=verdicts, changes=self._gone)
        return replace(acted, plan=plan)

    async def _ask_guards(self) -> tuple[Verdict, ...]:
        self._request = await self._trusted(self._request)
        self._withheld = self._request.withheld
        verdicts = await ask_guards(self._request, self)
        self._means.observer.judged(self._request.incident.id, verdicts)
        return verdicts

    async def _trusted(self, request: ChangeRequest) -> ChangeRequest:
        """With what the rule's record and the service's error budget leave of its trust now."""
        lowered = await self._store.lowered(request.attempt.rule)
        return await held_to_budget(replace(request, lowered=lowered), self)

    def _tell_withheld(self, withheld: Verdict, verdicts: Sequence[Verdict]) -> Acted:
        would = "; ".join(str(change) for change in self._plan or ())
        objection = next((v for v in verdicts if not v.allowed and not v.withholds), None)
        if objection is not None:
            text = f"{withheld.text}; it would have been blocked by {objection.guard}: {objection.text}"
        else:
            text = f"{withheld.text}; otherwise: {would}"
        acted = _acted(self._effect, ActResult.WITHHELD, text, verdicts=verdicts, changes=self._gone)
        return replace(acted, mode=self._request.mode)

    async def _change(self, verdicts: Sequence[Verdict]) -> Acted:
        assert self._lease is not None
        planned = tuple(await self.plan())
        pods = frozenset(change.pod_uid for change in pod_changes(planned))
        before, on = self._mark(planned), self._anchor(planned)
        if not await self._store.intend(self._journalled, self._lease, before, pods, on):
            lost = "the lease was lost before the change"
            return _acted(self._effect, ActResult.RETRY, lost, verdicts=verdicts, changes=self._gone)
        fence = Fence(epoch=self._lease.epoch, effect=self._request.effect)
        done = _Done(changes=list(self._gone), told=list(self._gone))
        try:
            for change in planned:
                made = await self._perform(change, fence)
                if isinstance(made, Verdict):
                    return self._stopped(made, verdicts, done.changes)
                done.add(change, made)
        except FailedWith as error:
            done.add(change, Made(output=error.output))
            return done.acted(self._effect, ActResult.FAILED, str(error), verdicts)
        except Unknown as error:
            if self._once:  # nothing would show it
                return done.acted(self._effect, ActResult.UNKNOWN, str(error), verdicts)
            if pods or not self._shows:  # which pods are gone shows when it is performed again
                doubtful = done.acted(self._effect, ActResult.RETRY, str(error), verdicts)
                delay = None if pods else DO_AGAIN
                return replace(doubtful, in_doubt=True, retry_after=delay)
            if self._prepared is not None:
                before, on = "", self._prepared
            return await self._in_doubt(error, verdicts, before, on)
        except StoreUnavailable:
            raise
        except (Retryable, Fenced) as error:
            delay = Millis(error.delay or LOOK_AGAIN) if isinstance(error, Retryable) else None
            return replace(done.acted(self._effect, ActResult.RETRY, str(error), verdicts), retry_after=delay)
        except Permanent as error:
            return done.acted(self._effect, ActResult.FAILED, str(error), verdicts)
        reason = "; ".join(done.told) or "nothing is left to do"
        return done.acted(self._effect, ActResult.DONE, reason, verdicts)

    async def _perform(self, change: Change, fence: Fence) -> Made | Verdict:
        """Claim the target and make the change; or what objects to it at the last look."""
        performer = self._performers.of(change)
        if (objection := await self._last_look()) is not None:
            return objection
        claimed = await performer.claim(fence)
        if claimed.made:
            return Made()
        if claimed.on is not None:
            await self._journal(claimed.on)
        if (objection := await self._last_look()) is not None:
            return objection
        self._prepared = claimed.on
        return await performer.apply(fence)

    async def _journal(self, on: Anchor) -> None:
        """Which very object, made ready just now, is about to be changed: if it goes, it may have been."""
        assert self._lease is not None
        if not await self._store.intend(wake_of(self._journalled), self._lease, "", on=on):
            raise Retryable("the lease was lost before the change")

    async def _last_look(self) -> Verdict | None:
        newest, guards = self._means.policy(), LAST_LOOK
        if newest is not self._request.policy:  # what they agreed to was another policy
            self._request = await self._trusted(replace(self._request, policy=newest))
            guards = GUARDS
        verdicts = await ask_guards(self._request, self, guards)
        return next((verdict for verdict in verdicts if not verdict.allowed), None)

    def _stopped(self, objection: Verdict, verdicts: Sequence[Verdict], done: Sequence[str]) -> Acted:
        self._means.observer.judged(self._request.incident.id, [objection])
        result = ActResult.BLOCKED if objection.retry_after is None else ActResult.RETRY
        return _acted(
            self._effect,
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
            found = _acted(self._effect, ActResult.RETRY, str(again), in_doubt=True)
        except Unknown as again:
            found = _acted(self._effect, ActResult.RETRY, str(again), in_doubt=True)
        if found is not None:
            return found
        text = f"{error}; it did not take effect"
        return _acted(self._effect, ActResult.RETRY, text, verdicts=verdicts)

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
                return _acted(self._effect, ActResult.RETRY, reason, retry_after=LOOK_AGAIN, in_doubt=True)
        if self._request.withheld:  # nor where nothing may be changed any more
            reason = "it cannot be looked for: its rule is no longer trusted to change anything"
            return _acted(self._effect, ActResult.UNKNOWN, reason)
        if self._lease is not None:
            await self._store.release(self._lease)  # the next one has a new epoch
            self._lease = None
        lease = await self.lease(target.path)
        if isinstance(lease, str):
            reason = f"{target} is being worked on by {lease}"
            return _acted(self._effect, ActResult.RETRY, reason, retry_after=LOOK_AGAIN, in_doubt=True)
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
                return _acted(self._effect, ActResult.UNKNOWN, f"{gone}: whether it ran cannot be seen")
            return _acted(self._effect, ActResult.FAILED, gone)
        except Fenced as error:
            return _acted(self._effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except (Unknown, Retryable) as error:
            if isinstance(error, StoreUnavailable):
                raise
            return _acted(self._effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except Permanent as error:
            return _acted(self._effect, ActResult.UNKNOWN, str(error))
        mark = claimed.annotations.get(EFFECT_ANNOTATION, "")
        if mark == before != fence.effect:
            self._seen = seen  # after our claim its controllers are behind for a moment
            return None
        if mark != fence.effect:
            reason = f"{place} was changed by {plain(mark, 80)} since: whether ours happened cannot be seen"
            return _acted(self._effect, ActResult.UNKNOWN, reason)
        done = f"{self._request.step.action} {target}"
        reason = f"{done}: found done after its answer was lost"
        return _acted(self._effect, ActResult.DONE, reason, changes=[done])

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
            return _acted(self._effect, ActResult.FAILED, f"{target} no longer exists")
        except Retryable as error:
            return _acted(self._effect, ActResult.RETRY, str(error), retry_after=LOOK_AGAIN, in_doubt=True)
        except Permanent as error:
            return _acted(self._effect, ActResult.UNKNOWN, str(error))
        self._meant = meant
        left = sum(pod.uid in meant and not pod.terminating for pod in pods)
        text = f"{self._request.step.action} {target}: {len(meant) - left} of {len(meant)} pods found gone"
        told = self._request.attempt.changes
        self._gone = (text,) if left < len(meant) and text not in told else ()
        return None if left else _acted(self._effect, ActResult.DONE, text, changes=self._gone)

    def _findable(self) -> WorkloadRef | Acted:
        """The target in which an earlier performance is looked for."""
        target = self._request.target
        objection = static_objection(self._request.incident.service, target, self._request.policy.guards)
        if target is not None and not objection:
            objection = self._request.attempt.began_elsewhere(target)
        if objection or target is None:
            return _acted(self._effect, ActResult.UNKNOWN, f"it cannot be looked for: {objection}")
        return target

    @property
    def _executor(self) -> Executor:
        if self._means.executor is None:
            raise Refused("no cluster is configured")
        return self._means.executor

    async def give_back(self) -> None:
        """The lease always; the limits, and before it, only when nothing can have been changed or run."""
        if self._lease is None:
            return
        attempt = self._request.attempt
        steps = attempt.runbook.steps[: self._effect.step]
        first = not any(step.acts for step in steps) and not looks_that_run(attempt.runbook)
        if self._limits and first and not attempt.changes:
            await self._store.refund(self._limits, self._request.member, self._journalled, self._lease)
        await super().give_back()
