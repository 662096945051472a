"""``scale``: ask for another number of pods."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from remediator.core.cluster import Change, Need, ScaleWorkload, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import EffectClass, Params, Permission, on_target
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
    """

    name: ClassVar[str] = "scale"
    params: ClassVar[type[Params]] = ScaleParams
    permissions: ClassVar[tuple[Permission, ...]] = (on_target("patch", "scale the workload", acting=True),)
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    example: ClassVar[str] = "scale: {to: 2, only: up}"

    def disrupts(self, params: Params) -> bool:
        """Unless it only raises the number."""
        assert isinstance(params, ScaleParams)
        return params.only != "up"

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the number, or none when it is as wanted. Raises Refused for a DaemonSet."""
        assert isinstance(params, ScaleParams)
        target = seen.workload
        if target.ref.kind == "daemonset":
            raise Refused(f"{target.ref} runs one pod on every node: it cannot be scaled")
        enough = {None: False, "up": target.desired >= params.to, "down": target.desired <= params.to}
        if target.desired == params.to or enough[params.only]:
            return ()
        return (ScaleWorkload(target=target.ref, uid=target.uid, seen=target.desired, replicas=params.to),)
