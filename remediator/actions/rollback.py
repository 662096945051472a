"""``rollback``: run an earlier revision again."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.core.changes import Change, RollBackWorkload
from remediator.core.cluster import Need, Revision, Snapshot
from remediator.core.errors import Refused, Retryable
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, on_target
from remediator.core.times import Instant


class RollbackParams(Params):
    """Parameters of ``rollback``."""

    revision: int | None = Field(
        default=None, ge=1, description="The revision to run again; by default the one before the current."
    )


class Rollback:
    """Make the template of an earlier revision the workload's own, as ``kubectl rollout undo``.

    Fenced: it is made only while the specification is still the one it was planned from. What an earlier
    template does not hold (replicas, strategy, ConfigMaps, the data) stays as it is. Unlike ``kubectl``, it
    does not return to what a rollback has just replaced: by default it goes to older templates only. Its
    inverse runs again what it replaced.
    """

    name: ClassVar[str] = "rollback"
    params: ClassVar[type[Params]] = RollbackParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(group="apps", resource="{revisions}", verbs=("list",), why="find what ran before"),
        Permission(
            group="apps",
            resource="{revisions}",
            verbs=("get",),
            acting=True,
            why="read the template that ran before",
        ),
        on_target("patch", "roll the workload back", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.REVISIONS})
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "rollback: {}"

    def disrupts(self, params: Params) -> bool:
        """A rollout may begin with healthy pods."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the template. Raises Refused when there is nothing to go back to, and Retryable."""
        assert isinstance(params, RollbackParams)
        target = seen.workload
        if target.paused:
            raise Refused(f"{target.ref} is paused (spec.paused): nothing would roll out; resume it first")
        if target.observed_generation < target.generation:  # the newest template has no revision yet
            raise Retryable(f"which revision of {target.ref} is current cannot be told yet")
        current = next((one for one in seen.revisions if one.current), None)
        if current is None:
            raise Refused(f"{target.ref} keeps no revision that is current")
        wanted = _before(current, seen) if params.revision is None else _numbered(params.revision, seen)
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

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """Back to the template that ran before. Raises Refused when another was rolled out since."""
        assert isinstance(change, RollBackWorkload)
        current = next((one for one in now.revisions if one.current), None)
        if current is None or current.uid != change.source_uid:
            raise Refused(f"{change.target} runs another template by now than the one it was rolled back to")
        before = _numbered(change.seen, now)
        return RollBackWorkload(
            target=change.target,
            uid=change.uid,
            generation=now.workload.generation,
            seen=current.number,
            revision=before.number,
            source=before.name,
            source_uid=before.uid,
        )


def _before(current: Revision, seen: Snapshot) -> Revision:
    """The newest revision before the current one whose template is the older. Raises Refused.

    A rollback gives the template it returns to a new number, and the one that it replaced, most likely the
    bad one, then has the number before it. Its keeper is younger: by that it is told.
    """
    older = [
        one for one in seen.revisions if one.number < current.number and one.created_at <= current.created_at
    ]
    if not older:
        raise Refused(f"{seen.workload.ref} keeps no revision older than its current one, {current.number}")
    return max(older, key=lambda one: one.number)


def _numbered(number: int, seen: Snapshot) -> Revision:
    """The revision of that number. Raises Refused."""
    for one in seen.revisions:
        if one.number == number:
            return one
    kept = ", ".join(str(one.number) for one in seen.revisions)
    raise Refused(f"{seen.workload.ref} keeps no revision {number}, only {kept}")
