"""Admission: what may still refuse a valid object, after it is complete and before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from remediator.testing.apiserver import limits, quotas
from remediator.testing.apiserver.access import Asked
from remediator.testing.apiserver.kinds import CLAIMS, PODS, STORAGE_CLASSES, Kind
from remediator.testing.apiserver.kinds.pod_template import quantity
from remediator.testing.apiserver.kinds.storage import storage_of
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.statuses import denied, failed_webhook, forbidden
from remediator.testing.apiserver.store import Store

_NOT_RESIZABLE = (
    "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
    "support resize"
)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A ValidatingAdmissionPolicy: what it ``denies`` of one resource, and the ``message`` it gives.

    ``resource``: such as ``deployments``; subresources are not covered. ``namespace``: empty for all.
    """

    name: str
    resource: str
    message: str
    denies: Callable[[Json], bool]
    namespace: str = ""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """A validating webhook that cannot be reached and must not be ignored; ``host`` is where it should be."""

    name: str
    resource: str
    host: str
    path: str = "/validate"
    namespace: str = ""
    timeout: int = 2
    """Seconds."""


@dataclass(kw_only=True)
class Admission:
    """The plugins every cluster has, and what a test adds to them."""

    store: Store
    policies: list[Policy] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)

    def fill(self, kind: Kind, obj: Json) -> None:
        """Complete a new object in place."""
        if kind is PODS:
            limits.fill(self.store, obj)

    def check(self, asked: Asked, kind: Kind, new: Json, old: Json | None) -> None:
        """Raises ApiError 403, 422 or 500 when the new state is not admitted."""
        name = new["metadata"]["name"]
        if kind is PODS and old is None and (broken := limits.broken(self.store, new)):
            raise forbidden(kind.plural, kind.group, name, broken)
        if kind is CLAIMS and old is not None and not self._resizable(new, old):
            raise forbidden(kind.plural, kind.group, name, _NOT_RESIZABLE)
        self._ask(asked, kind, new)
        for why in quotas.exceeded(self.store, kind, new, old):
            raise forbidden(kind.plural, kind.group, name, why)

    def _resizable(self, new: Json, old: Json) -> bool:
        if quantity(storage_of(new)) <= quantity(storage_of(old)):
            return True
        of = self.store.get(STORAGE_CLASSES, ("", new["spec"].get("storageClassName", "")))
        return bool(of and of.get("allowVolumeExpansion"))

    def _ask(self, asked: Asked, kind: Kind, new: Json) -> None:
        for policy in self.policies:
            if _covers(policy, asked) and policy.denies(new):
                raise denied(kind.plural, kind.group, new["metadata"]["name"], policy.name, policy.message)
        for webhook in self.webhooks:
            if _covers(webhook, asked):
                url = f"https://{webhook.host}{webhook.path}?timeout={webhook.timeout}s"
                raise failed_webhook(webhook.name, url, webhook.host)


def _covers(what: Policy | Webhook, asked: Asked) -> bool:
    return asked.resource_path == what.resource and what.namespace in {"", asked.namespace}
