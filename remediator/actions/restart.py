"""``restart``: replace every pod of the service's workload."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.changes import Change, RestartWorkload
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import (
    TARGET,
    EffectClass,
    NoParams,
    Params,
    Permission,
    no_inverse,
    on_target,
)
from remediator.core.times import Instant


class Restart:
    """Replace every pod of the service's workload by its rollout strategy, as ``kubectl rollout restart``.

    Fenced: the change carries the time at which it was decided, so that applying it again changes nothing.
    It has no inverse.
    """

    name: ClassVar[str] = "restart"
    params: ClassVar[type[Params]] = NoParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("patch", "restart the workload", acting=True),)
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = False
    example: ClassVar[str] = "restart: {}"

    def disrupts(self, params: Params) -> bool:
        """A rollout may begin with healthy pods."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One restart of the target. Raises Refused while its rollouts are paused: nothing would happen."""
        target = seen.workload
        if target.paused:
            raise Refused(
                f"{target.ref} is paused (spec.paused): a restart would not roll out; resume it first"
            )
        if target.desired == 0:
            raise Refused(f"{target.ref} is scaled to zero: there is nothing to restart")
        return (RestartWorkload(target=target.ref, uid=target.uid, at=at),)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """None: pods that are gone do not come back. Raises Refused."""
        raise no_inverse(self.name)
