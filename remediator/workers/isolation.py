"""Brings back what a step isolated when its time is over, whatever has become of attempt and incident.

The workload itself says how many pods it had and until when it stays so. Somebody who scaled it up has ended
the isolation; where a later one holds it, that one ends it.
"""

from __future__ import annotations

from remediator.actions.restore import Restore, restoring
from remediator.core.changes import Change
from remediator.core.cluster import Snapshot
from remediator.core.errors import NotFound, Refused, RemediatorError, StoreUnavailable
from remediator.core.incident import Attempt, Incident, Isolation, Phase
from remediator.core.isolation import ISOLATED_REPLICAS, isolated_until
from remediator.core.journal import Acted, ActResult, EndIsolation
from remediator.core.policies import Runbook, Step, WorkloadRef
from remediator.core.verdicts import ChangeRequest, Pointless
from remediator.workers.means import Means
from remediator.workers.outcomes import acted
from remediator.workers.step import Work, performed

TOLERANCE = 1000
"""Milliseconds by which what is written on the workload may differ from what the incident knows."""


class IsolationKeeper:
    """Performs ``EndIsolation`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def end(self, effect: EndIsolation, incident: Incident | None) -> Acted | None:
        """The outcome; None: nobody waits for it any more.

        Raises StoreUnavailable; everything else is an outcome.
        """
        known = incident.isolations if incident is not None else ()
        isolation = next((each for each in known if each.pending == effect.id), None)
        if incident is None or isolation is None:
            return None
        request = ChangeRequest(
            incident=incident,
            attempt=_stands_for(isolation, effect),
            step=Step(action=Restore.name),
            effect=effect.step_id,
            at=effect.at,
            policy=self._means.policy(),
            ceiling=self._means.ceiling,
            expires=True,
        )
        return await performed(_Ending(self._means, request, effect))


def _stands_for(isolation: Isolation, effect: EndIsolation) -> Attempt:
    """The attempt that isolated, as far as guards ask: it may be long forgotten."""
    return Attempt(
        number=int(isolation.name.partition(".")[0]),
        runbook=Runbook(name=isolation.runbook, during=isolation.during),
        rule=isolation.rule,
        started_at=effect.at,
        phase=Phase.ENDED,
        phase_at=effect.at,
        target=isolation.target,
        target_uid=isolation.target_uid,
    )


class _Ending(Work):
    """One performance."""

    async def perform(self) -> Acted:
        """Where nothing is isolated any more nobody is asked, and no limit is taken.

        Whether that is our own doing, by somebody who did not come back to say so, is found out first.
        """
        target = self._findable()
        try:
            if isinstance(target, WorkloadRef) and not await self.plan():
                intent = await self._store.intended(self._begun)
                if intent is not None and (found := await self._look_back(intent)) is not None:
                    return found
                text = f"{target} is not isolated by it any more"
                return acted(self.effect, ActResult.DONE, text)
        except NotFound:
            return acted(self.effect, ActResult.DONE, f"{target} no longer exists")
        except StoreUnavailable:
            raise
        except RemediatorError:
            pass  # the guard that needs it says what is wrong
        return await super().perform()

    async def _make_plan(self) -> tuple[Change, ...]:
        """Its restoration, or nothing where it is not isolated, or not until now. Raises Pointless."""
        target = self._request.target
        if target is None:
            raise Refused(f"the catalog names no workload for {self._request.incident.service}")
        seen = await self.workload(target)
        self._planned_from = Snapshot(workload=seen)
        if ISOLATED_REPLICAS not in seen.annotations:
            return ()  # somebody brought it back, or it never was
        until = isolated_until(seen.annotations)
        if seen.desired == 0 and until is not None and until > self._request.at + TOLERANCE:
            return ()  # another isolation holds it, and ends by itself
        try:
            return (restoring(seen),)
        except Refused as error:
            raise Pointless(str(error)) from error
