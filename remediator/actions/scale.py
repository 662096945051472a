"""``scale``: ask for another number of pods."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from remediator.actions.autoscaling import AUTOSCALERS_LISTED, leave_to_autoscaler
from remediator.core.changes import Change, ScaleWorkload
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, on_target
from remediator.core.times import Instant


class ScaleParams(Params):
    """Parameters of ``scale``."""

    to: int = Field(ge=0, le=1000, description="How many pods to ask for.")
    only: Literal["up", "down"] | None = Field(
        default=None,
        description="Only raise or only lower the number; a workload that is there already is left alone.",
    )


class Scale:
    """Ask for so many pods, as ``kubectl scale``. ``only: up`` brings back what was scaled to zero.

    Fenced: it is made only while the workload still asks for the number that was seen. A DaemonSet has none.
    A workload that an autoscaler scales is left to it: ``hpa`` sets its bounds. While it asks for no pods its
    autoscaler stands still, and it can be brought back. Its inverse asks for the number of before.
    """

    name: ClassVar[str] = "scale"
    params: ClassVar[type[Params]] = ScaleParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        AUTOSCALERS_LISTED,
        on_target("patch", "scale the workload", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUTOSCALERS})
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "scale: {to: 2, only: up}"

    def disrupts(self, params: Params) -> bool:
        """Unless it only raises the number."""
        assert isinstance(params, ScaleParams)
        return params.only != "up"

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the number, or none when it is as wanted.

        Raises Refused for a DaemonSet and for what an autoscaler scales.
        """
        assert isinstance(params, ScaleParams)
        target = seen.workload
        if target.ref.kind == "daemonset":
            raise Refused(f"{target.ref} runs one pod on every node: it cannot be scaled")
        enough = {None: False, "up": target.desired >= params.to, "down": target.desired <= params.to}
        if target.desired == params.to or enough[params.only]:
            return ()
        leave_to_autoscaler(seen)
        return (ScaleWorkload(target=target.ref, uid=target.uid, seen=target.desired, replicas=params.to),)

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """The number of before. Raises Refused when somebody scaled it since."""
        assert isinstance(change, ScaleWorkload)
        desired = now.workload.desired
        if desired != change.replicas:
            raise Refused(f"{change.target} asks for {desired} pods by now, not for {change.replicas}")
        leave_to_autoscaler(now)
        return ScaleWorkload(target=change.target, uid=change.uid, seen=change.replicas, replicas=change.seen)
