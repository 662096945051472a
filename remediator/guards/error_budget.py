"""Guard 6, ``error_budget``: the rule is trusted to act on a service that has failed its users for long."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

from remediator.core.budgets import Budget, budget_of, budget_query
from remediator.core.errors import RemediatorError, StoreUnavailable
from remediator.core.plugins import Permission
from remediator.core.policies import Mode, Scope
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, NotAskedError, Verdict
from remediator.core.weighing import rendered


class ErrorBudget:
    """Withholds changes of services of whose error budget less than ``guards.error_budget.below`` is left.

    Their rules are held to the mode ``then``, whatever they are trusted with otherwise; under ``approve`` a
    change waits for a person. Services without an ``slo`` have no error budget, and rules that are trusted
    with no more anyway are not held back further.
    """

    name: ClassVar[str] = "error_budget"
    asks: ClassVar[str] = "that enough of the service's error budget is left"
    again: ClassVar[bool] = False
    # It asks Prometheus, not the cluster.
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """The budget by Prometheus; where it does not tell, the change is blocked."""
        bound = request.policy.guards.error_budget
        if bound is None:
            return Verdict(guard=self.name, allowed=True, text="guards.error_budget is not set")
        if request.service is None or request.service.slo is None:
            text = f"service {request.incident.service} has no slo"
            return Verdict(guard=self.name, allowed=True, text=text)
        budget = await read_budget(request, ports)
        text, measures = f"{budget}, at least {bound.below:g}% wanted", (_measure(budget, bound.below),)
        if budget.left >= bound.below:
            return Verdict(guard=self.name, allowed=True, text=text, measures=measures)
        text += f": rules are held to {bound.then}"
        held = replace(request, cap=bound.then)
        withholds = held.mode is not request.mode and held.withheld
        return Verdict(
            guard=self.name,
            allowed=not withholds,
            text=text,
            withholds=withholds,
            asks=withholds and held.asks,
            measures=measures,
        )

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """``guards.error_budget``, where the service has an ``slo``."""
        bound, service = request.policy.guards.error_budget, request.service
        if bound is None or service is None or service.slo is None:
            return ()
        return (f"held to {bound.then} while less than {bound.below:g}% of its error budget is left",)


def _measure(budget: Budget, below: float) -> Measure:
    """Measures say at most: what is spent is counted, not what is left."""
    spent, allowed = math.ceil(round(100 * budget.spent, 6)), math.floor(100 - below)
    return Measure(what="percent of the error budget spent", observed=spent, allowed=allowed)


async def read_budget(request: ChangeRequest, ports: GuardPorts) -> Budget:
    """How the service's error budget stands. Raises Refused and Retryable where that cannot be known."""
    service, incident = request.service, request.incident
    assert service is not None
    assert service.slo is not None
    scope = Scope(incident=incident.id, severity=incident.severity, service=incident.service, entry=service)
    query = rendered(service.slo.errors, scope, request.policy)
    return budget_of(service.slo, await ports.query(budget_query(query, service.slo.window)))


async def held_to_budget(request: ChangeRequest, ports: GuardPorts) -> ChangeRequest:
    """The request with the trust that the error budget leaves: guards before this one are to know it, too.

    Where that cannot be known none is taken away: this guard blocks. Raises StoreUnavailable.
    """
    request = replace(request, cap=Mode.AUTO)
    bound, service = request.policy.guards.error_budget, request.service
    if bound is None or service is None or service.slo is None:
        return request
    try:
        budget = await read_budget(request, ports)
    except StoreUnavailable:
        raise
    except (RemediatorError, NotAskedError):
        return request
    return replace(request, cap=bound.then) if budget.left < bound.below else request
