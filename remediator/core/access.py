"""What the daemon may do with a cluster: what it needs, what it was granted, and who can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from remediator.core.objects import NODE
from remediator.core.plugins import Permission
from remediator.core.policies import WorkloadRef

EVERYTHING = "*"
OF_KIND = "{kind}s"
"""The resource of a permission that is on the target itself."""
BY_NAME = frozenset(("get", "patch", "update", "delete"))
"""Verbs whose requests name one object, so that RBAC can hold them to names."""


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Access:
    """One thing to be allowed. ``namespace`` empty: in the whole cluster; ``name`` empty: on all objects.

    ``resource`` may be followed by a subresource, such as ``pods/log``.
    """

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""

    @property
    def what(self) -> str:
        """As people say it, without the place: ``patch deployments.apps web``."""
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {kind}" + (f" {self.name}" if self.name else "")

    @property
    def place(self) -> str:
        """``in namespace shop``, or ``in the whole cluster``."""
        return f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"

    def __str__(self) -> str:
        return f"{self.what} {self.place}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """One rule of RBAC, as the cluster tells it: any of its verbs on any resource of any group.

    Without ``names`` it holds for all objects.
    """

    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    names: frozenset[str] = frozenset()

    def allows(self, wanted: Access) -> bool:
        """Whether this rule alone suffices. Source: ``RuleAllows`` of the RBAC authorizer of Kubernetes."""
        _, slash, subresource = wanted.resource.partition("/")
        resources = {EVERYTHING, wanted.resource} | ({f"*/{subresource}"} if slash else set())
        return (
            not self.verbs.isdisjoint((EVERYTHING, wanted.verb))
            and not self.groups.isdisjoint((EVERYTHING, wanted.group))
            and not self.resources.isdisjoint(resources)
            and (not self.names or wanted.name in self.names)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Grants:
    """What we were granted in a namespace. Not ``complete``: something beside RBAC decides too."""

    rules: tuple[Granted, ...]
    complete: bool


class AccessReviewer(Protocol):
    """Asks the cluster what we may do. Raises Refused (it will not tell) and Retryable."""

    async def missing(self, wanted: Collection[Access]) -> frozenset[Access]:
        """Those of ``wanted`` that we may not do."""

    async def granted(self, namespace: str) -> Grants:
        """All that we may do in a namespace, as far as the cluster can tell."""


def accesses(permission: Permission, target: WorkloadRef, params: Mapping[str, object]) -> tuple[Access, ...]:
    """What a plugin's permission comes to for one target. ``params``: the plugin's."""
    if permission.kinds and target.kind not in permission.kinds:
        return ()
    if permission.given is not None and params.get(permission.given[0]) != permission.given[1]:
        return ()
    own_kind = target.kind == NODE and permission.resource == OF_KIND  # nodes are of the core group
    revisions = "replicasets" if target.kind == "deployment" else "controllerrevisions"
    name = _name(permission, target, params)
    return tuple(
        Access(
            namespace="" if permission.cluster_wide else target.namespace,
            group="" if own_kind else permission.group,
            resource=permission.resource.format(kind=target.kind, revisions=revisions),
            verb=verb,
            name=name if verb in BY_NAME else "",
        )
        for verb in permission.verbs
    )


def _name(permission: Permission, target: WorkloadRef, params: Mapping[str, object]) -> str:
    for source in permission.named:
        if source == "target":
            return target.name
        given = params.get(source)
        if isinstance(given, str) and given:
            return "" if "{" in given else given  # a template can say anything
    return ""
