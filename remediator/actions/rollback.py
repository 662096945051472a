"""``rollback``: run an earlier revision again."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.cluster import Change, Need, RollBackWorkload, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import EffectClass, Params, Permission
from remediator.core.times import Instant


class RollbackParams(Params):
    """Parameters of ``rollback``."""

    revision: int | None = Field(
        default=None, ge=1, description="The revision to run again; by default the one before the current."
    )


class Rollback:
    """Make the template of an earlier revision the workload's own, as ``kubectl rollout undo``.

    Fenced: it is made only while the specification is still the one it was planned from. What an earlier
    template does not hold (replicas, strategy, ConfigMaps, the data) stays as it is.
    """

    name: ClassVar[str] = "rollback"
    params: ClassVar[type[Params]] = RollbackParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="{kind}s", verbs=("get", "patch"), why="roll the workload back"),
        Permission(group="apps", resource="{revisions}", verbs=("get", "list"), why="read what ran before"),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.REVISIONS})
    example: ClassVar[str] = "rollback: {}"

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the template. Raises Refused when there is nothing to go back to."""
        assert isinstance(params, RollbackParams)
        target = seen.workload
        if target.paused:
            raise Refused(f"{target.ref} is paused (spec.paused): nothing would roll out; resume it first")
        current = next((one for one in seen.revisions if one.current), None)
        if current is None:
            raise Refused(f"which revision of {target.ref} runs now cannot be told yet")
        if params.revision is None:
            wanted = max(
                (one for one in seen.revisions if one.number < current.number),
                key=lambda one: one.number,
                default=None,
            )
            if wanted is None:
                raise Refused(f"{target.ref} keeps no revision before {current.number}")
        else:
            wanted = next((one for one in seen.revisions if one.number == params.revision), None)
            if wanted is None:
                kept = ", ".join(str(one.number) for one in seen.revisions)
                raise Refused(f"{target.ref} keeps no revision {params.revision}, only {kept}")
        if wanted.number == current.number:
            return ()
        return (
            RollBackWorkload(
                target=target.ref,
                uid=target.uid,
                generation=target.generation,
                seen=current.number,
                revision=wanted.number,
                source=wanted.name,
                source_uid=wanted.uid,
            ),
        )
