"""Ends what a step silenced, when its attempt is over.

Which silences those are is in the journal, where it was before any was created. Of the guards only the kill
switch is asked: a silence that ends takes nothing away, it lets people be told again.
"""

from __future__ import annotations

from remediator.core.changes import CreateSilence, EndSilence
from remediator.core.errors import Permanent, RemediatorError, StoreUnavailable
from remediator.core.incident import Attempt, Incident, Phase, Quiet
from remediator.core.journal import Acted, ActResult, EndSilences
from remediator.core.planned import changes_from
from remediator.core.policies import Runbook, Step
from remediator.core.quieting import SILENCE
from remediator.core.silencing import NO_ALERTMANAGER
from remediator.core.verdicts import ChangeRequest
from remediator.guards import ask_guard
from remediator.guards.kill_switch import KillSwitch
from remediator.workers.means import Means
from remediator.workers.outcomes import acted
from remediator.workers.reach import Reach


class Quieter:
    """Performs ``EndSilences`` effects."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def end(self, effect: EndSilences, incident: Incident | None) -> Acted | None:
        """The outcome; None: nobody waits for it any more.

        Raises StoreUnavailable; everything else is an outcome.
        """
        known = incident.quiets if incident is not None else ()
        quiet = next((each for each in known if each.pending == effect.id), None)
        if incident is None or quiet is None:
            return None
        intent = await self._means.guards.intended(effect.silenced_by)
        if intent is None:
            return acted(effect, ActResult.DONE, "nothing was silenced")
        try:
            made = changes_from(intent.planned) if intent.planned else ()
        except Permanent as error:
            return acted(effect, ActResult.BLOCKED, str(error))
        request = self._request(effect, incident, quiet)
        still = await ask_guard(KillSwitch(), request, Reach(self._means, request, effect))
        if not still.allowed:
            return acted(effect, ActResult.BLOCKED, still.text)
        return await self._end_each(effect, [each for each in made if isinstance(each, CreateSilence)])

    def _request(self, effect: EndSilences, incident: Incident, quiet: Quiet) -> ChangeRequest:
        """The attempt that silenced, as far as pauses ask: it may be long forgotten."""
        attempt = Attempt(
            number=int(quiet.name.partition(".")[0]),
            runbook=Runbook(name=quiet.runbook),
            rule=quiet.rule,
            started_at=effect.at,
            phase=Phase.ENDED,
            phase_at=effect.at,
        )
        return ChangeRequest(
            incident=incident,
            attempt=attempt,
            step=Step(action=SILENCE),
            effect=effect.silenced_by,
            at=effect.at,
            policy=self._means.policy(),
            ceiling=self._means.ceiling,
        )

    async def _end_each(self, effect: EndSilences, made: list[CreateSilence]) -> Acted:
        silencer, told = self._means.silencer, []
        if silencer is None:
            return acted(effect, ActResult.BLOCKED, NO_ALERTMANAGER)
        for change in made:
            try:
                if not await silencer.is_over(change.silence):
                    await silencer.end(change.silence)
                    told.append(str(EndSilence(target=change.target, uid=change.uid, silence=change.silence)))
            except StoreUnavailable:
                raise
            except Permanent as error:  # somebody has changed it: it is theirs
                told.append(str(error))
            except RemediatorError as error:
                return acted(effect, ActResult.RETRY, str(error))
        return acted(effect, ActResult.DONE, "; ".join(told) or "it was over")
