"""Programs of a rehearsal: nothing is run, and each ends as was said, else as whoever runs it wants."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from remediator.checks.exec import ExecCheckParams
from remediator.core.errors import Refused, Unknown
from remediator.core.policies import WorkloadRef
from remediator.core.programs import Ended, Program, Stream
from remediator.core.times import Millis
from remediator.rehearsal.script import Result, StepOutcome

_CHECK: ContextVar[tuple[ExecCheckParams, Result | None] | None] = ContextVar("check", default=None)


@contextmanager
def asked_by(params: ExecCheckParams, said: Result | None) -> Iterator[None]:
    """What runs within this block is run by a check with these parameters, of which this was said."""
    token = _CHECK.set((params, said))
    try:
        yield
    finally:
        _CHECK.reset(token)


class Surroundings(Protocol):
    """What programs must know of the rehearsal around them."""

    @property
    def sleep(self) -> Callable[[Millis], Awaitable[None]]:
        """Lets virtual time pass."""

    def step_said(self) -> StepOutcome | None:
        """What was said of the step that is being performed."""

    def forbidden(self, target: WorkloadRef) -> bool:
        """Whether the server does not let us change it."""


class StagedPrograms:
    """``core.programs.ProgramRunner``. Its guards are the daemon's own, and asked before it."""

    def __init__(self, world: Surroundings) -> None:
        self._world = world

    async def permit(self, program: Program) -> None:
        """As the Protocol says."""
        if self._world.forbidden(program.of):
            raise Refused(f"the server forbids us to {program}")

    async def run(self, program: Program) -> Ended:
        """As the Protocol says."""
        check = _CHECK.get()
        if check is not None:
            return _of_check(*check)
        said = self._world.step_said()
        if said is None:
            return Ended(exit_code=0)
        if said.takes:
            await self._world.sleep(said.takes)
        match said.result:
            case Result.FAILED:
                return Ended(exit_code=1, stderr=Stream(text="the rehearsal lets it fail"))
            case Result.UNKNOWN:
                raise Unknown("the rehearsal gives no answer")
            case Result.OK:
                return Ended(exit_code=0)


def _of_check(params: ExecCheckParams, said: Result | None) -> Ended:
    match said:
        case Result.FAILED:
            other = 1 if params.status == 0 else 0
            return Ended(exit_code=other, stderr=Stream(text="the rehearsal says failed"))
        case Result.UNKNOWN:
            raise Unknown("the rehearsal gives no answer")
        case _:
            return Ended(exit_code=params.status, stdout=Stream(text=params.contains or ""))
