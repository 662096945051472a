"""``exec``: run a program in a pod of the service's workload."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.changes import Change, RunProgram
from remediator.core.cluster import Need, Snapshot
from remediator.core.plugins import NOTHING, EffectClass, Params, Permission, no_inverse
from remediator.core.running import EXEC, RUNNING, ExecParams, program_for
from remediator.core.times import Instant


class Exec:
    """Run a program in a ready pod of the workload, the first by name; it must end with 0.

    Once: nothing tells afterwards whether it ran, so it is never run again after a crash or a lost answer.
    What became of it is unknown then, and people are asked. It has no inverse.
    """

    name: ClassVar[str] = EXEC
    params: ClassVar[type[Params]] = ExecParams
    permissions: ClassVar[tuple[Permission, ...]] = RUNNING
    effect: ClassVar[EffectClass] = EffectClass.ONCE
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PODS})
    fenced_on: ClassVar[str] = NOTHING
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "exec: {container: web, command: [/app/breakers, reset]}"

    def disrupts(self, params: Params) -> bool:
        """No pod is taken away. What the program does to its own is its author's to know."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """The program, in one pod. Raises Refused where no pod is ready or has that container."""
        assert isinstance(params, ExecParams)
        target = seen.workload
        program = program_for(params, target.ref, seen.pods)
        return (RunProgram(target=target.ref, uid=target.uid, program=program),)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: nobody knows what takes back what a program did. Raises Refused."""
        raise no_inverse(self.name)
