"""``endpoints``: enough ready addresses stand behind a Kubernetes Service."""

from __future__ import annotations

from typing import ClassVar, cast

from pydantic import Field

from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.journal import CheckResult
from remediator.core.plugins import Params, Permission, Sight
from remediator.core.values import ObjectName


class EndpointsParams(Params):
    """Parameters of ``endpoints``."""

    service: ObjectName = Field(
        default="", description="The Kubernetes Service, in the workload's namespace; by default of its name."
    )
    at_least: int = Field(default=1, ge=1, le=1000, description="How many addresses must be ready.")


class EndpointsCheck:
    """Holds while that many addresses behind a Service are ready: requests to it can be answered.

    A pod that is ready and yet behind no Service, because its labels changed, serves nobody. A Service that
    is not there says nothing about the workload: it is unknown whether it holds.
    """

    name: ClassVar[str] = "endpoints"
    params: ClassVar[type[Params]] = EndpointsParams
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            group="",
            resource="endpoints",
            verbs=("get",),
            named=("service", "target"),
            why="count what serves requests",
        ),
    )
    example: ClassVar[str] = "endpoints: {service: web, at_least: 2, for: 30s}"

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """Counts the ready addresses of the Service's endpoints."""
        wanted = cast("EndpointsParams", params)
        if sight.cluster is None:
            return CheckResult(holds=None, observed="no cluster is configured")
        if sight.target is None:
            return CheckResult(holds=None, observed="the service has no workload in the catalog")
        name = wanted.service or sight.target.name
        try:
            seen = await sight.cluster.endpoints(sight.target.namespace, name)
        except StoreUnavailable:
            raise
        except RemediatorError as error:
            return CheckResult(holds=None, observed=f"endpoints of service {name} unknown: {error}")
        return CheckResult(
            holds=seen.ready >= wanted.at_least,
            observed=f"{seen.ready} addresses ready behind service {name}, {seen.not_ready} not ready; "
            f"at least {wanted.at_least} wanted",
        )
