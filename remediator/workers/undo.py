"""Takes back what a step changed: a change like any other, under an identity of its own.

What the step changed is in the journal, where it was before anything was touched. From that and the target as
it is now the action makes the inverse; guards, journal, fence and last look are those of every step.
"""

from __future__ import annotations

from collections.abc import Sequence

from remediator.actions import ACTIONS
from remediator.core.changes import Change
from remediator.core.cluster import Need, Snapshot, read_snapshot
from remediator.core.disruption import healthy_taken
from remediator.core.errors import Permanent, Refused, RemediatorError, Retryable, StoreUnavailable
from remediator.core.incident import Attempt, Incident
from remediator.core.journal import Acted, ActResult, Undo
from remediator.core.planned import changes_from
from remediator.core.plugins import NOTHING, Action, no_inverse
from remediator.core.policies import WorkloadRef
from remediator.core.verdicts import ChangeRequest, Pointless
from remediator.workers.means import Means
from remediator.workers.outcomes import acted
from remediator.workers.step import Work, performed, requested


class UndoPerformer:
    """Performs ``Undo`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def undo(self, effect: Undo, incident: Incident, attempt: Attempt) -> Acted:
        """The outcome; ``done`` without changes: there is nothing of ours to take back.

        Raises StoreUnavailable; everything else is an outcome.
        """
        request = requested(self._means, effect, incident, attempt)
        action = ACTIONS.get(request.step.action)
        if action is None or not action.invertible:
            return acted(effect, ActResult.DONE, str(no_inverse(request.step.action)))
        intent = await self._means.guards.intended(effect.undoes)
        if intent is None or not intent.planned:
            gone = "what it changed is not in the journal, so that it cannot be taken back"
            return acted(effect, ActResult.BLOCKED, gone)
        try:
            made = changes_from(intent.planned)
        except Permanent as error:
            return acted(effect, ActResult.BLOCKED, str(error))
        work = _Undoing(self._means, request, effect, action, made)
        outcome = await performed(work)
        if outcome.result is ActResult.BLOCKED and work.foreign:
            return acted(effect, ActResult.DONE, work.foreign)
        return outcome


def _made_anew(ref: WorkloadRef) -> str:
    return f"{ref} is another object of that name by now"


class _Undoing(Work):
    """One performance. ``foreign``: why what was changed is somebody else's by now."""

    def __init__(
        self, means: Means, request: ChangeRequest, effect: Undo, action: Action, made: Sequence[Change]
    ) -> None:
        super().__init__(means, request, effect)
        self._action, self._made = action, made
        self.foreign = ""

    async def perform(self) -> Acted:
        """Where alerts led to the target, one that was made anew is not it: nothing of ours is left there."""
        target, uid = self._findable(), self._request.target_uid
        if uid and isinstance(target, WorkloadRef):
            try:
                seen = await self.workload(target)
            except StoreUnavailable:
                raise
            except RemediatorError:
                return await super().perform()  # the guard that needs it says what is wrong
            if seen.uid != uid:
                return acted(self.effect, ActResult.DONE, _made_anew(target))
        return await super().perform()

    async def _make_plan(self) -> tuple[Change, ...]:
        """The inverse, of the last change first. Raises Pointless where there is none that may be made."""
        target = self._request.target
        if target is None:
            raise Refused(f"the catalog names no workload for {self._request.incident.service}")
        seen = await read_snapshot(self._reader, await self.workload(target), self._action.needs)
        self._planned_from = seen
        behind = seen.workload.observed_generation < seen.workload.generation
        if behind and Need.REVISIONS in self._action.needs:  # the newest template has no revision yet
            raise Retryable(f"which revision of {target} is current cannot be told yet")
        try:
            inverse = tuple(self._invert(change, seen) for change in reversed(self._made))
        except Refused as error:
            self.foreign = str(error)
            raise Pointless(self.foreign) from error
        taken = healthy_taken(inverse, seen.workload, ())
        if taken:
            pods = "1 healthy pod" if taken == 1 else f"{taken} healthy pods"
            raise Pointless(f"that would take {pods} away, and an undo never lowers availability")
        return inverse

    def _invert(self, change: Change, seen: Snapshot) -> Change:
        fenced = self._action.fenced_on != NOTHING  # else what it made does not stand on the workload
        if fenced and change.fenced_on.path == seen.workload.ref.path and change.uid != seen.workload.uid:
            raise Refused(_made_anew(seen.workload.ref))
        return self._action.inverse(change, seen)

    @property
    def _what(self) -> str:
        return f"undo {super()._what}"
