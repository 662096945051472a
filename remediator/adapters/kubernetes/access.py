"""What we may do with the cluster, as the API server tells whoever asks about himself.

Nothing is stored by these requests, so they are repeated as reads are. Every service account may make them
(``system:basic-user``). Source: ``authorization.k8s.io/v1``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from remediator.adapters.kubernetes.api import Api
from remediator.adapters.kubernetes.faults import Call, understood
from remediator.adapters.kubernetes.paths import checked_name
from remediator.adapters.kubernetes.snapshots import Json
from remediator.core.access import Access, Granted, Grants

GROUP = "authorization.k8s.io"
AT_ONCE = 4
"""Reviews that are under way at the same time: the pool's other connections are for the incidents."""


class AccessReviews:
    """``core.access.AccessReviewer`` on an API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def missing(self, wanted: Collection[Access]) -> frozenset[Access]:
        """Those that we may not do.

        One request for each namespace where RBAC alone decides. Where something beside it does, a webhook of
        a cloud for instance, what RBAC does not allow is asked one by one. Raises Refused, Retryable.
        """
        doubtful: set[Access] = set()
        missing: set[Access] = set()
        for namespace in sorted({access.namespace for access in wanted}):
            own = [access for access in wanted if access.namespace == namespace]
            if not namespace:  # the rules of a namespace do not tell which of them hold everywhere
                doubtful.update(own)
                continue
            grants = await self.granted(namespace)
            left = [access for access in own if not any(rule.allows(access) for rule in grants.rules)]
            (missing if grants.complete else doubtful).update(left)
        return frozenset(missing | await self._refused(sorted(doubtful)))

    async def granted(self, namespace: str) -> Grants:
        """Our rules in a namespace. Raises Refused, Retryable."""
        spec = {"namespace": checked_name(namespace)}
        doing = f"ask what we may do in namespace {namespace}"
        answer = await self._review("SelfSubjectRulesReview", spec, doing)
        with understood("what we may do"):
            status = answer["status"]
            rules = tuple(_granted(rule) for rule in status.get("resourceRules") or ())
            return Grants(rules=rules, complete=not status.get("incomplete"))

    async def _refused(self, wanted: Iterable[Access]) -> set[Access]:
        """Those that the server does not allow, asked one by one; names only where it does not allow all."""
        kinds: dict[Access, list[Access]] = {}
        for access in wanted:
            kinds.setdefault(_of_any_name(access), []).append(access)
        barred = await self._denied(kinds)
        named = [access for kind in barred for access in kinds[kind] if access.name]
        return {kind for kind in barred if kind in kinds[kind]} | set(await self._denied(named))

    async def _denied(self, wanted: Iterable[Access]) -> list[Access]:
        """A few at a time, and no further once one of them cannot be found out."""
        asked, answers = list(wanted), []
        for first in range(0, len(asked), AT_ONCE):
            answers += await asyncio.gather(*map(self._allowed, asked[first : first + AT_ONCE]))
        return [access for access, allowed in zip(asked, answers, strict=True) if not allowed]

    async def _allowed(self, access: Access) -> bool:
        resource, _, subresource = access.resource.partition("/")
        attributes = {
            "namespace": access.namespace,
            "verb": access.verb,
            "group": access.group,
            "resource": resource,
            "subresource": subresource,
            "name": access.name,
        }
        spec = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
        answer = await self._review("SelfSubjectAccessReview", spec, f"ask whether we may {access}")
        with understood("whether we may"):
            return bool(answer["status"]["allowed"])

    async def _review(self, kind: str, spec: Json, doing: str) -> Any:
        call = Call(
            method="POST",
            path=f"/apis/{GROUP}/v1/{kind.lower()}s",
            doing=doing,
            needs=f"create {kind.lower()}s.{GROUP}, as the ClusterRole system:basic-user does",
            body={"apiVersion": f"{GROUP}/v1", "kind": kind, "spec": spec},
            repeatable=True,
        )
        return await self._api.call(call)


def _of_any_name(access: Access) -> Access:
    return Access(namespace=access.namespace, group=access.group, resource=access.resource, verb=access.verb)


def _granted(rule: Json) -> Granted:
    return Granted(
        groups=frozenset(rule.get("apiGroups") or ()),
        resources=frozenset(rule.get("resources") or ()),
        verbs=frozenset(rule.get("verbs") or ()),
        names=frozenset(rule.get("resourceNames") or ()),
    )
