"""``hpa``: set the bounds of the autoscaler that scales the workload."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from remediator.actions.autoscaling import AUTOSCALERS_LISTED, GROUP, RESOURCE
from remediator.core.changes import Change, SetAutoscalerBounds
from remediator.core.cluster import IGNORE_ANNOTATION, Autoscaler, Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.objects import HPA
from remediator.core.plugins import EffectClass, Params, Permission, objection
from remediator.core.times import Instant


class HpaParams(Params):
    """Parameters of ``hpa``."""

    least: int | None = Field(default=None, alias="min", ge=1, le=1000, description="How many pods at least.")
    most: int | None = Field(default=None, alias="max", ge=1, le=1000, description="How many pods at most.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.least is None and self.most is None:
            raise objection("P012", "sets nothing; add min: 2 or max: 10")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise objection("P013", f"min {self.least} is more than max {self.most}; swap them")
        return self


class Hpa:
    """Set the bounds of the HorizontalPodAutoscaler that scales the workload.

    Exactly one must scale it. What is not said is kept, and bounds that are so already are left alone. Fenced
    on the autoscaler itself: it is made only while its bounds are those that were seen. Its inverse is the
    bounds of before. Lowering the maximum counts the healthy pods beyond it as taken away.
    """

    name: ClassVar[str] = "hpa"
    params: ClassVar[type[Params]] = HpaParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        AUTOSCALERS_LISTED,
        Permission(
            group=GROUP,
            resource=RESOURCE,
            verbs=("get", "patch"),
            acting=True,
            why="write the lease's epoch onto the autoscaler, and its bounds",
        ),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUTOSCALERS})
    fenced_on: ClassVar[str] = HPA
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "hpa: {min: 3, max: 10}"

    def disrupts(self, params: Params) -> bool:
        """Only a maximum takes pods away by itself."""
        assert isinstance(params, HpaParams)
        return params.most is not None

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the bounds, or none when they are as wanted.

        Raises Refused where no autoscaler or several scale the workload, where it has opted out, and for
        bounds that exclude each other.
        """
        assert isinstance(params, HpaParams)
        found = _only(seen)
        least = found.least if params.least is None else params.least
        most = found.most if params.most is None else params.most
        if least > most:
            which = "max" if params.most is None else "min"
            raise Refused(
                f"{_name(found)} would ask for at least {least} and at most {most} pods; set {which} as well"
            )
        if (least, most) == (found.least, found.most):
            return ()
        return (
            SetAutoscalerBounds(
                target=seen.workload.ref,
                uid=found.uid,
                name=found.ref.name,
                seen_least=found.least,
                seen_most=found.most,
                least=least,
                most=most,
            ),
        )

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """The bounds of before. Raises Refused when it has others by now."""
        assert isinstance(change, SetAutoscalerBounds)
        found = _only(now)
        if found.uid != change.uid:
            raise Refused(f"{change.target} is scaled by another autoscaler by now: {_name(found)}")
        if (found.least, found.most) != (change.least, change.most):
            raise Refused(f"{_name(found)} has bounds {found.least} to {found.most} by now")
        return SetAutoscalerBounds(
            target=change.target,
            uid=change.uid,
            name=change.name,
            seen_least=change.least,
            seen_most=change.most,
            least=change.seen_least,
            most=change.seen_most,
        )


def _only(seen: Snapshot) -> Autoscaler:
    """The autoscaler of the workload. Raises Refused."""
    target = seen.workload.ref
    if not seen.autoscalers:
        raise Refused(f"no autoscaler scales {target}; use scale: {{to: …}}")
    if len(seen.autoscalers) > 1:
        names = " and ".join(map(_name, seen.autoscalers))
        raise Refused(f"{names} all scale {target}: which one is meant cannot be told; leave one of them")
    (found,) = seen.autoscalers
    if IGNORE_ANNOTATION in found.annotations:
        raise Refused(f"{_name(found)} carries the annotation {IGNORE_ANNOTATION}")
    return found


def _name(autoscaler: Autoscaler) -> str:
    return f"hpa/{autoscaler.ref.name}"
