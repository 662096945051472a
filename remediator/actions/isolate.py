"""``isolate``: take a workload out, for some time at most."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from remediator.actions.autoscaling import AUTOSCALERS_LISTED
from remediator.actions.restore import restoring
from remediator.core.changes import Change, IsolateWorkload
from remediator.core.cluster import Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.isolation import ISOLATED_REPLICAS
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, on_target
from remediator.core.spans import Span
from remediator.core.times import Instant, Millis


class IsolateParams(Params):
    """Parameters of ``isolate``."""

    ttl: Span = Field(
        alias="for",
        description="How long it stays so at most; then it is brought back, or people are paged.",
    )


class Isolate:
    """Take a workload out: scale it to zero and remember, on the object itself, how many pods there were.

    What it had and until when it stays so is written into annotations of the workload, in the same change.
    One that asks for no pods is left as it is, and what an earlier isolation remembers is kept. Fenced: it is
    made only while the workload still asks for the number that was seen. Its inverse is ``restore``. All its
    healthy pods count as taken away: bounds on that forbid to isolate what is well.
    """

    name: ClassVar[str] = "isolate"
    params: ClassVar[type[Params]] = IsolateParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        AUTOSCALERS_LISTED,
        on_target("patch", "scale the workload to zero and remember its number", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset({Need.AUTOSCALERS})
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "isolate: {for: 30m}"

    def disrupts(self, params: Params) -> bool:
        """All of its pods go."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change, or none when no pods are asked for.

        Raises Refused for a DaemonSet, and for an autoscaler that would bring pods back. A number that is
        remembered while pods are asked for again is old: somebody brought them back by hand.
        """
        assert isinstance(params, IsolateParams)
        target = seen.workload
        if target.ref.kind == "daemonset":
            raise Refused(f"{target.ref} runs one pod on every node: it cannot be scaled to zero")
        if target.desired == 0:
            return ()
        for each in seen.autoscalers:
            if not each.least:  # any other stands still while no pods are asked for
                raise Refused(
                    f"hpa/{each.ref.name} has minReplicas 0: it would bring {target.ref} back when it likes; "
                    "raise it first, by hpa: {min: 1}"
                )
        return (
            IsolateWorkload(
                target=target.ref,
                uid=target.uid,
                seen=target.desired,
                until=Instant(at + params.ttl),
                span=Millis(params.ttl),
                memory=target.annotations.get(ISOLATED_REPLICAS),
            ),
        )

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """Its restoration. Raises Refused when it asks for pods again, or remembers another number."""
        assert isinstance(change, IsolateWorkload)
        target = now.workload
        if target.desired != 0:
            raise Refused(f"{target.ref} asks for {target.desired} pods by now, not for none")
        if target.annotations.get(ISOLATED_REPLICAS) != str(change.seen):
            raise Refused(f"{target.ref} does not remember the {change.seen} pods that it had")
        return restoring(target)
