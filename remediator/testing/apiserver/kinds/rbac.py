"""Roles and their bindings: what users may do."""

from __future__ import annotations

from remediator.testing.apiserver.kinds.base import Kind

_GROUP = "rbac.authorization.k8s.io"

ROLES = Kind(name="Role", plural="roles", singular="role", group=_GROUP, status_subresource=False)
ROLE_BINDINGS = Kind(
    name="RoleBinding",
    plural="rolebindings",
    singular="rolebinding",
    group=_GROUP,
    status_subresource=False,
)
CLUSTER_ROLES = Kind(
    name="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    group=_GROUP,
    namespaced=False,
    status_subresource=False,
)
CLUSTER_ROLE_BINDINGS = Kind(
    name="ClusterRoleBinding",
    plural="clusterrolebindings",
    singular="clusterrolebinding",
    group=_GROUP,
    namespaced=False,
    status_subresource=False,
)
