"""The shape of ``services``: the catalog."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from remediator.core.policies import Service, Slo, WorkloadRef
from remediator.core.spans import PositiveDuration
from remediator.core.templated import PromqlTemplate
from remediator.core.times import Millis
from remediator.policy.model import Model
from remediator.policy.values import HealthText, Namespace, PercentText, WorkloadText, refusal


class SloModel(Model):
    """``slo`` of a service: what it promises to those who use it."""

    objective: PercentText = Field(description="The share of requests, or of time, that must be good.")
    window: PositiveDuration = Field(description="The time over which it is counted.")
    errors: PromqlTemplate = Field(
        min_length=1,
        description="PromQL that gives the share of errors now, from 0 to 1, one series; 0 where none are.",
    )

    def build(self) -> Slo:
        """The core value."""
        return Slo(objective=self.objective, window=Millis(self.window), errors=self.errors)


class ServiceModel(Model):
    """An entry of ``services``. Labels of an alert select it; they never become a namespace or a workload."""

    namespace: Namespace | None = Field(
        default=None, description="The Kubernetes namespace it runs in; needed with `workload`."
    )
    workload: WorkloadText | None = Field(
        default=None, description="The one workload that changes for this service are made to."
    )
    depends_on: list[str] = Field(
        default_factory=list,
        description="Names of the services that it cannot work without: while one of them has an open "
        "incident, incidents of this one attach to it and start no runbook.",
    )
    health: HealthText | None = Field(
        default=None,
        description="The URL that tells whether it is well; its host is one of the few that are ever asked.",
    )
    links: dict[str, str] = Field(
        default_factory=dict, description="Names to web addresses that are shown in its incidents."
    )
    slo: SloModel | None = Field(default=None, description="What it promises to those who use it.")

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.workload is not None and self.namespace is None:
            raise refusal("P012", "a workload needs a namespace; add namespace: NAME beside it")
        return self

    def build(self, name: str) -> Service:
        """The core value."""
        workload = None
        if self.workload is not None and self.namespace is not None:
            kind, own = self.workload
            workload = WorkloadRef(kind=kind, namespace=self.namespace, name=own)
        return Service(
            name=name,
            workload=workload,
            namespace=self.namespace,
            depends_on=tuple(self.depends_on),
            health=self.health,
            links=dict(self.links),
            slo=None if self.slo is None else self.slo.build(),
        )
