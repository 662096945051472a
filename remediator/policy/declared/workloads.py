"""Actions on a workload that are declared and not performed yet."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, model_validator

from remediator.core.plugins import EffectClass, NoParams, Params, objection
from remediator.core.values import ObjectName
from remediator.policy.declared.values import ImageText, QuantityText, Span, amount


class SetImageParams(Params):
    """Parameters of ``set_image``."""

    container: ObjectName = Field(
        default="", description="The container whose image is set. Default: the only one there is."
    )
    image: ImageText = Field(description="The image, with a tag or a digest.")


class SetImage:
    """Give a container another image, as ``kubectl set image``."""

    name: ClassVar[str] = "set_image"
    params: ClassVar[type[Params]] = SetImageParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "set_image: {container: web, image: 'registry.example.com/shop/web:1.4.2'}"


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
        for name in ("cpu", "memory"):
            least, most = getattr(self.requests, name, None), getattr(self.limits, name, None)
            if least is not None and most is not None and amount(least) > amount(most):
                raise objection("P013", f"requests {least} of {name} but limits it to {most}; swap them")
        return self


class SetResources:
    """Give a container more or less memory and CPU, as ``kubectl set resources``."""

    name: ClassVar[str] = "set_resources"
    params: ClassVar[type[Params]] = SetResourcesParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "set_resources: {container: web, requests: {memory: 1Gi}, limits: {memory: 2Gi}}"


class IsolateParams(Params):
    """Parameters of ``isolate``."""

    ttl: Span = Field(
        alias="for",
        description="How long it stays so at most; then it is brought back, or people are paged.",
    )


class Isolate:
    """Take a workload out: scale it to zero and remember, on the object itself, how many pods there were."""

    name: ClassVar[str] = "isolate"
    params: ClassVar[type[Params]] = IsolateParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "isolate: {for: 30m}"


class Restore:
    """Bring an isolated workload back, with as many pods as it had; the inverse of ``isolate``."""

    name: ClassVar[str] = "restore"
    params: ClassVar[type[Params]] = NoParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "restore: {}"


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
    """Set the bounds of the HorizontalPodAutoscaler that scales the workload."""

    name: ClassVar[str] = "hpa"
    params: ClassVar[type[Params]] = HpaParams
    effect: ClassVar[EffectClass] = EffectClass.FENCED
    example: ClassVar[str] = "hpa: {min: 3, max: 10}"
