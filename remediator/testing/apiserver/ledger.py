"""What was asked and what took effect, for tests that count."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from remediator.testing.apiserver.objects import Json


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One request, as it arrived. ``at`` is ``time.monotonic()`` of the server's process, in seconds."""

    at: float
    method: str
    path: str
    query: str
    content_type: str
    user_agent: str
    body: str

    def as_json(self) -> Json:
        """For the control surface."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One mutation that took effect: dry runs, refusals and writes that changed nothing are not here.

    ``at`` is ``time.monotonic()`` of the server's process. ``template_changed``: the pods of a workload are
    to be replaced, by a restart, a new image or a rollback.
    """

    at: float
    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    body: Any
    resource_version: str
    generation: int | None
    template_changed: bool
    dry_run: bool = False

    def as_json(self) -> Json:
        """For the control surface."""
        return asdict(self)


class Ledger(list[Effect]):
    """Effects in their order."""

    def of(self, namespace: str, name: str) -> list[Effect]:
        """The effects on objects of that name."""
        return [effect for effect in self if (effect.namespace, effect.name) == (namespace, name)]

    def restarts(self, namespace: str, name: str) -> int:
        """How often the pod template of that workload was changed by a request."""
        return sum(effect.template_changed for effect in self.of(namespace, name))
