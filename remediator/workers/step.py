"""Performs one step: guards, journal, fence, change. The only caller of the executor.

looked for before   an intent without an outcome: somebody crashed, or an answer got lost
guards              in their order; the lease and the limits are taken on the way
intend              journalled under the lease's epoch, durably, before anything is touched
claim               the epoch goes onto the target: from here on no older owner can change it; an object that
                    is made ready only then, asleep, such as a job, is journalled before it is woken
last look           kill switch, resolution and lease once more; every guard, if the policy is another
apply               tests the target's identity and our epoch
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remediator.actions import ACTIONS
from remediator.core.approval import differs
from remediator.core.changes import Change, Fence
from remediator.core.disruption import pod_changes
from remediator.core.errors import Fenced, Permanent, Retryable, StoreUnavailable, Unknown
from remediator.core.incident import Attempt, Incident
from remediator.core.jobs import wake_of
from remediator.core.journal import Act, Acted, ActResult, Undo
from remediator.core.objects import Anchor
from remediator.core.planned import changes_json
from remediator.core.plugins import patience_of, settling_of
from remediator.core.policies import Step
from remediator.core.running import looks_that_run
from remediator.core.times import SECOND, Millis
from remediator.core.verdicts import ChangeRequest, Verdict
from remediator.guards import GUARDS, LAST_LOOK
from remediator.workers.looking_back import LOOK_AGAIN, LookingBack
from remediator.workers.means import Means
from remediator.workers.outcomes import Done, acted
from remediator.workers.performers import FailedWith, Made
from remediator.workers.planning import show_plan
from remediator.workers.reach import Reach

DO_AGAIN = Millis(10 * SECOND)
"""After an answer got lost of what is done again as a whole: each time, every guard is asked and told of."""


class StepPerformer:
    """Performs ``Act`` effects. ``gradual``: the performance of actions whose changes are made one by one."""

    def __init__(self, means: Means, gradual: type[Work] | None = None) -> None:
        self._means, self._gradual = means, gradual or Work

    async def act(self, effect: Act, incident: Incident, attempt: Attempt) -> Acted:
        """The step's outcome. Raises StoreUnavailable; everything else is an outcome."""
        request = requested(self._means, effect, incident, attempt)
        action, params = ACTIONS.get(request.step.action), request.step.params
        patience = patience_of(action, params)
        kind = Work if patience is None else self._gradual
        outcome = await performed(kind(self._means, request, effect))
        match outcome.result:
            case ActResult.RETRY:
                return replace(outcome, patience=patience)
            case ActResult.DONE:  # or it has only begun something: then with what tells that it is over
                return replace(outcome, settles=settling_of(action, params, request.effect))
            case _:
                return outcome


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


class Work(LookingBack):
    """One performance of one step."""

    _prepared: Anchor | None = None
    """What was made ready for the change and was about to be changed: the job that was about to be woken."""

    async def perform(self) -> Acted:
        """Look for an earlier performance, ask the guards, change."""
        outcome = await self._look_and_do()
        if outcome.result is ActResult.DONE or not self._doubt:
            return outcome
        return replace(outcome, reason=f"{outcome.reason}; {self._doubt}")

    async def _look_and_do(self) -> Acted:
        intent = await self._store.intended(self._begun)
        if intent is not None and (found := await self._look_back(intent)) is not None:
            return found
        verdicts = await self._ask_guards()
        last = verdicts[-1]
        withheld = [verdict for verdict in verdicts if verdict.withholds]
        if (refused := next((verdict for verdict in withheld if not verdict.asks), None)) is not None:
            return self._tell_withheld(refused, verdicts)
        if withheld and last.allowed:
            if not isinstance(self.effect, Act):  # nobody is asked whether to go back
                return self._tell_withheld(withheld[0], verdicts)
            return await self._ask_people(self.effect, withheld[0].text, verdicts)
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
        if isinstance(self.effect, Act) and self._is_another_plan(self.effect, await self.plan()):
            why = "the plan that was approved is not what would be done now"
            return await self._ask_people(self.effect, why, verdicts)
        return await self._change(verdicts)

    def _is_another_plan(self, effect: Act, planned: Sequence[Change]) -> bool:
        """Whether that was not agreed to. What takes it back was, and so were the pods that an earlier
        performance was about to take away: before it began."""
        agreed = not self._request.needs_approval or bool(self._meant)
        return not agreed and differs(self._request.attempt, effect.step, planned)

    async def _ask_people(self, effect: Act, why: str, verdicts: Sequence[Verdict]) -> Acted:
        async def plan_step(step: Step) -> Sequence[Change]:
            return await Reach(self._means, replace(self._request, step=step), effect).plan()

        plan = await show_plan(self._request, effect.step, await self.plan(), plan_step)
        asked = acted(effect, ActResult.ASKS, why, verdicts=verdicts, changes=self._gone)
        return replace(asked, plan=plan)

    async def _ask_guards(self) -> tuple[Verdict, ...]:
        await self.weigh_trust()
        self._withheld = self._request.withheld
        verdicts = await self.ask(GUARDS)
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
        if not await self._store.intend(self._journalled, self._lease, before, pods, on, kept):
            lost = "the lease was lost before the change"
            return acted(self.effect, ActResult.RETRY, lost, verdicts=verdicts, changes=self._gone)
        fence = Fence(epoch=self._lease.epoch, effect=self._request.effect)
        done = Done(changes=list(self._gone), told=list(self._gone))
        try:
            if (objection := await self._make(planned, fence, done)) is not None:
                return self._stopped(objection, verdicts, done.changes)
        except FailedWith as error:
            return done.acted(self.effect, ActResult.FAILED, str(error), verdicts)
        except Unknown as error:
            if self._once:  # nothing would show it
                return done.acted(self.effect, ActResult.UNKNOWN, str(error), verdicts)
            if pods or not self._shows:  # which pods are gone shows when it is performed again
                doubtful = done.acted(self.effect, ActResult.RETRY, str(error), verdicts)
                delay = None if pods else DO_AGAIN
                return replace(doubtful, in_doubt=True, retry_after=delay)
            if self._prepared is not None:
                before, on = "", self._prepared
            return await self._in_doubt(error, verdicts, before, on)
        except StoreUnavailable:
            raise
        except (Retryable, Fenced) as error:
            delay = Millis(error.delay or LOOK_AGAIN) if isinstance(error, Retryable) else None
            return replace(done.acted(self.effect, ActResult.RETRY, str(error), verdicts), retry_after=delay)
        except Permanent as error:
            return done.acted(self.effect, ActResult.FAILED, str(error), verdicts)
        reason = "; ".join(done.told) or "nothing is left to do"
        return done.acted(self.effect, ActResult.DONE, reason, verdicts)

    async def _make(self, planned: Sequence[Change], fence: Fence, done: Done) -> Verdict | None:
        """Make the changes in their order. What objects to one of them ends it."""
        for change in planned:
            try:
                made = await self._perform(change, fence)
            except FailedWith as error:
                done.add(change, Made(output=error.output))
                raise
            if isinstance(made, Verdict):
                return made
            done.add(change, made)
        return None

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
            self._request, guards = replace(self._request, policy=newest), GUARDS
            await self.weigh_trust()
        verdicts = await self.ask(guards)
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

    async def give_back(self) -> None:
        """The lease always; the limits, and before it, only when nothing can have been changed or run."""
        if self._lease is None:
            return
        if self._limits and self._is_first:
            await self._store.refund(self._limits, self._request.member, self._journalled, self._lease)
        await super().give_back()

    @property
    def _is_first(self) -> bool:
        """Whether its attempt can have changed or run nothing before."""
        if not isinstance(self.effect, Act):
            return False
        attempt = self._request.attempt
        steps = attempt.runbook.steps[: self.effect.step]
        return not (any(step.acts for step in steps) or looks_that_run(attempt.runbook) or attempt.changes)
