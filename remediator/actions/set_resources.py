"""``set_resources``: give a container more or less memory and CPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from remediator.actions.templating import chosen, must_roll_out, still
from remediator.core.changes import Change, SetContainerResources
from remediator.core.cluster import Container, Need, Snapshot
from remediator.core.errors import Refused
from remediator.core.plugins import TARGET, EffectClass, Params, Permission, objection, on_target
from remediator.core.quantities import QuantityText, amount, exceeds, same_amount
from remediator.core.times import Instant
from remediator.core.values import ObjectName

NAMES = ("cpu", "memory")
BOUNDS = ("requests", "limits")


class ResourcesModel(Params):
    """``requests`` or ``limits`` of a container."""

    cpu: QuantityText | None = Field(default=None, description="Cores, such as 500m.")
    memory: QuantityText | None = Field(default=None, description="Bytes, such as 512Mi.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.cpu is None and self.memory is None:
            raise objection("P012", "asks for nothing; add cpu: 500m or memory: 512Mi")
        return self


class SetResourcesParams(Params):
    """Parameters of ``set_resources``."""

    container: ObjectName = Field(
        default="", description="The container whose resources are set. Default: the only one there is."
    )
    requests: ResourcesModel | None = Field(default=None, description="What it is given at least.")
    limits: ResourcesModel | None = Field(default=None, description="What it is given at most.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.requests is None and self.limits is None:
            raise objection("P012", "sets nothing; add requests: {memory: 512Mi} or limits: {memory: 1Gi}")
        for name in NAMES:
            least, most = getattr(self.requests, name, None), getattr(self.limits, name, None)
            if least is not None and most is not None and amount(least) > amount(most):
                raise objection("P013", f"requests {least} of {name} but limits it to {most}; swap them")
        return self


class SetResources:
    """Give a container more or less memory and CPU, as ``kubectl set resources``, by a rollout.

    Fenced: it is made only while that container stands where it stood, with the resources that were seen.
    What is not asked for is kept; where all is as wanted already, nothing is done. Its inverse is what it had
    before.
    """

    name: ClassVar[str] = "set_resources"
    params: ClassVar[type[Params]] = SetResourcesParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        on_target("patch", "set the resources in the workload's template", acting=True),
    )
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    needs: ClassVar[frozenset[Need]] = frozenset()
    fenced_on: ClassVar[str] = TARGET
    invertible: ClassVar[bool] = True
    example: ClassVar[str] = "set_resources: {container: web, requests: {memory: 1Gi}, limits: {memory: 2Gi}}"

    def disrupts(self, params: Params) -> bool:
        """A rollout may begin with healthy pods."""
        return True

    def plan(self, params: Params, seen: Snapshot, *, at: Instant) -> tuple[Change, ...]:
        """One change of the resources, or none when they are as wanted.

        Raises Refused for a container that is not there or not named among several, for a request that would
        be more than the limit it keeps, and while rollouts are paused.
        """
        assert isinstance(params, SetResourcesParams)
        target = seen.workload
        index, container = chosen(params.container, target)
        wanted = _wanted(params, container)
        if wanted is None:
            return ()
        must_roll_out(target)
        _check(wanted, f"container {container.name} of {target.ref}")
        return (
            SetContainerResources(
                target=target.ref,
                uid=target.uid,
                container=container.name,
                index=index,
                seen=container.resources,
                resources=wanted,
            ),
        )

    def inverse(self, change: Change, now: Snapshot) -> Change:
        """The resources of before. Raises Refused when it has others by now."""
        assert isinstance(change, SetContainerResources)
        container = still(change.index, change.container, now.workload)
        if not _alike(container.resources, change.resources):
            raise Refused(f"container {change.container} of {change.target} has other resources by now")
        return SetContainerResources(
            target=change.target,
            uid=change.uid,
            container=change.container,
            index=change.index,
            seen=container.resources,
            resources=change.seen or {},
        )


def _wanted(params: SetResourcesParams, container: Container) -> Mapping[str, Any] | None:
    """All its resources as they are to be; None when they are so."""
    had = container.resources or {}
    wanted, differs = dict(had), False
    for bound in BOUNDS:
        asked: ResourcesModel | None = getattr(params, bound)
        given = {} if asked is None else asked.model_dump(exclude_none=True)
        kept = dict(had.get(bound) or {})
        other = {name: value for name, value in given.items() if not same_amount(kept.get(name), value)}
        if other:
            wanted[bound], differs = {**kept, **other}, True
    return wanted if differs else None


def _check(resources: Mapping[str, Any], what: str) -> None:
    """Raises Refused when more would be requested than is allowed: the API server takes no such template."""
    requests, limits = (resources.get(bound) or {} for bound in BOUNDS)
    for name in NAMES:
        least, most = requests.get(name), limits.get(name)
        if exceeds(least, most):
            raise Refused(f"{what} would request {least} of {name} but be limited to {most}; set both")


def _alike(now: Mapping[str, Any] | None, then: Mapping[str, Any]) -> bool:
    """Whether they are as much, however the API server writes it."""
    had = now or {}
    if {key for key in had if had[key]} != {key for key in then if then[key]}:
        return False
    for key, value in then.items():
        if key not in BOUNDS:
            if had.get(key) != value:
                return False
            continue
        own = had.get(key) or {}
        if own.keys() != value.keys() or not all(same_amount(own[name], value[name]) for name in value):
            return False
    return True
