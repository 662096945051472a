"""What comes first: what a service depends on, and which open incident is the likely cause. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remediator.core.incident import IncidentId
from remediator.core.policies import Policy, Service, severity_rank

DEPENDENCY = "dependency"
"""The guard that asks again, right before each change, whether something else comes first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Root:
    """An open incident that others may wait for. ``about``: the name under which it was looked for.

    ``attached``: it waits for another one itself. ``idle``: its rules name no runbook. ``foreign``: an alert
    of it is not ours to act upon.
    """

    incident: IncidentId
    about: str
    severity: str
    attached: bool = False
    idle: bool = False
    foreign: bool = False

    def __str__(self) -> str:
        return f"{self.about} has {self.severity} incident {self.incident} open"


def dependencies(service: str, services: Mapping[str, Service]) -> frozenset[str]:
    """What the service cannot work without, directly and in turn.

    A service that depends on this one, too, is none of them: of two in a circle neither can wait.
    """
    reached = _reachable(service, services)
    if service not in reached:
        return reached
    return frozenset(name for name in reached if service not in _reachable(name, services))


def _reachable(service: str, services: Mapping[str, Service]) -> frozenset[str]:
    found: set[str] = set()
    ahead = [service]
    while ahead:
        entry = services.get(ahead.pop())
        fresh = [name for name in entry.depends_on if name not in found] if entry is not None else []
        found.update(fresh)
        ahead += fresh
    return frozenset(found)


def first_cause(roots: Sequence[Root], policy: Policy) -> Root | None:
    """The one to wait for: nothing that its own service depends on is down. Of several the most severe.

    One that waits itself is chosen only where there is no other: then it, too, is about to decide again.
    """
    names = {root.about for root in roots}
    deepest = [root for root in roots if not dependencies(root.about, policy.services) & names]
    return min(deepest, key=_rank, default=None)


def _rank(root: Root) -> tuple[bool, bool, int, str]:
    return root.foreign, root.attached, severity_rank(root.severity), root.incident


def named(roots: Iterable[Root], wanted: frozenset[str]) -> tuple[Root, ...]:
    """Those that are about one of ``wanted``."""
    return tuple(root for root in roots if root.about in wanted)
