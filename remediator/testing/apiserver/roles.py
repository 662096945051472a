"""Roles and bindings at work: which rules a subject has in a namespace, and by which binding.

Source: ``k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from remediator.testing.apiserver.kinds import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from remediator.testing.apiserver.objects import Json
from remediator.testing.apiserver.store import Store


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One rule of a role, as RBAC writes it, and why the subject has it."""

    rule: Json
    reason: str


def grants(store: Store, user: str, groups: Sequence[str], namespace: str) -> Iterator[Grant]:
    """The rules a user has in a namespace (empty: in the cluster as a whole)."""
    bindings = [(CLUSTER_ROLE_BINDINGS, one) for one in store.list(CLUSTER_ROLE_BINDINGS)]
    if namespace:
        bindings += [(ROLE_BINDINGS, one) for one in store.list(ROLE_BINDINGS, namespace)]
    for kind, binding in bindings:
        subject = _subject(binding, user, groups)
        if subject is None:
            continue
        meta, role = binding["metadata"], binding["roleRef"]
        name = f"{meta['name']}/{meta['namespace']}" if kind is ROLE_BINDINGS else meta["name"]
        by = f'{kind.name} "{name}" of {role["kind"]} "{role["name"]}"'
        reason = f'RBAC: allowed by {by} to {subject["kind"]} "{_named(subject)}"'
        for rule in _rules(store, role, meta.get("namespace", "")):
            yield Grant(rule=rule, reason=reason)


def _rules(store: Store, role: Json, namespace: str) -> Sequence[Json]:
    if role["kind"] == "ClusterRole":
        found = store.get(CLUSTER_ROLES, ("", role["name"]))
    else:
        found = store.get(ROLES, (namespace, role["name"]))
    rules: Sequence[Json] = (found or {}).get("rules") or ()
    return rules


def _subject(binding: Json, user: str, groups: Sequence[str]) -> Json | None:
    for subject in binding.get("subjects", ()):
        who: Json = subject
        if who["kind"] == "Group" and who["name"] in groups:
            return who
        if who["kind"] == "User" and who["name"] == user:
            return who
        if who["kind"] == "ServiceAccount" and user == f"system:serviceaccount:{_path(who)}":
            return who
    return None


def _path(account: Json) -> str:
    return f"{account.get('namespace', '')}:{account['name']}"


def _named(subject: Json) -> str:
    if subject["kind"] == "ServiceAccount":
        return f"{subject['name']}/{subject.get('namespace', '')}"
    return str(subject["name"])
