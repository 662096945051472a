"""``restore``: bring back what was isolated."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.changes import Change, IsolateWorkload, RestoreWorkload
from remediator.core.cluster import Need, Snapshot, Workload
from remediator.core.errors import Refused
from remediator.core.isolation import ISOLATED_REPLICAS, ISOLATED_UNTIL, isolated_until, remembered
from remediator.core.plugins import TARGET, EffectClass, NoParams, Params, Permission, on_target
from remediator.core.times import Instant


class Restore:
    """Bring an isolated workload back, with as many pods as it had; the inverse of ``isolate``.

    Its annotations say how many; they are taken off in the same change. One that asks for pods already keeps
    its number and only loses them, and one that was never isolated is left alone. Fenced: it is made only
    while the workload still asks for what was seen, and still remembers it. Its inverse isolates it again.
    """

    name: ClassVar[str] = "restore"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("patch", "scale the workload back to what it remembers", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "restore: {}"

    def disrupts(self, params: Params) -> bool:
        """It only brings pods back."""
        return False

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change, or none when it is not isolated.

        Raises Refused when it asks for no pods and how many it had is not written on it.
        """
        target = seen.workload
        if ISOLATED_REPLICAS not in target.annotations and target.desired > 0:
            return ()
        return (restoring(target),)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """Isolate it again, until when it was to be. Raises Refused when it was scaled since."""
        assert isinstance(change, RestoreWorkload)
        target = now.workload
        until = isolated_until({ISOLATED_UNTIL: change.until or ""})
        if change.seen != 0 or until is None:
            raise Refused(f"{target.ref} was not isolated any more when its memory was taken off")
        if target.desired != change.replicas or ISOLATED_REPLICAS in target.annotations:
            raise Refused(f"{target.ref} asks for {target.desired} pods by now, not for {change.replicas}")
        return IsolateWorkload(target=target.ref, uid=target.uid, seen=target.desired, until=until)


def restoring(target: Workload) -> RestoreWorkload:
    """The change that brings it back. Raises Refused when how many pods it had is not known."""
    memory = target.annotations.get(ISOLATED_REPLICAS)
    had = remembered(target.annotations)
    if memory is None:
        raise Refused(
            f"{target.ref} asks for no pods and carries no {ISOLATED_REPLICAS}: nobody isolated it here, and "
            "how many it had is not known; use scale: {to: …}"
        )
    if had is None and target.desired == 0:
        raise Refused(f"{ISOLATED_REPLICAS} of {target.ref} holds no number of pods; use scale: {{to: …}}")
    return RestoreWorkload(
        target=target.ref,
        uid=target.uid,
        seen=target.desired,
        replicas=target.desired or had or 0,
        memory=memory,
        until=target.annotations.get(ISOLATED_UNTIL),
    )
