"""Programs that checks and diagnoses run: whatever they run passes the guards of a change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from remediator.core.errors import Refused
from remediator.core.incident import Attempt, EffectId, Incident, Phase
from remediator.core.journal import Diagnose, Verify
from remediator.core.policies import Step
from remediator.core.programs import Ended, Program, ProgramRunner
from remediator.core.running import EXEC
from remediator.core.times import Instant, format_duration
from remediator.core.verdicts import ChangeRequest, Guard
from remediator.guards import GUARDS, RUNS_OF_CHECKS
from remediator.workers.means import Means
from remediator.workers.reach import Reach


class GuardedPrograms:
    """``core.programs.ProgramRunner`` for the looks of one effect; a context manager, for its lease.

    Each program is asked for as the step that would run it: every guard, in order, right before it runs. It
    counts as a change of the attempt, which takes its limits once.
    """

    def __init__(
        self,
        means: Means,
        incident: Incident,
        attempt: Attempt,
        effect: Diagnose | Verify,
        at: Instant,
    ) -> None:
        self._means, self._incident, self._attempt = means, incident, attempt
        self._effect, self._at = effect, at
        self._one = asyncio.Lock()
        self._reaches: list[Reach] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reach in self._reaches:  # whichever of them came so far holds the one lease
            await reach.give_back()

    async def permit(self, program: Program) -> None:
        """As the Protocol says."""
        await self._runner.permit(program)

    async def run(self, program: Program) -> Ended:
        """As the Protocol says. Raises Refused when a guard objects; one after the other."""
        async with self._one:
            request = self._request(program)
            if request.target != program.of:
                raise Refused(f"nothing was run: the catalog no longer names {program.of}")
            reach = Reach(self._means, request, self._effect)
            self._reaches.append(reach)
            await reach.weigh_trust()
            verdicts = await reach.ask(self._guards)
            objection = next((verdict for verdict in verdicts if not verdict.allowed), None)
            if objection is not None:
                self._means.observer.judged(self._incident.id, [objection])
                raise Refused(f"nothing was run: {objection.guard}: {objection.text}")
            return await self._runner.run(program)

    @property
    def _guards(self) -> Sequence[Guard]:
        """What a step depends on is asked for a change: its alert must fire, as for a diagnosis."""
        before = isinstance(self._effect, Diagnose) or self._attempt.phase is Phase.DECIDING
        return GUARDS if before else RUNS_OF_CHECKS

    @property
    def _runner(self) -> ProgramRunner:
        if self._means.programs is None:
            raise Refused("no cluster is configured")
        return self._means.programs

    def _request(self, program: Program) -> ChangeRequest:
        params = {
            "container": program.container,
            "command": list(program.command),
            "timeout": format_duration(program.within),
        }
        return ChangeRequest(
            incident=self._incident,
            attempt=self._attempt,
            step=Step(action=EXEC, params=params),
            effect=EffectId(self._effect.id),
            at=self._at,
            policy=self._means.policy(),
            ceiling=self._means.ceiling,
        )
