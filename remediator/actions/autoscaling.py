"""What actions have to do with the HorizontalPodAutoscalers that scale their target."""

from __future__ import annotations

from remediator.core.cluster import Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import Permission

GROUP, RESOURCE = "autoscaling", "horizontalpodautoscalers"
AUTOSCALERS_LISTED = Permission(
    group=GROUP, resource=RESOURCE, verbs=("list",), why="see whether an autoscaler scales the target"
)


def leave_to_autoscaler(seen: Snapshot) -> None:
    """Raises Refused where an autoscaler would undo another number of pods.

    One with a least number of pods stands still while its target asks for none: what was scaled to zero can
    be brought back, and is scaled by it from then on. Source: ``reconcileAutoscaler`` of Kubernetes
    (ScalingDisabled).
    """
    awake = [each for each in seen.autoscalers if seen.workload.desired or not each.least]
    if awake:
        names = " and ".join(f"hpa/{each.ref.name}" for each in awake)
        verb = "scales" if len(awake) == 1 else "scale"
        raise Refused(
            f"{names} {verb} {seen.workload.ref} and would undo it; use hpa: {{min: …, max: …}} in its place"
        )
